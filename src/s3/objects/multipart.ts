import { createHash, hash } from 'node:crypto'
import type { CreateMultipartUploadCommandInput, S3Client } from '@aws-sdk/client-s3'
import type { Body, ObjectParameters } from '../../bucket/bucket.js'
import { responseOf, StaticS3Error } from '../../runtime/error.js'
import type { Sdk } from '../aws/sdk.js'
import { changed, unreadable } from './body.js'
import { type RequestOptions, withOptions } from './client.js'
import { unquote } from './list-page.js'

/*
 * Large objects go up in parts, several at a time, and become visible when all are there.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
 */

const MB = 1024 ** 2
/** Bytes above which AWS advises parts. One PUT takes 5 GiB. */
export const multipartBytes = 100 * MB
/** Bytes of a part, where 10,000 of them are enough. R2 wants all of them alike. */
const usualPart = 16 * MB
const mostParts = 10_000
/** How many parts are in memory at a time, of all objects. */
const partsAtOnce = 4

export interface Multipart {
  sdk: Sdk
  client: S3Client
  bucket: string
  buffers: PartBuffers
  /** Sends a request, more than once where that helps. */
  call<T>(signal: AbortSignal | undefined, attempt: () => Promise<T>, bodyBytes?: number): Promise<T>
  /** The ETag of what is there under a key now. */
  etagOf(key: string): Promise<string | undefined>
}

interface Part {
  PartNumber: number
  ETag: string
  md5: string
}

/**
 * Writes an object in parts, and returns its ETag. Where it fails, its parts are put away as far as the store still answers; what is left, as
 * when the process dies, the next one puts away that writes the same key.
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
    const uploadId = await create(multipart, key, parameters, options)
    try {
      const parts = await sendParts(multipart, { ...options, key, uploadId, body })
      return await complete(multipart, { ...options, key, uploadId, parts })
    } catch (error) {
      await abort(multipart, key, uploadId, signal).catch(() => {})
      // Another deploy that writes the same name took it for one that had died.
      const isGone = !signal?.aborted && responseOf(error).code === 'NoSuchUpload'
      if (!isGone || tried === 3) throw error
    }
  }
}

/** Memory for parts, used again and again: else it would grow with each until it is collected. */
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

/** Puts away what runs that died have left of this key. Without the right to, it stays. */
async function abortUploadsOf(multipart: Multipart, key: string, signal: AbortSignal | undefined): Promise<void> {
  const { sdk, client, bucket } = multipart
  try {
    const input = withOptions({ Bucket: bucket, Prefix: key }, { signal })
    const { Uploads = [] } = await client.send(new sdk.ListMultipartUploadsCommand(input))
    const left = Uploads.filter(({ Key }) => Key === key)
    await Promise.all(left.map(({ UploadId = '' }) => abort(multipart, key, UploadId, signal)))
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
  if (!UploadId) throw Object.assign(new Error('no upload id'), { name: 'NoS3Answer' })
  return UploadId
}

interface Sending extends RequestOptions {
  key: string
  uploadId: string
  body: Body
}

/** Reads the file once, from beginning to end, and sends each part when it is full. */
async function sendParts(multipart: Multipart, { key, uploadId, body, signal, check }: Sending): Promise<Part[]> {
  const { sdk, client, bucket, buffers, call } = multipart
  const partBytes = Math.max(usualPart, Math.ceil(body.size / mostParts / MB) * MB)
  const failed = new AbortController()
  const ending = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal
  const parts: Part[] = []
  const sending: Promise<void>[] = []

  const send = async (PartNumber: number, buffer: Buffer, length: number) => {
    try {
      const Body = buffer.subarray(0, length)
      const md5 = hash('md5', Body)
      const ContentMD5 = Buffer.from(md5, 'hex').toString('base64')
      const input = {
        Bucket: bucket,
        Key: key,
        UploadId: uploadId,
        PartNumber,
        Body,
        ContentLength: length,
        ContentMD5,
      }
      const options = { signal: ending, check }
      const sendPart = () => client.send(new sdk.UploadPartCommand(withOptions(input, options)))
      const { ETag } = await call(ending, sendPart, length)
      if (!ETag) throw Object.assign(new Error('no ETag'), { name: 'NoS3Answer' })
      parts[PartNumber - 1] = { PartNumber, ETag, md5 }
    } catch (error) {
      if (!failed.signal.aborted) failed.abort(error)
    } finally {
      buffers.giveBack(buffer)
    }
  }

  const whole = createHash('sha256')
  let size = 0
  let buffer: Buffer | undefined
  let length = 0
  try {
    const content = await body.open()
    try {
      for await (const chunk of content instanceof Uint8Array ? [Buffer.from(content)] : content) {
        whole.update(chunk)
        size += chunk.length
        if (size > body.size) throw changed(body.size, size)
        for (let from = 0; from < chunk.length; ) {
          buffer ??= await buffers.take(partBytes)
          ending.throwIfAborted()
          const copied = chunk.copy(buffer, length, from, from + partBytes - length)
          from += copied
          length += copied
          if (length < partBytes) continue
          sending.push(send(sending.length + 1, buffer, length))
          buffer = undefined
          length = 0
        }
      }
    } finally {
      if (!(content instanceof Uint8Array)) content.destroy()
    }
    if (size !== body.size || whole.digest('hex') !== body.sha256) throw changed(body.size, size)
    if (buffer) sending.push(send(sending.length + 1, buffer, length))
    buffer = undefined
  } catch (error) {
    const isOurs = error instanceof StaticS3Error || (error as Error).name === 'BodyChanged'
    if (!ending.aborted) failed.abort(isOurs ? error : unreadable(error))
  } finally {
    if (buffer) buffers.giveBack(buffer)
  }
  await Promise.all(sending)
  ending.throwIfAborted()
  return parts
}

async function complete(
  { sdk, client, bucket, call, etagOf }: Multipart,
  { key, uploadId, parts, signal, check }: Omit<Sending, 'body'> & { parts: Part[] },
): Promise<string> {
  const Parts = parts.map(({ PartNumber, ETag }) => ({ PartNumber, ETag }))
  const input = { Bucket: bucket, Key: key, UploadId: uploadId, MultipartUpload: { Parts } }
  try {
    const send = () => client.send(new sdk.CompleteMultipartUploadCommand(withOptions(input, { signal, check })))
    const { ETag } = await call(signal, send)
    // Ceph 16 leaves it empty.
    const etag = ETag ? unquote(ETag) : await call(signal, () => etagOf(key))
    if (!etag) throw Object.assign(new Error('no ETag'), { name: 'NoS3Answer' })
    return etag
  } catch (error) {
    // The answer to an earlier attempt may have got lost.
    if (responseOf(error).code !== 'NoSuchUpload') throw error
    const md5s = Buffer.concat(parts.map(({ md5 }) => Buffer.from(md5, 'hex')))
    const expected = `${hash('md5', md5s)}-${parts.length}`
    if ((await etagOf(key)) === expected) return expected
    throw error
  }
}

/** Not under the signal that ends the rest: where that has come, there is time for one attempt. */
async function abort(
  { sdk, client, bucket, call }: Multipart,
  key: string,
  uploadId: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const input = { Bucket: bucket, Key: key, UploadId: uploadId }
  const send = () => client.send(new sdk.AbortMultipartUploadCommand(input))
  await (signal?.aborted ? send() : call(undefined, send))
}
