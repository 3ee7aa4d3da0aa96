import { describe, expect, it } from 'vitest'
import type { ObjectParameters } from '../../src/bucket/bucket.js'
import { canonicalHeaders, showsHeaders } from '../../src/bucket/headers.js'

describe('headers are compared by what they mean', () => {
  it.each<[one: ObjectParameters, other: ObjectParameters, same: boolean]>([
    [{ A: '1', B: '2' }, { B: '2', A: '1' }, true],
    [{ Metadata: { a: '1', b: '2' } }, { Metadata: { b: '2', a: '1' } }, true],
    [{ Expires: new Date(0) }, { Expires: new Date('1970-01-01T00:00:00Z') }, true],
    [{ A: '1', B: undefined }, { A: '1' }, true],
    [{ A: '1', RequestPayer: 'requester', ExpectedBucketOwner: '1' }, { A: '1' }, true],
    [{ Expires: new Date(0) }, { Expires: new Date(1) }, false],
    [{ A: '1' }, { A: '2' }, false],
    [{ A: '1' }, { A: '1', B: '2' }, false],
    [{ Metadata: { a: '1' } }, { Metadata: { a: '2' } }, false],
    [{ Metadata: { a: '1' } }, { Metadata: {} }, false],
  ])('%j and %j: %s', (left, right, same) => {
    expect(canonicalHeaders(left) === canonicalHeaders(right)).toBe(same)
  })
})

describe('an object shows the wanted headers', () => {
  const key = 'arn:aws:kms:eu-west-1:123456789012:key/1234abcd'

  it.each<[what: string, shown: ObjectParameters, wanted: ObjectParameters]>([
    ['none', {}, {}],
    ['all of them', { CacheControl: 'no-cache', ContentType: 'a/b' }, { ContentType: 'a/b', CacheControl: 'no-cache' }],
    ['what is undefined isn’t wanted', {}, { CacheControl: undefined }],
    ['metadata in any order', { Metadata: { a: '1', b: '2' } }, { Metadata: { b: '2', a: '1' } }],
    ['names of metadata in lower case', { Metadata: { built: 'x' } }, { Metadata: { Built: 'x' } }],
    [
      'names of metadata in lower case, which sort otherwise',
      { Metadata: { a: '1', b: '2' } },
      { Metadata: { B: '2', a: '1' } },
    ],
    ['no metadata', {}, { Metadata: {} }],
    ['the usual storage class', {}, { StorageClass: 'STANDARD' }],
    ['the usual storage class, shown', { StorageClass: 'STANDARD' }, {}],
    ['another storage class', { StorageClass: 'STANDARD_IA' }, { StorageClass: 'STANDARD_IA' }],
    ['the bucket’s own encryption', { ServerSideEncryption: 'AES256' }, {}],
    [
      'the bucket’s own encryption with a key',
      { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: key, BucketKeyEnabled: true },
      {},
    ],
    ['the wanted encryption', { ServerSideEncryption: 'AES256' }, { ServerSideEncryption: 'AES256' }],
    ['a bucket key', { BucketKeyEnabled: true }, { BucketKeyEnabled: true }],
    ['the key by its ARN', { SSEKMSKeyId: key }, { SSEKMSKeyId: key }],
    ['the key by its id', { SSEKMSKeyId: key }, { SSEKMSKeyId: '1234abcd' }],
    ['the bucket’s own retention', { ObjectLockMode: 'GOVERNANCE', ObjectLockRetainUntilDate: new Date(0) }, {}],
    ['the bucket’s own legal hold', { ObjectLockLegalHoldStatus: 'ON' }, {}],
    ['dates', { Expires: new Date('2030-01-01T00:00:00Z') }, { Expires: new Date(Date.UTC(2030, 0, 1)) }],
    ['parameters of the request', {}, { ExpectedBucketOwner: '123456789012', RequestPayer: 'requester' }],
  ])('%s', (_what, shown, wanted) => {
    expect(showsHeaders(shown, wanted)).toBe(true)
  })
})

describe('an object doesn’t show the wanted headers', () => {
  const key = 'arn:aws:kms:eu-west-1:123456789012:key/1234abcd'

  it.each<[what: string, shown: ObjectParameters, wanted: ObjectParameters]>([
    ['another value', { CacheControl: 'no-cache' }, { CacheControl: 'no-store' }],
    ['another case of a value', { CacheControl: 'No-Cache' }, { CacheControl: 'no-cache' }],
    ['one is missing', {}, { CacheControl: 'no-cache' }],
    ['one is empty', { CacheControl: '' }, {}],
    ['one is too many', { CacheControl: 'no-cache', ContentEncoding: 'gzip' }, { CacheControl: 'no-cache' }],
    ['one too many, which is undefined in what is wanted', { ContentEncoding: 'gzip' }, { ContentEncoding: undefined }],
    ['other metadata', { Metadata: { a: '1' } }, { Metadata: { a: '2' } }],
    ['another case of metadata’s value', { Metadata: { a: 'x' } }, { Metadata: { a: 'X' } }],
    ['metadata is missing', {}, { Metadata: { a: '1' } }],
    ['metadata is too much', { Metadata: { a: '1' } }, {}],
    ['one piece of metadata is too much', { Metadata: { a: '1', b: '2' } }, { Metadata: { a: '1' } }],
    ['a storage class that nobody wants', { StorageClass: 'GLACIER' }, {}],
    ['another storage class', { StorageClass: 'STANDARD_IA' }, { StorageClass: 'ONEZONE_IA' }],
    ['no encryption', {}, { ServerSideEncryption: 'AES256' }],
    ['another encryption', { ServerSideEncryption: 'AES256' }, { ServerSideEncryption: 'aws:kms' }],
    ['no bucket key', { ServerSideEncryption: 'aws:kms' }, { BucketKeyEnabled: true }],
    ['another key', { SSEKMSKeyId: key }, { SSEKMSKeyId: '4321dcba' }],
    ['the end of a key’s id', { SSEKMSKeyId: key }, { SSEKMSKeyId: 'abcd' }],
    ['an alias, of which nobody knows whether it means this key', { SSEKMSKeyId: key }, { SSEKMSKeyId: 'alias/web' }],
    ['no key', {}, { SSEKMSKeyId: key }],
    ['another date', { Expires: new Date(0) }, { Expires: new Date(1000) }],
    ['no date', {}, { Expires: new Date(0) }],
    ['a date that is none', { Expires: '0' }, { Expires: new Date(0) }],
    ['a date that nobody wants', { Expires: new Date(0) }, {}],
    ['another retention', { ObjectLockMode: 'GOVERNANCE' }, { ObjectLockMode: 'COMPLIANCE' }],
    ['an ACL, which HEAD never shows', {}, { ACL: 'public-read' }],
    ['a grant, which HEAD never shows', {}, { GrantRead: 'id="1"' }],
    ['tags, which HEAD never shows', {}, { Tagging: 'team=web' }],
    ['an encryption context, which HEAD never shows', {}, { SSEKMSEncryptionContext: 'e30=' }],
  ])('%s', (_what, shown, wanted) => {
    expect(showsHeaders(shown, wanted)).toBe(false)
  })
})
