import { type Bucket, type ListedObject, largestToGet } from '../bucket/bucket.js'
import { isForbidden, plain, responseOf, StaticS3Error } from '../runtime/error.js'
import { locationName, prefixOf } from '../urls/paths.js'
import { decodeRecord } from './records/format.js'
import { type ReleaseRecord, recordedBackups } from './records/record.js'
import {
  backupKey,
  latestRelease,
  listBackups,
  openLock,
  type ReleasesFolder,
  readReleases,
} from './records/releases-folder.js'

/** The objects of a location, and the last release's record of them. */
export interface Survey {
  /** All objects of the location by key, in S3's order. */
  listing: ReadonlyMap<string, ListedObject>
  /** The newest record that can be used. It is older than the newest release if that one's record is damaged. */
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
  const record = readRecord(bucket, location, folder?.records ?? [], signal, (warning) => warnings.push(warning))
  const splitAt = record.then((known) => known?.splitAt ?? [])
  const listing = bucket.list(prefixOf(location), { splitAt, signal })
  // Waits for both, even if one fails: otherwise the other one could be an unhandled rejection.
  await Promise.allSettled([record, listing])
  const objects = new Map<string, ListedObject>()
  for (const object of await listing) objects.set(object.key, object)
  const known = await record
  const backups = new Map(await knownBackups(bucket, location, folder, known, signal))
  for (const sha256 of backups.keys()) if (known?.expired?.has(backupKey(location, sha256))) backups.delete(sha256)
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
  // A record that can't be used may call some of them expired.
  if (record?.standsIn || (folder?.records.length && !record)) return new Map()
  const recorded = recordedBackups(record)
  if (!folder || latestRelease(folder) === (record?.release ?? 0)) return recorded
  return listBackups(bucket, location, signal).catch((error) => {
    if (isForbidden(error)) return recorded
    throw error
  })
}

/**
 * The newest record that can be used. An older one takes the place of a damaged one, because it may have a hold. A warning says so, also
 * if no record can be used.
 *
 * @param objects those of the records, the newest first
 * @throws StaticS3Error if another attempt may succeed: the record may have a hold
 */
export async function readRecord(
  bucket: Bucket,
  location: string,
  objects: readonly ListedObject[],
  signal: AbortSignal | undefined,
  warn: (warning: string) => void,
): Promise<ReleaseRecord | undefined> {
  const problems: string[] = []
  const unused = () => `the newest record is not used, so this takes longer: ${problems.join('; ')}`
  for (const object of objects) {
    try {
      const record = await decoded(bucket, location, object, signal)
      if (record && problems.length > 0)
        warn(`${unused()}. The record of release ${record.release} takes its place: a later hold is not known`)
      if (record) return problems.length > 0 ? { ...record, standsIn: true } : record
    } catch (error) {
      signal?.throwIfAborted()
      const { status = 0, unanswered } = responseOf(error)
      if (unanswered || status === 429 || status >= 500) throw error
      problems.push(plain(error).replace(/\.$/, ''))
      // The other records are forbidden too.
      if (status > 0) break
    }
  }
  if (problems.length > 0) warn(`${unused()}. A hold in it has no effect`)
  return undefined
}

async function decoded(
  bucket: Bucket,
  location: string,
  { key, size }: ListedObject,
  signal: AbortSignal | undefined,
): Promise<ReleaseRecord | undefined> {
  if (size > largestToGet) throw new StaticS3Error(`${key} has ${size} bytes, and no record is so large`)
  const bytes = await bucket.get(key, signal)
  return (
    bytes &&
    decodeRecord(location, bytes).catch((error: Error) => {
      throw new StaticS3Error(`${key} ${error.message}`)
    })
  )
}

/** The newest record of a location; undefined if there is none. */
export async function readNewestRecord(bucket: Bucket, location: string): Promise<ReleaseRecord | undefined> {
  const { records } = await readReleases(bucket, location)
  return readRecord(bucket, location, records, undefined, () => {})
}

/** True if no deploy had the lock when the survey was taken, and none took one between the survey and the lock of this release. */
export function isCurrent({ folder }: Survey, release: number): boolean {
  return folder !== undefined && openLock(folder) === undefined && release === latestRelease(folder) + 1
}

/** The error of a command that needs a release. */
export function noReleaseYet(location: string, { record, folder, warnings }: Survey, outcome = ''): StaticS3Error {
  const isUnknown = !record && (!folder || folder.records.length > 0)
  const problem = isUnknown ? 'has no release whose record can be read' : 'has no release yet'
  return new StaticS3Error([`static-s3: ${locationName(location)} ${problem}${outcome}`, ...warnings].join('\n'))
}
