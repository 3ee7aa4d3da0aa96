import type { Bucket, ListedObject } from '../bucket/bucket.js'
import type { HashedFile } from '../files/hash.js'
import type { Preview } from '../previews/template.js'
import { headOf, matcherOf } from '../previews/template.js'
import { newestRecords } from '../release/records/releases-folder.js'
import { readRecord, type Survey } from '../release/survey.js'
import { prefixOf } from '../urls/paths.js'

/** Bytes. A smaller file is up as fast as it is copied. */
const worthCopying = 64 * 1024

interface TwinsInput {
  bucket: Bucket
  location: string
  preview: Preview | undefined
  /** Of the location. */
  survey: Survey
}

/**
 * The files of a preview's first release, with those objects of the newest other preview that may have their bytes: copies on the server then take
 * the place of uploads. A failure costs the copies alone.
 */
export async function withTwins(
  files: readonly HashedFile[],
  { bucket, location, preview, survey }: TwinsInput,
): Promise<readonly HashedFile[]> {
  const isWorth = ({ group, size }: HashedFile) => group === 'fingerprinted' && size >= worthCopying
  if (!preview || survey.record || !survey.folder || !files.some(isWorth)) return files
  const listing = await bucket.list(`.static-s3/${headOf(preview.template)}`).catch(() => [])
  const [other, newest] = newestOf(listing, matcherOf(preview.template), location)
  const record = await readRecord(bucket, other, newest ? [newest] : [], undefined, () => {}).catch(() => undefined)
  return files.map((file) => {
    const theirs = isWorth(file) ? record?.objects.get(file.path) : undefined
    const key = prefixOf(other) + file.path
    return theirs ? { ...file, twin: { key, etag: theirs.etag, sha256: theirs.sha256 } } : file
  })
}

function newestOf(
  listing: readonly ListedObject[],
  isPreview: RegExp,
  location: string,
): [location: string, record: ListedObject | undefined] {
  const timeOf = ({ lastModified = 0 }: ListedObject) => lastModified
  const others = [...newestRecords(listing)].filter(([other]) => other !== location && isPreview.test(other))
  return others.sort(([, a], [, b]) => timeOf(b) - timeOf(a))[0] ?? ['', undefined]
}
