import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { afterEach, expect, it, vi } from 'vitest'
import { bodyOf } from '../../fixtures/bucket/body-of.js'
import { settingsFor } from '../../fixtures/s3/connection.js'
import type { EmbeddedS3 } from '../../fixtures/s3/index.js'
import { withConnection } from '../../fixtures/s3/with-connection.js'
import type { ObjectParameters } from '../../src/bucket/bucket.js'
import type { HttpResponse } from '../../src/s3/http/response.js'
import { watchSilence } from '../../src/s3/http/silence.js'
import { openTransport, type Transport } from '../../src/s3/http/transport.js'
import { elements, textOf } from '../../src/s3/http/xml.js'
import { pageQuery } from '../../src/s3/objects/list-page.js'
import { type LargeObject, PartBuffers, putInParts } from '../../src/s3/objects/multipart.js'
import { headerNames } from '../../src/s3/objects/object-headers.js'
import { copyObject, putObject } from '../../src/s3/objects/put-object.js'
import { openBucket, type S3Settings } from '../../src/s3/objects/s3-bucket.js'
import { parameterKinds } from '../../src/settings/headers.js'
import { usesPathStyle } from '../../src/urls/public-url.js'

let server: EmbeddedS3
let name: string
withConnection((target) => {
  ;({ server, name } = target)
})

it.each([
  ['auto', 'plain', undefined, 'https://plain.s3.eu-west-1.amazonaws.com/'],
  ['auto', 'with.dots', undefined, 'https://s3.eu-west-1.amazonaws.com/with.dots/'],
  ['path', 'plain', undefined, 'https://s3.eu-west-1.amazonaws.com/plain/'],
  ['virtual', 'plain', undefined, 'https://plain.s3.eu-west-1.amazonaws.com/'],
  ['auto', 'plain', 'https://minio.test', 'https://minio.test/plain/'],
  ['auto', 'plain', 'http://minio.test:9000/storage/', 'http://minio.test:9000/storage/plain/'],
  ['virtual', 'plain', 'https://minio.test', 'https://plain.minio.test/'],
  ['virtual', 'plain', 'https://minio.test:9000/storage', 'https://plain.minio.test:9000/storage/'],
] as const)('addresses the bucket: %s, %s, %s', async (addressingStyle, bucket, endpoint, expected) => {
  vi.stubEnv('AWS_ENDPOINT_URL', 'http://127.0.0.1:1')
  const settings = { ...settingsFor(server, bucket), region: 'eu-west-1', endpoint, addressingStyle }
  const { read, written } = await addressesOf(settings, "static/a b+é'(1).js")
  expect(read).toBe(`${expected}static/a%20b%2B%C3%A9%27%281%29.js eu-west-1`)
  expect(written).toBe(read)
})

afterEach(() => {
  vi.unstubAllEnvs()
})

const regions =
  'us-east-1 eu-central-2 ap-southeast-7 us-gov-west-1 cn-north-1 eusc-de-east-1 us-iso-east-1 us-isob-east-1 us-isof-south-1 eu-isoe-west-1'
const variants = regions
  .split(' ')
  .flatMap((region) => [
    { region, fips: 'false', dualStack: 'false' },
    ...(/^cn/.test(region) ? [] : [{ region, fips: 'true', dualStack: 'false' }]),
    ...(/iso/.test(region) ? [] : [{ region, fips: 'false', dualStack: 'true' }]),
    ...(/iso|^cn/.test(region) ? [] : [{ region, fips: 'true', dualStack: 'true' }]),
  ])
it.each(variants)('reads where the SDK writes: $region, FIPS $fips, dual-stack $dualStack', async (variant) => {
  const { region, fips, dualStack } = variant
  vi.stubEnv('AWS_USE_FIPS_ENDPOINT', fips)
  vi.stubEnv('AWS_USE_DUALSTACK_ENDPOINT', dualStack)
  for (const bucket of ['plain', 'with.dots']) {
    const settings = { ...settingsFor(server, bucket), region, endpoint: undefined, addressingStyle: 'auto' as const }
    const { read, written } = await addressesOf(settings, 'a.js')
    expect(read).toBe(written)
    expect(read).toMatch(new RegExp(`^https://.*${region}.* ${region}$`))
  }
})

const allParameters: ObjectParameters = {
  ACL: 'public-read',
  BucketKeyEnabled: true,
  CacheControl: 'no-cache',
  ContentDisposition: 'attachment; filename="a b"',
  ContentEncoding: 'br',
  ContentLanguage: 'de',
  ContentType: 'text/x',
  ExpectedBucketOwner: '111122223333',
  Expires: new Date('2030-12-31T00:00:00Z'),
  GrantFullControl: 'id="x"',
  GrantRead: 'id="x"',
  GrantReadACP: 'id="x"',
  GrantWriteACP: 'id="x"',
  Metadata: { By: 'ci', empty: '' },
  ObjectLockLegalHoldStatus: 'ON',
  ObjectLockMode: 'GOVERNANCE',
  ObjectLockRetainUntilDate: new Date('2031-01-02T03:04:05.678Z'),
  RequestPayer: 'requester',
  SSEKMSEncryptionContext: 'e30=',
  SSEKMSKeyId: 'key',
  ServerSideEncryption: 'aws:kms',
  StorageClass: 'STANDARD_IA',
  Tagging: 'a=b&c=d',
  WebsiteRedirectLocation: '/other',
}

const oddKey = "static//a b+é'(1)!*%2F.js"

it.each<[what: string, key: string, parameters: ObjectParameters, content: Buffer | Readable]>([
  ['a file', 'static/app.js', { CacheControl: 'no-cache', ContentType: 'text/javascript' }, Buffer.from('x')],
  ['an empty file', 'static/empty', {}, Buffer.alloc(0)],
  ['a stream', 'static/large', { ContentEncoding: 'gzip' }, Readable.from([Buffer.from('x')])],
  ['an odd key', oddKey, {}, Buffer.from('x')],
  ['every parameter', 'static/a', { ...allParameters, IfMatch: '"etag"', IfNoneMatch: '*' }, Buffer.from('x')],
])('puts %s as a PutObjectCommand does', async (_what, key, parameters, content) => {
  const size = content instanceof Readable ? 1 : content.length
  const body = bodyOf(content instanceof Readable ? 'x' : content, { size })
  const ContentMD5 = Buffer.from(body.md5, 'hex').toString('base64')
  for (const settings of bothStyles()) {
    const input = { ...parameters, Bucket: settings.bucket, Key: key, ContentLength: size, ContentMD5 }
    const theirs = await requestsOfSdk(settings, (client) =>
      client.send(new PutObjectCommand({ ...input, Body: content })),
    )
    const ours = await requestsOf(settings, (transport) => putObject(transport, key, content, body, parameters, {}))
    expect(ours[0]?.headers['content-length']).toBe(`${size}`)
    // The SDK leaves the content of a stream unsigned.
    if (content instanceof Readable) for (const [request] of [ours, theirs]) delete request?.headers[payloadHash]
    expect(ours).toEqual(theirs)
  }
})

it.each<[what: string, from: string, parameters: ObjectParameters]>([
  ['a key', 'static/app.js', { CacheControl: 'no-cache' }],
  ['an odd key', oddKey, { CopySourceIfMatch: '"etag"' }],
  ['every parameter', 'static/a', { ...allParameters, CopySourceIfMatch: '"etag"' }],
])('copies %s as a CopyObjectCommand does', async (_what, from, parameters) => {
  for (const settings of bothStyles()) {
    const input = {
      ...parameters,
      Bucket: settings.bucket,
      Key: oddKey,
      CopySource: `${settings.bucket}/${from.split('/').map(encodeURIComponent).join('/')}`,
      MetadataDirective: 'REPLACE' as const,
      ...(parameters.Tagging === undefined ? {} : { TaggingDirective: 'REPLACE' as const }),
    }
    const theirs = await requestsOfSdk(settings, (client) => client.send(new CopyObjectCommand(input)))
    const ours = await requestsOf(settings, (transport) =>
      copyObject(transport, settings.bucket, from, oddKey, parameters, {}),
    )
    for (const [request] of [ours, theirs]) {
      if (request) request.headers[copySource] = decodeURIComponent(request.headers[copySource] ?? '')
    }
    expect(ours).toEqual(theirs)
  }
})

it('lists, reads and asks for headers as the SDK does', async () => {
  for (const settings of bothStyles()) {
    const Bucket = settings.bucket
    const theirs = await requestsOfSdk(settings, async (client) => {
      await client.send(new GetObjectCommand({ Bucket, Key: oddKey }))
      await client.send(new HeadObjectCommand({ Bucket, Key: oddKey }))
      await client.send(new ListObjectsV2Command({ Bucket, Prefix: oddKey, StartAfter: 'a+b ü', EncodingType: 'url' }))
    })
    const ours = await requestsOf(settings, async (transport) => {
      await transport.send({ method: 'GET', key: oddKey }, undefined)
      await transport.send({ method: 'HEAD', key: oddKey }, undefined)
      await transport.send({ method: 'GET', query: pageQuery(oddKey, { 'start-after': 'a+b ü' }) }, undefined)
    })
    expect(ours).toEqual(theirs)
  }
})

it('uploads in parts as the SDK does', async () => {
  const key = oddKey
  const partBytes = 16 * 1024 ** 2
  const size = 2 * partBytes + 1
  const content = Buffer.alloc(size, 'a')
  const body = bodyOf(content)
  const etag = '"<&\'>"'
  for (const settings of bothStyles()) {
    const Bucket = settings.bucket
    const upload = { Bucket, Key: key, UploadId: 'id/+ &' }
    const xml = `<Result><UploadId>id/+ &amp;</UploadId><ETag>&quot;&lt;&amp;&apos;&gt;&quot;</ETag></Result>`
    const answer = { status: 200, headers: { etag }, body: Buffer.from(xml) }
    const call: LargeObject['call'] = (_signal, attempt) => attempt()
    const ours = await requestsOf(
      settings,
      async (transport) => {
        const parameters = { ...allParameters, IfNoneMatch: '*' }
        const input = { transport, key, body, parameters, buffers: new PartBuffers(), call, onPartsKept() {} }
        expect(await putInParts({ ...input, signal: undefined, check: undefined })).toBe("<&'>")
        await transport.send({ method: 'DELETE', key, query: { uploadId: upload.UploadId } }, undefined)
      },
      answer,
    )
    const theirs = await requestsOfSdk(
      settings,
      async (client) => {
        await client.send(new ListMultipartUploadsCommand({ Bucket, Prefix: key }))
        await client.send(new CreateMultipartUploadCommand({ ...allParameters, Bucket, Key: key }))
        const parts: { PartNumber: number; ETag: string }[] = []
        for (let from = 0; from < size; from += partBytes) {
          const Body = content.subarray(from, from + partBytes)
          const ContentMD5 = createHash('md5').update(Body).digest('base64')
          const PartNumber = parts.length + 1
          await client.send(new UploadPartCommand({ ...upload, PartNumber, Body, ContentMD5 }))
          parts.push({ PartNumber, ETag: etag })
        }
        await client.send(
          new CompleteMultipartUploadCommand({ ...upload, IfNoneMatch: '*', MultipartUpload: { Parts: parts } }),
        )
        await client.send(new AbortMultipartUploadCommand(upload))
      },
      answer,
    )
    expect(ours.map(withoutBody)).toEqual(theirs.map(withoutBody))
    const completion = ours.at(-2)?.body
    expect(partsIn(completion)).toEqual(partsIn(theirs.at(-2)?.body))
    expect(partsIn(completion)).toHaveLength(3)
  }
})

it('knows the header of each parameter that a setting may have', () => {
  const own = Object.keys(parameterKinds).filter((name) => name !== 'Metadata')
  expect(Object.keys(headerNames)).toEqual([...own, 'CopySourceIfMatch', 'IfMatch', 'IfNoneMatch'].sort())
})

interface Sent {
  method: string
  /** The URL without `x-id`, and the region that the request is signed for. */
  address: string
  headers: Record<string, string>
  body: unknown
}

const payloadHash = 'x-amz-content-sha256'
const copySource = 'x-amz-copy-source'
const okay: HttpResponse = { status: 200, headers: {}, body: Buffer.from('<Result><ETag>"a"</ETag></Result>') }

function bothStyles(): S3Settings[] {
  const endpoint = undefined
  return ['plain', 'with.dots'].map((bucket) => ({ ...settingsFor(server, bucket), endpoint, addressingStyle: 'auto' }))
}

/** The requests that our transport would send, without what differs each time. */
async function requestsOf(
  settings: S3Settings,
  act: (transport: Transport) => Promise<unknown>,
  answer = okay,
): Promise<Sent[]> {
  const sent: Sent[] = []
  const transport = openTransport(settings, Date, {
    silence: watchSilence(),
    warm() {},
    close() {},
    inspectTls: () => Promise.reject(new Error('not here')),
    async send({ origin, method, path, headers, body }) {
      sent.push(sentRequest(origin.isSecure, method, headers, path, body))
      return answer
    },
  })
  await act(transport)
  return sent
}

/** The requests that the SDK would send. */
async function requestsOfSdk(
  settings: S3Settings,
  act: (client: S3Client) => Promise<unknown>,
  answer = okay,
): Promise<Sent[]> {
  const sent: Sent[] = []
  const { bucket, region, endpoint, addressingStyle, credentials } = settings
  const requestHandler = {
    async handle({ protocol, method, path, query, headers, body }: SdkRequest) {
      sent.push(sentRequest(protocol === 'https:', method, headers, `${path}?${new URLSearchParams(query)}`, body))
      return { response: { statusCode: answer.status, headers: answer.headers, body: Readable.from([answer.body]) } }
    },
  }
  const client = new S3Client({
    region,
    ...(endpoint === undefined ? { ignoreConfiguredEndpointUrls: true } : { endpoint }),
    credentials: credentials as NonNullable<S3ClientConfig['credentials']>,
    forcePathStyle: usesPathStyle(bucket, endpoint, addressingStyle),
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    expectContinueHeader: false,
    requestHandler: requestHandler as never,
  })
  await act(client)
  return sent
}

interface SdkRequest extends Sent {
  protocol: string
  path: string
  query: Record<string, string>
}

function sentRequest(
  isSecure: boolean,
  method: string,
  headers: Readonly<Record<string, string>>,
  path: string,
  body: unknown,
): Sent {
  const url = new URL(`${isSecure ? 'https' : 'http'}://${headers.host}${path}`)
  // For the SDK's own makers: no store reads it.
  url.searchParams.delete('x-id')
  url.searchParams.sort()
  // Node's own HTTP sends it for the SDK, our connections for us.
  const own = Object.entries(headers).filter(
    ([name]) => !/^(amz-sdk-|x-amz-date|x-amz-user-agent|user-agent|authorization|content-length$)/.test(name),
  )
  const length = headers['content-length'] ?? (body === undefined ? '0' : `${Buffer.byteLength(body as Buffer)}`)
  const all = { ...Object.fromEntries(own.sort()), 'content-length': length }
  const [, region] = /Credential=[^/]+\/\d+\/([^/]+)\/s3\//.exec(headers.authorization ?? '') ?? []
  return { method, address: `${url.href} ${region}`, headers: all, body }
}

/** The SDK writes the same list of parts in another form. */
function withoutBody({ method, address, headers }: Sent): Omit<Sent, 'body'> {
  if (headers['content-type'] !== 'application/xml') return { method, address, headers }
  const { [payloadHash]: _hash, 'content-length': _length, ...others } = headers
  return { method, address, headers: others }
}

/** As written: some stores read only the entities that the SDK writes. */
function partsIn(document: unknown): Record<string, string | undefined>[] {
  return [...elements(String(document), 'Part')].map((part) => ({
    number: textOf(part, 'PartNumber'),
    etag: /<ETag>(.*)<\/ETag>/.exec(part)?.[1],
  }))
}

/** Where the SDK's PutObjectCommand and our GET would go, with the region that they are signed for. */
async function addressesOf(settings: S3Settings, key: string) {
  const read = await requestsOf(settings, (transport) => transport.send({ method: 'GET', key }, undefined))
  const put = new PutObjectCommand({ Bucket: settings.bucket, Key: key, ContentLength: 0 })
  const written = await requestsOfSdk(settings, (client) => client.send(put))
  return { read: read[0]?.address, written: written[0]?.address }
}

it('resolves the credentials for a scan, and leaves those of the settings as they are', async () => {
  const { accessKeyId, secretAccessKey } = server.credentials
  const settings = { ...settingsFor(server, name), credentials: { accessKeyId, secretAccessKey } }
  const other = await openBucket(settings)
  expect(await other.credentials()).toEqual({ accessKeyId, secretAccessKey, sessionToken: undefined })
  expect(settings.credentials).toEqual({ accessKeyId, secretAccessKey })
  other.close()
})
