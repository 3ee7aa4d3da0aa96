import type { Bucket, ListedObject } from '../../bucket/bucket.js'
import { prefixOf } from '../../urls/paths.js'

/*
 * The folder of a location's releases. Its names sort the newest first, as S3 lists them:
 *
 *     99999957.json.gz  the record of release 42
 *     99999957.lock     the lock of release 42, empty if its deploy gave up
 *
 * A lock stays when its release is done, so that a deploy with an old state of the folder cannot take its number again.
 */

/** The folder of a location's records. It lies beside the location, so that a policy for a public location does not cover it. */
export function releasesFolder(location: string): string {
  return `${recordsFolder(location)}releases/`
}

function recordsFolder(location: string): string {
  return `.static-s3/${prefixOf(location)}`
}

/** The key of the object beside the records that has these bytes. */
export function backupKey(location: string, sha256: string): string {
  return `${backupsFolder(location)}${sha256}`
}

function backupsFolder(location: string): string {
  return `${recordsFolder(location)}objects/`
}

const highest = 99_999_999
/** No location has more. After an object with the highest number, no release could begin. */
const mostReleases = 90_000_000

export function recordKey(folder: string, release: number): string {
  return `${folder}${highest - release}.json.gz`
}

export function lockKey(folder: string, release: number): string {
  return `${folder}${highest - release}.lock`
}

export interface NumberedObject extends ListedObject {
  /** The number of its release. */
  release: number
}

/** The content of the folder. Each list begins with the newest release. */
export interface ReleasesFolder {
  records: NumberedObject[]
  locks: NumberedObject[]
  /** Keys of objects whose number is no possible release number. */
  impossible: string[]
}

/** Other names belong to another location (`static/releases/…`) or to nobody. */
export function readFolder(folder: string, listing: Iterable<ListedObject>): ReleasesFolder {
  const found: ReleasesFolder = { records: [], locks: [], impossible: [] }
  for (const object of listing) {
    const [, digits, kind] = /^(\d{8})\.(json\.gz|lock)$/.exec(object.key.slice(folder.length)) ?? []
    if (digits === undefined) continue
    const numbered = { ...object, release: highest - Number(digits) }
    if (numbered.release > mostReleases) found.impossible.push(object.key)
    else if (kind === 'lock') found.locks.push(numbered)
    else found.records.push(numbered)
  }
  return found
}

/** The highest number that was taken, even if its deploy failed. 0 before the first release. */
export function latestRelease({ records, locks }: ReleasesFolder): number {
  return Math.max(records[0]?.release ?? 0, locks[0]?.release ?? 0)
}

/** The newest lock, unless its deploy has ended: then its release's record is there, or the lock is empty. */
export function openLock({ records, locks }: ReleasesFolder): NumberedObject | undefined {
  const [newest] = locks
  if (!newest || newest.size === 0 || newest.release <= (records[0]?.release ?? 0)) return undefined
  return newest
}

/** Entries of the folder in the first request. Each release has two. */
const head = 20

export async function readReleases(bucket: Bucket, location: string, signal?: AbortSignal): Promise<ReleasesFolder> {
  const folder = releasesFolder(location)
  const first = await bucket.list(folder, { first: head, signal })
  const read = readFolder(folder, first)
  if (first.length < head || read.records.length > 0) return read
  return readFolder(folder, await bucket.list(folder, { signal }))
}

/** The newest record of each location among these objects. */
export function newestRecords(objects: readonly ListedObject[]): Map<string, ListedObject> {
  const newest = new Map<string, ListedObject>()
  for (const object of objects) {
    const [, location] = /^\.static-s3\/(.+)\/releases\/\d{8}\.json\.gz$/.exec(object.key) ?? []
    // A location's newest record comes first.
    if (location !== undefined && !newest.has(location)) newest.set(location, object)
  }
  return newest
}

/** The ETags of a location's backups, by the SHA-256 of their bytes. */
export async function listBackups(
  bucket: Bucket,
  location: string,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const folder = backupsFolder(location)
  const backups = new Map<string, string>()
  for (const { key, etag } of await bucket.list(folder, { signal })) {
    const sha256 = key.slice(folder.length)
    if (isBackupName(sha256)) backups.set(sha256, etag)
  }
  return backups
}

/** All that lies beside a location's files. */
export interface RecordsFolder {
  releases: ReleasesFolder
  backups: ListedObject[]
  /** Locations inside this one that have records of their own. */
  inner: ReadonlySet<string>
}

export async function listRecords(bucket: Bucket, location: string, signal?: AbortSignal): Promise<RecordsFolder> {
  const listing = await bucket.list(recordsFolder(location), { signal })
  const [releases, backups] = [releasesFolder(location), backupsFolder(location)]
  const inner = [...newestRecords(listing).keys()]
  return {
    releases: readFolder(
      releases,
      listing.filter(({ key }) => key.startsWith(releases)),
    ),
    backups: listing.filter(({ key }) => key.startsWith(backups) && isBackupName(key.slice(backups.length))),
    inner: new Set(inner.filter((each) => each !== location)),
  }
}

/** Other names belong to another location (`static/objects/…`) or to nobody. */
function isBackupName(name: string): boolean {
  return /^[0-9a-f]{64}$/.test(name)
}
