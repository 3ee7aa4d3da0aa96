import { hash } from 'node:crypto'
import type { Body, ObjectParameters } from '../../bucket/bucket.js'
import { encodeKey } from '../http/sign.js'
import type { Transport } from '../http/transport.js'
import { textOf } from '../http/xml.js'
import { headersOf } from './object-headers.js'

export interface RequestOptions {
  signal?: AbortSignal | undefined
  /** Called immediately before the first byte. If it throws, nothing is sent. */
  check?: (() => void) | undefined
}

/** Sends the same request as the SDK's PutObjectCommand, and returns the ETag. */
export async function putObject(
  transport: Transport,
  key: string,
  content: Buffer | AsyncIterable<Buffer>,
  { size, md5, sha256 }: Body,
  parameters: ObjectParameters,
  { signal, check }: RequestOptions,
): Promise<string | undefined> {
  const always = { 'content-length': String(size), 'content-type': 'application/octet-stream' }
  // A literal that begins with a spread takes fifty times as long.
  const headers: Record<string, string> = Object.assign(always, headersOf(parameters))
  if (md5 !== undefined) headers['content-md5'] = Buffer.from(md5, 'hex').toString('base64')
  else if (Buffer.isBuffer(content)) headers['content-md5'] = hash('md5', content, 'base64')
  headers['x-amz-content-sha256'] = sha256
  return (await transport.send({ method: 'PUT', key, headers, body: content, check }, signal)).headers.etag
}

/** Sends the same request as the SDK's CopyObjectCommand inside one bucket, with new parameters, and returns the ETag. */
export async function copyObject(
  transport: Transport,
  bucket: string,
  from: string,
  key: string,
  parameters: ObjectParameters,
  { signal, check }: RequestOptions,
): Promise<string | undefined> {
  const headers: Record<string, string> = Object.assign({}, headersOf(parameters), {
    'x-amz-copy-source': `${bucket}/${encodeKey(from)}`,
    'x-amz-metadata-directive': 'REPLACE',
  })
  // R2 and others refuse this header.
  if (parameters.Tagging !== undefined) headers['x-amz-tagging-directive'] = 'REPLACE'
  return textOf(await transport.sendForXml({ method: 'PUT', key, headers, check }, signal), 'ETag')
}
