import type { Bucket, ListedObject } from '../bucket/bucket.js'
import type { HashedFile } from '../files/hash.js'
import type { Preview } from '../previews/template.js'
import { headOf, matcherOf } from '../previews/template.js'
import { describedBy } from '../release/plan.js'
import { newestRecords } from '../release/records/releases-folder.js'
import { type Survey, takeSurvey } from '../release/survey.js'
import { prefixOf } from '../urls/paths.js'

/** Bytes. The upload of a smaller file is as fast as its copy. */
const worthCopying = 64 * 1024

interface TwinsInput {
  bucket: Bucket
  location: string
  preview: Preview | undefined
  /** The survey of the location. */
  survey: Survey
}

/**
 * The files of a preview's first release, with those objects of the newest other preview that may have their bytes: copies on the server then
 * replace uploads. After a failure, the files are uploaded.
 */
export async function withTwins(
  files: readonly HashedFile[],
  { bucket, location, preview, survey }: TwinsInput,
): Promise<readonly HashedFile[]> {
  const isWorth = ({ group, size }: HashedFile) => group === 'fingerprinted' && size >= worthCopying
  if (!preview || survey.record || !survey.folder || !files.some(isWorth)) return files
  const listing = await bucket.list(`.static-s3/${headOf(preview.template)}`).catch(() => [])
  const other = newestOf(listing, matcherOf(preview.template), location)
  // With a listing, because Ceph 16 ignores the condition that a copy puts on its source.
  const theirs = other === undefined ? undefined : await takeSurvey(bucket, other).catch(() => undefined)
  // Without the newest record, an expired object is not known.
  if (other === undefined || !theirs?.record || theirs.record.standsIn) return files
  const { record } = theirs
  return files.map((file) => {
    const object = isWorth(file) ? theirs.listing.get(prefixOf(other) + file.path) : undefined
    const recorded = object && describedBy(record, file.path, object)
    // A copy has its source's tags, which may have a lifecycle rule delete it.
    return recorded && !record.expired?.has(object.key)
      ? { ...file, twin: { ...object, sha256: recorded.sha256 } }
      : file
  })
}

function newestOf(listing: readonly ListedObject[], isPreview: RegExp, location: string): string | undefined {
  const others = [...newestRecords(listing)].filter(([other]) => other !== location && isPreview.test(other))
  const [newest] = others.sort(([, { lastModified: a = 0 }], [, { lastModified: b = 0 }]) => b - a)
  return newest?.[0]
}
