import { type Bucket, type ListedObject, largestToGet } from '../bucket/bucket.js'
import { isForbidden, plain, responseOf, StaticS3Error } from '../runtime/error.js'
import { prefixOf } from '../urls/paths.js'
import { decodeRecord } from './records/format.js'
import { type ReleaseRecord, recordedBackups } from './records/record.js'
import { latestRelease, listBackups, openLock, type ReleasesFolder, readReleases } from './records/releases-folder.js'

/** The objects of a location, and the last release's record of them. */
export interface Survey {
  /** All objects of the location by key, in S3's order. */
  listing: ReadonlyMap<string, ListedObject>
  /** The newest release's record; undefined if there is none that can be read. */
  record: ReleaseRecord | undefined
  /** The ETags of the known backups, by the SHA-256 of their bytes. */
  backups: ReadonlyMap<string, string>
  /** The releases' folder before the listing; undefined if it can't be read. */
  folder: ReleasesFolder | undefined
  /** The store's time when the survey began: milliseconds since 1970. */
  takenAt: number
  warnings: string[]
}

/**
 * Reads the folder of the releases, then the newest record and the listing at the same time. This order reveals a deploy that ends meanwhile: its
 * number is higher than the folder's.
 *
 * @param folder the folder, if it has been read already
 */
export async function takeSurvey(
  bucket: Bucket,
  location: string,
  { signal, folder: given }: { signal?: AbortSignal; folder?: ReleasesFolder } = {},
): Promise<Survey> {
  const warnings: string[] = []
  const folder =
    given ??
    (await readReleases(bucket, location, signal).catch((error: Error) => {
      if (signal?.aborted || !isForbidden(error)) throw error
      warnings.push(
        `.static-s3/ can't be read, so deploys take longer and two at the same time may mix: ${plain(error)}`,
      )
      return undefined
    }))
  for (const key of folder?.impossible ?? [])
    warnings.push(`${key} is not a release of static-s3 and is ignored: delete it`)
  const takenAt = bucket.now()
  const record = readRecord(bucket, location, folder?.records[0], signal, (warning) => warnings.push(warning))
  const splitAt = record.then((known) => known?.splitAt ?? [])
  const listing = bucket.list(prefixOf(location), { splitAt, signal })
  // Waits for both, even if one fails: otherwise the other one could be an unhandled rejection.
  await Promise.allSettled([record, listing])
  const objects = new Map<string, ListedObject>()
  for (const object of await listing) objects.set(object.key, object)
  const known = await record
  const backups = await knownBackups(bucket, location, folder, known, signal)
  return { listing: objects, record: known, backups, folder, takenAt, warnings }
}

/** A deploy that failed may have stored backups that no record names. */
async function knownBackups(
  bucket: Bucket,
  location: string,
  folder: ReleasesFolder | undefined,
  record: ReleaseRecord | undefined,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, string>> {
  const recorded = recordedBackups(record)
  if (!folder || latestRelease(folder) === (record?.release ?? 0)) return recorded
  return listBackups(bucket, location, signal).catch((error) => {
    if (isForbidden(error)) return recorded
    throw error
  })
}

/**
 * Undefined, with a warning, if the record can't be used.
 *
 * @throws StaticS3Error if another attempt may succeed: the record may have a hold
 */
export async function readRecord(
  bucket: Bucket,
  location: string,
  object: ListedObject | undefined,
  signal: AbortSignal | undefined,
  warn: (warning: string) => void,
): Promise<ReleaseRecord | undefined> {
  if (!object) return undefined
  try {
    if (object.size > largestToGet)
      throw new StaticS3Error(`${object.key} has ${object.size} bytes, and no record is so large`)
    const bytes = await bucket.get(object.key, signal)
    return bytes && (await decodeRecord(location, bytes))
  } catch (error) {
    signal?.throwIfAborted()
    const { status = 0, unanswered } = responseOf(error)
    if (unanswered || status === 429 || status >= 500) throw error
    const where = error instanceof StaticS3Error ? '' : `${object.key} `
    warn(
      `the record of the last release is not used, so this deploy takes longer and sees no hold: ${where}${plain(error)}`,
    )
    return undefined
  }
}

/** The newest record of a location; undefined if there is none. */
export async function readNewestRecord(bucket: Bucket, location: string): Promise<ReleaseRecord | undefined> {
  const { records } = await readReleases(bucket, location)
  return readRecord(bucket, location, records[0], undefined, () => {})
}

/** True if no deploy had the lock when the survey was taken, and none took one between the survey and the lock of this release. */
export function isCurrent({ folder }: Survey, release: number): boolean {
  return folder !== undefined && openLock(folder) === undefined && release === latestRelease(folder) + 1
}
