import type { Bucket, ListedObject, ObjectParameters } from '../bucket/bucket.js'
import { parametersIn } from '../bucket/headers.js'
import { groupOf, nameProblems } from '../files/classify.js'
import { contentOf, type HashedFile } from '../files/hash.js'
import { describedBy, longestCopy } from '../release/plan.js'
import type { RecordedObject, ReleaseRecord } from '../release/records/record.js'
import { takeSurvey } from '../release/survey.js'
import { StaticS3Error } from '../runtime/error.js'
import { several } from '../runtime/printable.js'
import { prefixOf } from '../urls/paths.js'

/** A file of a release in the bucket. */
export interface PromotedFile extends HashedFile {
  source: NonNullable<HashedFile['source']>
}

export interface SourceRelease {
  record: ReleaseRecord
  files: PromotedFile[]
  /** `s3://bucket/staging` */
  where: string
  /** Names that cannot be used in the new location. */
  problems: string[]
}

export interface SourceInput {
  bucket: Bucket
  from: { bucket: string; location: string }
  to: { location: string }
  /** For the files that are downloaded. */
  dir: string
  signal: AbortSignal
}

/**
 * The newest release of a location, as files of another location.
 *
 * @throws StaticS3Error if the location has no release, or if its objects are no longer those of the release
 */
export async function readSourceRelease({ bucket, from, to, dir, signal }: SourceInput): Promise<SourceRelease> {
  const { record, listing, folder, warnings } = await takeSurvey(bucket, from.location, { signal })
  const where = `s3://${[from.bucket, from.location].filter(Boolean).join('/')}`
  if (!record?.live) {
    throw new StaticS3Error([`static-s3: ${where} has no release to promote: deploy it first`, ...warnings].join('\n'))
  }
  if (record.release !== folder?.records[0]?.release) {
    throw new StaticS3Error([`static-s3: ${where}: deploy it again, then promote`, ...warnings].join('\n'))
  }
  const [fromPrefix, toPrefix] = [prefixOf(from.location), prefixOf(to.location)]
  const headers = new Map<string, ObjectParameters>()
  const files: PromotedFile[] = []
  const changed: string[] = []
  for (const [path, object] of record.objects) {
    // The record also describes objects of earlier releases.
    if (object.release !== record.live) continue
    const there = listing.get(fromPrefix + path)
    if (there && describedBy(record, path, there)) files.push(fileOf(path, object, there))
    else changed.push(path)
  }
  if (changed.length > 0) {
    throw new StaticS3Error(
      `static-s3: ${where}: ${several(changed)} changed after release ${record.live}: deploy it again, then promote`,
    )
  }
  const large = files.find(({ size }) => size > longestCopy)
  if (large) {
    throw new StaticS3Error(`static-s3: ${where}/${large.path} is larger than 5 GB, and S3 copies no such object`)
  }
  // The record may be damaged, and the files are written to the disk.
  return { record, files, where, problems: files.flatMap(({ path, key }) => nameProblems(path, key)) }

  function fileOf(path: string, object: RecordedObject, { key, etag }: ListedObject): PromotedFile {
    const { sha256, original, size, fingerprinted } = object
    const parameters = headers.get(object.headers) ?? parametersIn(object.headers)
    // Files with the same headers share one object.
    headers.set(object.headers, parameters)
    const group = groupOf({ path, fingerprinted })
    return { path, dir, key: toPrefix + path, group, parameters, size, sha256, original, source: { key, etag } }
  }
}

/** The file as a build brings it: without the gzip in which its object is stored. */
export function asBuilt(file: PromotedFile): PromotedFile {
  if (file.original === undefined) return file
  const { ContentEncoding: _, ...parameters } = file.parameters
  return { ...file, parameters, compress: true }
}

/** The file as a copy of its object in the source, if the content is still the same. */
export function asStored(file: HashedFile, object: PromotedFile | undefined): HashedFile {
  if (!object || contentOf(object) !== file.sha256) return file
  return object.original === undefined ? { ...file, source: object.source } : object
}
