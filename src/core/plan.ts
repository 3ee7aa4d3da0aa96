import type { ListedObject } from './bucket.js'
import type { DigestedFile } from './digest.js'
import { headersOf } from './headers.js'
import type { KnownObject } from './record.js'
import type { Survey } from './survey.js'

/** Why a file is uploaded, copied onto itself with new headers, or left as it is. */
export type Reason =
  | 'new'
  | 'forced'
  | 'size'
  | 'content'
  | 'etag is no md5'
  | 'headers'
  | 'headers unknown'
  | 'resumed'
  | 'unchanged'

export interface Decision {
  file: DigestedFile
  action: 'upload' | 'copy' | 'skip'
  reason: Reason
  /** Of the object that is copied. */
  etag?: string
}

export interface Plan {
  decisions: Decision[]
  /** Fingerprinted files whose names stand in the bucket with other bytes: somebody may have the old ones cached for a year. */
  overwritten: DigestedFile[]
}

/** What is there, what the records say of it, and what this run has done so far. */
export type Known = Pick<Survey, 'listing' | 'record' | 'begun'> & {
  /** The ETags of what this run has written already, by key. */
  written: ReadonlyMap<string, string>
}

/** S3 takes no larger object for a copy in one request. Bytes; https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html */
const longestCopy = 5 * 1024 ** 3

/** Milliseconds by which the clocks of a store's machines may differ, and by which some round their times. */
const tolerance = 2000

/**
 * What a deploy does to each file.
 *
 * | in the bucket | force | size  | bytes by   | bytes | headers             | action | reason          |
 * |---------------|-------|-------|------------|-------|---------------------|--------|-----------------|
 * | no            | –     | –     | –          | –     | –                   | upload | new             |
 * | yes           | yes   | –     | –          | –     | –                   | upload | forced          |
 * | yes           | no    | other | –          | –     | –                   | upload | size            |
 * | yes           | no    | same  | this run   | same  | same                | skip   | resumed         |
 * | yes           | no    | same  | the record | other | –                   | upload | content         |
 * | yes           | no    | same  | the record | same  | same, by the record | skip   | unchanged       |
 * | yes           | no    | same  | the record | same  | other               | copy   | headers         |
 * | yes           | no    | same  | an MD5     | other | –                   | upload | content         |
 * | yes           | no    | same  | nothing    | –     | –                   | upload | etag is no md5  |
 * | yes           | no    | same  | any        | same  | same, as was begun  | skip   | resumed         |
 * | yes           | no    | same  | any        | same  | not known           | copy   | headers unknown |
 *
 * While an object's ETag is the one on record, its bytes are those on record. Its headers are too, unless it was written after the record, or
 * since a deploy began that was to give it others and has made no release: new headers alone change no ETag. Where the record doesn't have it,
 * the ETag itself may be an MD5: then the file's has to be known (see `addMd5s`). What can't be copied, being too large, is uploaded.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html on when an ETag is an MD5
 */
export function plan(files: readonly DigestedFile[], known: Known, force: boolean): Plan {
  const listed = new Map(known.listing.map((object) => [object.key, object]))
  const decisions = files.map((file) => decide(file, listed.get(file.key), known, force))

  // Under SSE-KMS an ETag looks like an MD5 and isn't. One match proves that this bucket's are MD5s, and so that another
  // fingerprinted name's other ETag means other bytes.
  const etagsAreMd5 = files.some(({ key, md5 }) => md5 !== undefined && listed.get(key)?.etag === md5)
  const overwritten = files.filter((file) => {
    const there = listed.get(file.key)
    if (!there || file.group !== 'fingerprinted') return false
    const recorded = bytesOnRecord(file.path, there, known.record)
    if (recorded) return recorded.sha256 !== file.sha256
    if (there.size !== file.size) return true
    return etagsAreMd5 && file.md5 !== undefined && isMd5(there.etag) && there.etag !== file.md5
  })
  return { decisions, overwritten }
}

function decide(file: DigestedFile, there: ListedObject | undefined, known: Known, force: boolean): Decision {
  if (!there) return { file, action: 'upload', reason: 'new' }
  const written = known.written.get(file.key) === there.etag
  if (force && !written) return { file, action: 'upload', reason: 'forced' }
  if (there.size !== file.size) return { file, action: 'upload', reason: 'size' }
  const recorded = bytesOnRecord(file.path, there, known.record)
  const candidates = possibleHeaders(file.path, there, known)
  const ours = headersOf(file.parameters)
  const same = candidates.length > 0 && candidates.every((each) => each === ours)
  // Headers that aren't sent are gone after a copy. Tags are not.
  const keepsTags = recorded?.headers.includes('"Tagging"') && file.parameters.Tagging === undefined
  const copy =
    file.size > longestCopy || keepsTags
      ? ({ action: 'upload' } as const)
      : ({ action: 'copy', etag: there.etag } as const)

  // Somebody else may have given it other headers since, and made a release.
  if (written && (same || candidates.length === 0)) return { file, action: 'skip', reason: 'resumed' }
  if (recorded) {
    if (recorded.sha256 !== file.sha256) return { file, action: 'upload', reason: 'content' }
    if (same) return { file, action: 'skip', reason: isOlder(there, recorded, known.record) ? 'unchanged' : 'resumed' }
    const isKnown = candidates.length > 0 && candidates.every((each) => each === recorded.headers)
    return { file, ...copy, reason: isKnown ? 'headers' : 'headers unknown' }
  }
  if (!written && !isMd5(there.etag)) return { file, action: 'upload', reason: 'etag is no md5' }
  if (!written && there.etag !== file.md5) return { file, action: 'upload', reason: 'content' }
  return same ? { file, action: 'skip', reason: 'resumed' } : { file, ...copy, reason: 'headers unknown' }
}

/** Whether the ETag alone can tell if an object has a file's bytes. */
export function goesByEtag(file: DigestedFile, there: ListedObject, { record, written }: Known): boolean {
  if (there.size !== file.size || written.get(file.key) === there.etag) return false
  return isMd5(there.etag) && !bytesOnRecord(file.path, there, record)
}

/** What the record says of an object that is there as it was, but for its headers. */
function bytesOnRecord(path: string, there: ListedObject, record: Known['record']): KnownObject | undefined {
  const known = record?.objects.get(path)
  return known?.etag === there.etag && known.size === there.size ? known : undefined
}

/** What the record says of an object that is there as it was. */
export function recordOf(path: string, there: ListedObject, known: Pick<Known, 'record' | 'begun'>) {
  const recorded = bytesOnRecord(path, there, known.record)
  if (!recorded || !isOlder(there, recorded, known.record)) return undefined
  return possibleHeaders(path, there, known).every((each) => each === recorded.headers) ? recorded : undefined
}

/** The headers that an object may have, by the record and by deploys that began and have made no release; undefined for any. */
function possibleHeaders(
  path: string,
  there: ListedObject,
  { record, begun }: Pick<Known, 'record' | 'begun'>,
): (string | undefined)[] {
  const recorded = bytesOnRecord(path, there, record)
  const claims = begun.filter(
    ({ headers, writtenAt }) => (headers?.has(path) ?? true) && (there.lastModified ?? -1) >= writtenAt,
  )
  return [
    ...(recorded && isOlder(there, recorded, record) ? [recorded.headers] : []),
    ...claims.map(({ headers }) => headers?.get(path)),
  ]
}

/** Whether it was written before the release knew of it, for the last time. A store that tells no time is believed. */
function isOlder({ lastModified = 0 }: ListedObject, { kept }: KnownObject, record: Known['record']): boolean {
  if (!record) return false
  return lastModified <= (kept ? record.surveyedAt.getTime() : record.writtenAt) + tolerance
}

function isMd5(etag: string): boolean {
  return /^[0-9a-f]{32}$/.test(etag)
}
