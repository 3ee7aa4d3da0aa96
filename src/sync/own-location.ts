import type { Bucket } from '../bucket/bucket.js'
import { releasesFolder } from '../release/records/releases-folder.js'
import { readNewestRecord } from '../release/survey.js'
import { isForbidden } from '../runtime/error.js'
import { isOfSync, refusal } from './deletions.js'

/** The most locations whose records are read. */
const mostLocations = 20

/**
 * Refuses a location above or inside the location of a build. Locations whose records these credentials may not read are not known.
 *
 * @param folder for the message
 * @throws StaticS3Error
 */
export async function refuseBuildsAround(
  bucket: Bucket,
  location: string,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const below = (await unlessForbidden(bucket.list(locationsFolder(location), { signal }))) ?? []
  const locations = [...locationsAbove(location), ...locationsIn(below.map(({ key }) => key))]
  const others = [...new Set(locations)].filter((other) => other !== location).slice(0, mostLocations)
  await Promise.all(
    others.map(async (other) => {
      const record = await unlessForbidden(readNewestRecord(bucket, other))
      if (record && !isOfSync(record)) throw refusal(other === '' ? "the bucket's root" : other, record.bundler, folder)
    }),
  )
}

function locationsFolder(location: string): string {
  return releasesFolder(location).replace(/releases\/$/, '')
}

/** `a/b` lies inside `a`, and inside the root. */
function locationsAbove(location: string): string[] {
  const folders = location.split('/')
  return folders.map((_name, i) => folders.slice(0, i).join('/'))
}

/** The locations with records among these keys. */
function locationsIn(keys: readonly string[]): string[] {
  return keys.flatMap((key) => /^\.static-s3\/(.+)\/releases\/\d{8}\.json\.gz$/.exec(key)?.[1] ?? [])
}

async function unlessForbidden<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (isForbidden(error)) return undefined
    throw error
  }
}
