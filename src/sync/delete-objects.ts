import type { Bucket, ListedObject } from '../bucket/bucket.js'
import type { Cleaned } from '../release/cleanup.js'
import type { Permit } from '../release/lock/hold-lock.js'
import { refusedCondition, responseOf } from '../runtime/error.js'
import { eachInParallel } from '../runtime/parallel.js'
import type { Stop } from '../runtime/stop.js'

/**
 * Deletes objects that still are as listed. An object that another tool has changed since stays: a HEAD request shows the change, and so does the
 * DELETE request's condition on stores that know it. The first failure ends the deletions.
 */
export async function deleteObjects(
  bucket: Bucket,
  objects: readonly ListedObject[],
  concurrency: number,
  permit: Permit,
  { begun, cut }: Stop,
): Promise<Cleaned> {
  const deleted = new Set<string>()
  let failure: unknown
  let isUnanswered = false
  let conditions = true
  // As for uploads, a failure aborts no DELETE under the lock: the store could carry it out later.
  const signal = AbortSignal.any([permit.signal, cut])
  const remove = async ({ key, etag }: ListedObject, check: () => void) => {
    const there = await bucket.head(key, begun)
    if (there && there.etag !== etag) return
    if (there && conditions) {
      try {
        await bucket.delete(key, { ifMatch: etag, signal, check })
      } catch (error) {
        const refused = refusedCondition(error)
        if (refused === 'exists') return
        if (refused === undefined) throw error
        conditions = false
      }
    }
    if (there && !conditions) await bucket.delete(key, { signal, check })
    deleted.add(key)
  }
  await eachInParallel(concurrency, objects, async (object) => {
    if (failure !== undefined || begun.aborted || permit.signal.aborted) return
    let isSent = false
    const check = () => {
      permit.check()
      isSent = true
    }
    try {
      await remove(object, check)
    } catch (error) {
      failure ??= error
      isUnanswered ||= isSent && (signal.aborted || responseOf(error).unanswered)
    }
  })
  failure ??= begun.aborted ? begun.reason : permit.signal.aborted ? permit.signal.reason : undefined
  return { deleted, failure, isUnanswered }
}
