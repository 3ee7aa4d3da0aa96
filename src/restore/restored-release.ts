import type { Bucket, ObjectParameters } from '../bucket/bucket.js'
import { parametersIn } from '../bucket/headers.js'
import { groupOf, nameProblems } from '../files/classify.js'
import type { HashedFile } from '../files/hash.js'
import { describedBy, longestCopy } from '../release/plan.js'
import { decodeRecord } from '../release/records/format.js'
import { filesOf, kindOfRelease, type ReleaseRecord, releasedIn } from '../release/records/record.js'
import {
  backupKey,
  type ReleasesFolder,
  readFolder,
  recordKey,
  releasesFolder,
} from '../release/records/releases-folder.js'
import type { Survey } from '../release/survey.js'
import { plain, StaticS3Error } from '../runtime/error.js'
import { locationName, prefixOf } from '../urls/paths.js'

/** All releases of a location, not only the newest. */
export async function listReleases(bucket: Bucket, location: string, signal?: AbortSignal): Promise<ReleasesFolder> {
  const folder = releasesFolder(location)
  return readFolder(folder, await bucket.list(folder, { signal }))
}

/** @throws StaticS3Error if there is no such release, or if its record can't be used */
export async function readRelease(
  bucket: Bucket,
  location: string,
  release: number,
  signal?: AbortSignal,
): Promise<ReleaseRecord> {
  const record = await findRelease(bucket, location, release, signal)
  if (record) return record
  const where = locationName(location)
  throw new StaticS3Error(`static-s3: ${where} has no release ${release}: static-s3 releases lists them`)
}

/** @throws StaticS3Error if the release has no files */
export function withFiles(record: ReleaseRecord): ReleaseRecord {
  if (kindOfRelease(record) !== 'none') return record
  throw new StaticS3Error(`static-s3: release ${record.release} has no files: it is a hold or a prune`)
}

/**
 * Undefined if there is no such release.
 *
 * @throws StaticS3Error if its record can't be used
 */
export async function findRelease(
  bucket: Bucket,
  location: string,
  release: number,
  signal?: AbortSignal,
): Promise<ReleaseRecord | undefined> {
  const key = recordKey(releasesFolder(location), release)
  const bytes = await bucket.get(key, signal)
  try {
    return bytes && (await decodeRecord(location, bytes))
  } catch (error) {
    const where = locationName(location)
    throw new StaticS3Error(`static-s3: release ${release} of ${where} can't be used: ${key} ${plain(error)}`, {
      cause: error,
    })
  }
}

/**
 * The release of the same project that visitors saw before the live one, or before the release that the live one activated: two rollbacks go back
 * twice. Visitors saw nothing of a staged release before its activation.
 *
 * @throws StaticS3Error if there is none
 */
export async function releaseBefore(
  bucket: Bucket,
  location: string,
  live: number,
  expired?: ReleaseRecord['expired'],
): Promise<ReleaseRecord> {
  const records = (await listReleases(bucket, location)).records.filter(({ key }) => !expired?.has(key))
  const first = await firstSeen(bucket, location, live, new Set(records.map(({ release }) => release)))
  const { run } = (await findRelease(bucket, location, first)) ?? {}
  const { project } = await readRelease(bucket, location, live)
  for (const { release } of records) {
    if (release >= first) continue
    const record = await readRelease(bucket, location, release)
    // Only the last release of a run names the files of all its builds.
    const isOfRun = run !== undefined && record.run === run
    if (kindOfRelease(record) === 'live' && !isOfRun && record.project === project) return record
  }
  const whose = project === undefined ? '' : ` of the project ${JSON.stringify(project)}`
  throw new StaticS3Error(
    `static-s3: ${locationName(location)} has no release before release ${first}${whose}: static-s3 releases lists all`,
  )
}

/** False if a deploy without a record has changed the live release's pages: it ended early, or its record could not be written. */
export function isAsRecorded({ record, listing }: Pick<Survey, 'record' | 'listing'>, location: string): boolean {
  const live = record ? releasedIn(record.objects, record.live) : new Map<string, never>()
  return [...live].every(([path, { fingerprinted }]) => {
    const there = listing.get(prefixOf(location) + path)
    return fingerprinted || (there !== undefined && describedBy(record, path, there) !== undefined)
  })
}

/** The release with which visitors first saw these files. */
async function firstSeen(
  bucket: Bucket,
  location: string,
  release: number,
  recorded: ReadonlySet<number>,
): Promise<number> {
  const { activated } = await readRelease(bucket, location, release)
  if (activated === undefined || !recorded.has(activated)) return activated ?? release
  const { staged } = await readRelease(bucket, location, activated)
  return staged ? release : firstSeen(bucket, location, activated, recorded)
}

/** The files of a record's own release. */
export function releasedFiles(record: ReleaseRecord, location: string): HashedFile[] {
  const headers = new Map<string, ObjectParameters>()
  return [...filesOf(record)].map(([path, file]) => {
    const { sha256, original, size, fingerprinted, backup } = file
    const parameters = headers.get(file.headers) ?? parametersIn(file.headers)
    // Files with the same headers share one object.
    headers.set(file.headers, parameters)
    const [key, group] = [prefixOf(location) + path, groupOf({ path, fingerprinted })]
    return { path, dir: '', key, group, parameters, size, sha256, original, backup }
  })
}

/**
 * The files as copies of objects in the bucket: of their own objects if they are fingerprinted, otherwise of their backups.
 *
 * An object's ETag may change without its bytes, under SSE-KMS for example: then the newest record tells its bytes.
 *
 * @param backups the ETags of all backups, by the SHA-256 of their bytes
 * @returns the files, and a problem for each whose bytes are not there any more
 */
export function withSources(
  files: readonly HashedFile[],
  record: ReleaseRecord,
  location: string,
  { listing, record: newest }: Pick<Survey, 'listing'> & Partial<Pick<Survey, 'record'>>,
  backups: ReadonlyMap<string, string>,
): { files: HashedFile[]; problems: string[] } {
  const etags = filesOf(record)
  const problems: string[] = []
  const located = files.map((file) => {
    const { path, key, size, group } = file
    // The record may be damaged.
    problems.push(...nameProblems(path, key))
    const found = sourceOf(file, etags.get(path)?.etag)
    if (typeof found === 'string') problems.push(`${path} ${found}`)
    else if (group !== 'fingerprinted' && size > longestCopy)
      problems.push(`${path} is larger than 5 GB, and S3 copies no such object`)
    return typeof found === 'string' ? file : { ...file, ...found }
  })
  return { files: located, problems: problems.sort() }

  /** @returns the source, or a problem */
  function sourceOf(
    { path, key, group, sha256, size, backup }: HashedFile,
    etag: string | undefined,
  ): Pick<HashedFile, 'source' | 'md5' | 'backup'> | string {
    const isExpired = (each: string) => newest?.expired?.has(each) === true
    const there = isExpired(key) ? undefined : listing.get(key)
    const isSame = there?.size === size && (there.etag === etag || describedBy(newest, path, there)?.sha256 === sha256)
    const copy = backupKey(location, sha256)
    if (group !== 'fingerprinted' && backup !== undefined && backups.get(sha256) === backup && !isExpired(copy)) {
      return { source: { key: copy, etag: backup } }
    }
    if (isSame) return { source: { key, etag: there.etag }, md5: there.etag, backup: undefined }
    if (isExpired(group === 'fingerprinted' ? key : copy)) return 'has expired: a lifecycle rule may delete it'
    if (group === 'fingerprinted') return there ? 'has other bytes now' : 'is not there any more'
    return backup === undefined ? 'has no backup in .static-s3/' : 'has lost its backup in .static-s3/'
  }
}
