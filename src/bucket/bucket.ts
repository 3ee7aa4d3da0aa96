import { hash } from 'node:crypto'

/** PutObject parameters beside bucket, key and body, under S3's own names (`CacheControl`, `ContentType`, `Metadata`, …). */
export type ObjectParameters = Record<string, unknown>

/** Content, piece by piece. Each may lie in the memory of the one before: it is there until the next one is asked for. A readable stream is one, too. */
export interface Pieces extends AsyncIterable<Buffer> {
  /** Ends it, wherever it is. */
  destroy(): void
}

/** An object's content, in a form that can be sent again. */
export interface Body {
  /** Bytes. */
  size: number
  /** MD5 of the content, hex, where it is known. Goes along as Content-MD5, so that S3 refuses what arrived damaged. */
  md5?: string | undefined
  /** SHA-256 of the content, hex. The request's signature covers it, so that S3 refuses any other content. */
  sha256: string
  /** Called once for each attempt: pieces that were read can't be sent again. */
  open(): Promise<Uint8Array | Pieces>
}

/** Bytes up to which a body is kept in one piece of memory. */
export const smallBytes = 256 * 1024

/** Bytes. The largest object to read is a record: for 100,000 files, it has 10 MB. */
export const largestToGet = 100 * 1024 ** 2

/** A body that is in memory. */
export function bodyOfBytes(bytes: Buffer): Body {
  return { size: bytes.length, sha256: hash('sha256', bytes), open: async () => bytes }
}

export interface ListedObject {
  key: string
  /** Bytes. */
  size: number
  /** As S3 gave it, without the quotes. An MD5 for most objects, not for multipart ones nor under SSE-KMS. */
  etag: string
  /** When it was last written, by the store's own clock: milliseconds since 1970. Undefined where the store doesn't say. */
  lastModified: number | undefined
}

/** What a write returned. */
export interface WrittenObject {
  /** As S3 gave it, without the quotes. */
  etag: string
  /**
   * The latest time at which it can have been written, by the store's clock: milliseconds since 1970. A listing that shows a later time shows
   * somebody else's write.
   */
  writtenAt: number
}

/** An object as it stands, without its bytes. */
export interface StoredObject {
  /** As S3 gave it, without the quotes. */
  etag: string
  /** PutObject parameters that an object shows: no ACL, grants, tags or encryption context. */
  parameters: ObjectParameters
}

export interface ListOptions {
  /** Not all of them, but this many at most, the first in S3's order (1 to 1,000): one request. */
  first?: number
  /**
   * Keys in S3's order between which the listing is split into requests that run at the same time. A hint that costs at
   * most time when it is out of date. The first page is asked for before they are known.
   */
  splitAt?: Promise<readonly string[]>
  signal?: AbortSignal | undefined
}

/**
 * What static-s3 asks of a bucket. S3 is one implementation, and one contract test runs on every one there is. Each call
 * rejects with a `StaticS3Error` that is ready to be shown.
 */
export interface Bucket {
  /** All objects whose key begins with `prefix`, in S3's order (UTF-8 bytes). An empty prefix is the whole bucket. */
  list(prefix: string, options?: ListOptions): Promise<readonly ListedObject[]>
  /** The object's bytes, up to 100 MiB, or undefined if the key does not exist. */
  get(key: string, signal?: AbortSignal): Promise<Uint8Array | undefined>
  /** The object's ETag and headers, or undefined if the key does not exist. */
  head(key: string, signal?: AbortSignal): Promise<StoredObject | undefined>
  /**
   * Writes the object, whole or not at all. With the parameter
   * `IfNoneMatch: '*'` it rejects where the key is there already, with a `cause` named `PreconditionFailed`: also where
   * an attempt of this very call wrote it, and the answer was lost.
   *
   * @param check called immediately before the first byte of each attempt: what it throws ends the call
   */
  put(
    key: string,
    body: Body,
    parameters: ObjectParameters,
    signal?: AbortSignal,
    check?: () => void,
  ): Promise<WrittenObject>
  /**
   * Copies inside the bucket, on the server, replacing all parameters. `from` and `to` may be the same. With the
   * parameter `CopySourceIfMatch` it rejects where the source's ETag is another one, as `put` does.
   *
   * @param check as for `put`
   */
  copy(
    from: string,
    to: string,
    parameters: ObjectParameters,
    signal?: AbortSignal,
    check?: () => void,
  ): Promise<WrittenObject>
  /** What time it is by the store's clock, as far as its last answer told: milliseconds since 1970. */
  now(): number
}

/**
 * Keys in S3's order, which is that of their UTF-8 bytes. JavaScript's own differs where a key has characters beyond the BMP.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
 */
export function compareKeys(a: string, b: string): number {
  if (a === b) return 0
  if (surrogate.test(a) || surrogate.test(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b))
  return a < b ? -1 : 1
}

const surrogate = /[\ud800-\udfff]/
