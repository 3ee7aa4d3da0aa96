import type { Bucket, ListedObject } from './bucket.js'
import { isForbidden, plain, StaticS3Error } from './error.js'
import type { Rows } from './packed.js'
import { type ByPath, decodeBegun, decodeRelease, type ReleaseRecord } from './record.js'
import { begunBy, latestRelease, openLock, type ReleasesFolder, readFolder, releasesFolder } from './releases-folder.js'

/** What the bucket holds of a location, and what is known of it. */
export interface Survey {
  /** All objects of the location, in S3's order. */
  listing: Rows<ListedObject>
  /** The newest release's record, where there is one that can be read. */
  record: Timed<ReleaseRecord> | undefined
  /** What deploys began that haven't ended, or ended badly. */
  begun: Begun[]
  /** The releases' folder, as it was before the listing; undefined where it can't be read. */
  folder: ReleasesFolder | undefined
  /** When, by the store's clock: milliseconds since 1970. */
  takenAt: number
  warnings: string[]
}

/** A record with the time of its writing, by the store's clock: milliseconds since 1970. */
export type Timed<T> = T & { writtenAt: number }

export interface Begun {
  /** Of its deploy. */
  id: string
  /** By the store's clock: milliseconds since 1970. */
  writtenAt: number
  /** The headers of what was to be written, by path; undefined where that can't be read, and so may be anything. */
  headers: Pick<ByPath<string>, 'get' | 'has'> | undefined
}

/** Entries of the folder that one request brings: what goes before the newest record is what crashed or is at work. */
const head = 20

/**
 * Asks what there is: the folder of the releases, then the newest record and the listing at the same time. In this order, a deploy
 * that ends meanwhile shows: its number is above the folder's.
 *
 * @param folder the folder, where it has been read already
 */
export async function takeSurvey(
  bucket: Bucket,
  location: string,
  { signal, folder: given }: { signal?: AbortSignal; folder?: ReleasesFolder } = {},
): Promise<Survey> {
  const warnings: string[] = []
  const read = () =>
    readReleases(bucket, location, signal).catch((error: Error) => {
      if (signal?.aborted || !isForbidden(error)) throw error
      warnings.push(`no records can be kept, so that deploys take longer and two at once may mix: ${plain(error)}`)
      return undefined
    })
  const folder = given ?? (await read())
  const takenAt = bucket.now()

  const fetch = async <T>(
    object: ListedObject | undefined,
    loss: string,
    decode: (location: string, bytes: Uint8Array) => Promise<T>,
  ): Promise<Timed<T> | undefined> => {
    if (!object) return undefined
    try {
      const bytes = await bucket.get(object.key, signal)
      // Whoever made it has put it away since.
      if (!bytes) return undefined
      return { ...(await decode(location, bytes)), writtenAt: object.lastModified ?? 0 }
    } catch (error) {
      signal?.throwIfAborted()
      const isOfS3 = error instanceof StaticS3Error
      warnings.push(`${loss}: ${isOfS3 ? '' : `${object.key} `}${plain(error)}`)
      return undefined
    }
  }

  const record = fetch(folder?.records[0], lossOfRecord, decodeRelease)
  const begun = Promise.all(
    sinceTheRecord(folder).map(async (object, i) => ({
      id: begunBy(releasesFolder(location), object.key),
      writtenAt: object.lastModified ?? 0,
      headers: i < head ? (await fetch(object, lossOfBegun, decodeBegun))?.headers : undefined,
    })),
  )
  const prefix = location === '' ? '' : `${location}/`
  const splitAt = record.then((known) => known?.splitAt ?? [])
  const listing = bucket.list(prefix, { splitAt, signal })
  // All three are waited for, whichever fails: what goes on by itself would end in an unhandled rejection.
  await Promise.allSettled([record, begun, listing])
  const known = await record
  return {
    listing: await listing,
    record: known,
    // The record's own deploy has done what it began, though it couldn't put that away.
    begun: (await begun).filter(({ id }) => id !== known?.id),
    folder,
    takenAt,
    warnings,
  }
}

const noReleases: ReleasesFolder = { records: [], locks: [], begun: [] }

/** The newest first. Older ones tell of objects that the record knows. */
function sinceTheRecord({ records: [record], begun } = noReleases): ListedObject[] {
  const time = ({ lastModified = 0 }: ListedObject) => lastModified
  return begun.filter((each) => !record || time(each) >= time(record)).sort((a, b) => time(b) - time(a))
}

export async function readReleases(bucket: Bucket, location: string, signal?: AbortSignal): Promise<ReleasesFolder> {
  const folder = releasesFolder(location)
  const first = await bucket.list(folder, { first: head, signal })
  const read = readFolder(folder, first)
  if (first.length < head || read.records.length > 0) return read
  return readFolder(folder, await bucket.list(folder, { signal }))
}

const lossOfRecord = 'the record of the last release is not used, which costs time and nothing else'
const lossOfBegun = 'what a deploy that stopped was to write is not known, which costs time and nothing else'

/**
 * Whether a survey still holds for who has taken the lock of this release: nobody had a lock when it was made, or has had one
 * since.
 */
export function isCurrent(survey: Survey, release: number): boolean {
  return release === nextRelease(survey)
}

/** The release that is next if a survey still holds; undefined where it can't, since somebody had a lock, or where nobody can tell. */
export function nextRelease({ folder }: Survey): number | undefined {
  return folder && openLock(folder) === undefined ? latestRelease(folder) + 1 : undefined
}
