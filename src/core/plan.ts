import type { ListedObject } from './bucket.js'
import type { DigestedFile } from './digest.js'
import { headersOf } from './headers.js'
import { finder, hex, oneOf, optional, Packed, Paired, plainOf, type Rows, row } from './packed.js'
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

/** What is done, and why. */
interface Outcome {
  action: 'upload' | 'copy' | 'skip'
  reason: Reason
  /** Of the object that is copied. */
  etag?: string | undefined
}

export interface Decision extends Outcome {
  file: DigestedFile
}

export interface Plan {
  /** In the order of the files. */
  decisions: Rows<Decision>
  /** The indices of those that aren't skipped. */
  changes: readonly number[]
  /** How many there are of each kind, and how many of those that are skipped are as the last release left them. */
  counts: Record<Outcome['action'] | 'unchanged', number>
  /** Fingerprinted files whose names stand in the bucket with other bytes: somebody may have the old ones cached for a year. */
  overwritten: DigestedFile[]
  /** Whether an MD5 is missing by which it would be another plan (see `addMd5s`). */
  lacksMd5: boolean
}

/** What is there, what the records say of it, and what this run has done so far. */
export type Known = Pick<Survey, 'listing' | 'record' | 'begun'> & {
  /** The ETags of what this run has written already, by key. */
  written: { get(key: string): string | undefined }
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
export function plan(files: Rows<DigestedFile>, known: Known, force: boolean): Plan {
  const listed = listedIn(known)
  const outcomes = new Packed(
    row<Outcome>({ action: oneOf(), reason: oneOf(), etag: optional(hex) }),
    [],
    plainOf(files.length),
  )
  const counts: Plan['counts'] = { upload: 0, copy: 0, skip: 0, unchanged: 0 }
  // Under SSE-KMS an ETag looks like an MD5 and isn't. One match proves that this bucket's are MD5s, and so that another
  // fingerprinted name's other ETag means other bytes.
  let etagsAreMd5 = false
  let lacksMd5 = false
  const others: DigestedFile[] = []
  const changes: number[] = []
  for (const file of files) {
    const there = listed(file.key)
    const outcome = decide(file, there, known, force)
    if (outcome.action !== 'skip') changes.push(outcomes.length)
    outcomes.push(outcome)
    counts[outcome.action]++
    if (outcome.reason === 'unchanged') counts.unchanged++
    etagsAreMd5 ||= file.md5 !== undefined && there?.etag === file.md5
    lacksMd5 ||= there !== undefined && file.md5 === undefined && goesByEtag(file, there, known)
    if (there && outcome.action === 'upload' && file.group === 'fingerprinted') others.push(file)
  }

  const overwritten = others.filter((file) => {
    const there = listed(file.key) as ListedObject
    const recorded = bytesOnRecord(file.path, there, known.record)
    if (recorded) return recorded.sha256 !== file.sha256
    if (there.size !== file.size) return true
    return etagsAreMd5 && file.md5 !== undefined && isMd5(there.etag) && there.etag !== file.md5
  })
  const decisions = new Paired(
    files,
    outcomes,
    (file, { action, reason, etag }): Decision => ({ file, action, reason, etag }),
  )
  return { decisions, changes, counts, overwritten, lacksMd5 }
}

const finders = new WeakMap<Survey['listing'], (key: string) => ListedObject | undefined>()

/** What finds an object of the listing by its key. */
export function listedIn({ listing }: Pick<Survey, 'listing'>): (key: string) => ListedObject | undefined {
  const find = finders.get(listing) ?? finder(listing, ({ key }) => key)
  finders.set(listing, find)
  return find
}

function decide(file: DigestedFile, there: ListedObject | undefined, known: Known, force: boolean): Outcome {
  if (!there) return { action: 'upload', reason: 'new' }
  const written = known.written.get(file.key) === there.etag
  if (force && !written) return { action: 'upload', reason: 'forced' }
  if (there.size !== file.size) return { action: 'upload', reason: 'size' }
  const recorded = bytesOnRecord(file.path, there, known.record)
  const candidates = possibleHeaders(file.path, there, recorded, known)
  const ours = headersOf(file.parameters)
  const same = candidates.length > 0 && candidates.every((each) => each === ours)
  // Headers that aren't sent are gone after a copy. Tags are not.
  const keepsTags = recorded?.headers.includes('"Tagging"') && file.parameters.Tagging === undefined
  const copy =
    file.size > longestCopy || keepsTags
      ? ({ action: 'upload' } as const)
      : ({ action: 'copy', etag: there.etag } as const)

  // Somebody else may have given it other headers since, and made a release.
  if (written && (same || candidates.length === 0)) return { action: 'skip', reason: 'resumed' }
  if (recorded) {
    if (recorded.sha256 !== file.sha256) return { action: 'upload', reason: 'content' }
    if (same) return { action: 'skip', reason: isOlder(there, recorded, known.record) ? 'unchanged' : 'resumed' }
    const isKnown = candidates.length > 0 && candidates.every((each) => each === recorded.headers)
    return { ...copy, reason: isKnown ? 'headers' : 'headers unknown' }
  }
  if (!written && !isMd5(there.etag)) return { action: 'upload', reason: 'etag is no md5' }
  if (!written && there.etag !== file.md5) return { action: 'upload', reason: 'content' }
  return same ? { action: 'skip', reason: 'resumed' } : { ...copy, reason: 'headers unknown' }
}

/** Whether the ETag alone can tell if an object has a file's bytes. */
export function goesByEtag(file: DigestedFile, there: ListedObject, { record, written }: Known): boolean {
  if (there.size !== file.size || written.get(file.key) === there.etag) return false
  return isMd5(there.etag) && !bytesOnRecord(file.path, there, record)
}

/** Whether a file has the bytes that an object is known to have, and the ETag may be their MD5. */
export function isMd5OnRecord({ path, sha256 }: DigestedFile, there: ListedObject, { record }: Known): boolean {
  return isMd5(there.etag) && bytesOnRecord(path, there, record)?.sha256 === sha256
}

/** What the record says of an object that is there as it was, but for its headers. */
function bytesOnRecord(path: string, there: ListedObject, record: Known['record']): KnownObject | undefined {
  const known = record?.objects.get(path)
  return known && hasBytesOf(known, there) ? known : undefined
}

function hasBytesOf(known: KnownObject, there: ListedObject): boolean {
  return known.etag === there.etag && known.size === there.size
}

/** Whether an object is there as it is on record. */
export function isAsRecorded(
  path: string,
  recorded: KnownObject,
  there: ListedObject,
  known: Pick<Known, 'record' | 'begun'>,
): boolean {
  if (!hasBytesOf(recorded, there) || !isOlder(there, recorded, known.record)) return false
  return possibleHeaders(path, there, recorded, known).every((each) => each === recorded.headers)
}

/** The headers that an object may have, by the record and by deploys that began and have made no release; undefined for any. */
function possibleHeaders(
  path: string,
  there: ListedObject,
  recorded: KnownObject | undefined,
  { record, begun }: Pick<Known, 'record' | 'begun'>,
): (string | undefined)[] {
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
