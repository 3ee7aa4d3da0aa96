import { createHash, hash } from 'node:crypto'
import type { Body, ObjectParameters } from '../../bucket/bucket.js'
import { isForbidden, refusedCondition, responseOf } from '../../runtime/error.js'
import { notS3, readError } from '../errors/s3-error.js'
import type { HttpCall, Transport } from '../http/transport.js'
import { elements, escapeXml, textOf } from '../http/xml.js'
import { changed, withBody } from './body.js'
import { unquote } from './list-page.js'
import { headersOf } from './object-headers.js'
import type { RequestOptions } from './put-object.js'

const MB = 1024 ** 2
/** AWS advises multipart uploads for larger objects. One PUT takes 5 GiB. */
export const multipartBytes = 100 * MB
/** Bytes of a part, unless that makes too many parts. R2 requires parts of equal size. */
const usualPart = 16 * MB
const mostParts = 10_000
/** Parts in memory at a time, of all objects. */
const partsAtOnce = 4

export interface LargeObject extends RequestOptions {
  transport: Transport
  key: string
  body: Body
  parameters: ObjectParameters
  buffers: PartBuffers
  /** Sends a request, with retries. */
  call<T>(signal: AbortSignal | undefined, attempt: () => Promise<T>, bodyBytes?: number): Promise<T>
  /** Called if S3 forbids to find or to remove parts, which then stay. */
  onPartsKept(action: 's3:ListBucketMultipartUploads' | 's3:AbortMultipartUpload'): void
}

interface Part {
  etag: string
  md5: string
}

/**
 * Writes an object in parts, and returns its ETag. A failed upload is aborted; what a killed process leaves, the next upload of this key aborts.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
 */
export async function putInParts(object: LargeObject): Promise<string> {
  await abortOldUploads(object)
  for (let tried = 1; ; tried++) {
    const uploadId = await create(object)
    try {
      return await complete(object, uploadId, await sendParts(object, uploadId))
    } catch (error) {
      await abort(object, uploadId)
      // Another deploy of the same name may have aborted the upload.
      const isGone = !object.signal?.aborted && responseOf(error).code === 'NoSuchUpload'
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

async function abortOldUploads(object: LargeObject): Promise<void> {
  const { transport, key, signal } = object
  try {
    const xml = await transport.sendForXml({ method: 'GET', query: { uploads: '', prefix: key } }, signal)
    const old = [...elements(xml, 'Upload')].filter((upload) => textOf(upload, 'Key') === key)
    await Promise.all(old.map((upload) => abort(object, textOf(upload, 'UploadId') ?? '')))
  } catch (error) {
    signal?.throwIfAborted()
    if (readError(error).status === 403) object.onPartsKept('s3:ListBucketMultipartUploads')
  }
}

async function create({ transport, key, parameters, signal, check, call }: LargeObject): Promise<string> {
  // CompleteMultipartUpload sends the condition.
  const { IfNoneMatch: _, ...kept } = parameters
  const request: HttpCall = { method: 'POST', key, query: { uploads: '' }, headers: headersOf(kept), check }
  const uploadId = textOf(await call(signal, () => transport.sendForXml(request, signal)), 'UploadId')
  if (!uploadId) throw notS3('no upload id')
  return uploadId
}

/** Reads the file once, and sends each part as soon as it is full. */
async function sendParts(
  { transport, key, body, buffers, signal, check, call }: LargeObject,
  uploadId: string,
): Promise<Part[]> {
  const partBytes = Math.max(usualPart, Math.ceil(body.size / mostParts / MB) * MB)
  const failed = new AbortController()
  const ending = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal
  const fail = (error: unknown) => {
    if (!ending.aborted) failed.abort(error)
  }
  const parts: Part[] = []
  const sending: Promise<void>[] = []

  const send = async (partNumber: number, buffer: Buffer, length: number) => {
    try {
      const part = buffer.subarray(0, length)
      const md5 = hash('md5', part)
      const headers = {
        'content-type': 'application/octet-stream',
        'content-md5': Buffer.from(md5, 'hex').toString('base64'),
      }
      const query = { partNumber: String(partNumber), uploadId }
      const request: HttpCall = { method: 'PUT', key, query, headers, body: part, check }
      const { etag } = (await call(ending, () => transport.send(request, ending), length)).headers
      if (!etag) throw notS3('no ETag')
      parts[partNumber - 1] = { etag, md5 }
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

async function complete(object: LargeObject, uploadId: string, parts: readonly Part[]): Promise<string> {
  const { transport, key, parameters, signal, check, call } = object
  const { IfNoneMatch } = parameters
  const request: HttpCall = {
    method: 'POST',
    key,
    query: { uploadId },
    headers: { 'content-type': 'application/xml', ...headersOf({ IfNoneMatch }) },
    body: Buffer.from(listOfParts(parts)),
    check,
  }
  const currentEtag = async () => unquote((await transport.send({ method: 'HEAD', key }, signal)).headers.etag)
  try {
    const xml = await call(signal, () => transport.sendForXml(request, signal))
    // Ceph 16 leaves it empty.
    const etag = unquote(textOf(xml, 'ETag')) || (await call(signal, currentEtag))
    if (!etag) throw notS3('no ETag')
    return etag
  } catch (error) {
    // The store has the parts already, so only the completion is repeated, without the condition.
    if (IfNoneMatch !== undefined && refusedCondition(error) === 'unsupported') {
      return complete({ ...object, parameters: {} }, uploadId, parts)
    }
    // The response to an earlier attempt may be lost.
    if (responseOf(error).code !== 'NoSuchUpload') throw error
    const md5s = Buffer.concat(parts.map(({ md5 }) => Buffer.from(md5, 'hex')))
    const expected = `${hash('md5', md5s)}-${parts.length}`
    if ((await currentEtag().catch(() => '')) === expected) return expected
    throw error
  }
}

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html */
function listOfParts(parts: readonly Part[]): string {
  const list = parts.map(
    ({ etag }, index) => `<Part><ETag>${escapeXml(etag)}</ETag><PartNumber>${index + 1}</PartNumber></Part>`,
  )
  const xmlns = 'http://s3.amazonaws.com/doc/2006-03-01/'
  return `<CompleteMultipartUpload xmlns="${xmlns}">${list.join('')}</CompleteMultipartUpload>`
}

/** Ignores the signal, but makes only one attempt after its abort. Parts that can't be removed stay. */
async function abort({ transport, key, signal, call, onPartsKept }: LargeObject, uploadId: string): Promise<void> {
  const send = () => transport.send({ method: 'DELETE', key, query: { uploadId } }, undefined)
  await (signal?.aborted ? send() : call(undefined, send)).catch((error) => {
    if (isForbidden(error)) onPartsKept('s3:AbortMultipartUpload')
  })
}
