import type { Bucket, ListedObject, ObjectParameters } from '../bucket/bucket.js'
import { groupOf } from '../files/classify.js'
import type { HashedFile } from '../files/hash.js'
import { describedBy, longestCopy } from '../release/plan.js'
import type { RecordedObject, ReleaseRecord } from '../release/record.js'
import { takeSurvey } from '../release/survey.js'
import { StaticS3Error } from '../runtime/error.js'
import { several } from '../runtime/printable.js'

/** A file of a release in the bucket. */
export interface PromotedFile extends HashedFile {
  source: NonNullable<HashedFile['source']>
}

export interface SourceRelease {
  record: ReleaseRecord
  files: PromotedFile[]
}

/** A folder in the bucket: `s3://bucket/staging`. */
export interface Place {
  bucket: string
  location: string
}

/**
 * The newest release of a location, as files of another location.
 *
 * @param dir for the files that are downloaded
 * @throws StaticS3Error if the location has no release, or if its objects are no longer those of the release
 */
export async function readSourceRelease(
  bucket: Bucket,
  from: Place,
  to: Pick<Place, 'location'>,
  dir: string,
): Promise<SourceRelease> {
  const { record, listing, warnings } = await takeSurvey(bucket, from.location)
  const where = `s3://${[from.bucket, from.location].filter(Boolean).join('/')}`
  if (!record) {
    throw new StaticS3Error([`static-s3: ${where} has no release to promote: deploy it first`, ...warnings].join('\n'))
  }
  const prefixes = { from: prefixOf(from), to: prefixOf(to) }
  const headers = new Map<string, ObjectParameters>()
  const files: PromotedFile[] = []
  const changed: string[] = []
  for (const [path, object] of record.objects) {
    // The record also describes objects of earlier releases.
    if (object.release !== record.release) continue
    const there = listing.get(prefixes.from + path)
    if (there && describedBy(record, path, there)) files.push(fileOf(path, object, there))
    else changed.push(path)
  }
  const [large] = files.filter(({ size }) => size > longestCopy)
  if (changed.length > 0) {
    throw new StaticS3Error(
      `static-s3: ${where}: ${several(changed)} changed after release ${record.release}: deploy it again, then promote`,
    )
  }
  if (large)
    throw new StaticS3Error(`static-s3: ${where}/${large.path} is larger than 5 GB, and S3 copies no such object`)
  return { record, files }

  function fileOf(path: string, object: RecordedObject, { key, etag }: ListedObject): PromotedFile {
    const { sha256, size, fingerprinted } = object
    const parameters = headers.get(object.headers) ?? (JSON.parse(object.headers) as ObjectParameters)
    // Files with the same headers share one object.
    headers.set(object.headers, parameters)
    const group = groupOf({ path, fingerprinted })
    return { path, dir, key: prefixes.to + path, group, parameters, size, sha256, source: { key, etag } }
  }
}

function prefixOf({ location }: Pick<Place, 'location'>): string {
  return location === '' ? '' : `${location}/`
}
