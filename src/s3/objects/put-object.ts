import { hash } from 'node:crypto'
import type { Body, ObjectParameters } from '../../bucket/bucket.js'
import type { Transport } from '../http/transport.js'

/** The headers of PutObject's parameters. https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html */
export const headerNames: Readonly<Record<string, string>> = {
  ACL: 'x-amz-acl',
  BucketKeyEnabled: 'x-amz-server-side-encryption-bucket-key-enabled',
  CacheControl: 'cache-control',
  ContentDisposition: 'content-disposition',
  ContentEncoding: 'content-encoding',
  ContentLanguage: 'content-language',
  ContentType: 'content-type',
  ExpectedBucketOwner: 'x-amz-expected-bucket-owner',
  Expires: 'expires',
  GrantFullControl: 'x-amz-grant-full-control',
  GrantRead: 'x-amz-grant-read',
  GrantReadACP: 'x-amz-grant-read-acp',
  GrantWriteACP: 'x-amz-grant-write-acp',
  IfMatch: 'if-match',
  IfNoneMatch: 'if-none-match',
  ObjectLockLegalHoldStatus: 'x-amz-object-lock-legal-hold',
  ObjectLockMode: 'x-amz-object-lock-mode',
  ObjectLockRetainUntilDate: 'x-amz-object-lock-retain-until-date',
  RequestPayer: 'x-amz-request-payer',
  SSEKMSEncryptionContext: 'x-amz-server-side-encryption-context',
  SSEKMSKeyId: 'x-amz-server-side-encryption-aws-kms-key-id',
  ServerSideEncryption: 'x-amz-server-side-encryption',
  StorageClass: 'x-amz-storage-class',
  Tagging: 'x-amz-tagging',
  WebsiteRedirectLocation: 'x-amz-website-redirect-location',
}

/** Sends the same request as the SDK's PutObjectCommand, in a fraction of its CPU time, and returns the ETag. */
export async function putObject(
  transport: Transport,
  key: string,
  content: Buffer | AsyncIterable<Buffer>,
  { size, md5, sha256 }: Body,
  parameters: ObjectParameters,
  signal: AbortSignal | undefined,
  check?: () => void,
): Promise<string | undefined> {
  // A literal that begins with a spread takes fifty times as long.
  const headers: Record<string, string> = Object.assign({ 'content-length': String(size) }, headersOf(parameters))
  if (md5 !== undefined) headers['content-md5'] = Buffer.from(md5, 'hex').toString('base64')
  else if (Buffer.isBuffer(content)) headers['content-md5'] = hash('md5', content, 'base64')
  headers['x-amz-content-sha256'] = sha256
  return (await transport.send({ method: 'PUT', key, headers, body: content, check }, signal)).headers.etag
}

/**
 * The parameters that the headers of a response show: the reverse of `putObject`.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
 */
export function parametersOf(headers: Readonly<Record<string, string>>): ObjectParameters {
  const metadata = Object.entries(headers).flatMap(([name, text]) =>
    name.startsWith('x-amz-meta-') ? [[name.slice('x-amz-meta-'.length), text]] : [],
  )
  return Object.fromEntries([
    ...Object.entries(headerNames).flatMap(([parameter, name]) => {
      const value = headers[name]
      return value === undefined ? [] : [[parameter, readValue(parameter, value)]]
    }),
    ...(metadata.length > 0 ? [['Metadata', Object.fromEntries(metadata)]] : []),
  ])
}

function readValue(parameter: string, value: string): unknown {
  if (parameter === 'BucketKeyEnabled') return value === 'true'
  if (parameter !== 'Expires' && parameter !== 'ObjectLockRetainUntilDate') return value
  const date = new Date(value)
  return Number.isNaN(date.getTime()) ? value : date
}

/** Many objects share their parameters. */
const known = new WeakMap<ObjectParameters, Record<string, string>>()

function headersOf(parameters: ObjectParameters): Record<string, string> {
  const headers = known.get(parameters) ?? Object.fromEntries(Object.entries(parameters).flatMap(headersOfOne))
  headers['content-type'] ??= 'application/octet-stream'
  known.set(parameters, headers)
  return headers
}

function headersOfOne([parameter, value]: [string, unknown]): [name: string, value: string][] {
  if (value === undefined) return []
  if (parameter === 'Metadata') {
    return Object.entries(value as Record<string, string>).map(([name, text]) => [
      `x-amz-meta-${name.toLowerCase()}`,
      text,
    ])
  }
  const name = headerNames[parameter]
  if (name === undefined) return []
  if (!(value instanceof Date)) return [[name, String(value)]]
  return [[name, parameter === 'Expires' ? value.toUTCString() : value.toISOString()]]
}
