import type { Bucket } from '../bucket/bucket.js'
import type { Deployer } from '../release/records/record.js'
import { newestRecords, readReleases, releasesFolder } from '../release/records/releases-folder.js'
import { readRecord } from '../release/survey.js'
import { isForbidden, StaticS3Error } from '../runtime/error.js'
import { eachInParallel } from '../runtime/parallel.js'
import { locationName, prefixOf } from '../urls/paths.js'

/** The kind of all releases of a location. */
export type Kind = 'build' | 'sync'

export type Author = Pick<Deployer, 'bundler'>

/** The name of `static-s3 sync` in records, where builds have their bundler. */
export const syncName = 'static-s3 sync'

export function kindOf({ bundler }: Author): Kind {
  return bundler === syncName ? 'sync' : 'build'
}

/**
 * Refuses to mix builds and syncs in a location: a sync with `--delete` would take a build's files for files that its folder lost.
 *
 * @param last the location's newest record
 * @throws StaticS3Error if that record is of the other kind
 */
export function refuseOtherKind(kind: Kind, location: string, last: Author | undefined): void {
  if (!last || kindOf(last) === kind) return
  const where = locationName(location)
  const [owner, remedy] = {
    sync: [
      `the release of a build (${last.bundler}), and a sync never mixes with a build's files`,
      "Give the folder a location outside of it: static-s3 sync DIR LOCATION. A build's output folder needs static-s3 deploy",
    ],
    build: [
      `the files of a folder (${last.bundler}), and a build never mixes with them`,
      'Give the build a location outside of it (AWS_LOCATION), or the folder: static-s3 sync DIR LOCATION',
    ],
  }[kind]
  throw new StaticS3Error(
    `static-s3: ${where} has ${owner}. ${remedy}. If nobody uses ${where} any more, delete ${releasesFolder(location)}.`,
  )
}

/** A record may have 10 MB. */
const recordsAtOnce = 4

/**
 * Refuses a location above or inside another one with releases of the other kind. Records that these credentials may not read are not known.
 *
 * @throws StaticS3Error
 */
export async function refuseAround(kind: Kind, bucket: Bucket, location: string, signal: AbortSignal): Promise<void> {
  const [below = [], ...above] = await Promise.all([
    unlessForbidden(bucket.list(`.static-s3/${prefixOf(location)}`, { signal })),
    ...locationsAbove(location).map(async (other) => {
      const folder = await unlessForbidden(readReleases(bucket, other, signal))
      return { other, newest: folder?.records[0] }
    }),
  ])
  const newest = newestRecords(below)
  newest.delete(location)
  for (const { other, newest: object } of above) if (object) newest.set(other, object)
  await eachInParallel(recordsAtOnce, [...newest], async ([other, object]) =>
    refuseOtherKind(kind, other, await readRecord(bucket, other, [object], signal, () => {})),
  )
}

/** The locations inside a location that have releases. */
export async function locationsInside(bucket: Bucket, location: string, signal: AbortSignal): Promise<string[]> {
  const records = (await unlessForbidden(bucket.list(`.static-s3/${prefixOf(location)}`, { signal }))) ?? []
  return [...newestRecords(records).keys()].filter((other) => other !== location)
}

/** `a/b` lies inside `a`, and inside the root. */
function locationsAbove(location: string): string[] {
  const folders = location.split('/')
  return location === '' ? [] : folders.map((_name, i) => folders.slice(0, i).join('/'))
}

async function unlessForbidden<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (isForbidden(error)) return undefined
    throw error
  }
}
