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
 * | in the bucket | force | size  | the record has it | ETag is an MD5 | bytes | headers                | action | reason          |
 * |---------------|-------|-------|-------------------|----------------|-------|------------------------|--------|-----------------|
 * | no            | –     | –     | –                 | –              | –     | –                      | upload | new             |
 * | yes           | yes   | –     | –                 | –              | –     | –                      | upload | forced          |
 * | yes           | no    | other | –                 | –              | –     | –                      | upload | size            |
 * | yes           | no    | same  | yes               | –              | other | –                      | upload | content         |
 * | yes           | no    | same  | yes               | –              | same  | other                  | copy   | headers         |
 * | yes           | no    | same  | yes               | –              | same  | same                   | skip   | unchanged       |
 * | yes           | no    | same  | no                | –              | –     | just written           | skip   | resumed         |
 * | yes           | no    | same  | no                | no             | –     | –                      | upload | etag is no md5  |
 * | yes           | no    | same  | no                | yes            | other | –                      | upload | content         |
 * | yes           | no    | same  | no                | yes            | same  | begun with the same    | skip   | resumed         |
 * | yes           | no    | same  | no                | yes            | same  | begun with others, none| copy   | headers unknown |
 *
 * The record has an object whose ETag is still the same, and that wasn't written after the record was, or by a deploy that stopped in the
 * middle: new headers alone change no ETag. Its hash is compared then. Without it, bytes are compared by an ETag that is an MD5. What can't be
 * copied, being too large, is uploaded.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html on when an ETag is an MD5
 */
export function plan(files: readonly DigestedFile[], known: Known, force: boolean): Plan {
  const listed = new Map(known.listing.map((object) => [object.key, object]))
  const decisions = files.map((file) => decide(file, listed.get(file.key), known, force))

  // Under SSE-KMS an ETag looks like an MD5 and isn't. One match proves that this bucket's are MD5s, and so that another
  // fingerprinted name's other ETag means other bytes.
  const etagsAreMd5 = files.some((file) => listed.get(file.key)?.etag === file.md5)
  const overwritten = files.filter((file) => {
    const there = listed.get(file.key)
    if (!there || file.group !== 'fingerprinted') return false
    const recorded = recordOf(file.path, there, known)
    if (recorded) return recorded.sha256 !== file.sha256
    return there.size !== file.size || (etagsAreMd5 && isMd5(there.etag) && there.etag !== file.md5)
  })
  return { decisions, overwritten }
}

function decide(file: DigestedFile, there: ListedObject | undefined, known: Known, force: boolean): Decision {
  if (!there) return { file, action: 'upload', reason: 'new' }
  const written = known.written.get(file.key) === there.etag
  if (force && !written) return { file, action: 'upload', reason: 'forced' }
  if (there.size !== file.size) return { file, action: 'upload', reason: 'size' }
  const headers = headersOf(file.parameters)
  const copy = file.size > longestCopy ? 'upload' : 'copy'

  const recorded = recordOf(file.path, there, known)
  if (recorded) {
    if (recorded.sha256 !== file.sha256) return { file, action: 'upload', reason: 'content' }
    if (recorded.headers !== headers) return { file, action: copy, reason: 'headers' }
    return { file, action: 'skip', reason: 'unchanged' }
  }
  if (written) return { file, action: 'skip', reason: 'resumed' }
  if (!isMd5(there.etag)) return { file, action: 'upload', reason: 'etag is no md5' }
  if (there.etag !== file.md5) return { file, action: 'upload', reason: 'content' }
  if (wasBegunWith(headers, file.path, there, known)) return { file, action: 'skip', reason: 'resumed' }
  return { file, action: copy, reason: 'headers unknown' }
}

/** What the record says of an object, if it is the one that is there, and nobody can have given it other headers since. */
export function recordOf(
  path: string,
  there: ListedObject,
  { record, begun }: Pick<Known, 'record' | 'begun'>,
): KnownObject | undefined {
  const known = record?.objects.get(path)
  if (!record || known?.etag !== there.etag || known.size !== there.size) return undefined
  if ((there.lastModified ?? 0) > record.writtenAt + tolerance) return undefined
  return claimsOn(path, there, begun).every((headers) => headers === known.headers) ? known : undefined
}

/** Whether it was written since a deploy began that was to give it these headers, and by no other one. */
function wasBegunWith(headers: string, path: string, there: ListedObject, { begun }: Known): boolean {
  const claims = claimsOn(path, there, begun)
  return claims.length > 0 && claims.every((claim) => claim === headers)
}

/** The headers that an object may have from deploys that began and have made no release: undefined for one of whom it isn't known. */
function claimsOn(path: string, { lastModified }: ListedObject, begun: Known['begun']): (string | undefined)[] {
  return begun
    .filter(({ headers, writtenAt }) => (headers?.has(path) ?? true) && (lastModified ?? -1) >= writtenAt)
    .map(({ headers }) => headers?.get(path))
}

function isMd5(etag: string): boolean {
  return /^[0-9a-f]{32}$/.test(etag)
}
