import type { ListedObject } from './bucket.js'
import type { DigestedFile } from './digest.js'

/** Why a file is uploaded or not. */
export type Reason = 'new' | 'size' | 'content' | 'etag is no md5' | 'forced' | 'unchanged'

export interface Decision {
  file: DigestedFile
  action: 'upload' | 'skip'
  reason: Reason
}

export interface Plan {
  decisions: Decision[]
  /** Fingerprinted files whose names stand in the bucket with other bytes: somebody may have the old ones cached for a year. */
  overwritten: DigestedFile[]
}

/**
 * What a deploy does to each file.
 *
 * | force | in the bucket | size  | ETag is an MD5 | MD5   | action | reason         |
 * |-------|---------------|-------|----------------|-------|--------|----------------|
 * | –     | no            | –     | –              | –     | upload | new            |
 * | yes   | yes           | –     | –              | –     | upload | forced         |
 * | no    | yes           | other | –              | –     | upload | size           |
 * | no    | yes           | same  | no             | –     | upload | etag is no md5 |
 * | no    | yes           | same  | yes            | other | upload | content        |
 * | no    | yes           | same  | yes            | same  | skip   | unchanged      |
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html on when an ETag is an MD5
 */
export function plan(files: readonly DigestedFile[], listing: readonly ListedObject[], force: boolean): Plan {
  const listed = new Map(listing.map((object) => [object.key, object]))
  const decisions = files.map((file) => decide(file, listed.get(file.key), force))

  // Under SSE-KMS an ETag looks like an MD5 and isn't. One match proves that this bucket's are MD5s, and so that another
  // fingerprinted name's other ETag means other bytes.
  const etagsAreMd5 = files.some((file) => listed.get(file.key)?.etag === file.md5)
  const overwritten = files.filter((file) => {
    const there = listed.get(file.key)
    if (!there || file.group !== 'fingerprinted') return false
    return there.size !== file.size || (etagsAreMd5 && isMd5(there.etag) && there.etag !== file.md5)
  })
  return { decisions, overwritten }
}

function decide(file: DigestedFile, there: ListedObject | undefined, force: boolean): Decision {
  if (!there) return { file, action: 'upload', reason: 'new' }
  if (force) return { file, action: 'upload', reason: 'forced' }
  if (there.size !== file.size) return { file, action: 'upload', reason: 'size' }
  if (!isMd5(there.etag)) return { file, action: 'upload', reason: 'etag is no md5' }
  if (there.etag !== file.md5) return { file, action: 'upload', reason: 'content' }
  return { file, action: 'skip', reason: 'unchanged' }
}

function isMd5(etag: string): boolean {
  return /^[0-9a-f]{32}$/.test(etag)
}
