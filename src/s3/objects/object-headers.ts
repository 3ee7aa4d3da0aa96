import type { ObjectParameters } from '../../bucket/bucket.js'

/** The headers of the parameters of PutObject and CopyObject. https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html */
export const headerNames: Readonly<Record<string, string>> = {
  ACL: 'x-amz-acl',
  BucketKeyEnabled: 'x-amz-server-side-encryption-bucket-key-enabled',
  CacheControl: 'cache-control',
  ContentDisposition: 'content-disposition',
  ContentEncoding: 'content-encoding',
  ContentLanguage: 'content-language',
  ContentType: 'content-type',
  CopySourceIfMatch: 'x-amz-copy-source-if-match',
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

/** A cache, because many objects share their parameters. */
const known = new WeakMap<ObjectParameters, Readonly<Record<string, string>>>()

export function headersOf(parameters: ObjectParameters): Readonly<Record<string, string>> {
  const headers = known.get(parameters) ?? Object.fromEntries(Object.entries(parameters).flatMap(headersOfOne))
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

/**
 * The parameters in the headers of a response: the reverse of `headersOf`.
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
