import { hash } from 'node:crypto'

/** PutObject parameters beside bucket, key and body, under S3's own names (`CacheControl`, `ContentType`, `Metadata`, …). */
export type ObjectParameters = Record<string, unknown>

/** Content in pieces, such as a readable stream. A piece may reuse the memory of the previous one, so it is valid until the next one is requested. */
export interface Pieces extends AsyncIterable<Buffer> {
  /** Stops reading, at any piece. */
  destroy(): void
}

/** An object's content, in a form that can be sent again. */
export interface Body {
  /** Bytes. */
  size: number
  /** MD5 of the content, hex, if it is known. It becomes Content-MD5, so that S3 refuses a damaged body. */
  md5?: string | undefined
  /** SHA-256 of the content, hex. The request's signature covers it, so that S3 refuses any other content. */
  sha256: string
  /** Called once for each attempt, because pieces can be read only once. */
  open(): Promise<Uint8Array | Pieces>
}

/** Bytes up to which a body is kept in one piece of memory. */
export const smallBytes = 256 * 1024

/** Bytes. The largest object that is read is a record, which has 10 MB for 100,000 files. */
export const largestToGet = 100 * 1024 ** 2

/** A body in memory. */
export function bodyOfBytes(bytes: Buffer): Body {
  return { size: bytes.length, sha256: hash('sha256', bytes), open: async () => bytes }
}

export interface ListedObject {
  key: string
  /** Bytes. */
  size: number
  /** As S3 returned it, without the quotes. An MD5 for most objects, but not for multipart objects or under SSE-KMS. */
  etag: string
  /** The time of its last write, by the store's own clock: milliseconds since 1970. Undefined if the store does not tell. */
  lastModified: number | undefined
}

/** The result of a write. */
export interface WrittenObject {
  /** As S3 returned it, without the quotes. */
  etag: string
  /**
   * The latest possible time of the write, by the store's clock: milliseconds since 1970. A later time in a listing belongs to somebody else's
   * write.
   */
  writtenAt: number
}

/** An object without its bytes. */
export interface StoredObject {
  /** As S3 returned it, without the quotes. */
  etag: string
  /** The PutObject parameters that S3 returns. It returns no ACL, grants, tags or encryption context. */
  parameters: ObjectParameters
  /** How many tags it has, if the store tells: S3 does so only with the right to read them. */
  tags?: number | undefined
}

export interface DeleteOptions {
  /** Deletes the object only if it has this ETag. Older stores ignore the condition: S3 has it since September 2025. */
  ifMatch?: string
  signal?: AbortSignal | undefined
  /** As for `put`. */
  check?: (() => void) | undefined
}

export interface ListOptions {
  /** The largest number of objects (1 to 1,000): the first ones in S3's order, in one request. */
  first?: number
  /**
   * Keys in S3's order that split the listing into parallel requests. Old keys cost only time. The first page is requested without waiting for
   * them.
   */
  splitAt?: Promise<readonly string[]>
  signal?: AbortSignal | undefined
}

/** The port to a bucket. One contract test runs on every implementation. Each call rejects with a `StaticS3Error` for the user. */
export interface Bucket {
  /** All objects whose keys begin with `prefix`, in S3's order (UTF-8 bytes). An empty prefix lists the whole bucket. */
  list(prefix: string, options?: ListOptions): Promise<readonly ListedObject[]>
  /** The object's bytes, up to 100 MiB, or undefined if the key does not exist. */
  get(key: string, signal?: AbortSignal): Promise<Uint8Array | undefined>
  /** The object's ETag and headers, or undefined if the key does not exist. */
  head(key: string, signal?: AbortSignal): Promise<StoredObject | undefined>
  /**
   * Writes the object, whole or not at all. With the parameter `IfNoneMatch: '*'`, it rejects if the key exists, with a `cause` named
   * `PreconditionFailed`: even if an attempt of this call wrote the object and the reply was lost.
   *
   * @param check called immediately before the first byte of each attempt; an error that it throws ends the call
   */
  put(
    key: string,
    body: Body,
    parameters: ObjectParameters,
    signal?: AbortSignal,
    check?: () => void,
  ): Promise<WrittenObject>
  /**
   * Copies inside the bucket, on the server, and replaces all parameters. `from` and `to` may be the same. With the parameter
   * `CopySourceIfMatch`, it rejects like `put` if the source has another ETag.
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
  /** Deletes the object. A missing key is no error. With `ifMatch`, it rejects like `put` if the object has another ETag. */
  delete(key: string, options?: DeleteOptions): Promise<void>
  /**
   * Adds tags to the object's own, up to 10 in all. A tag that the object has keeps its value. S3 knows no condition for tags. Ceph counts the call as
   * the object's last write.
   *
   * @param check as for `put`
   */
  tag(
    key: string,
    tags: Readonly<Record<string, string>>,
    options?: Pick<DeleteOptions, 'signal' | 'check'>,
  ): Promise<void>
  /** The time of the store's clock, by its last response: milliseconds since 1970. */
  now(): number
}

/**
 * Compares keys in S3's order, by their UTF-8 bytes. JavaScript's order differs for characters beyond the BMP.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
 */
export function compareKeys(a: string, b: string): number {
  if (a === b) return 0
  if (surrogate.test(a) || surrogate.test(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b))
  return a < b ? -1 : 1
}

const surrogate = /[\ud800-\udfff]/
