import { createHash, hash } from 'node:crypto'
import type { CreateMultipartUploadCommandInput, S3Client } from '@aws-sdk/client-s3'
import type { Body, ObjectParameters } from '../../bucket/bucket.js'
import { responseOf } from '../../runtime/error.js'
import type { Sdk } from '../aws/sdk.js'
import { notS3 } from '../errors/s3-error.js'
import { changed, withBody } from './body.js'
import { type RequestOptions, withOptions } from './client.js'
import { unquote } from './list-page.js'

const MB = 1024 ** 2
/** AWS advises multipart uploads for larger objects. One PUT takes 5 GiB. */
export const multipartBytes = 100 * MB
/** Bytes of a part, unless that makes too many parts. R2 requires parts of equal size. */
const usualPart = 16 * MB
const mostParts = 10_000
/** Parts in memory at a time, of all objects. */
const partsAtOnce = 4

export interface Multipart {
  sdk: Sdk
  client: S3Client
  bucket: string
  buffers: PartBuffers
  /** Sends a request, with retries. */
  call<T>(signal: AbortSignal | undefined, attempt: () => Promise<T>, bodyBytes?: number): Promise<T>
  /** The ETag of the object as it is now. */
  etagOf(key: string): Promise<string | undefined>
}

interface Upload extends RequestOptions {
  Bucket: string
  Key: string
  UploadId: string
}

interface Part {
  PartNumber: number
  ETag: string
  md5: string
}

/**
 * Writes an object in parts, and returns its ETag. A failed upload is aborted; what a killed process leaves, the next upload of this key aborts.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
 */
export async function putInParts(
  multipart: Multipart,
  key: string,
  body: Body,
  parameters: ObjectParameters,
  options: RequestOptions,
): Promise<string> {
  const { signal } = options
  await abortUploadsOf(multipart, key, signal)
  for (let tried = 1; ; tried++) {
    const upload = { ...options, Bucket: multipart.bucket, Key: key, UploadId: '' }
    upload.UploadId = await create(multipart, key, parameters, options)
    try {
      return await complete(multipart, upload, await sendParts(multipart, upload, body))
    } catch (error) {
      await abort(multipart, upload).catch(() => {})
      // Another deploy of the same name may have aborted the upload.
      const isGone = !signal?.aborted && responseOf(error).code === 'NoSuchUpload'
      if (!isGone || tried === 3) throw error
    }
  }
}

/** Reuses memory, which otherwise grows with each part until a collection. */
export class PartBuffers {
  readonly #free: Buffer[] = []
  readonly #waiting: (() => void)[] = []
  #used = 0

  async take(bytes: number): Promise<Buffer> {
    if (this.#used >= partsAtOnce) await new Promise<void>((go) => this.#waiting.push(go))
    else this.#used++
    const free = this.#free.pop()
    return free && free.length >= bytes ? free : Buffer.allocUnsafeSlow(bytes)
  }

  giveBack(buffer: Buffer): void {
    this.#free.push(buffer)
    const next = this.#waiting.shift()
    if (next) next()
    else this.#used--
  }
}

/** Needs permissions that a deploy may not have: then old parts stay. */
async function abortUploadsOf(multipart: Multipart, key: string, signal: AbortSignal | undefined): Promise<void> {
  const { sdk, client, bucket } = multipart
  try {
    const input = withOptions({ Bucket: bucket, Prefix: key }, { signal })
    const { Uploads = [] } = await client.send(new sdk.ListMultipartUploadsCommand(input))
    const left = Uploads.filter(({ Key }) => Key === key)
    await Promise.all(left.map(({ UploadId = '' }) => abort(multipart, { Bucket: bucket, Key: key, UploadId, signal })))
  } catch {
    signal?.throwIfAborted()
  }
}

async function create(
  { sdk, client, bucket, call }: Multipart,
  key: string,
  parameters: ObjectParameters,
  options: RequestOptions,
): Promise<string> {
  const input: CreateMultipartUploadCommandInput = { ...parameters, Bucket: bucket, Key: key }
  const send = () => client.send(new sdk.CreateMultipartUploadCommand(withOptions(input, options)))
  const { UploadId } = await call(options.signal, send)
  if (!UploadId) throw notS3('no upload id')
  return UploadId
}

/** Reads the file once, and sends each part as soon as it is full. */
async function sendParts(
  { sdk, client, buffers, call }: Multipart,
  { signal, check, ...upload }: Upload,
  body: Body,
): Promise<Part[]> {
  const partBytes = Math.max(usualPart, Math.ceil(body.size / mostParts / MB) * MB)
  const failed = new AbortController()
  const ending = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal
  const fail = (error: unknown) => {
    if (!ending.aborted) failed.abort(error)
  }
  const parts: Part[] = []
  const sending: Promise<void>[] = []

  const send = async (PartNumber: number, buffer: Buffer, length: number) => {
    try {
      const Body = buffer.subarray(0, length)
      const md5 = hash('md5', Body)
      const ContentMD5 = Buffer.from(md5, 'hex').toString('base64')
      const input = { ...upload, PartNumber, Body, ContentLength: length, ContentMD5 }
      const options = { signal: ending, check }
      const sendPart = () => client.send(new sdk.UploadPartCommand(withOptions(input, options)))
      const { ETag } = await call(ending, sendPart, length)
      if (!ETag) throw notS3('no ETag')
      parts[PartNumber - 1] = { PartNumber, ETag, md5 }
    } catch (error) {
      fail(error)
    } finally {
      buffers.giveBack(buffer)
    }
  }

  let buffer: Buffer | undefined
  let length = 0
  const sendBuffer = () => {
    if (buffer) sending.push(send(sending.length + 1, buffer, length))
    buffer = undefined
    length = 0
  }
  try {
    await withBody(body, async (content) => {
      const sha256 = createHash('sha256')
      for await (const piece of Buffer.isBuffer(content) ? [content] : content) {
        sha256.update(piece)
        for (let from = 0; from < piece.length; ) {
          buffer ??= await buffers.take(partBytes)
          ending.throwIfAborted()
          const copied = piece.copy(buffer, length, from, from + partBytes - length)
          from += copied
          length += copied
          if (length === partBytes) sendBuffer()
        }
      }
      if (sha256.digest('hex') !== body.sha256) throw changed(body.size, body.size)
    })
    sendBuffer()
  } catch (error) {
    fail(error)
    if (buffer) buffers.giveBack(buffer)
  }
  await Promise.all(sending)
  ending.throwIfAborted()
  return parts
}

async function complete(
  { sdk, client, call, etagOf }: Multipart,
  { signal, check, ...upload }: Upload,
  parts: Part[],
): Promise<string> {
  const Parts = parts.map(({ PartNumber, ETag }) => ({ PartNumber, ETag }))
  const input = withOptions({ ...upload, MultipartUpload: { Parts } }, { signal, check })
  try {
    const { ETag } = await call(signal, () => client.send(new sdk.CompleteMultipartUploadCommand(input)))
    // Ceph 16 leaves it empty.
    const etag = ETag ? unquote(ETag) : await call(signal, () => etagOf(upload.Key))
    if (!etag) throw notS3('no ETag')
    return etag
  } catch (error) {
    // The response to an earlier attempt may be lost.
    if (responseOf(error).code !== 'NoSuchUpload') throw error
    const md5s = Buffer.concat(parts.map(({ md5 }) => Buffer.from(md5, 'hex')))
    const expected = `${hash('md5', md5s)}-${parts.length}`
    if ((await etagOf(upload.Key)) === expected) return expected
    throw error
  }
}

/** Ignores the signal, but makes only one attempt after its abort. */
async function abort({ sdk, client, call }: Multipart, { signal, check, ...upload }: Upload): Promise<void> {
  const send = () => client.send(new sdk.AbortMultipartUploadCommand(upload))
  await (signal?.aborted ? send() : call(undefined, send))
}
