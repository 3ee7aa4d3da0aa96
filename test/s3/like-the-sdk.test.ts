import { Readable } from 'node:stream'
import { afterEach, expect, it, vi } from 'vitest'
import { bodyOf } from '../../fixtures/bucket/body-of.js'
import { settingsFor } from '../../fixtures/s3/connection.js'
import type { EmbeddedS3 } from '../../fixtures/s3/index.js'
import { withConnection } from '../../fixtures/s3/with-connection.js'
import type { ObjectParameters } from '../../src/bucket/bucket.js'
import { loadSdk } from '../../src/s3/aws/sdk.js'
import { openTransport } from '../../src/s3/http/transport.js'
import { createClient } from '../../src/s3/objects/client.js'
import { headerNames, putObject } from '../../src/s3/objects/put-object.js'
import { openBucket, type S3Settings } from '../../src/s3/objects/s3-bucket.js'
import { parameterKinds } from '../../src/settings/headers.js'

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

it.each<[what: string, key: string, parameters: ObjectParameters, content: Buffer | Readable]>([
  ['a file', 'static/app.js', { CacheControl: 'no-cache', ContentType: 'text/javascript' }, Buffer.from('x')],
  ['an empty file', 'static/empty', {}, Buffer.alloc(0)],
  ['a stream', 'static/large', { ContentEncoding: 'gzip' }, Readable.from([Buffer.from('x')])],
  ['an odd key', "static//a b+é'(1)!*%2F.js", {}, Buffer.from('x')],
  [
    'all kinds of parameters',
    'static/a',
    {
      ACL: 'public-read',
      BucketKeyEnabled: true,
      ContentDisposition: 'attachment; filename="a b"',
      ContentLanguage: 'de',
      ExpectedBucketOwner: '111122223333',
      Expires: new Date('2030-12-31T00:00:00Z'),
      GrantFullControl: 'id="x"',
      GrantRead: 'id="x"',
      GrantReadACP: 'id="x"',
      GrantWriteACP: 'id="x"',
      IfMatch: '"etag"',
      IfNoneMatch: '*',
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
    },
    Buffer.from('x'),
  ],
])('puts %s as a PutObjectCommand does', async (_what, key, parameters, content) => {
  const size = content instanceof Readable ? 1 : content.length
  const body = bodyOf(content instanceof Readable ? 'x' : content, { size })
  for (const bucket of ['plain', 'with.dots']) {
    const settings = { ...settingsFor(server, bucket), endpoint: undefined, addressingStyle: 'auto' as const }
    const sent: { method: string; path: string; headers: Record<string, string> }[] = []
    const transport = openTransport(settings, Date, {
      ...nowhere,
      async send({ origin, method, path, headers }) {
        // The SDK leaves the content of a stream open, and we never do.
        const others = content instanceof Readable ? /^x-amz-content-sha256/ : /^(?!)/
        const own = Object.entries(headers).filter(
          ([name]) =>
            !/^(amz-sdk-|x-amz-date|x-amz-user-agent|user-agent|authorization)/.test(name) && !others.test(name),
        )
        // `x-id` is for the SDK's own makers: no store reads it.
        const asked = `${origin.host}:${origin.port}${path.replace(/\?x-id=PutObject$/, '')}`
        sent.push({ method, path: asked, headers: Object.fromEntries(own.sort()) })
        throw new Error('far enough')
      },
    })
    const sdk = loadSdk()
    const client = createClient(sdk, settings, transport)
    const ContentMD5 = Buffer.from(body.md5, 'hex').toString('base64')
    const input = { ...parameters, Bucket: bucket, Key: key, Body: content, ContentLength: size, ContentMD5 }
    await expect(client.send(new sdk.PutObjectCommand(input))).rejects.toThrow('far enough')
    await expect(putObject(transport, key, content, body, parameters, undefined)).rejects.toThrow('far enough')
    expect(sent[1]).toEqual(sent[0])
    expect(sent[0]?.headers['content-length']).toBe(`${size}`)
  }
})

it('knows the header of each parameter that a setting may have', () => {
  const own = Object.keys(parameterKinds).filter((name) => name !== 'Metadata')
  expect(Object.keys(headerNames)).toEqual([...own, 'IfMatch', 'IfNoneMatch'].sort())
})

/** Connections that lead nowhere. */
const nowhere = { warm() {}, close() {} }

/** Where a GET and a PUT would go, with the region that they are signed for. */
async function addressesOf(settings: S3Settings, key: string) {
  const addresses: string[] = []
  const transport = openTransport(settings, Date, {
    ...nowhere,
    async send({ origin, path, headers }) {
      const [, region] = /Credential=[^/]+\/\d+\/([^/]+)\/s3\//.exec(headers.authorization ?? '') ?? []
      const { host, pathname } = new URL(`${origin.isSecure ? 'https' : 'http'}://${origin.host}:${origin.port}${path}`)
      addresses.push(`${origin.isSecure ? 'https' : 'http'}://${host}${pathname} ${region}`)
      expect(headers.host).toBe(host)
      throw new Error('far enough')
    },
  })
  const sdk = loadSdk()
  const put = new sdk.PutObjectCommand({ Bucket: settings.bucket, Key: key })
  await expect(transport.send({ method: 'GET', key }, undefined)).rejects.toThrow('far enough')
  await expect(createClient(sdk, settings, transport).send(put)).rejects.toThrow('far enough')
  const [read, written] = addresses
  return { read, written }
}

it('resolves the credentials for a scan, and leaves those of the settings as they are', async () => {
  const { accessKeyId, secretAccessKey } = server.credentials
  const settings = { ...settingsFor(server, name), credentials: { accessKeyId, secretAccessKey } }
  const other = await openBucket(settings)
  expect(await other.credentials()).toEqual({ accessKeyId, secretAccessKey, sessionToken: undefined })
  expect(settings.credentials).toEqual({ accessKeyId, secretAccessKey })
  other.close()
})
