import type { Bucket, ListedObject, ObjectParameters } from '../bucket/bucket.js'
import { groupOf, nameProblems } from '../files/classify.js'
import type { HashedFile } from '../files/hash.js'
import { longestCopy } from '../release/plan.js'
import { decodeRecord } from '../release/records/format.js'
import { filesOf, type ReleasedFile, type ReleaseRecord } from '../release/records/record.js'
import {
  backupKey,
  type ReleasesFolder,
  readFolder,
  recordKey,
  releasesFolder,
} from '../release/records/releases-folder.js'
import type { Survey } from '../release/survey.js'
import { plain, StaticS3Error } from '../runtime/error.js'
import { prefixOf } from '../urls/paths.js'

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
  const key = recordKey(releasesFolder(location), release)
  const bytes = await bucket.get(key, signal)
  const where = location || "the bucket's root"
  if (!bytes) throw new StaticS3Error(`static-s3: ${where} has no release ${release}: static-s3 releases lists them`)
  try {
    return await decodeRecord(location, bytes)
  } catch (error) {
    throw new StaticS3Error(`static-s3: release ${release} of ${where} can't be used: ${key} ${plain(error)}`, {
      cause: error,
    })
  }
}

/**
 * The release that visitors saw before the live one, or before the release that the live one brought back: two rollbacks go back twice.
 *
 * @throws StaticS3Error if there is none
 */
export async function releaseBefore(bucket: Bucket, location: string, live: number): Promise<ReleaseRecord> {
  const { activated = live } = await readRelease(bucket, location, live)
  const { records } = await listReleases(bucket, location)
  for (const { release } of records) {
    if (release >= activated) continue
    const record = await readRelease(bucket, location, release)
    if (record.live === release) return record
  }
  const where = location || "the bucket's root"
  throw new StaticS3Error(`static-s3: ${where} has no release before release ${activated}`)
}

/**
 * The files of an earlier or staged release, as copies of objects in the bucket.
 *
 * @param backups the ETags of all backups, by the SHA-256 of their bytes
 * @returns the files, and a problem for each whose bytes are not there any more
 */
export function restoredFiles(
  record: ReleaseRecord,
  location: string,
  { listing }: Pick<Survey, 'listing'>,
  backups: ReadonlyMap<string, string>,
): { files: HashedFile[]; problems: string[] } {
  const headers = new Map<string, ObjectParameters>()
  const files: HashedFile[] = []
  const problems: string[] = []
  for (const [path, file] of filesOf(record)) {
    const key = prefixOf(location) + path
    const source = sourceOf(file, key)
    const problem = file.size > longestCopy ? 'is larger than 5 GB, and S3 copies no such object' : source.problem
    if (problem) problems.push(`${path} ${problem}`)
    // The record may be damaged.
    problems.push(...nameProblems(path, key))
    const { sha256, original, size, fingerprinted } = file
    const parameters = headers.get(file.headers) ?? (JSON.parse(file.headers) as ObjectParameters)
    // Files with the same headers share one object.
    headers.set(file.headers, parameters)
    const group = groupOf({ path, fingerprinted })
    const backup = fingerprinted ? undefined : file.backup
    files.push({ path, dir: '', key, group, parameters, size, sha256, original, backup, ...source })
  }
  return { files, problems }

  function sourceOf(
    { fingerprinted, sha256, size, etag, backup }: ReleasedFile,
    key: string,
  ): Pick<HashedFile, 'source' | 'md5'> & { problem?: string } {
    const there = listing.get(key)
    if (fingerprinted) {
      if (!there) return { problem: 'is not there any more' }
      return isSame(there, etag, size)
        ? { source: { key, etag: there.etag }, md5: there.etag }
        : { problem: 'has other bytes now' }
    }
    if (backup !== undefined && backups.get(sha256) === backup) {
      return { source: { key: backupKey(location, sha256), etag: backup } }
    }
    if (there && isSame(there, etag, size)) return { source: { key, etag: there.etag }, md5: there.etag }
    return {
      problem: backup === undefined ? 'has no copy of its own in .static-s3/' : 'has lost its copy in .static-s3/',
    }
  }
}

function isSame(there: ListedObject, etag: string | undefined, size: number): boolean {
  return there.etag === etag && there.size === size
}
