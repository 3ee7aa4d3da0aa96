import type { ListedObject, StoredObject, WrittenObject } from '../bucket/bucket.js'
import { smallBytes } from '../bucket/bucket.js'
import { canonicalHeaders, showsHeaders } from '../bucket/headers.js'
import { contentOf, type HashedFile } from '../files/hash.js'
import type { RecordedObject, ReleaseRecord } from './records/record.js'
import type { Survey } from './survey.js'

/** The reason to upload a file, to copy its object onto itself with new headers, or to skip it. */
export type Reason =
  | 'new'
  | 'forced'
  | 'size'
  | 'content'
  | 'etag is no md5'
  | 'headers'
  | 'headers unknown'
  | 'already there'
  | 'exists'
  | 'expired'
  | 'staged'
  | 'unchanged'

/** The action for a file, and its reason. */
export interface Decision {
  file: HashedFile
  action: 'upload' | 'copy' | 'skip'
  reason: Reason
  /** The ETag of the object to copy. */
  etag?: string | undefined
}

/** A file whose bytes are to be stored beside the records. */
export interface Backup {
  action: 'back up'
  file: HashedFile
  /** The location's object, if it has the file's bytes already: another tool, or an earlier static-s3, has uploaded them. */
  from: { key: string; etag: string } | undefined
}

export interface Plan {
  /** In the order of the files. */
  decisions: readonly Decision[]
  /** Fingerprinted files whose objects have other bytes: browsers may keep the old ones for a year. */
  overwritten: readonly HashedFile[]
  /** Files without a fingerprint whose bytes have no known backup: one for each content. */
  backups: readonly Backup[]
  /** As the newest record has it. */
  expired?: ReleaseRecord['expired']
  /** The latest recorded write of an object that is written again with the same bytes: milliseconds since 1970, by the store's clock. */
  notBefore: number
}

/** The input of a plan, besides the files. */
export interface Known extends Pick<Survey, 'listing' | 'record' | 'backups'> {
  /** The objects that this deploy has written, by key. */
  written: ReadonlyMap<string, WrittenObject>
  /** The responses to HEAD requests, by key. */
  heads: ReadonlyMap<string, StoredObject>
}

/** S3 takes no larger object for a copy in one request. Bytes; https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html */
export const longestCopy = 5 * 1024 ** 3

/**
 * Decides about each file.
 *
 * | in the bucket | force | size  | bytes by                | bytes | headers by | headers | action | reason          |
 * |---------------|-------|-------|-------------------------|-------|------------|---------|--------|-----------------|
 * | no            | –     | –     | –                       | –     | –          | –       | upload | new             |
 * | expired       | –     | –     | –                       | –     | –          | –       | upload | expired         |
 * | yes           | yes   | –     | –                       | –     | –          | –       | upload | forced          |
 * | yes           | no    | other | –                       | –     | –          | –       | upload | size            |
 * | yes           | no    | same  | nothing                 | –     | –          | –       | upload | etag is no md5  |
 * | yes           | no    | same  | the record, an MD5      | other | –          | –       | upload | content         |
 * | yes           | no    | same  | the record              | same  | the record | same    | skip   | unchanged       |
 * | yes           | no    | same  | the record              | same  | the record | other   | copy   | headers         |
 * | yes           | no    | same  | the record              | same  | both       | same    | skip   | unchanged       |
 * | yes           | no    | same  | the record, an MD5, us  | same  | HEAD       | same    | skip   | already there   |
 * | yes           | no    | same  | the record, an MD5, us  | same  | HEAD       | other   | copy   | headers         |
 * | yes           | no    | same  | the record, an MD5, us  | same  | nothing    | –       | copy   | headers unknown |
 *
 * While an object's ETag is the recorded one, its bytes are the recorded ones. Its headers are too, unless the listing shows that it was written
 * later: new headers alone change no ETag. An object is expired if the record says so, or if HEAD shows tags that are not ours: a lifecycle rule may delete it.
 * A `createOnly` file is skipped (exists) if another deploy or tool has written its object. `us` is this
 * deploy, which has written the object already: `force` doesn't write it again. An object that can't be copied is uploaded. A file that is stored
 * as gzip has the gzip's size, bytes and headers here.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html on when an ETag is an MD5
 */
export function plan(files: readonly HashedFile[], known: Known, force: boolean): Plan {
  const decisions = files.map((file) => decide(file, known, force))
  // Under SSE-KMS, an ETag looks like an MD5 and is none. One match proves that this bucket's ETags are MD5s.
  const etagsAreMd5 = files.some(({ key, md5 }) => md5 !== undefined && known.listing.get(key)?.etag === md5)
  const overwritten = decisions.flatMap(({ file, action }) => {
    const there = known.listing.get(file.key)
    if (!there || action !== 'upload' || file.group !== 'fingerprinted') return []
    return hasOtherContent(file, there, known, etagsAreMd5) ? [file] : []
  })
  const rewritten = decisions.flatMap(({ file, action }) => {
    const there = action === 'skip' ? undefined : known.listing.get(file.key)
    const recorded = there && describedBy(known.record, file.path, there)
    return recorded?.sha256 === file.sha256 ? [recorded.writtenAt] : []
  })
  const notBefore = rewritten.reduce((latest, time) => Math.max(latest, time), 0)
  return {
    decisions,
    overwritten,
    backups: missingBackups(decisions, known),
    expired: known.record?.expired,
    notBefore,
  }
}

function missingBackups(decisions: readonly Decision[], { listing, backups }: Known): Backup[] {
  const known = new Set(backups.keys())
  return decisions.flatMap(({ file, action, reason }) => {
    const { key, group, sha256, backup } = file
    if (group === 'fingerprinted' || backup !== undefined || known.has(sha256)) return []
    known.add(sha256)
    const there = action === 'upload' || reason === 'exists' ? undefined : listing.get(key)
    const from = there && there.size <= longestCopy ? { key, etag: there.etag } : undefined
    return [{ action: 'back up', file, from }]
  })
}

function decide(file: HashedFile, known: Known, force: boolean): Decision {
  const there = known.listing.get(file.key)
  if (!there) return { file, action: 'upload', reason: 'new' }
  if (known.record?.expired?.has(file.key) && !isOurs(there, known))
    return { file, action: 'upload', reason: 'expired' }
  if (file.createOnly && !isOurs(there, known)) return { file, action: 'skip', reason: 'exists' }
  if (force && !isOurs(there, known)) return { file, action: 'upload', reason: 'forced' }
  if (there.size !== file.size) return { file, action: 'upload', reason: 'size' }
  const bytes = bytesOf(file, there, known)
  if (bytes === 'unknown') return { file, action: 'upload', reason: 'etag is no md5' }
  if (bytes !== 'same') return { file, action: 'upload', reason: 'content' }

  const recorded = describedBy(known.record, file.path, there)
  if (recorded && !isOurs(there, known) && !known.record?.standsIn) {
    if (recorded.headers === canonicalHeaders(file.parameters)) return { file, action: 'skip', reason: 'unchanged' }
    return replaceHeaders(file, there, 'headers', recorded.headers.includes('"Tagging"'))
  }
  const shown = known.heads.get(file.key)
  if (shown?.etag !== there.etag) return replaceHeaders(file, there, 'headers unknown', hadTags(file, known))
  if (shown.tags && file.parameters.Tagging === undefined && !isOurs(there, known))
    return { file, action: 'upload', reason: 'expired' }
  if (!showsHeaders(shown.parameters, file.parameters))
    return replaceHeaders(file, there, 'headers', hadTags(file, known))
  const isAsRecorded = withBytesOf(known.record, file.path, there)?.headers === canonicalHeaders(file.parameters)
  return { file, action: 'skip', reason: isAsRecorded && !isOurs(there, known) ? 'unchanged' : 'already there' }
}

function replaceHeaders(file: HashedFile, { etag }: ListedObject, reason: Reason, hasTags: boolean): Decision {
  // A copy removes all headers that aren't sent, except tags.
  const keepsTags = hasTags && file.parameters.Tagging === undefined
  if (file.size > longestCopy || keepsTags) return { file, action: 'upload', reason }
  return { file, action: 'copy', reason, etag }
}

function hadTags({ path }: HashedFile, { record }: Known): boolean {
  return record?.objects.get(path)?.headers.includes('"Tagging"') ?? false
}

/** Whether this deploy has written the object. */
function isOurs({ key, etag }: ListedObject, { written }: Pick<Known, 'written'>): boolean {
  return written.get(key)?.etag === etag
}

/** How an object's bytes compare with a file of the same size. */
function bytesOf(file: HashedFile, there: ListedObject, known: Pick<Known, 'record' | 'written'>) {
  if (isOurs(there, known)) return 'same'
  const recorded = withBytesOf(known.record, file.path, there)
  if (recorded) return recorded.sha256 === file.sha256 ? 'same' : 'other by the record'
  if (!isMd5(there.etag) || file.md5 === undefined) return 'unknown'
  return there.etag === file.md5 ? 'same' : 'other by MD5'
}

/** Other gzip may have the same content: zlib's output differs among versions and machines. */
function hasOtherContent(file: HashedFile, there: ListedObject, known: Known, etagsAreMd5: boolean): boolean {
  const recorded = withBytesOf(known.record, file.path, there)
  if (recorded) return contentOf(recorded) !== contentOf(file)
  if (file.original !== undefined) return false
  return there.size !== file.size || (etagsAreMd5 && bytesOf(file, there, known) === 'other by MD5')
}

/** The record of an object that still has the recorded bytes. */
function withBytesOf(record: Survey['record'], path: string, there: ListedObject): RecordedObject | undefined {
  const recorded = record?.objects.get(path)
  return recorded?.etag === there.etag && recorded.size === there.size ? recorded : undefined
}

/** The record of an object that nobody has written since. If the store tells no time, nobody has. */
export function describedBy(record: Survey['record'], path: string, there: ListedObject): RecordedObject | undefined {
  const recorded = withBytesOf(record, path, there)
  return recorded && (there.lastModified ?? 0) <= recorded.writtenAt ? recorded : undefined
}

/** The keys that need a HEAD request: the object has the file's bytes, and no record describes its headers. */
export function undescribed(files: readonly HashedFile[], known: Omit<Known, 'heads'>, force: boolean): string[] {
  const complete = { ...known, heads: new Map() }
  return files.flatMap((file) => {
    const there = known.listing.get(file.key)
    if (there?.size !== file.size || bytesOf(file, there, complete) !== 'same') return []
    const isDescribed = !known.record?.standsIn && describedBy(known.record, file.path, there) !== undefined
    return isOurs(there, complete) || (!force && !isDescribed) ? [file.key] : []
  })
}

/** True if only an MD5 of the file can tell whether the object has its bytes: another deploy or tool has created it since the file was hashed. */
export function lacksMd5(file: HashedFile, known: Pick<Known, 'listing' | 'record' | 'written'>): boolean {
  const there = known.listing.get(file.key)
  if (there?.size !== file.size || !isMd5(there.etag) || file.md5 !== undefined || file.source) return false
  return bytesOf(file, there, known) === 'unknown'
}

/** Recorded files to compare too, which prove that this bucket's ETags are MD5s. */
const mostProofs = 16

/**
 * Which files need an MD5, before they are read: those in the bucket with the same size whose bytes no record tells, and a few small ones as a
 * proof that ETags are MD5s here.
 *
 * @returns whether a file of this path, key and size in bytes needs one
 */
export function needsMd5({ listing, record }: Pick<Survey, 'listing' | 'record'>) {
  let proofs = 0
  return ({ path, key }: Pick<HashedFile, 'path' | 'key'>, size: number): boolean => {
    const there = listing.get(key)
    if (there?.size !== size || !isMd5(there.etag)) return false
    if (!withBytesOf(record, path, there)) return true
    return size <= smallBytes && ++proofs <= mostProofs
  }
}

function isMd5(etag: string): boolean {
  return /^[0-9a-f]{32}$/.test(etag)
}
