import { type Bucket, type StoredObject, smallBytes, type WrittenObject } from '../bucket/bucket.js'
import { canonicalHeaders } from '../bucket/headers.js'
import { asGzip, compressed, md5OfFile } from '../files/file-body.js'
import type { HashedFile } from '../files/hash.js'
import { isForbidden, responseOf, StaticS3Error } from '../runtime/error.js'
import { eachInParallel } from '../runtime/parallel.js'
import { several } from '../runtime/printable.js'
import type { Stop } from '../runtime/stop.js'
import type { Settings } from '../settings/settings.js'
import { describedBy, lacksMd5, type Plan, plan, undescribed } from './plan.js'
import type { Survey } from './survey.js'

export interface PlanInput {
  files: readonly HashedFile[]
  bucket: Bucket
  settings: Pick<Settings, 'force' | 'concurrency' | 'fileOverwrite'>
  warn: (message: string) => void
  stop?: Stop
}

/**
 * The plan for the files, with a warning or an error if a fingerprinted name has other bytes in the bucket. HEAD requests get the headers of objects
 * that no record describes.
 *
 * @param written the objects that this deploy has written, by key
 */
export async function makePlan(
  input: PlanInput,
  { listing, record, backups }: Survey,
  written: ReadonlyMap<string, WrittenObject> = new Map(),
): Promise<Plan> {
  const { bucket, settings, warn } = input
  const known = { listing, record, backups, written }
  const files = await withMd5s(await asStored(input, known), known)
  const keys = undescribed(files, known, settings.force)
  const heads = await currentHeaders(bucket, keys, settings.concurrency)
  const made = plan(files, { ...known, heads }, settings.force)
  guardFingerprints(made, settings, warn)
  return made
}

/**
 * The files, with the MD5s of those whose objects somebody has created since they were hashed, and of a written one: it proves that ETags are MD5s
 * here.
 */
async function withMd5s(
  files: readonly HashedFile[],
  known: Parameters<typeof lacksMd5>[1],
): Promise<readonly HashedFile[]> {
  const lacking = new Set(files.filter((file) => lacksMd5(file, known)))
  if (lacking.size === 0) return files
  const proof = files.find(({ key, size, source }) => !source && size <= smallBytes && known.written.has(key))
  if (proof) lacking.add(proof)
  return Promise.all(files.map(async (file) => (lacking.has(file) ? { ...file, md5: await md5OfFile(file) } : file)))
}

/** Files to compress at the same time, in Node's thread pool. */
const compressedAtOnce = 4
/** Bytes of compressed files to keep for their upload. Others are compressed again. */
const compressedBytes = 32 * 1024 ** 2

/** The files as their objects hold them: some as gzip. */
async function asStored(
  { files, settings, warn, stop }: PlanInput,
  known: Pick<Survey, 'listing' | 'record'>,
): Promise<readonly HashedFile[]> {
  if (!files.some(({ compress }) => compress)) return files
  const stored = [...files]
  const stale: string[] = []
  let room = compressedBytes
  await eachInParallel(compressedAtOnce, [...files.entries()], async ([i, file]) => {
    if (!file.compress) return
    stop?.begun.throwIfAborted()
    const unchanged = settings.force ? undefined : asRecorded(file, known)
    const made = unchanged ?? (await compressed(file, stale))
    room -= made.content?.length ?? 0
    stored[i] = room < 0 ? { ...made, content: undefined } : made
  })
  if (stale.length > 0)
    warn(`${several(stale.sort())}: not used, because it is not the file beside it as one gzip member`)
  return stored
}

/**
 * The file as its object holds it, if the file is to be stored as gzip, and its object and headers are certainly unchanged: it then needs no
 * compression. Only the content is compared: zlib's output differs among versions and machines.
 */
function asRecorded(file: HashedFile, { listing, record }: Pick<Survey, 'listing' | 'record'>) {
  const there = record?.expired?.has(file.key) ? undefined : listing.get(file.key)
  const recorded = there && describedBy(record, file.path, there)
  if (recorded?.original !== file.sha256) return undefined
  const stored = recorded.sha256 === file.sha256 ? file : asGzip(file, recorded)
  return recorded.headers === canonicalHeaders(stored.parameters) ? { ...stored, original: file.sha256 } : undefined
}

/**
 * Requests the headers of objects that no record describes. The result has no entry for an object whose headers can't be read: its headers are
 * then written again.
 */
export async function currentHeaders(
  bucket: Bucket,
  keys: readonly string[],
  concurrency: number,
): Promise<Map<string, StoredObject>> {
  const heads = new Map<string, StoredObject>()
  let hasFailed = false
  await eachInParallel(concurrency, keys, async (key) => {
    if (hasFailed) return
    try {
      const shown = await bucket.head(key)
      if (shown) heads.set(key, shown)
    } catch (error) {
      hasFailed = true
      if (!isForbidden(error) && responseOf(error).status !== 501) throw error
    }
  })
  return heads
}

function guardFingerprints(
  { overwritten }: Plan,
  { fileOverwrite }: PlanInput['settings'],
  warn: (message: string) => void,
): void {
  const [first] = overwritten
  if (!first) return
  const names = overwritten.length === 1 ? first.key : `${first.key} and ${overwritten.length - 1} more`
  const what = `${names}: the bucket has other bytes under the same fingerprinted name, which browsers keep for a year`
  if (!fileOverwrite) {
    throw new StaticS3Error(
      `static-s3: ${what}. AWS_S3_FILE_OVERWRITE is off: make the bundler hash the content, or switch it on.`,
    )
  }
  warn(what)
}
