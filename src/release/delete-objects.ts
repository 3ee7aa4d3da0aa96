import type { Bucket, DeleteOptions, ListedObject } from '../bucket/bucket.js'
import { refusedCondition, responseOf } from '../runtime/error.js'
import { eachInParallel } from '../runtime/parallel.js'
import { several } from '../runtime/printable.js'
import type { Stop } from '../runtime/stop.js'
import type { Cleaned } from './cleanup.js'
import type { Permit } from './lock/hold-lock.js'
import type { Survey } from './survey.js'

/**
 * Deletes objects that still are as listed. An object that another tool has changed since stays: a HEAD request shows the change, and so does the
 * DELETE request's condition on stores that know it. The first failure ends the deletions.
 */
export async function deleteObjects(
  bucket: Bucket,
  objects: readonly ListedObject[],
  concurrency: number,
  permit: Permit,
  stop: Stop,
): Promise<Cleaned> {
  let conditions = true
  const remove: ChangeObject = async ({ key, etag }, options) => {
    if (conditions) {
      try {
        await bucket.delete(key, { ifMatch: etag, ...options })
        return true
      } catch (error) {
        const refused = refusedCondition(error)
        if (refused === 'exists') return false
        if (refused === undefined) throw error
        conditions = false
      }
    }
    await bucket.delete(key, options)
    return true
  }
  const { changed, ...outcome } = await changeObjects(bucket, objects, concurrency, permit, stop, remove)
  return { deleted: changed, ...outcome }
}

export interface Changed extends Omit<Cleaned, 'deleted'> {
  /** Keys. */
  changed: ReadonlySet<string>
}

/** Resolves to false if another tool has changed the object. */
type ChangeObject = (object: ListedObject, options: Pick<DeleteOptions, 'signal' | 'check'>) => Promise<boolean>

/** Changes objects that still are as listed: a HEAD request shows it. The first failure ends the changes. */
export async function changeObjects(
  bucket: Bucket,
  objects: readonly ListedObject[],
  concurrency: number,
  permit: Permit,
  { begun, cut }: Stop,
  change: ChangeObject,
): Promise<Changed> {
  const changed = new Set<string>()
  let failure: unknown
  let isUnanswered = false
  // As for uploads, a failure aborts no request under the lock: the store could carry it out later.
  const signal = AbortSignal.any([permit.signal, cut])
  await eachInParallel(concurrency, objects, async (object) => {
    if (failure !== undefined || begun.aborted || permit.signal.aborted) return
    let isSent = false
    const check = () => {
      permit.check()
      isSent = true
    }
    try {
      const there = await bucket.head(object.key, begun)
      if (there?.etag === object.etag && (await change(object, { signal, check }))) changed.add(object.key)
    } catch (error) {
      failure ??= error
      isUnanswered ||= isSent && (signal.aborted || responseOf(error).unanswered)
    }
  })
  failure ??= begun.aborted ? begun.reason : permit.signal.aborted ? permit.signal.reason : undefined
  return { changed, failure, isUnanswered }
}

/** The most objects to delete without `--max-delete`: this share of the recorded ones, but at least `few`. */
const share = 1 / 4
const few = 10

/**
 * Why these are too many deletions; undefined if they are not.
 *
 * @param check what the user is to check before allowing them
 */
export function tooManyDeletions(
  objects: readonly Pick<ListedObject, 'key'>[],
  record: Survey['record'],
  maxDelete: number | undefined,
  check: string,
): string | undefined {
  const recorded = record?.objects.size ?? 0
  const most = maxDelete ?? Math.max(few, Math.floor(recorded * share))
  const { length } = objects
  if (length <= most) return undefined
  const names = several(objects.map(({ key }) => key))
  const quarter = `${most}, a quarter of the recorded objects (at least ${few})`
  const limit = maxDelete === undefined ? quarter : `--max-delete ${maxDelete}`
  return `${length} objects would be deleted (${names}), and the limit is ${limit}. ${check}, then allow them with --max-delete ${length}`
}
