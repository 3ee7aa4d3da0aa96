import type { ListedObject } from './bucket.js'

/*
 * The folder of a location's releases. Its names sort the newest first, as S3 lists them:
 *
 *     0-begun-<id>.1.json.gz  what a deploy began to write, there until it ended well
 *     99999957.json.gz        the record of release 42
 *     99999957.lock           the lock under which release 42 was, is or was to be made
 */

/** Where the records of a location are: beside it, so that a policy that makes the location public doesn't make them so. */
export function releasesFolder(location: string): string {
  return `.static-s3/${location === '' ? '' : `${location}/`}releases/`
}

const highest = 99_999_999

export function recordKey(folder: string, release: number): string {
  return `${folder}${highest - release}.json.gz`
}

export function lockKey(folder: string, release: number): string {
  return `${folder}${highest - release}.lock`
}

/** A deploy that had to plan again begins again. */
export function begunKey(folder: string, id: string, time: 1 | 2 = 1): string {
  return `${folder}0-begun-${id}.${time}.json.gz`
}

/** The id of the deploy that wrote it. */
export function begunBy(folder: string, key: string): string {
  return key.slice(folder.length + '0-begun-'.length).replace(/\.[12]\.json\.gz$/, '')
}

export interface NumberedObject extends ListedObject {
  /** The release that it belongs to. */
  release: number
}

/** What a listing of the folder shows; each list has the newest release first. */
export interface ReleasesFolder {
  records: NumberedObject[]
  locks: NumberedObject[]
  begun: ListedObject[]
}

/** Other names are another location's (`static/releases/…`) or nobody's. */
export function readFolder(folder: string, listing: Iterable<ListedObject>): ReleasesFolder {
  const found: ReleasesFolder = { records: [], locks: [], begun: [] }
  for (const object of listing) {
    const name = object.key.slice(folder.length)
    const [, digits, kind] = /^(\d{8})\.(json\.gz|lock)$/.exec(name) ?? []
    if (digits !== undefined) {
      const numbered = { ...object, release: highest - Number(digits) }
      if (kind === 'lock') found.locks.push(numbered)
      else found.records.push(numbered)
    } else if (/^0-begun-[^/]+\.json\.gz$/.test(name)) found.begun.push(object)
  }
  return found
}

/** The highest number that was taken, whatever became of it. 0 before the first release. */
export function latestRelease({ records, locks }: ReleasesFolder): number {
  return Math.max(records[0]?.release ?? 0, locks[0]?.release ?? 0)
}

/** A lock is over once its release's record is there, or, where the deploy failed, once it is empty. */
export function openLock({ records, locks }: ReleasesFolder): NumberedObject | undefined {
  const [newest] = locks
  if (!newest || newest.size === 0 || newest.release <= (records[0]?.release ?? 0)) return undefined
  return newest
}
