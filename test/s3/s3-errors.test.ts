import { hash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer, type IncomingHttpHeaders } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { patient } from '../../fixtures/s3/connection.js'
import { freePorts } from '../../fixtures/s3/free-ports.js'
import { type EmbeddedS3, s3Servers, startEmbedded, type TestS3 } from '../../fixtures/s3/index.js'
import { StaticS3Error } from '../../src/runtime/error.js'
import { findEndpoint, findRegion } from '../../src/s3/aws/sdk-config.js'
import { explain } from '../../src/s3/errors/explain.js'
import type { ExplainContext, Request } from '../../src/s3/errors/request.js'
import { openBucket, type S3Settings } from '../../src/s3/objects/s3-bucket.js'
import type { ConfiguredEndpoint } from '../../src/settings/address.js'

/** Everything of an error that a bundler, a logger or Node itself might print. */
const printed = (error: Error) =>
  [error.message, error.stack, inspect(error, { depth: 9, showHidden: true })].join('\n')

const SECRETS = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  sessionToken: 'FwoGZXIvYXdzEXAMPLETOKEN==',
  signature: 'fe5f80f77d5fa3beca038a248ff027d0445342fe2855ddc963176630326f1024',
}

const put = (parameters = {}): Request => ({ verb: 'PUT', key: 'static/assets/app.js', parameters })
const list: Request = { verb: 'LIST', prefix: 'static/' }

const context = (overrides: Partial<ExplainContext> = {}): ExplainContext => ({
  request: put(),
  bucket: 'my-bucket',
  region: 'us-east-1',
  endpoint: undefined,
  profile: undefined,
  attempts: 1,
  secrets: [SECRETS.accessKeyId, SECRETS.secretAccessKey, SECRETS.sessionToken],
  ...overrides,
})

interface Said {
  message?: string
  status?: number
  headers?: IncomingHttpHeaders
  fields?: Record<string, unknown>
}

/** An error as the SDK makes it of S3's answer. */
function s3Error(
  code: string,
  { message = 'UnknownError', status = 400, headers = {}, fields = {} }: Said = {},
): Error {
  const error = Object.assign(new Error(message), { name: code, $fault: 'client', ...fields })
  Object.assign(error, { $metadata: { httpStatusCode: status, requestId: 'REQ1' } })
  return Object.defineProperty(error, '$response', { value: { statusCode: status, headers }, enumerable: false })
}

const nodeError = (code: string, fields = {}) => Object.assign(new Error(`said ${code}`), { code, ...fields })

const iam = 'Allow it in the policy of the user or role'

/** What S3 says, and what is made of it: parts that the message has to have. */
const table: [name: string, error: Error, Partial<ExplainContext>, parts: string[]][] = [
  [
    'AccessDenied on PUT',
    s3Error('AccessDenied', { status: 403 }),
    {},
    [
      'PUT static/assets/app.js to s3://my-bucket: access denied; ',
      's3:PutObject on arn:aws:s3:::my-bucket/static/* (AccessDenied)',
      iam,
    ],
  ],
  [
    'AccessDenied on LIST',
    s3Error('AccessDenied', { status: 403 }),
    { request: list },
    ['LIST s3://my-bucket/static/: ', 's3:ListBucket on arn:aws:s3:::my-bucket (AccessDenied)'],
  ],
  [
    'AccessDenied on GET',
    s3Error('AccessDenied', { status: 403 }),
    { request: { verb: 'GET', key: '.static-s3/static/latest.json' } },
    ['s3:GetObject on arn:aws:s3:::my-bucket/.static-s3/*', 'Without s3:ListBucket'],
  ],
  [
    'AccessDenied on DELETE',
    s3Error('AccessDenied', { status: 403 }),
    { request: { verb: 'DELETE', key: 'static/a.js' } },
    ['DELETE s3://my-bucket/static/a.js: ', 's3:DeleteObject on arn:aws:s3:::my-bucket/static/*', iam, 'iam --prune'],
  ],
  [
    'AccessDenied on a tag',
    s3Error('AccessDenied', { status: 403 }),
    { request: { verb: 'TAG', key: 'static/a.js' } },
    ['TAG s3://my-bucket/static/a.js: ', 's3:GetObjectTagging and s3:PutObjectTagging on arn', iam, 'policy iam --tag'],
  ],
  [
    'NotImplemented for a tag',
    s3Error('NotImplemented', { status: 501 }),
    { request: { verb: 'TAG', key: 'static/a.js' }, endpoint: 'https://s3.test' },
    ['this store has no tags (NotImplemented)', 'prune without --tag'],
  ],
  [
    'AccessDenied on COPY',
    s3Error('AccessDenied', { status: 403 }),
    { request: { verb: 'COPY', from: 'static/a', key: 'static/a', parameters: {} } },
    ['new headers for static/a in s3://my-bucket', 's3:GetObject and s3:PutObject on arn:aws:s3:::my-bucket/static/*'],
  ],
  [
    'AccessDenied with an ACL',
    s3Error('AccessDenied', { status: 403 }),
    { request: put({ ACL: 'public-read' }) },
    ['s3:PutObject and s3:PutObjectAcl on', 'remove AWS_DEFAULT_ACL'],
  ],
  [
    'AccessDenied with tags',
    s3Error('AccessDenied', { status: 403 }),
    { request: put({ Tagging: 'a=1' }) },
    ['s3:PutObject and s3:PutObjectTagging on'],
  ],
  [
    'AccessDenied with KMS',
    s3Error('AccessDenied', { status: 403 }),
    { request: put({ ServerSideEncryption: 'aws:kms' }) },
    ['kms:GenerateDataKey and kms:Decrypt'],
  ],
  [
    'AccessDenied where AWS says what is missing',
    s3Error('AccessDenied', {
      status: 403,
      message:
        'User: arn:aws:iam::111122223333:user/ci is not authorized to perform: kms:GenerateDataKey on resource: "arn:aws:kms:eu-west-1:111122223333:key/k" because no identity-based policy allows the kms:GenerateDataKey action',
    }),
    {},
    ['kms:GenerateDataKey on arn:aws:kms:eu-west-1:111122223333:key/k'],
  ],
  [
    'AccessDenied by a Deny',
    s3Error('AccessDenied', {
      status: 403,
      message:
        'User: arn:aws:iam::111122223333:user/ci is not authorized to perform: s3:PutObject on resource: "arn:aws:s3:::my-bucket/static/assets/app.js" with an explicit deny in a resource-based policy',
    }),
    {},
    ['with an explicit deny in a resource-based policy', 'a Deny beats every Allow'],
  ],
  [
    'AccessDenied in China',
    s3Error('AccessDenied', { status: 403 }),
    { region: 'cn-north-1' },
    ['arn:aws-cn:s3:::my-bucket/static/*'],
  ],
  [
    'a role that trusts somebody else',
    s3Error('AccessDenied', { status: 403, message: 'Not authorized to perform sts:AssumeRoleWithWebIdentity' }),
    { request: { verb: 'CREDENTIALS' } },
    ['signing in for s3://my-bucket', 'sts:AssumeRoleWithWebIdentity', 'trust policy'],
  ],
  ['403 without code', s3Error('Unknown', { status: 403 }), {}, ['status 403', 'proxy or firewall']],
  [
    'NoSuchBucket',
    s3Error('NoSuchBucket', { status: 404 }),
    {},
    ['no bucket "my-bucket" at S3 in us-east-1 (NoSuchBucket)', 'AWS_STORAGE_BUCKET_NAME', 'or create it'],
  ],
  [
    'another region, by header',
    s3Error('PermanentRedirect', { status: 301, headers: { 'x-amz-bucket-region': 'eu-west-1' } }),
    {},
    ['the bucket is in eu-west-1, not in us-east-1 (PermanentRedirect)', 'Set AWS_S3_REGION_NAME=eu-west-1.'],
  ],
  [
    'another region, without a body',
    s3Error('Unknown', { status: 301, headers: { 'x-amz-bucket-region': 'eu-west-1' } }),
    {},
    ['Set AWS_S3_REGION_NAME=eu-west-1.'],
  ],
  [
    'another region, by endpoint',
    s3Error('PermanentRedirect', { status: 301, fields: { Endpoint: 'my-bucket.s3.ap-southeast-2.amazonaws.com' } }),
    {},
    ['Set AWS_S3_REGION_NAME=ap-southeast-2.'],
  ],
  [
    'another region, by the signature',
    s3Error('AuthorizationHeaderMalformed', { fields: { Region: 'eu-west-1' } }),
    {},
    ['Set AWS_S3_REGION_NAME=eu-west-1.', '(AuthorizationHeaderMalformed)'],
  ],
  [
    'another region, by the message alone',
    s3Error('AuthorizationHeaderMalformed', {
      message: "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'garage'",
    }),
    { endpoint: 'https://s3.test' },
    ['Set AWS_S3_REGION_NAME=garage.'],
  ],
  [
    'another region, unknown which',
    s3Error('IllegalLocationConstraintException'),
    {},
    ['another region than us-east-1', 'aws s3api get-bucket-location --bucket my-bucket'],
  ],
  [
    'a signature that cannot be read',
    s3Error('AuthorizationHeaderMalformed', { message: 'The authorization header is malformed' }),
    {},
    ['stray spaces'],
  ],
  [
    'InvalidAccessKeyId',
    s3Error('InvalidAccessKeyId', { status: 403 }),
    {},
    ['AWS_ACCESS_KEY_ID', 'AWS_S3_ENDPOINT_URL'],
  ],
  ['SignatureDoesNotMatch', s3Error('SignatureDoesNotMatch', { status: 403 }), {}, ['AWS_SECRET_ACCESS_KEY', 'proxy']],
  [
    'ExpiredToken',
    s3Error('ExpiredToken'),
    { profile: 'dev' },
    ['expired (ExpiredToken)', '`aws sso login --profile dev`'],
  ],
  ['TokenRefreshRequired', s3Error('TokenRefreshRequired'), {}, ['expired', '`aws sso login`']],
  ['InvalidToken', s3Error('InvalidToken'), {}, ['AWS_SESSION_TOKEN', 'unset it']],
  [
    'RequestTimeTooSkewed',
    s3Error('RequestTimeTooSkewed', {
      status: 403,
      fields: { RequestTime: '20260101T100000Z', ServerTime: '2026-01-01T11:30:00Z' },
    }),
    {},
    ["clock is 90 minutes behind S3's (RequestTimeTooSkewed)", 'NTP'],
  ],
  [
    'RequestTimeTooSkewed by days',
    s3Error('RequestTimeTooSkewed', {
      status: 403,
      fields: { RequestTime: '20260111T100000Z', ServerTime: '2026-01-01T10:00:00Z' },
    }),
    {},
    ["10 days ahead of S3's"],
  ],
  ['RequestTimeTooSkewed, unknown by how much', s3Error('RequestTimeTooSkewed'), {}, ['more than 15 minutes off']],
  [
    'AccessControlListNotSupported',
    s3Error('AccessControlListNotSupported'),
    { request: put({ ACL: 'public-read' }) },
    ['does not take ACLs', 'Remove AWS_DEFAULT_ACL', 'by a bucket policy'],
  ],
  [
    'InvalidBucketName',
    s3Error('InvalidBucketName'),
    { bucket: 's3://x/y' },
    ['AWS_STORAGE_BUCKET_NAME', 'AWS_LOCATION'],
  ],
  ['EntityTooLarge', s3Error('EntityTooLarge'), {}, ['5 GiB', 'exclude']],
  ['KeyTooLongError', s3Error('KeyTooLongError'), {}, ['1,024 bytes', 'AWS_LOCATION', '20 bytes']],
  ['MetadataTooLarge', s3Error('MetadataTooLarge'), {}, ['2 KB', 'AWS_S3_OBJECT_PARAMETERS']],
  ['PreconditionFailed', s3Error('PreconditionFailed', { status: 412 }), {}, ['already exists']],
  ['QuotaExceeded', s3Error('QuotaExceeded', { status: 403 }), {}, ['quota of the bucket', 'have the quota raised']],
  [
    'AllAccessDisabled',
    s3Error('AllAccessDisabled', { status: 403, message: 'All access has been disabled' }),
    {},
    ['account', 'All access has been disabled'],
  ],
  ['AccountProblem', s3Error('AccountProblem', { status: 403 }), {}, ['Billing']],
  [
    'NotImplemented',
    s3Error('NotImplemented', { status: 501, message: "Header 'x-amz-tagging' not implemented" }),
    { request: put({ Tagging: 'a=1' }), endpoint: 'https://s3.test' },
    ["Header 'x-amz-tagging' not implemented (NotImplemented)", 'Tagging', 'AWS_S3_OBJECT_PARAMETERS'],
  ],
  [
    'InvalidRequest',
    s3Error('InvalidRequest', { message: 'Missing header.' }),
    { request: put({ ACL: 'x' }) },
    [': Missing header (InvalidRequest)', 'ACL'],
  ],
  ['KMS', s3Error('KMS.DisabledException', { message: 'key is disabled' }), {}, ['KMS key', 'key is disabled']],
  [
    'SlowDown',
    s3Error('SlowDown', { status: 503 }),
    { attempts: 5 },
    ['slow down, after 5 attempts (SlowDown)', 'concurrency'],
  ],
  ['503 without code', s3Error('Unknown', { status: 503 }), { attempts: 5 }, ['slow down, after 5 attempts.']],
  [
    'InternalError',
    s3Error('InternalError', { status: 500 }),
    { attempts: 5 },
    ['status 500), after 5 attempts', 'REQ1'],
  ],
  ['502 of a proxy', s3Error('Unknown', { status: 502 }), {}, ['status 502']],
  ['BadDigest', s3Error('BadDigest'), { attempts: 3 }, ['arrived damaged, after 3 attempts', 'file changed']],
  [
    'RequestTimeout',
    s3Error('RequestTimeout'),
    { attempts: 5 },
    ['the upload was too slow', 'after 5 attempts', 'On a slow line, lower concurrency (STATIC_S3_CONCURRENCY).'],
  ],
  [
    'no credentials',
    Object.assign(new Error('Could not load credentials from any providers'), { name: 'CredentialsProviderError' }),
    { request: { verb: 'CREDENTIALS' } },
    [
      'no AWS credentials were found (CredentialsProviderError)',
      'AWS_ACCESS_KEY_ID',
      'AWS_PROFILE',
      'aws sso login',
      'OIDC',
    ],
  ],
  [
    'a token of SSO that has expired',
    Object.assign(new Error("Token is expired. To refresh this SSO session run 'aws sso login'"), {
      name: 'TokenProviderError',
    }),
    { profile: 'dev' },
    ['no valid SSO session', '`aws sso login --profile dev`'],
  ],
  [
    'no such host',
    nodeError('ENOTFOUND', { hostname: 's3.eu-wset-1.amazonaws.com' }),
    { region: 'eu-wset-1' },
    ['S3 in eu-wset-1', 'no such host', 's3.eu-wset-1.amazonaws.com', 'AWS_S3_REGION_NAME'],
  ],
  [
    'no such host for the bucket',
    nodeError('ENOTFOUND', { hostname: 'my-bucket.minio.test' }),
    { endpoint: 'https://minio.test' },
    ['AWS_S3_ADDRESSING_STYLE=path'],
  ],
  [
    'nobody listens',
    nodeError('ECONNREFUSED', { address: '127.0.0.1' }),
    { endpoint: 'http://localhost:9000' },
    ['http://localhost:9000', 'nothing listens', 'AWS_S3_ENDPOINT_URL'],
  ],
  [
    'nobody listens on any address',
    Object.assign(new AggregateError([nodeError('ECONNREFUSED')], '')),
    {},
    ['(ECONNREFUSED)'],
  ],
  ['no time', nodeError('ETIMEDOUT'), {}, ['in time', 'firewall']],
  ['cut', nodeError('ECONNRESET'), { attempts: 5 }, ['broke off, after 5 attempts (ECONNRESET)', 'skipped']],
  ['an unknown authority', nodeError('UNABLE_TO_VERIFY_LEAF_SIGNATURE'), {}, ['NODE_EXTRA_CA_CERTS', 'AWS_CA_BUNDLE']],
  ['self-signed', nodeError('DEPTH_ZERO_SELF_SIGNED_CERT'), {}, ['NODE_EXTRA_CA_CERTS']],
  ['self-signed in between', nodeError('SELF_SIGNED_CERT_IN_CHAIN'), {}, ['NODE_EXTRA_CA_CERTS']],
  ['expired certificate', nodeError('CERT_HAS_EXPIRED'), {}, ['expired', 'clock']],
  ['a certificate for another host', nodeError('ERR_TLS_CERT_ALTNAME_INVALID'), {}, ['AWS_S3_ADDRESSING_STYLE=path']],
  ['not TLS', nodeError('EPROTO'), { endpoint: 'https://localhost:9000' }, ["not S3's", 'http or https']],
  ['not HTTP', nodeError('MalformedResponse'), { endpoint: 'http://localhost:22' }, ["not S3's"]],
  [
    'not XML',
    s3Error('', {
      status: 200,
      message:
        '@aws-sdk XML parse error: unexpected content.\n  Deserialization error: to see the raw response, inspect the hidden field {error}.$response on this object.',
    }),
    { endpoint: 'http://localhost:9001' },
    ["not S3's (status 200)", 'web interface'],
  ],
  [
    'a header that HTTP does not allow',
    Object.assign(new TypeError('Invalid character in header content ["cache-control"]'), { code: 'ERR_INVALID_CHAR' }),
    {},
    ['cache-control', 'ASCII'],
  ],
  [
    'a code that nobody knows',
    s3Error('BrandNewProblem', { status: 418, message: 'Short and stout.' }),
    {},
    ['failed with status 418: Short and stout (BrandNewProblem)', 'ErrorResponses.html', 'REQ1'],
  ],
  ['nothing at all', new Error(''), {}, ['PUT static/assets/app.js to s3://my-bucket: failed.']],

  // Servers before the store
  ...[301, 302, 303, 307, 308].map((status): (typeof table)[number] => [
    `${status} to https`,
    s3Error('Unknown', {
      status,
      headers: { location: 'https://s3.test/my-bucket/static/assets/app.js?X-Amz-Signature=1' },
    }),
    { endpoint: 'http://s3.test' },
    [
      `http://s3.test redirects to https://s3.test/my-bucket/static/assets/app.js (status ${status}). `,
      'Set AWS_S3_ENDPOINT_URL=https://s3.test.',
    ],
  ]),
  [
    '302 to the page of a login',
    s3Error('Unknown', { status: 302, headers: { location: 'https://user:hush@login.test/?next=hush' } }),
    { endpoint: 'https://s3.test' },
    ['https://s3.test redirects to https://login.test/ (status 302)', "the store's own address"],
  ],
  [
    '308 to a path',
    s3Error('Unknown', { status: 308, headers: { location: '/minio/' } }),
    { endpoint: 'https://s3.test' },
    ['redirects to https://s3.test/minio/ (status 308)', "the store's own address"],
  ],
  [
    '301 without a target',
    s3Error('Unknown', { status: 301 }),
    { endpoint: 'https://s3.test' },
    ['https://s3.test redirects (status 301)'],
  ],
  [
    '302 of a captive portal',
    s3Error('Unknown', { status: 302, headers: { location: 'http://wifi.test/' } }),
    {},
    ['sign-in page'],
  ],
  [
    '307 of S3 to the same region, while a bucket is new',
    s3Error('TemporaryRedirect', { status: 307, fields: { Endpoint: 'my-bucket.s3-us-west-2.amazonaws.com' } }),
    {},
    ['the bucket is in us-west-2'],
  ],
  [
    '413 of nginx',
    s3Error('Unknown', { status: 413 }),
    { endpoint: 'https://s3.test' },
    ['a proxy before https://s3.test limits the size of uploads (status 413)', 'client_max_body_size'],
  ],
  [
    '413 of the store',
    s3Error('EntityTooLarge', { status: 413 }),
    { endpoint: 'https://s3.test' },
    ['larger than the store allows (EntityTooLarge)'],
  ],

  // 403 of many kinds
  [
    "Backblaze's storage cap",
    s3Error('AccessDenied', {
      status: 403,
      message: 'Cannot upload files, storage cap exceeded. See the Caps & Alerts page to increase your cap.',
    }),
    { endpoint: 'https://s3.test' },
    ['the store takes no more: Cannot upload files, storage cap exceeded', 'Raise the limit'],
  ],
  [
    'an account without entitlement',
    s3Error('NotEntitled', { status: 403, message: 'Please enable R2 through the Cloudflare Dashboard.' }),
    { endpoint: 'https://s3.test' },
    ['the account does not allow it: Please enable R2', 'Check at the provider'],
  ],
  [
    'an account without entitlement, as AccessDenied',
    s3Error('AccessDenied', { status: 403, message: 'not entitled' }),
    { endpoint: 'https://s3.test' },
    ['the account does not allow it: not entitled (AccessDenied)', 'Check at the provider'],
  ],
  [
    'a file whose name sounds like a reason',
    s3Error('AccessDenied', {
      status: 403,
      message:
        'User: arn:aws:iam::1:user/ci is not authorized to perform: s3:PutObject on resource: "arn:aws:s3:::my-bucket/static/quota-billing.js" because no identity-based policy allows the s3:PutObject action',
    }),
    {},
    ['access denied; it needs s3:PutObject on arn:aws:s3:::my-bucket/static/quota-billing.js', iam],
  ],
  [
    'a policy that requires encryption',
    s3Error('AccessDenied', {
      status: 403,
      message:
        'User: arn:aws:iam::1:user/ci is not authorized to perform: s3:PutObject on resource: "arn:aws:s3:::my-bucket/static/a" with an explicit deny in a resource-based policy',
    }),
    {},
    ['or send what it asks for', 'ServerSideEncryption in AWS_S3_OBJECT_PARAMETERS'],
  ],
  [
    'a deny of the organization',
    s3Error('AccessDenied', {
      status: 403,
      message:
        'User: x is not authorized to perform: s3:ListBucket on resource: "arn:aws:s3:::my-bucket" with an explicit deny in a service control policy',
    }),
    { request: list },
    ['It fails with an explicit deny in a service control policy'],
  ],
  [
    'a public ACL under Block Public Access',
    s3Error('AccessDenied', {
      status: 403,
      message:
        'User: x is not authorized to perform: s3:PutObject on resource: "arn:aws:s3:::my-bucket/static/a" because public ACLs are prevented by the BlockPublicAcls setting in S3 Block Public Access',
    }),
    { request: put({ ACL: 'public-read' }) },
    ['block public ACLs: remove AWS_DEFAULT_ACL'],
  ],
  [
    "a public access block on Ceph, which denies its owner's writes",
    s3Error('AccessDenied', { status: 403, message: '' }),
    { endpoint: 'http://ceph.test' },
    ['access denied; it needs s3:PutObject', 'Ceph also denies it if the bucket has a public access block'],
  ],
  [
    'a reason of its own',
    s3Error('AccessDenied', { status: 403, message: 'Writes are frozen for maintenance.' }),
    { endpoint: 'http://s3.test' },
    ['access denied: Writes are frozen for maintenance; it needs s3:PutObject'],
  ],
  [
    'a condition on s3:prefix',
    s3Error('AccessDenied', { status: 403 }),
    { request: list },
    [
      'If a condition on s3:prefix limits it, allow both prefixes: {"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::my-bucket",' +
        '"Condition":{"StringLike":{"s3:prefix":["static/*",".static-s3/static/*"]}}}.',
    ],
  ],
  [
    'a condition on s3:prefix, for the records',
    s3Error('AccessDenied', { status: 403 }),
    { request: { verb: 'LIST', prefix: '.static-s3/a/b/releases/' } },
    ['"s3:prefix":["a/b/*",".static-s3/a/b/*"]'],
  ],

  // Credentials
  [
    'a wrong signature, perhaps of keys in a .env file',
    s3Error('SignatureDoesNotMatch', { status: 403 }),
    {},
    ['quotes and spaces', 'In a .env file, put a value with # in quotes, and write \\$ for $'],
  ],
  [
    'an SSO portal that cannot be reached',
    Object.assign(new Error('Error: getaddrinfo ENOTFOUND portal.sso.eu-west-1.amazonaws.com'), {
      name: 'CredentialsProviderError',
    }),
    { profile: 'dev' },
    [
      "the service for the credentials can't be reached: Error: getaddrinfo ENOTFOUND portal.sso.eu-west-1.amazonaws.com",
    ],
  ],
]

describe('explain', () => {
  it.each(table)('%s', (_name, error, overrides, parts) => {
    const explained = explain(error, context(overrides))
    expect(explained).toBeInstanceOf(StaticS3Error)
    for (const part of parts) expect(explained.message).toContain(part)
    expect(explained.message).toMatch(/^static-s3: [^\n]+[.`)]$/)
    expect(explained.message).not.toMatch(/undefined|\[object|UnknownError|\.\./)
    expect(explained.stack).toBe(explained.message)
  })

  it.each(table)('says nothing that is secret: %s', (_name, error, overrides) => {
    const url = `https://b.s3.amazonaws.com/?X-Amz-Signature=${SECRETS.signature}&X-Amz-Security-Token=${SECRETS.sessionToken}`
    const said = `${error.message} AWSAccessKeyId=${SECRETS.accessKeyId} ${SECRETS.secretAccessKey} ASIAY34FZKBOKMUTVV7A ${url}`
    const fields = {
      AWSAccessKeyId: SECRETS.accessKeyId,
      SignatureProvided: SECRETS.signature,
      StringToSign: `AWS4-HMAC-SHA256\n${SECRETS.signature}`,
      CanonicalRequest: `x-amz-security-token:${SECRETS.sessionToken}`,
      'Token-0': SECRETS.sessionToken,
    }
    const loud = Object.assign(new Error(said), error, { name: error.name }, fields)
    Object.defineProperty(loud, '$response', { value: { headers: { authorization: SECRETS.signature } } })
    const text = printed(explain(loud, context(overrides)))
    for (const secret of [...Object.values(SECRETS), 'ASIAY34FZKBOKMUTVV7A']) expect(text).not.toContain(secret)
    expect(text).not.toMatch(/StringToSign|CanonicalRequest/)
  })

  it('keeps a fingerprint that looks like a signature', () => {
    const key = `static/app.${SECRETS.signature}.js`
    const { message } = explain(s3Error('AccessDenied'), context({ request: { verb: 'PUT', key, parameters: {} } }))
    expect(message).toContain(key)
  })

  it('has a cause whose name is the code', () => {
    const { cause } = explain(s3Error('PreconditionFailed', { status: 412 }), context())
    expect(cause).toMatchObject({ name: 'PreconditionFailed', status: 412 })
    expect(Object.keys(explain(s3Error('X'), context()))).not.toContain('cause')
  })

  it('leaves an error that is ready to be shown as it is', () => {
    const ready = new StaticS3Error('ready')
    expect(explain(ready, context())).toBe(ready)
  })
})

const settingsFor = (server: TestS3, bucket: string): S3Settings => ({
  bucket,
  region: server.region,
  endpoint: server.endpoint,
  addressingStyle: 'auto',
  credentials: server.credentials,
  concurrency: 4,
})

/** What listing the bucket fails with. */
async function failure(settings: S3Settings): Promise<StaticS3Error> {
  const connection = await openBucket(settings, patient)
  try {
    ;[...(await connection.bucket.list('static/'))]
  } catch (error) {
    expect(error).toBeInstanceOf(StaticS3Error)
    const { profile: _, ...secrets } = { profile: '', ...settings.credentials }
    for (const secret of Object.values(secrets)) expect(printed(error as Error)).not.toContain(secret)
    return error as StaticS3Error
  } finally {
    connection.close()
  }
  throw new Error('it did not fail')
}

for (const { title, available, start } of s3Servers) {
  describe.skipIf(!available)(`said by ${title}`, () => {
    let server: TestS3
    let bucket: string

    beforeAll(async () => {
      server = await start()
      bucket = await server.createBucket()
    })

    afterAll(() => server?.close())

    it('an unknown key id', async () => {
      const credentials = { ...server.credentials, accessKeyId: 'AKIAIOSFODNN7EXAMPLE' }
      const { message } = await failure({ ...settingsFor(server, bucket), credentials })
      expect(message).toContain('does not know the access key id (InvalidAccessKeyId)')
    })

    it('a wrong secret', async () => {
      const credentials = { ...server.credentials, secretAccessKey: 'not/this/one' }
      const { message } = await failure({ ...settingsFor(server, bucket), credentials })
      expect(message).toContain('(SignatureDoesNotMatch)')
    })

    it('a missing bucket', async () => {
      const { message } = await failure(settingsFor(server, 'no-such-bucket-here'))
      expect(message).toContain(`no bucket "no-such-bucket-here" at ${server.endpoint} (NoSuchBucket)`)
    })

    it('somebody without rights', async () => {
      const { accessKeyId, secretAccessKey } = server.other
      const { message } = await failure({
        ...settingsFor(server, bucket),
        credentials: { accessKeyId, secretAccessKey },
      })
      expect(message).toContain(
        `LIST s3://${bucket}/static/: access denied; it needs s3:ListBucket on arn:aws:s3:::${bucket}`,
      )
    })

    it('a key that is too long', async () => {
      const { bucket: port, close } = await openBucket(settingsFor(server, bucket), patient)
      const body = { size: 1, sha256: hash('sha256', 'x'), open: async () => Buffer.from('x') }
      await expect(port.put('k'.repeat(1100), body, {})).rejects.toThrow(/longer than 1,024 bytes/)
      close()
    })
  })
}

describe('said by the embedded server', () => {
  let server: EmbeddedS3
  let bucket: string

  beforeAll(async () => {
    server = await startEmbedded({ region: 'eu-west-1' })
    bucket = await server.createBucket()
  })

  afterAll(() => server.close())

  it('another region', async () => {
    const { message } = await failure({ ...settingsFor(server, bucket), region: 'us-east-1' })
    expect(message).toContain('Set AWS_S3_REGION_NAME=eu-west-1.')
  })

  it('temporary credentials that have expired', async () => {
    const { message } = await failure({ ...settingsFor(server, bucket), credentials: server.server.session(-60) })
    expect(message).toContain('(ExpiredToken)')
  })

  it('a session token that belongs to other keys', async () => {
    const { accessKeyId, secretAccessKey } = server.server.session()
    const { sessionToken } = server.server.session()
    const { message } = await failure({
      ...settingsFor(server, bucket),
      credentials: { accessKeyId, secretAccessKey, sessionToken },
    })
    expect(message).toContain('(InvalidToken)')
  })

  it('a bucket without ACLs', async () => {
    const { bucket: port, close } = await openBucket(settingsFor(server, bucket), patient)
    const body = { size: 1, sha256: hash('sha256', 'x'), open: async () => Buffer.from('x') }
    await expect(port.put('static/a', body, { ACL: 'public-read' })).rejects.toThrow(/Remove AWS_DEFAULT_ACL/)
    close()
  })

  it('a clock that is wrong is corrected by the answer, and the request sent again', async () => {
    const late = await startEmbedded({ now: () => new Date(Date.now() - 3 * 3_600_000) })
    const { endpoint, region, credentials } = late
    const bucket = await late
      .client({ systemClockOffset: -3 * 3_600_000 })
      .send(new (await import('@aws-sdk/client-s3')).CreateBucketCommand({ Bucket: 'late' }))
      .then(() => 'late')
    late.server.reset()
    const connection = await openBucket({ ...settingsFor(server, bucket), endpoint, region, credentials }, patient)
    expect([...(await connection.bucket.list(''))]).toEqual([])
    expect(late.server.requests.map(({ code }) => code)).toEqual(['RequestTimeTooSkewed', undefined])
    connection.close()
    await late.close()
  })
})

describe('said by the network and the SDK', () => {
  const somewhere = (overrides: Partial<S3Settings>): S3Settings => ({
    bucket: 'my-bucket',
    region: 'us-east-1',
    endpoint: 'http://127.0.0.1:9',
    addressingStyle: 'auto',
    credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI' },
    concurrency: 4,
    ...overrides,
  })
  let home: string

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'static-s3-home-'))
    for (const name of Object.keys(process.env)) if (/^AWS_/.test(name)) vi.stubEnv(name, undefined)
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true')
    vi.stubEnv('AWS_CONFIG_FILE', join(home, 'config'))
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(home, 'credentials'))
  })

  afterEach(() => {
    vi.unstubAllEnvs()
    rmSync(home, { recursive: true })
  })

  it('a closed port', async () => {
    const [port] = await freePorts(1)
    const { message } = await failure(somewhere({ endpoint: `http://127.0.0.1:${port}` }))
    expect(message).toContain(
      `http://127.0.0.1:${port} can't be reached: nothing listens there: 127.0.0.1 (ECONNREFUSED)`,
    )
  })

  it('a host that does not exist', async () => {
    const { message } = await failure(somewhere({ endpoint: 'http://s3.no-such-host.invalid' }))
    expect(message).toMatch(/can't be reached: no such host, or no network: .* \((ENOTFOUND|EAI_AGAIN)\)/)
  })

  it('TLS spoken to a server without', async () => {
    const plain = createHttpServer().listen(0, '127.0.0.1')
    await new Promise((listening) => plain.once('listening', listening))
    const endpoint = `https://127.0.0.1:${(plain.address() as AddressInfo).port}`
    const { message } = await failure(somewhere({ endpoint }))
    expect(message).toContain('http or https')
    plain.close()
  })

  it('something that is no HTTP', async () => {
    const ssh = createServer((socket) => socket.end('SSH-2.0-OpenSSH_9.9\r\n')).listen(0, '127.0.0.1')
    await new Promise((listening) => ssh.once('listening', listening))
    const endpoint = `http://127.0.0.1:${(ssh.address() as AddressInfo).port}`
    const { message } = await failure(somewhere({ endpoint }))
    expect(message).toContain("not S3's")
    ssh.close()
  })

  it.each(['minio', '127.0.0.1:9000'])('an endpoint that is no URL: %s', async (endpoint) => {
    const { message } = await failure(somewhere({ endpoint })).catch((error: Error) => error)
    expect(message).toContain(`"${endpoint}" is no URL`)
  })

  it('a region that is none', async () => {
    const { message } = await failure(somewhere({ region: 'eu west' }))
    expect(message).toContain(`"eu west" is no region`)
  })

  it('no credentials in an empty environment', async () => {
    const { message } = await failure(somewhere({ credentials: undefined }))
    expect(message).toContain('no AWS credentials were found (CredentialsProviderError)')
    const connection = await openBucket(somewhere({ credentials: undefined }))
    await expect(connection.credentials()).rejects.toThrow(/signing in for s3:\/\/my-bucket: no AWS credentials/)
    connection.close()
  })

  it('a profile that is not there, by setting and by environment', async () => {
    const { message } = await failure(somewhere({ credentials: { profile: 'nope' } }))
    expect(message).toContain('the profile "nope" is not in ~/.aws/config or ~/.aws/credentials')
    vi.stubEnv('AWS_PROFILE', 'also-nope')
    expect((await failure(somewhere({ credentials: undefined }))).message).toContain('the profile "also-nope"')
  })

  it('a profile whose SSO session is over', async () => {
    writeFileSync(
      join(home, 'config'),
      '[profile dev]\nsso_session = my\nsso_account_id = 111122223333\nsso_role_name = r\n[sso-session my]\nsso_start_url = https://x.test/start\nsso_region = eu-west-1\nsso_registration_scopes = sso:account:access\n',
    )
    const { message } = await failure(somewhere({ credentials: { profile: 'dev' } }))
    expect(message).toContain('no valid SSO session (CredentialsProviderError). Run `aws sso login --profile dev`.')
  })

  it.each<[what: string, command: string, reason: string]>([
    ['is not there', '/nowhere/get-keys --password hush-hush', 'get-keys'],
    ['fails', `node -e "console.error('vault is sealed');process.exit(3)" hush-hush`, ': vault is sealed'],
    ['prints no JSON', 'node -e "console.log(5+)" hush-hush', 'SyntaxError'],
    ['prints something else', 'node -p 1+1', 'credential_process: it did not return Version 1'],
  ])('a credential_process that %s', async (_what, command, reason) => {
    vi.stubEnv('AWS_CONFIG_FILE', join(home, `config-${hash('md5', command)}`))
    writeFileSync(process.env.AWS_CONFIG_FILE as string, `[profile dev]\ncredential_process = ${command}\n`)
    const { message } = await failure(somewhere({ credentials: { profile: 'dev' } }))
    expect(message).toContain('the profile "dev" has no credentials: credential_process: ')
    expect(message).toContain(reason)
    expect(message).toContain('Run the command in ~/.aws/config by hand')
    expect(message).not.toContain('hush')
  })

  it.each<[what: string, profile: string | undefined, endpoint: ConfiguredEndpoint]>([
    ['of the profile', 'plain', { ignored: false, url: 'http://plain.test' }],
    ["of the profile's services", 'services', { ignored: false, url: 'http://minio.test' }],
    ['of the profile, if its services have none for S3', 'other', { ignored: false, url: 'http://plain.test' }],
    ['that is ignored', 'ignored', { ignored: true, url: 'http://plain.test' }],
    ['of the default profile', undefined, { ignored: false, url: 'http://default.test' }],
    ['of no profile', 'nope', { ignored: false }],
    ['of a profile without one', 'none', { ignored: false, url: undefined }],
  ])('finds the endpoint %s', async (_what, profile, endpoint) => {
    vi.stubEnv('AWS_CONFIG_FILE', join(home, 'config-endpoints'))
    writeFileSync(
      join(home, 'config-endpoints'),
      `[default]\nendpoint_url = http://default.test
[profile plain]\nendpoint_url = http://plain.test
[profile services]\nendpoint_url = http://plain.test\nservices = minio
[profile other]\nendpoint_url = http://plain.test\nservices = dynamo
[profile ignored]\nendpoint_url = http://plain.test\nignore_configured_endpoint_urls = true
[profile none]\nregion = eu-west-1
[profile missing]\nendpoint_url = http://plain.test\nservices = nope
[services minio]\ns3 =\n  endpoint_url = http://minio.test
[services dynamo]\ndynamodb =\n  endpoint_url = http://dynamo.test
`,
    )
    expect(await findEndpoint(profile)).toEqual(endpoint)
    // The SDK would send the keys to AWS.
    await expect(findEndpoint('missing')).rejects.toThrow('services is "nope" in the AWS profile: add [services nope]')
  })

  it('finds the region where the SDK does', async () => {
    expect(await findRegion()).toBe('us-east-1')
    // The SDK keeps what it has read of a file.
    vi.stubEnv('AWS_CONFIG_FILE', join(home, 'other-config'))
    writeFileSync(
      join(home, 'other-config'),
      '[default]\nregion = eu-north-1\n[profile dev]\nregion = ap-southeast-2\n',
    )
    expect(await findRegion('dev')).toBe('ap-southeast-2')
    expect(await findRegion('nope')).toBe('us-east-1')
    vi.stubEnv('AWS_PROFILE', 'dev')
    expect(await findRegion()).toBe('ap-southeast-2')
    vi.stubEnv('AWS_REGION', 'eu-west-3')
    expect(await findRegion()).toBe('eu-west-3')
    vi.stubEnv('AWS_REGION', 'eu west')
    await expect(findRegion()).rejects.toThrow(/AWS_S3_REGION_NAME/)
  })
})
