import { createHash, randomBytes } from 'node:crypto'
import { type IncomingHttpHeaders, request } from 'node:http'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  AbortMultipartUploadCommand,
  type ChecksumAlgorithm,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  type CopyObjectCommandInput,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteBucketCorsCommand,
  DeleteBucketPolicyCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  DeletePublicAccessBlockCommand,
  GetBucketCorsCommand,
  GetBucketLocationCommand,
  GetBucketOwnershipControlsCommand,
  GetBucketPolicyCommand,
  GetBucketPolicyStatusCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  type GetObjectCommandInput,
  GetObjectTaggingCommand,
  GetPublicAccessBlockCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandInput,
  ListPartsCommand,
  PutBucketCorsCommand,
  PutBucketOwnershipControlsCommand,
  PutBucketPolicyCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  PutPublicAccessBlockCommand,
  type S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { answerTo } from '../../fixtures/s3/answer.js'
import { type EmbeddedS3, type Fault, s3Servers, startEmbedded, type TestS3 } from '../../fixtures/s3/index.js'
import { presign } from '../../fixtures/s3/presign.js'
import { hmac, sha256, signingKey } from '../../fixtures/s3/signature.js'

// What S3 does, so far as static-s3 and its tests rely on it, held against our own server and against a store that people
// run in production. Where the two differ, ours is wrong, or the difference stands here with its reason.

interface World {
  s3: TestS3
  /** The owner of the buckets. */
  owner: S3Client
  /** A user with no rights of its own. */
  other: S3Client
}

const behaviours: { group: string; title: string; check: (world: World) => Promise<void> }[] = []

let group = ''

const behaviour = (title: string, check: (world: World) => Promise<void>): void => {
  behaviours.push({ group, title, check })
}

interface Difference {
  reason: string
  /** Titles, or what they begin with and a `*`. */
  of: string[]
}

/** Such a check must fail there, so that no entry outlives its reason. */
const differences: Record<TestS3['name'], Difference[]> = {
  embedded: [],
  ceph: [
    {
      reason: 'checksums beyond MD5 came with Ceph 20',
      of: ['x-amz-checksum-crc32 *', 'x-amz-checksum-crc32c *', 'x-amz-checksum-crc64nvme *', 'x-amz-checksum-sha*'],
    },
    {
      reason: 'it knows no trailers, and asks for the Content-Length that aws-chunked over plain HTTP has not',
      of: ['aws-chunked with a trailing checksum, as the SDK streams by default'],
    },
    { reason: 'it stores aws-chunked as if it were the content’s own encoding', of: ['aws-chunked leaves no trace *'] },
    { reason: 'it reads the unknown ?attributes as GetObject', of: ['GetObjectAttributes'] },
    {
      reason: 'it compares If-Match with something else, and refuses the right ETag too',
      of: ['If-Match with the ETag that is there replaces', 'If-Match on a missing key: 404 NoSuchKey'],
    },
    { reason: 'it puts them in order itself', of: ['parts in the wrong order: 400 InvalidPartOrder'] },
    { reason: 'it escapes nothing but keys', of: ['encoding-type=url escapes the prefix too'] },
    { reason: 'it has no conditions there', of: ['CompleteMultipartUpload with If-None-Match: * on *'] },
    { reason: 'it looks for these conditions in headers of other names', of: ['conditions on the source: 412'] },
    { reason: 'a zone group has a name, not a region', of: ['GetBucketLocation is empty in us-east-1'] },
    { reason: 'every region is its own', of: ['another region: 400 AuthorizationHeaderMalformed'] },
    { reason: 'its limit is another one', of: ['user metadata over 2 KB: 400 MetadataTooLarge'] },
    { reason: 'the code is InvalidObjectName', of: ['a key of 1,024 bytes is stored, one of 1,025: *'] },
    { reason: 'the code is MalformedXML', of: ['a method that CORS has not: 400 InvalidRequest'] },
    { reason: 'a 400 without any code', of: ['DeleteObjects of 1,001 keys: 400 MalformedXML'] },
    {
      reason: 'storage classes are what its operator made',
      of: ['an unknown storage class: 400 InvalidStorageClass', 'a storage class comes back'],
    },
    { reason: 'AWS does so since 2023', of: ['objects are encrypted with AES256 when nobody asks for it'] },
    { reason: 'AWS alone reads a path so', of: ['a bare plus in a path is a space'] },
    { reason: 'it takes what is not signed too', of: ['an x-amz header added after signing: 403 AccessDenied'] },
    { reason: 'it refuses them all if it refuses one', of: ['DeleteObjects tells for each key *'] },
    {
      reason: 'who wrote an object owns it, as on AWS before 2023',
      of: ['what another user wrote belongs to the owner of the bucket'],
    },
    {
      reason: 'the code is InvalidArgument',
      of: ['a policy that is no JSON: *', 'a policy with an action that there is none of: *'],
    },
    {
      reason: 'it takes it as it is',
      of: [
        'a policy about another bucket: *',
        'a policy without Effect: *',
        'a policy with an action on objects and a resource that is the bucket: *',
        'a policy for a user that there is none of: *',
      ],
    },
  ],
}

const covers = (pattern: string, title: string): boolean =>
  pattern.endsWith('*') ? title.startsWith(pattern.slice(0, -1)) : title === pattern

interface Reply {
  status: number
  headers: IncomingHttpHeaders
  body: string
}

interface Raw {
  method?: string
  headers?: Record<string, string>
  body?: string | Buffer
}

/** A request as it is, without any signature: `fetch` would tidy the path up and refuses a Host. */
function raw({ endpoint }: TestS3, path: string, { method = 'GET', headers, body }: Raw = {}): Promise<Reply> {
  const { hostname, port } = new URL(endpoint)
  return new Promise((resolve, reject) => {
    const call = request({ hostname, port, path, method, headers, agent: false }, (message) => {
      const chunks: Buffer[] = []
      message.on('data', (chunk) => chunks.push(chunk))
      message.on('end', () => {
        resolve({ status: message.statusCode ?? 0, headers: message.headers, body: Buffer.concat(chunks).toString() })
      })
      message.on('error', reject)
    })
    call.on('error', reject)
    call.end(body)
  })
}

const rawUrl = (s3: TestS3, url: string, options?: Raw): Promise<Reply> =>
  raw(s3, url.slice(s3.endpoint.length), options)

const encodeKey = (key: string): string =>
  encodeURIComponent(key)
    .replaceAll('%2F', '/')
    .replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)

const md5 = (data: string | Buffer): string => createHash('md5').update(data).digest('hex')

const md5Base64 = (data: string): string => createHash('md5').update(data).digest('base64')

const statusOf = async (promise: Promise<unknown>): Promise<string> => (await answerTo(promise)).slice(0, 3)

const put = (
  client: S3Client,
  Bucket: string,
  Key: string,
  Body: PutObjectCommandInput['Body'] = Key,
  rest: Partial<PutObjectCommandInput> = {},
) => client.send(new PutObjectCommand({ Bucket, Key, Body, ...rest }))

const get = (client: S3Client, Bucket: string, Key: string, rest: Partial<GetObjectCommandInput> = {}) =>
  client.send(new GetObjectCommand({ Bucket, Key, ...rest }))

const head = (client: S3Client, Bucket: string, Key: string) => client.send(new HeadObjectCommand({ Bucket, Key }))

const read = async (client: S3Client, bucket: string, key: string): Promise<Buffer> =>
  Buffer.from((await (await get(client, bucket, key)).Body?.transformToByteArray()) ?? [])

const list = (client: S3Client, Bucket: string, rest: Partial<ListObjectsV2CommandInput> = {}) =>
  client.send(new ListObjectsV2Command({ Bucket, ...rest }))

const keysOf = async (client: S3Client, bucket: string, rest: Partial<ListObjectsV2CommandInput> = {}) =>
  (await list(client, bucket, rest)).Contents?.map(({ Key }) => Key) ?? []

const copy = (
  client: S3Client,
  source: string,
  Bucket: string,
  Key: string,
  rest: Partial<CopyObjectCommandInput> = {},
) => client.send(new CopyObjectCommand({ Bucket, Key, CopySource: source, ...rest }))

/** A bucket of its own with these keys in it. */
async function bucketWith({ s3, owner }: World, ...keys: string[]): Promise<string> {
  const bucket = await s3.createBucket()
  await Promise.all(keys.map((key) => put(owner, bucket, key)))
  return bucket
}

interface Statement {
  Effect?: 'Allow' | 'Deny'
  Principal?: '*' | { AWS: string | string[] }
  Action?: string | string[]
  /** Behind the bucket's own ARN. */
  Resource?: string | string[]
  Condition?: Record<string, Record<string, string>>
}

function policy(bucket: string, ...statements: Statement[]): string {
  const arn = (path: string) => `arn:aws:s3:::${bucket}${path}`
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: statements.map(({ Resource = '/*', ...statement }) => ({
      ...{ Effect: 'Allow', Principal: '*', Action: 's3:GetObject' },
      ...statement,
      Resource: [Resource].flat().map(arn),
    })),
  })
}

/** A bucket with these keys and this policy. */
async function bucketWithPolicy(world: World, keys: string[], ...statements: Statement[]): Promise<string> {
  const { s3, owner } = world
  // A public one first, which undoes what would refuse a public policy.
  const Bucket = await s3.createBucket(undefined, { public: 'nothing-here/' })
  await Promise.all(keys.map((key) => put(owner, Bucket, key)))
  await owner.send(new PutBucketPolicyCommand({ Bucket, Policy: policy(Bucket, ...statements) }))
  return Bucket
}

group = 'Buckets'

behaviour('CreateBucket, HeadBucket, ListBuckets', async ({ s3, owner }) => {
  const Bucket = await s3.createBucket()
  await owner.send(new HeadBucketCommand({ Bucket }))
  const { Buckets } = await owner.send(new ListBucketsCommand({}))
  expect(Buckets?.map(({ Name }) => Name)).toContain(Bucket)
})

behaviour('in us-east-1, creating a bucket again succeeds and keeps what is in it', async (world) => {
  const { s3, owner } = world
  const bucket = await bucketWith(world, 'k')
  await s3.createBucket(bucket)
  expect(await keysOf(owner, bucket)).toEqual(['k'])
})

behaviour("somebody else's bucket: 409 BucketAlreadyExists", async ({ s3, other }) => {
  const Bucket = await s3.createBucket()
  expect(await answerTo(other.send(new CreateBucketCommand({ Bucket })))).toBe('409 BucketAlreadyExists')
})

for (const name of ['Bad-Name', 'bad_name', 'ab', '-bad', '192.168.5.4', 'a..b']) {
  behaviour(`bucket name ${name}: 400 InvalidBucketName`, async ({ owner }) => {
    expect(await answerTo(owner.send(new CreateBucketCommand({ Bucket: name })))).toBe('400 InvalidBucketName')
  })
}

behaviour('DeleteBucket: 409 BucketNotEmpty, and 204 when it is empty', async (world) => {
  const { owner } = world
  const Bucket = await bucketWith(world, 'k')
  expect(await answerTo(owner.send(new DeleteBucketCommand({ Bucket })))).toBe('409 BucketNotEmpty')
  await owner.send(new DeleteObjectCommand({ Bucket, Key: 'k' }))
  await owner.send(new DeleteBucketCommand({ Bucket }))
  expect(await statusOf(owner.send(new HeadBucketCommand({ Bucket })))).toBe('404')
})

behaviour('GetBucketLocation is empty in us-east-1', async ({ s3, owner }) => {
  const Bucket = await s3.createBucket()
  const { LocationConstraint } = await owner.send(new GetBucketLocationCommand({ Bucket }))
  expect(LocationConstraint || undefined).toBeUndefined()
})

behaviour('a missing bucket: 404 NoSuchBucket', async ({ owner }) => {
  expect(await answerTo(put(owner, 'no-such-bucket', 'k'))).toBe('404 NoSuchBucket')
  expect(await answerTo(list(owner, 'no-such-bucket'))).toBe('404 NoSuchBucket')
  expect(await answerTo(owner.send(new DeleteBucketCommand({ Bucket: 'no-such-bucket' })))).toBe('404 NoSuchBucket')
  expect(await statusOf(owner.send(new HeadBucketCommand({ Bucket: 'no-such-bucket' })))).toBe('404')
})

group = 'Objects'

behaviour('every header and all metadata come back as they were set', async ({ s3, owner }) => {
  const bucket = await s3.createBucket()
  const parameters = {
    CacheControl: 'public, max-age=31536000, immutable',
    ContentType: 'text/javascript; charset=utf-8',
    ContentEncoding: 'gzip',
    ContentDisposition: 'inline; filename="app.js"',
    ContentLanguage: 'en',
    Metadata: { build: 'abc123', 'git-sha': 'f00' },
  }
  const Expires = new Date('2031-01-02T03:04:05Z')
  const { ETag } = await put(owner, bucket, 'app.js', 'console.log(1)', { ...parameters, Expires })
  expect(ETag).toBe(`"${md5('console.log(1)')}"`)
  const object = await head(owner, bucket, 'app.js')
  expect(object).toMatchObject({ ...parameters, ContentLength: 14, ETag })
  expect(object.ExpiresString).toBe(Expires.toUTCString())
  expect(object.LastModified?.getTime()).toBeGreaterThan(Date.now() - 60_000)
})

behaviour('an object replaced has none of the old headers', async ({ s3, owner }) => {
  const bucket = await s3.createBucket()
  await put(owner, bucket, 'k', 'one', { CacheControl: 'no-cache', Metadata: { a: '1' } })
  await put(owner, bucket, 'k', 'two', { ContentLanguage: 'en' })
  const object = await head(owner, bucket, 'k')
  expect(object).toMatchObject({ ContentLanguage: 'en', Metadata: {} })
  expect(object.CacheControl).toBeUndefined()
})

behaviour('without a Content-Type it is binary/octet-stream', async ({ s3, owner }) => {
  const bucket = await s3.createBucket()
  const client = s3.client()
  // The SDK would set one of its own.
  client.middlewareStack.add(
    (next) => (args) => {
      delete (args.request as { headers: Record<string, string> }).headers['content-type']
      return next(args)
    },
    { step: 'build', priority: 'low' },
  )
  await put(client, bucket, 'k')
  expect((await head(owner, bucket, 'k')).ContentType).toBe('binary/octet-stream')
})

for (const size of [0, 300_001, 6_000_007]) {
  behaviour(`${size} bytes arrive exactly, and the ETag is their MD5`, async ({ s3, owner }) => {
    const bucket = await s3.createBucket()
    const body = randomBytes(size)
    const { ETag } = await put(owner, bucket, 'k', body)
    expect(ETag).toBe(`"${md5(body)}"`)
    expect((await read(owner, bucket, 'k')).equals(body)).toBe(true)
  })
}

behaviour('a missing key: 404 NoSuchKey, and HEAD 404 without a body', async ({ s3, owner }) => {
  const bucket = await s3.createBucket()
  expect(await answerTo(get(owner, bucket, 'k'))).toBe('404 NoSuchKey')
  expect(await answerTo(head(owner, bucket, 'k'))).toBe('404 NotFound')
})

behaviour('deleting a missing key is no error', async ({ s3, owner }) => {
  const Bucket = await s3.createBucket()
  const { $metadata } = await owner.send(new DeleteObjectCommand({ Bucket, Key: 'k' }))
  expect($metadata.httpStatusCode).toBe(204)
})

behaviour('user metadata over 2 KB: 400 MetadataTooLarge', async ({ s3, owner }) => {
  const bucket = await s3.createBucket()
  await put(owner, bucket, 'k', '', { Metadata: { a: 'x'.repeat(2000) } })
  expect(await answerTo(put(owner, bucket, 'k', '', { Metadata: { a: 'x'.repeat(2100) } }))).toBe(
    '400 MetadataTooLarge',
  )
})

behaviour('a key of 1,024 bytes is stored, one of 1,025: 400 KeyTooLongError', async ({ s3, owner }) => {
  const bucket = await s3.createBucket()
  const longest = `${'ü'.repeat(127)}/`.repeat(4) + 'k'.repeat(4)
  expect(Buffer.byteLength(longest)).toBe(1024)
  await put(owner, bucket, longest)
  expect(await keysOf(owner, bucket)).toEqual([longest])
  expect(await answerTo(put(owner, bucket, `${longest}k`))).toBe('400 KeyTooLongError')
})

behaviour('an unknown storage class: 400 InvalidStorageClass', async ({ s3, owner }) => {
  const bucket = await s3.createBucket()
  expect(await answerTo(put(owner, bucket, 'k', '', { StorageClass: 'NOPE' as never }))).toBe('400 InvalidStorageClass')
})

behaviour('a storage class comes back', async ({ s3, owner }) => {
  const bucket = await s3.createBucket()
  await put(owner, bucket, 'k', '', { StorageClass: 'STANDARD_IA' })
  expect((await head(owner, bucket, 'k')).StorageClass).toBe('STANDARD_IA')
})

behaviour('objects are encrypted with AES256 when nobody asks for it', async ({ s3, owner }) => {
  const bucket = await s3.createBucket()
  await put(owner, bucket, 'k')
  expect((await head(owner, bucket, 'k')).ServerSideEncryption).toBe('AES256')
})

behaviour('a website redirect comes back as a header', async ({ s3, owner }) => {
  const bucket = await s3.createBucket()
  await put(owner, bucket, 'k', '', { WebsiteRedirectLocation: '/new' })
  expect((await head(owner, bucket, 'k')).WebsiteRedirectLocation).toBe('/new')
})

behaviour('tags', async ({ s3, owner }) => {
  const Bucket = await s3.createBucket()
  await put(owner, Bucket, 'k', '', { Tagging: 'build=12&env=prod%20eu' })
  const { TagSet } = await owner.send(new GetObjectTaggingCommand({ Bucket, Key: 'k' }))
  expect(Object.fromEntries(TagSet?.map(({ Key, Value }) => [Key, Value]) ?? [])).toEqual({
    build: '12',
    env: 'prod eu',
  })
})

behaviour('a PUT that was cut off halfway leaves the old object', async (world) => {
  const { s3, owner } = world
  const bucket = await bucketWith(world, 'k')
  const { pathname, search, hostname, port } = new URL(presign(s3, bucket, 'k', { method: 'PUT' }))
  const headers = { 'content-length': 2_000_000 }
  const call = request({ hostname, port, path: pathname + search, method: 'PUT', headers, agent: false })
  const closed = new Promise((resolve) => call.on('error', resolve).on('close', resolve))
  call.write(Buffer.alloc(500_000), () => setTimeout(() => call.destroy(), 50))
  await closed
  await sleep(100)
  expect((await read(owner, bucket, 'k')).toString()).toBe('k')
})

group = 'Keys'

const oddKeys = [
  'a b.txt',
  'ünï/日本 語.txt',
  'emoji-😀.js',
  'a+b.txt',
  'a%20b.txt',
  '100%.txt',
  '%2Fx',
  '.well-known/assetlinks.json',
  "q'(1)!*~.txt",
  'amp&<x>"y.txt',
  'a=b;c,d@e:f$g.txt',
  'q?x=1#frag',
  'dir//double.txt',
  'back\\slash.txt',
  'dir/./dot.txt',
  'dir/../up.txt',
  'trailing ',
  'folder/',
  '[id].js',
  'a|b^c`d{e}.txt',
]

for (const key of oddKeys) {
  behaviour(`key ${JSON.stringify(key)}: put, list, get, anonymous get, copy, delete`, async ({ s3, owner }) => {
    const Bucket = await s3.createBucket(undefined, { public: '' })
    await put(owner, Bucket, key, `content of ${key}`)
    expect(await keysOf(owner, Bucket)).toEqual([key])
    expect(await keysOf(owner, Bucket, { Prefix: key })).toEqual([key])
    expect((await read(owner, Bucket, key)).toString()).toBe(`content of ${key}`)
    expect(await raw(s3, `/${Bucket}/${encodeKey(key)}`)).toMatchObject({ status: 200, body: `content of ${key}` })
    await copy(owner, `${Bucket}/${encodeKey(key)}`, Bucket, `copy/${key}`)
    await owner.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: key }] } }))
    expect(await keysOf(owner, Bucket)).toEqual([`copy/${key}`])
  })
}

behaviour('"a", "a/" and "a/b" are three objects', async (world) => {
  const bucket = await bucketWith(world, 'a', 'a/', 'a/b')
  expect(await keysOf(world.owner, bucket)).toEqual(['a', 'a/', 'a/b'])
  expect((await read(world.owner, bucket, 'a')).toString()).toBe('a')
})

behaviour('a bare plus in a path is a space', async (world) => {
  const bucket = await bucketWithPolicy(world, ['a b'], {})
  expect((await raw(world.s3, `/${bucket}/a+b`)).status).toBe(200)
})

behaviour('a query that means nothing is ignored when an object is read', async (world) => {
  const bucket = await bucketWithPolicy(world, ['font.woff2'], {})
  expect((await raw(world.s3, `/${bucket}/font.woff2?v=3`)).status).toBe(200)
})

group = 'Checksums'

// Of '123456789', the check values that the algorithms' definitions give.
const checksums: [ChecksumAlgorithm, string][] = [
  ['CRC32', 'cbf43926'],
  ['CRC32C', 'e3069283'],
  ['CRC64NVME', 'ae8b14860a799888'],
  ['SHA1', createHash('sha1').update('123456789').digest('hex')],
  ['SHA256', sha256('123456789')],
]

for (const [algorithm, digest] of checksums) {
  const value = Buffer.from(digest, 'hex').toString('base64')

  behaviour(`x-amz-checksum-${algorithm.toLowerCase()} is checked`, async ({ s3, owner }) => {
    const bucket = await s3.createBucket()
    await put(owner, bucket, 'k', '123456789', { [`Checksum${algorithm}`]: value })
    const wrong = put(owner, bucket, 'k', '12345678_', { [`Checksum${algorithm}`]: value })
    expect(await answerTo(wrong)).toBe('400 BadDigest')
    expect((await read(owner, bucket, 'k')).toString()).toBe('123456789')
  })

  behaviour(`x-amz-checksum-${algorithm.toLowerCase()} comes back when it is asked for`, async ({ s3, owner }) => {
    const Bucket = await s3.createBucket()
    await put(owner, Bucket, 'k', '123456789', { [`Checksum${algorithm}`]: value })
    const object = await owner.send(new HeadObjectCommand({ Bucket, Key: 'k', ChecksumMode: 'ENABLED' }))
    expect(object[`Checksum${algorithm}` as keyof typeof object]).toBe(value)
  })
}

behaviour('Content-MD5 of other bytes: 400 BadDigest, and nothing is stored', async ({ s3, owner }) => {
  const bucket = await s3.createBucket()
  expect(await answerTo(put(owner, bucket, 'k', 'real', { ContentMD5: md5Base64('other') }))).toBe('400 BadDigest')
  expect(await keysOf(owner, bucket)).toEqual([])
})

behaviour('Content-MD5 that is none: 400 InvalidDigest', async ({ s3, owner }) => {
  const bucket = await s3.createBucket()
  expect(await answerTo(put(owner, bucket, 'k', 'real', { ContentMD5: 'bm9uZQ==' }))).toBe('400 InvalidDigest')
})

behaviour('GetObjectAttributes', async ({ s3, owner }) => {
  const Bucket = await s3.createBucket()
  await put(owner, Bucket, 'k', 'abc')
  const input = { Bucket, Key: 'k', ObjectAttributes: ['ETag' as const, 'ObjectSize' as const] }
  const { ETag, ObjectSize } = await owner.send(new GetObjectAttributesCommand(input))
  expect([ETag?.replaceAll('"', ''), ObjectSize]).toEqual([md5('abc'), 3])
})

group = 'Streamed bodies'

behaviour('a stream without checksums (WHEN_REQUIRED) is an ordinary body', async ({ s3, owner }) => {
  const bucket = await s3.createBucket()
  const body = randomBytes(200_000)
  const stream = Readable.from([body.subarray(0, 70_000), body.subarray(70_000)])
  await put(owner, bucket, 'k', stream, { ContentLength: body.length, ContentEncoding: 'gzip' })
  expect((await read(owner, bucket, 'k')).equals(body)).toBe(true)
  expect((await head(owner, bucket, 'k')).ContentEncoding).toBe('gzip')
})

behaviour('aws-chunked with a trailing checksum, as the SDK streams by default', async ({ s3, owner }) => {
  const bucket = await s3.createBucket()
  const client = s3.client({ requestChecksumCalculation: 'WHEN_SUPPORTED' })
  const body = randomBytes(200_000)
  await put(client, bucket, 'k', Readable.from([body]), { ContentLength: body.length, ContentEncoding: 'gzip' })
  expect((await read(owner, bucket, 'k')).equals(body)).toBe(true)
  expect((await head(owner, bucket, 'k')).ContentEncoding).toBe('gzip')
})

/** A PUT in signed chunks, by hand: no SDK for JavaScript sends any. */
async function signedChunks(
  s3: TestS3,
  bucket: string,
  key: string,
  chunks: string[],
  tampered = false,
): Promise<Reply> {
  const date = new Date().toISOString().replace(/[-:]|\.\d+/g, '')
  const day = date.slice(0, 8)
  const scope = `${day}/${s3.region}/s3/aws4_request`
  const secret = signingKey(s3.credentials.secretAccessKey, day, s3.region)
  const headers: Record<string, string> = {
    'content-encoding': 'aws-chunked',
    host: new URL(s3.endpoint).host,
    'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
    'x-amz-date': date,
    'x-amz-decoded-content-length': String(chunks.join('').length),
  }
  const signed = Object.keys(headers).join(';')
  const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`)
  const canonical = `PUT\n/${bucket}/${key}\n\n${lines.join('')}\n${signed}\n${headers['x-amz-content-sha256']}`
  let signature = hmac(secret, `AWS4-HMAC-SHA256\n${date}\n${scope}\n${sha256(canonical)}`).toString('hex')
  headers.authorization = `AWS4-HMAC-SHA256 Credential=${s3.credentials.accessKeyId}/${scope}, SignedHeaders=${signed}, Signature=${signature}`
  let body = ''
  for (const chunk of [...chunks, '']) {
    const text = `AWS4-HMAC-SHA256-PAYLOAD\n${date}\n${scope}\n${signature}\n${sha256('')}\n${sha256(chunk)}`
    signature = hmac(secret, text).toString('hex')
    const sent = tampered ? chunk.replace('a', 'b') : chunk
    body += `${chunk.length.toString(16)};chunk-signature=${signature}\r\n${sent}\r\n`
  }
  headers['content-length'] = String(body.length)
  return raw(s3, `/${bucket}/${key}`, { method: 'PUT', headers, body })
}

behaviour('aws-chunked in signed chunks', async ({ s3, owner }) => {
  const bucket = await s3.createBucket()
  const chunks = ['a'.repeat(65_536), 'the end']
  expect((await signedChunks(s3, bucket, 'k', chunks)).status).toBe(200)
  expect((await read(owner, bucket, 'k')).toString()).toBe(chunks.join(''))
})

behaviour('aws-chunked leaves no trace in the object', async ({ s3, owner }) => {
  const bucket = await s3.createBucket()
  await signedChunks(s3, bucket, 'k', ['text'])
  expect((await head(owner, bucket, 'k')).ContentEncoding).toBeUndefined()
})

behaviour('a signed chunk that was changed: 403 SignatureDoesNotMatch', async ({ s3, owner }) => {
  const bucket = await s3.createBucket()
  const reply = await signedChunks(s3, bucket, 'k', ['a'.repeat(65_536), 'the end'], true)
  expect(reply.status).toBe(403)
  expect(reply.body).toContain('<Code>SignatureDoesNotMatch</Code>')
  expect(await keysOf(owner, bucket)).toEqual([])
})

group = 'Conditional writes'

behaviour('If-None-Match: * creates, and never replaces: 412', async ({ s3, owner }) => {
  const bucket = await s3.createBucket()
  await put(owner, bucket, 'k', '1', { IfNoneMatch: '*' })
  expect(await answerTo(put(owner, bucket, 'k', '2', { IfNoneMatch: '*' }))).toBe('412 PreconditionFailed')
  expect((await read(owner, bucket, 'k')).toString()).toBe('1')
})

behaviour('of many that create one key with If-None-Match: * one wins', async ({ s3, owner }) => {
  const bucket = await s3.createBucket()
  const tries = Array.from({ length: 16 }, (_, i) =>
    answerTo(put(owner, bucket, 'lock', String(i), { IfNoneMatch: '*' })),
  )
  const results = await Promise.all(tries)
  expect(results.filter((result) => result === 'accepted')).toHaveLength(1)
})

behaviour('If-Match with the ETag that is there replaces', async ({ s3, owner }) => {
  const bucket = await s3.createBucket()
  const { ETag } = await put(owner, bucket, 'k', '1')
  await put(owner, bucket, 'k', '2', { IfMatch: ETag })
  expect((await read(owner, bucket, 'k')).toString()).toBe('2')
})

behaviour('If-Match with an ETag that is gone: 412', async ({ s3, owner }) => {
  const bucket = await s3.createBucket()
  const { ETag } = await put(owner, bucket, 'k', '1')
  await put(owner, bucket, 'k', '2')
  expect(await answerTo(put(owner, bucket, 'k', '3', { IfMatch: ETag }))).toBe('412 PreconditionFailed')
})

behaviour('If-Match on a missing key: 404 NoSuchKey', async ({ s3, owner }) => {
  const bucket = await s3.createBucket()
  expect(await answerTo(put(owner, bucket, 'k', '1', { IfMatch: `"${md5('1')}"` }))).toBe('404 NoSuchKey')
})

behaviour('CompleteMultipartUpload with If-None-Match: * on a key that exists: 412', async (world) => {
  const { owner } = world
  const Bucket = await bucketWith(world, 'k')
  const { UploadId } = await owner.send(new CreateMultipartUploadCommand({ Bucket, Key: 'k' }))
  const { ETag } = await owner.send(new UploadPartCommand({ Bucket, Key: 'k', UploadId, PartNumber: 1, Body: 'x' }))
  const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] }
  const complete = new CompleteMultipartUploadCommand({ Bucket, Key: 'k', UploadId, MultipartUpload, IfNoneMatch: '*' })
  expect(await answerTo(owner.send(complete))).toBe('412 PreconditionFailed')
})

group = 'Reading'

const hourAgo = () => new Date(Date.now() - 3_600_000)
const inAnHour = () => new Date(Date.now() + 3_600_000)

const conditionalReads: [string, string, (etag: string) => Partial<GetObjectCommandInput>][] = [
  ['If-Match with its ETag', 'accepted', (etag) => ({ IfMatch: etag })],
  ['If-Match with another ETag', '412', () => ({ IfMatch: '"0123"' })],
  ['If-None-Match with its ETag', '304', (etag) => ({ IfNoneMatch: etag })],
  ['If-None-Match with another ETag', 'accepted', () => ({ IfNoneMatch: '"0123"' })],
  ['If-Modified-Since before it', 'accepted', () => ({ IfModifiedSince: hourAgo() })],
  ['If-Unmodified-Since before it', '412', () => ({ IfUnmodifiedSince: hourAgo() })],
  ['If-Unmodified-Since after it', 'accepted', () => ({ IfUnmodifiedSince: inAnHour() })],
]

for (const [title, expected, condition] of conditionalReads) {
  behaviour(`GET ${title}: ${expected}`, async ({ s3, owner }) => {
    const bucket = await s3.createBucket()
    const { ETag = '' } = await put(owner, bucket, 'k')
    const result = await answerTo(get(owner, bucket, 'k', condition(ETag)))
    expect(result.startsWith(expected)).toBe(true)
  })
}

const ranges: [string, number, string, string?][] = [
  ['bytes=2-4', 206, '234', 'bytes 2-4/10'],
  ['bytes=7-', 206, '789', 'bytes 7-9/10'],
  ['bytes=-2', 206, '89', 'bytes 8-9/10'],
  ['bytes=8-100', 206, '89', 'bytes 8-9/10'],
  ['bytes=10-', 416, 'InvalidRange'],
]

for (const [range, status, content, contentRange] of ranges) {
  behaviour(`GET Range ${range}: ${status}`, async (world) => {
    const bucket = await bucketWithPolicy(world, [], {})
    await put(world.owner, bucket, 'k', '0123456789')
    const reply = await raw(world.s3, `/${bucket}/k`, { headers: { range } })
    expect(reply.status).toBe(status)
    expect(reply.body).toContain(content)
    if (contentRange) expect(reply.headers['content-range']).toBe(contentRange)
  })
}

behaviour('anonymous GET has every header that a browser needs', async ({ s3, owner }) => {
  const bucket = await s3.createBucket(undefined, { public: 'static/' })
  await put(owner, bucket, 'static/a.js', 'hello', {
    CacheControl: 'public, max-age=60',
    ContentType: 'text/javascript',
    ContentEncoding: 'br',
    Metadata: { build: '7' },
  })
  for (const method of ['GET', 'HEAD']) {
    const reply = await raw(s3, `/${bucket}/static/a.js`, { method })
    expect(reply.status).toBe(200)
    expect(reply.body).toBe(method === 'GET' ? 'hello' : '')
    expect(reply.headers).toMatchObject({
      'cache-control': 'public, max-age=60',
      'content-type': 'text/javascript',
      'content-encoding': 'br',
      'content-length': '5',
      'accept-ranges': 'bytes',
      'x-amz-meta-build': '7',
      etag: `"${md5('hello')}"`,
    })
    expect(Date.parse(reply.headers['last-modified'] ?? '')).toBeGreaterThan(Date.now() - 60_000)
  }
})

behaviour('an error is XML with code, message and request id', async ({ s3 }) => {
  const bucket = await s3.createBucket()
  const reply = await raw(s3, `/${bucket}/k`)
  expect(reply.status).toBe(403)
  expect(reply.headers['content-type']).toBe('application/xml')
  const id = reply.headers['x-amz-request-id']
  expect(id).toBeTruthy()
  expect(reply.body).toContain(`<RequestId>${id}</RequestId>`)
  expect(reply.body).toMatch(/^<\?xml [^>]*\?>\s*<Error><Code>AccessDenied<\/Code>/)
})

behaviour('an error has a message', async ({ s3 }) => {
  const bucket = await s3.createBucket()
  expect((await raw(s3, `/${bucket}/k`)).body).toContain('<Message>')
})

group = 'Listing'

behaviour('pages of 1,000 in order, with sizes and ETags', async ({ s3, owner }) => {
  const bucket = await s3.createBucket()
  const keys = Array.from({ length: 1003 }, (_, i) => `static/f-${String(i).padStart(5, '0')}.js`)
  let next = 0
  const worker = async () => {
    while (next < keys.length) await put(owner, bucket, keys[next++] as string)
  }
  await Promise.all(Array.from({ length: 24 }, worker))
  await put(owner, bucket, 'static-admin/x')
  const first = await list(owner, bucket, { Prefix: 'static/' })
  expect(first).toMatchObject({ KeyCount: 1000, IsTruncated: true, MaxKeys: 1000 })
  const second = await list(owner, bucket, { Prefix: 'static/', ContinuationToken: first.NextContinuationToken })
  expect(second).toMatchObject({ KeyCount: 3, IsTruncated: false })
  expect(second.NextContinuationToken).toBeUndefined()
  const objects = [...(first.Contents ?? []), ...(second.Contents ?? [])]
  expect(objects.map(({ Key }) => Key)).toEqual(keys)
  expect(objects.every(({ Key = '', ETag, Size }) => ETag === `"${md5(Key)}"` && Size === Key.length)).toBe(true)

  const Objects = keys.map((Key) => ({ Key }))
  const Delete = { Objects: Objects.slice(0, 1000) }
  const { Deleted, Errors } = await owner.send(new DeleteObjectsCommand({ Bucket: bucket, Delete }))
  expect([Deleted?.length, Errors?.length ?? 0]).toEqual([1000, 0])
  expect(await keysOf(owner, bucket)).toEqual(['static-admin/x', ...keys.slice(1000)])
})

behaviour('keys are in the order of their UTF-8 bytes', async (world) => {
  const bucket = await bucketWith(world, '😀', '～', 'é', 'z', 'Z', 'a/b', 'a-b', 'a', 'a0')
  expect(await keysOf(world.owner, bucket)).toEqual(['Z', 'a', 'a-b', 'a/b', 'a0', 'z', 'é', '～', '😀'])
})

const tree = ['a/1', 'a/2', 'a/b/3', 'b/1', 'c', 'd']

const listings: [string, Partial<ListObjectsV2CommandInput>, string[], string[]?][] = [
  ['everything', {}, tree],
  ['a prefix', { Prefix: 'a/' }, ['a/1', 'a/2', 'a/b/3']],
  ['a prefix that is part of a name', { Prefix: 'a' }, ['a/1', 'a/2', 'a/b/3']],
  ['a prefix that nothing has', { Prefix: 'x' }, []],
  ['a delimiter', { Delimiter: '/' }, ['c', 'd'], ['a/', 'b/']],
  ['a prefix and a delimiter', { Prefix: 'a/', Delimiter: '/' }, ['a/1', 'a/2'], ['a/b/']],
  ['StartAfter', { StartAfter: 'a/b/3' }, ['b/1', 'c', 'd']],
  ['StartAfter, of a key that is not there', { StartAfter: 'bb' }, ['c', 'd']],
  ['StartAfter before the prefix', { Prefix: 'b/', StartAfter: 'a' }, ['b/1']],
  ['StartAfter behind the prefix', { Prefix: 'a/', StartAfter: 'b' }, []],
]

for (const [title, query, keys, prefixes = []] of listings) {
  behaviour(`ListObjectsV2 with ${title}`, async (world) => {
    const bucket = await bucketWith(world, ...tree)
    const { Contents = [], CommonPrefixes = [], KeyCount, IsTruncated } = await list(world.owner, bucket, query)
    expect(Contents.map(({ Key }) => Key)).toEqual(keys)
    expect(CommonPrefixes.map(({ Prefix }) => Prefix)).toEqual(prefixes)
    expect([KeyCount, IsTruncated]).toEqual([keys.length + prefixes.length, false])
  })
}

behaviour('pages with a delimiter count common prefixes and show each one once', async (world) => {
  const bucket = await bucketWith(world, ...tree)
  const seen: (string | undefined)[] = []
  let ContinuationToken: string | undefined
  do {
    const page = await list(world.owner, bucket, { Delimiter: '/', MaxKeys: 1, ContinuationToken })
    seen.push(
      ...[...(page.Contents ?? []).map(({ Key }) => Key), ...(page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix)],
    )
    ContinuationToken = page.NextContinuationToken
  } while (ContinuationToken)
  expect(seen).toEqual(['a/', 'b/', 'c', 'd'])
})

behaviour('StartAfter goes by the order of UTF-8 bytes', async (world) => {
  const bucket = await bucketWith(world, '😀', '\uff5e', 'é', 'z', 'c\u0001', 'c\n')
  const behind = async (StartAfter: string) => (await keysOf(world.owner, bucket, { StartAfter })).join(' ')
  expect(await behind('c\u0001')).toBe('c\n z é \uff5e 😀')
  expect(await behind('c\n')).toBe('z é \uff5e 😀')
  expect(await behind('\uff20')).toBe('\uff5e 😀')
  expect(await behind('\uff5e')).toBe('😀')
  expect(await behind('😀')).toBe('')
})

behaviour('a token goes on behind StartAfter', async (world) => {
  const bucket = await bucketWith(world, ...tree)
  const query = { Prefix: 'a/', StartAfter: 'a/1', MaxKeys: 1 }
  const { Contents, IsTruncated, NextContinuationToken } = await list(world.owner, bucket, query)
  expect([Contents?.map(({ Key }) => Key), IsTruncated]).toEqual([['a/2'], true])
  const rest = await list(world.owner, bucket, { Prefix: 'a/', ContinuationToken: NextContinuationToken })
  expect([rest.Contents?.map(({ Key }) => Key), rest.IsTruncated]).toEqual([['a/b/3'], false])
})

behaviour('a listing tells when objects were written, by the clock of the Date header', async (world) => {
  const bucket = await bucketWith(world, 'k')
  const [object] = (await list(world.owner, bucket)).Contents ?? []
  const { headers } = await raw(world.s3, `/${bucket}/nothing`)
  const age = Date.parse(headers.date ?? '') - (object?.LastModified?.getTime() ?? 0)
  expect(Math.abs(age)).toBeLessThan(2000)
})

behaviour('MaxKeys of 0 lists nothing and is not truncated', async (world) => {
  const bucket = await bucketWith(world, 'a')
  expect(await list(world.owner, bucket, { MaxKeys: 0 })).toMatchObject({ KeyCount: 0, IsTruncated: false })
})

// A space comes as a plus or as %20, a slash as itself or as %2F.
const escapedPrefix = '%C3%BC(?:%20|\\+)b%2B(?:/|%2F)'

behaviour('encoding-type=url escapes keys', async (world) => {
  const bucket = await bucketWith(world, 'ü b+/x y')
  const { Contents, EncodingType } = await list(world.owner, bucket, { EncodingType: 'url' })
  expect(EncodingType).toBe('url')
  expect(Contents?.[0]?.Key).toMatch(new RegExp(`^${escapedPrefix}x(?:%20|\\+)y$`))
})

behaviour('encoding-type=url escapes the prefix too', async (world) => {
  const bucket = await bucketWith(world, 'ü b+/x y')
  const { Prefix } = await list(world.owner, bucket, { EncodingType: 'url', Prefix: 'ü b+/' })
  expect(Prefix).toMatch(new RegExp(`^${escapedPrefix}$`))
})

behaviour('ListObjects (version 1) goes on at a marker', async (world) => {
  const Bucket = await bucketWith(world, ...tree)
  const { owner } = world
  const first = await owner.send(new ListObjectsCommand({ Bucket, MaxKeys: 2 }))
  expect(first.Contents?.map(({ Key }) => Key)).toEqual(['a/1', 'a/2'])
  const rest = await owner.send(new ListObjectsCommand({ Bucket, Marker: 'a/2' }))
  expect(rest.Contents?.map(({ Key }) => Key)).toEqual(tree.slice(2))
  const grouped = await owner.send(new ListObjectsCommand({ Bucket, Delimiter: '/', MaxKeys: 1 }))
  expect([grouped.CommonPrefixes?.[0]?.Prefix, grouped.NextMarker]).toEqual(['a/', 'a/'])
})

group = 'Deleting'

behaviour('DeleteObjects of 1,001 keys: 400 MalformedXML', async (world) => {
  const Bucket = await bucketWith(world, '0')
  const Objects = Array.from({ length: 1001 }, (_, i) => ({ Key: String(i) }))
  const result = await answerTo(world.owner.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } })))
  expect(result).toBe('400 MalformedXML')
  expect(await keysOf(world.owner, Bucket)).toEqual(['0'])
})

behaviour('DeleteObjects reports a missing key as deleted', async (world) => {
  const Bucket = await bucketWith(world, 'a')
  const Delete = { Objects: [{ Key: 'a' }, { Key: 'missing' }] }
  const { Deleted, Errors } = await world.owner.send(new DeleteObjectsCommand({ Bucket, Delete }))
  expect(Deleted?.map(({ Key }) => Key).sort()).toEqual(['a', 'missing'])
  expect(Errors ?? []).toEqual([])
})

behaviour('DeleteObjects, quiet, lists nothing', async (world) => {
  const Bucket = await bucketWith(world, 'a')
  const Delete = { Objects: [{ Key: 'a' }], Quiet: true }
  const { Deleted } = await world.owner.send(new DeleteObjectsCommand({ Bucket, Delete }))
  expect(Deleted ?? []).toEqual([])
  expect(await keysOf(world.owner, Bucket)).toEqual([])
})

behaviour('DeleteObjects tells for each key whether it was allowed', async (world) => {
  const { s3, other, owner } = world
  const yours = { Principal: { AWS: s3.other.arn }, Action: 's3:DeleteObject', Resource: '/yours/*' }
  const Bucket = await bucketWithPolicy(world, ['yours/a', 'mine/a'], yours)
  const Delete = { Objects: [{ Key: 'yours/a' }, { Key: 'mine/a' }] }
  const { Deleted, Errors } = await other.send(new DeleteObjectsCommand({ Bucket, Delete }))
  expect(Deleted?.map(({ Key }) => Key)).toEqual(['yours/a'])
  expect(Errors?.map(({ Key, Code }) => `${Key} ${Code}`)).toEqual(['mine/a AccessDenied'])
  expect(await keysOf(owner, Bucket)).toEqual(['mine/a'])
})

group = 'Copying'

behaviour('onto itself with REPLACE: new headers, same bytes', async ({ s3, owner }) => {
  const bucket = await s3.createBucket()
  await put(owner, bucket, 'k', 'body', { CacheControl: 'no-cache', ContentType: 'text/css', Metadata: { old: '1' } })
  const { CopyObjectResult } = await copy(owner, `${bucket}/k`, bucket, 'k', {
    MetadataDirective: 'REPLACE',
    CacheControl: 'public, max-age=31536000',
    ContentType: 'text/javascript',
    Metadata: { new: '2' },
  })
  expect(CopyObjectResult?.ETag?.replaceAll('"', '')).toBe(md5('body'))
  const object = await head(owner, bucket, 'k')
  expect(object).toMatchObject({ CacheControl: 'public, max-age=31536000', ContentType: 'text/javascript' })
  expect(object.Metadata).toEqual({ new: '2' })
  expect((await read(owner, bucket, 'k')).toString()).toBe('body')
})

behaviour('to another key and bucket keeps headers and metadata', async ({ s3, owner }) => {
  const [from, to] = [await s3.createBucket(), await s3.createBucket()]
  const parameters = { CacheControl: 'no-cache', ContentType: 'text/css', Metadata: { a: '1' } }
  await put(owner, from, 'k', 'body', parameters)
  await copy(owner, `${from}/k`, to, 'copy', { CacheControl: 'ignored without REPLACE' })
  expect(await head(owner, to, 'copy')).toMatchObject(parameters)
})

behaviour('onto itself without any change: 400 InvalidRequest', async (world) => {
  const bucket = await bucketWith(world, 'k')
  expect(await answerTo(copy(world.owner, `${bucket}/k`, bucket, 'k'))).toBe('400 InvalidRequest')
})

behaviour('a source that is missing: 404', async (world) => {
  const bucket = await bucketWith(world, 'k')
  expect(await answerTo(copy(world.owner, `${bucket}/missing`, bucket, 'k'))).toBe('404 NoSuchKey')
  expect(await answerTo(copy(world.owner, 'no-such-bucket/k', bucket, 'k'))).toBe('404 NoSuchBucket')
})

behaviour('conditions on the source: 412', async (world) => {
  const bucket = await bucketWith(world, 'k')
  const to = (rest: Partial<CopyObjectCommandInput>) => answerTo(copy(world.owner, `${bucket}/k`, bucket, 'copy', rest))
  expect(await to({ CopySourceIfMatch: '"0123"' })).toBe('412 PreconditionFailed')
  expect(await to({ CopySourceIfNoneMatch: `"${md5('k')}"` })).toBe('412 PreconditionFailed')
  expect(await to({ CopySourceIfMatch: `"${md5('k')}"` })).toBe('accepted')
})

behaviour('a source that one may not read: 403', async (world) => {
  const { s3, other } = world
  const writer = { Principal: { AWS: s3.other.arn }, Action: 's3:PutObject' }
  const bucket = await bucketWithPolicy(world, ['secret'], writer)
  expect(await answerTo(copy(other, `${bucket}/secret`, bucket, 'copy'))).toBe('403 AccessDenied')
})

group = 'Multipart uploads'

const partSize = 5 * 1024 ** 2

async function upload(client: S3Client, Bucket: string, Key: string, bodies: Buffer[]) {
  const parameters = { CacheControl: 'no-cache', ContentType: 'application/wasm', Metadata: { m: '1' } }
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key, ...parameters }))
  const Parts: { PartNumber: number; ETag: string | undefined }[] = []
  for (const Body of bodies) {
    const PartNumber = Parts.length + 1
    const { ETag } = await client.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }))
    Parts.push({ PartNumber, ETag })
  }
  const complete = (parts = Parts) =>
    client.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts: parts } }))
  return { UploadId, Parts, complete }
}

behaviour('bytes, headers and an ETag that is no MD5 of the content', async ({ s3, owner }) => {
  const bucket = await s3.createBucket()
  const bodies = [randomBytes(partSize), randomBytes(1000)]
  const { complete } = await upload(owner, bucket, 'k', bodies)
  expect(await answerTo(head(owner, bucket, 'k'))).toBe('404 NotFound')
  await complete()
  const digests = bodies.map((body) => createHash('md5').update(body).digest())
  const object = await head(owner, bucket, 'k')
  expect(object.ETag).toBe(`"${md5(Buffer.concat(digests))}-2"`)
  expect(object).toMatchObject({ CacheControl: 'no-cache', ContentType: 'application/wasm', Metadata: { m: '1' } })
  expect((await read(owner, bucket, 'k')).equals(Buffer.concat(bodies))).toBe(true)
})

behaviour('a part under 5 MiB that is not the last: 400 EntityTooSmall', async ({ s3, owner }) => {
  const { complete } = await upload(owner, await s3.createBucket(), 'k', [Buffer.alloc(1024), Buffer.alloc(1024)])
  expect(await answerTo(complete())).toBe('400 EntityTooSmall')
})

behaviour('parts in the wrong order: 400 InvalidPartOrder', async ({ s3, owner }) => {
  const { complete, Parts } = await upload(owner, await s3.createBucket(), 'k', [
    Buffer.alloc(partSize),
    Buffer.alloc(partSize),
  ])
  expect(await answerTo(complete([...Parts].reverse()))).toBe('400 InvalidPartOrder')
})

behaviour('a part that was never sent: 400 InvalidPart', async ({ s3, owner }) => {
  const { complete, Parts } = await upload(owner, await s3.createBucket(), 'k', [Buffer.alloc(1)])
  expect(await answerTo(complete(Parts.map((part) => ({ ...part, ETag: md5('other') }))))).toBe('400 InvalidPart')
})

behaviour('ListParts, ListMultipartUploads, AbortMultipartUpload, then 404 NoSuchUpload', async ({ s3, owner }) => {
  const Bucket = await s3.createBucket()
  const { UploadId } = await upload(owner, Bucket, 'k', [Buffer.alloc(7)])
  const { Parts } = await owner.send(new ListPartsCommand({ Bucket, Key: 'k', UploadId }))
  expect(Parts?.map(({ PartNumber, Size }) => [PartNumber, Size])).toEqual([[1, 7]])
  const { Uploads } = await owner.send(new ListMultipartUploadsCommand({ Bucket }))
  expect(Uploads?.map((one) => [one.Key, one.UploadId])).toEqual([['k', UploadId]])
  await owner.send(new AbortMultipartUploadCommand({ Bucket, Key: 'k', UploadId }))
  expect((await owner.send(new ListMultipartUploadsCommand({ Bucket }))).Uploads ?? []).toEqual([])
  const part = owner.send(new UploadPartCommand({ Bucket, Key: 'k', UploadId, PartNumber: 1, Body: 'x' }))
  expect(await answerTo(part)).toBe('404 NoSuchUpload')
})

behaviour('UploadPartCopy takes a range of another object', async ({ s3, owner }) => {
  const Bucket = await s3.createBucket()
  await put(owner, Bucket, 'source', '0123456789')
  const { UploadId } = await owner.send(new CreateMultipartUploadCommand({ Bucket, Key: 'k' }))
  const input = {
    Bucket,
    Key: 'k',
    UploadId,
    PartNumber: 1,
    CopySource: `${Bucket}/source`,
    CopySourceRange: 'bytes=2-5',
  }
  const { CopyPartResult } = await owner.send(new UploadPartCopyCommand(input))
  const MultipartUpload = { Parts: [{ PartNumber: 1, ETag: CopyPartResult?.ETag }] }
  await owner.send(new CompleteMultipartUploadCommand({ Bucket, Key: 'k', UploadId, MultipartUpload }))
  expect((await read(owner, Bucket, 'k')).toString()).toBe('2345')
})

group = 'Signatures'

behaviour('a wrong secret: 403 SignatureDoesNotMatch', async ({ s3 }) => {
  const client = s3.client({ credentials: { ...s3.credentials, secretAccessKey: 'wrong' } })
  expect(await answerTo(put(client, await s3.createBucket(), 'k'))).toBe('403 SignatureDoesNotMatch')
})

behaviour('an unknown key: 403 InvalidAccessKeyId', async ({ s3 }) => {
  const client = s3.client({ credentials: { accessKeyId: 'AKIANOSUCHKEY0000000', secretAccessKey: 'x' } })
  expect(await answerTo(put(client, await s3.createBucket(), 'k'))).toBe('403 InvalidAccessKeyId')
})

behaviour('a request from an hour ago: 403 RequestTimeTooSkewed', async ({ s3 }) => {
  const client = s3.client({ systemClockOffset: -3_600_000 })
  expect(await answerTo(put(client, await s3.createBucket(), 'k'))).toBe('403 RequestTimeTooSkewed')
})

behaviour('another region: 400 AuthorizationHeaderMalformed', async ({ s3 }) => {
  const client = s3.client({ region: 'ap-southeast-2', followRegionRedirects: false })
  expect(await answerTo(put(client, await s3.createBucket(), 'k'))).toBe('400 AuthorizationHeaderMalformed')
})

/** A client whose requests are changed after they were signed. */
function tampering(
  s3: TestS3,
  change: (call: { headers: Record<string, string>; body: unknown; query: object }) => void,
) {
  const client = s3.client()
  client.middlewareStack.add(
    (next) => (args) => {
      change(args.request as never)
      return next(args)
    },
    { step: 'finalizeRequest', priority: 'low' },
  )
  return client
}

behaviour('a body changed after it was signed: 400 XAmzContentSHA256Mismatch', async ({ s3, owner }) => {
  const bucket = await s3.createBucket()
  const client = tampering(s3, (call) => {
    call.body = Buffer.from('evil')
  })
  expect(await answerTo(put(client, bucket, 'k', 'good'))).toBe('400 XAmzContentSHA256Mismatch')
  expect(await keysOf(owner, bucket)).toEqual([])
})

behaviour('a header changed after it was signed: 403 SignatureDoesNotMatch', async ({ s3 }) => {
  const bucket = await s3.createBucket()
  const client = tampering(s3, ({ headers }) => {
    headers['x-amz-meta-a'] = '2'
  })
  expect(await answerTo(put(client, bucket, 'k', 'good', { Metadata: { a: '1' } }))).toBe('403 SignatureDoesNotMatch')
})

behaviour('an x-amz header added after signing: 403 AccessDenied', async ({ s3 }) => {
  const bucket = await s3.createBucket()
  const client = tampering(s3, ({ headers }) => {
    headers['x-amz-meta-late'] = '1'
  })
  expect(await answerTo(put(client, bucket, 'k', 'good'))).toBe('403 AccessDenied')
})

behaviour('presigned: GET and PUT', async ({ s3 }) => {
  const bucket = await s3.createBucket()
  const key = 'dir/ü +x.txt'
  const sent = await rawUrl(s3, presign(s3, bucket, key, { method: 'PUT' }), { method: 'PUT', body: 'text' })
  expect(sent.status).toBe(200)
  expect(await rawUrl(s3, presign(s3, bucket, key))).toMatchObject({ status: 200, body: 'text' })
})

behaviour('presigned: response headers of one’s choice', async (world) => {
  const bucket = await bucketWith(world, 'k')
  const query = { 'response-content-type': 'text/x', 'response-cache-control': 'no-store' }
  const { headers } = await rawUrl(world.s3, presign(world.s3, bucket, 'k', { query }))
  expect([headers['content-type'], headers['cache-control']]).toEqual(['text/x', 'no-store'])
})

behaviour('presigned: 403 when it expired, when it was changed, for another method', async (world) => {
  const { s3 } = world
  const bucket = await bucketWith(world, 'k', 'other')
  const old = presign(s3, bucket, 'k', { expires: 10, date: new Date(Date.now() - 60_000) })
  expect((await rawUrl(s3, old)).status).toBe(403)
  const url = presign(s3, bucket, 'k')
  expect((await rawUrl(s3, url.replace('/k?', '/other?'))).status).toBe(403)
  expect((await rawUrl(s3, url, { method: 'DELETE' })).status).toBe(403)
})

group = 'Policies'

behaviour('a private bucket: 403 AccessDenied to everybody else', async (world) => {
  const { s3, other } = world
  const bucket = await bucketWith(world, 'k')
  expect((await raw(s3, `/${bucket}/k`)).status).toBe(403)
  expect((await raw(s3, `/${bucket}/k`, { method: 'PUT', body: 'x' })).status).toBe(403)
  expect(await answerTo(get(other, bucket, 'k'))).toBe('403 AccessDenied')
  expect(await answerTo(put(other, bucket, 'k'))).toBe('403 AccessDenied')
  expect(await answerTo(list(other, bucket))).toBe('403 AccessDenied')
})

behaviour('PutBucketPolicy, GetBucketPolicy, DeleteBucketPolicy, 404 NoSuchBucketPolicy', async (world) => {
  const { owner } = world
  const Bucket = await bucketWithPolicy(world, [], {})
  const { Policy } = await owner.send(new GetBucketPolicyCommand({ Bucket }))
  expect(JSON.parse(Policy ?? '')).toEqual(JSON.parse(policy(Bucket, {})))
  await owner.send(new DeleteBucketPolicyCommand({ Bucket }))
  expect(await answerTo(owner.send(new GetBucketPolicyCommand({ Bucket })))).toBe('404 NoSuchBucketPolicy')
})

behaviour('public reading of one prefix: neither its neighbours, nor the listing, nor writing', async (world) => {
  const { s3, owner } = world
  const Bucket = await bucketWithPolicy(world, ['static/a', 'static-admin/a', 'a'], { Resource: '/static/*' })
  const status = async (path: string, options?: Raw) => (await raw(s3, `/${Bucket}${path}`, options)).status
  expect(await status('/static/a')).toBe(200)
  expect(await status('/static-admin/a')).toBe(403)
  expect(await status('/a')).toBe(403)
  expect(await status('/?list-type=2')).toBe(403)
  expect(await status('/static/b', { method: 'PUT', body: '' })).toBe(403)
  expect(await status('/static/a', { method: 'DELETE' })).toBe(403)
  await owner.send(new DeleteBucketPolicyCommand({ Bucket }))
  expect(await status('/static/a')).toBe(403)
})

behaviour('a missing key: 403 without the right to list, 404 with it', async (world) => {
  const { s3 } = world
  const closed = await bucketWithPolicy(world, [], {})
  expect((await raw(s3, `/${closed}/missing`)).status).toBe(403)
  expect((await raw(s3, `/${closed}/missing`, { method: 'HEAD' })).status).toBe(403)
  const open = await bucketWithPolicy(world, [], {}, { Action: 's3:ListBucket', Resource: '' })
  expect((await raw(s3, `/${open}/missing`)).status).toBe(404)
  expect((await raw(s3, `/${open}/missing`, { method: 'HEAD' })).status).toBe(404)
  expect((await raw(s3, `/${open}?list-type=2`)).status).toBe(200)
})

behaviour('a Deny beats an Allow, the owner’s own right too', async (world) => {
  const { s3, owner } = world
  const deny = { Effect: 'Deny' as const, Resource: '/static/private/*' }
  const bucket = await bucketWithPolicy(world, ['static/a', 'static/private/a'], { Resource: '/static/*' }, deny)
  expect((await raw(s3, `/${bucket}/static/a`)).status).toBe(200)
  expect((await raw(s3, `/${bucket}/static/private/a`)).status).toBe(403)
  expect(await answerTo(get(owner, bucket, 'static/private/a'))).toBe('403 AccessDenied')
})

behaviour('wildcards * and ? in a resource', async (world) => {
  const bucket = await bucketWithPolicy(world, ['a1/x.js', 'a12/x.js', 'a1/x.map'], { Resource: '/a?/*.js' })
  const status = async (key: string) => (await raw(world.s3, `/${bucket}/${key}`)).status
  expect(await Promise.all(['a1/x.js', 'a12/x.js', 'a1/x.map'].map(status))).toEqual([200, 403, 403])
})

behaviour('another user gets what the policy says, and nothing else', async (world) => {
  const { s3, other } = world
  const deployer = { Principal: { AWS: s3.other.arn }, Action: ['s3:PutObject'], Resource: '/assets/*' }
  const bucket = await bucketWithPolicy(world, ['assets/mine'], deployer)
  await put(other, bucket, 'assets/k', 'by the other')
  expect(await answerTo(put(other, bucket, 'k'))).toBe('403 AccessDenied')
  expect(await answerTo(get(other, bucket, 'assets/mine'))).toBe('403 AccessDenied')
  expect(await answerTo(other.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'assets/mine' })))).toBe(
    '403 AccessDenied',
  )
  expect(await answerTo(list(other, bucket))).toBe('403 AccessDenied')
  expect((await raw(s3, `/${bucket}/assets/mine`)).status).toBe(403)
})

behaviour('what another user wrote belongs to the owner of the bucket', async (world) => {
  const { s3, other, owner } = world
  const bucket = await bucketWithPolicy(world, [], { Principal: { AWS: s3.other.arn }, Action: 's3:PutObject' })
  await put(other, bucket, 'k')
  expect((await read(owner, bucket, 'k')).toString()).toBe('k')
})

behaviour('s3:* on bucket and objects is everything', async (world) => {
  const { s3, other } = world
  const all = { Principal: { AWS: [s3.other.arn] }, Action: 's3:*', Resource: ['', '/*'] }
  const bucket = await bucketWithPolicy(world, ['k'], all)
  await put(other, bucket, 'l')
  expect(await keysOf(other, bucket)).toEqual(['k', 'l'])
  expect(await answerTo(head(other, bucket, 'missing'))).toBe('404 NotFound')
})

behaviour('listing allowed for one prefix only, by the condition s3:prefix', async (world) => {
  const { s3, other } = world
  const lister = {
    Principal: { AWS: s3.other.arn },
    Action: 's3:ListBucket',
    Resource: '',
    Condition: { StringLike: { 's3:prefix': 'static/*' } },
  }
  const bucket = await bucketWithPolicy(world, ['static/a', 'secret'], lister)
  expect(await keysOf(other, bucket, { Prefix: 'static/' })).toEqual(['static/a'])
  expect(await answerTo(list(other, bucket))).toBe('403 AccessDenied')
  expect(await answerTo(list(other, bucket, { Prefix: 'secret' }))).toBe('403 AccessDenied')
})

const malformedPolicies: [string, (bucket: string) => string][] = [
  ['that is no JSON', () => '{"Statement": ['],
  ['about another bucket', () => policy('another-bucket', {})],
  ['without Effect', (bucket) => policy(bucket, { Effect: undefined }).replace('"Effect":"Allow",', '')],
  ['with an action that there is none of', (bucket) => policy(bucket, { Action: 's3:ReadObject' })],
  ['with an action on objects and a resource that is the bucket', (bucket) => policy(bucket, { Resource: '' })],
  [
    'for a user that there is none of',
    (bucket) => policy(bucket, { Principal: { AWS: 'arn:aws:iam::999999999999:user/x' } }),
  ],
]

for (const [title, text] of malformedPolicies) {
  behaviour(`a policy ${title}: 400 MalformedPolicy`, async (world) => {
    const Bucket = await bucketWithPolicy(world, [], {})
    const result = await answerTo(world.owner.send(new PutBucketPolicyCommand({ Bucket, Policy: text(Bucket) })))
    expect(result).toBe('400 MalformedPolicy')
  })
}

group = 'CORS'

const app = 'https://app.example.com'

/** A public bucket with an object `f`, and one CORS rule. */
async function corsBucket({ s3, owner }: World, origins: string[] = [app]): Promise<string> {
  const Bucket = await s3.createBucket(undefined, { public: '' })
  await put(owner, Bucket, 'f')
  const rule = {
    AllowedOrigins: origins,
    AllowedMethods: ['GET', 'HEAD'],
    AllowedHeaders: ['x-one', 'range'],
    ExposeHeaders: ['ETag'],
    MaxAgeSeconds: 300,
  }
  await owner.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules: [rule] } }))
  return Bucket
}

behaviour('PutBucketCors, GetBucketCors, DeleteBucketCors, 404 NoSuchCORSConfiguration', async (world) => {
  const { owner } = world
  const Bucket = await corsBucket(world)
  const { CORSRules } = await owner.send(new GetBucketCorsCommand({ Bucket }))
  expect(CORSRules).toMatchObject([{ AllowedOrigins: [app], ExposeHeaders: ['ETag'], MaxAgeSeconds: 300 }])
  expect(CORSRules?.[0]?.AllowedMethods?.toSorted()).toEqual(['GET', 'HEAD'])
  await owner.send(new DeleteBucketCorsCommand({ Bucket }))
  expect(await answerTo(owner.send(new GetBucketCorsCommand({ Bucket })))).toBe('404 NoSuchCORSConfiguration')
})

behaviour('a method that CORS has not: 400 InvalidRequest', async ({ s3, owner }) => {
  const Bucket = await s3.createBucket()
  const CORSRules = [{ AllowedOrigins: ['*'], AllowedMethods: ['PATCH'] }]
  const result = await answerTo(owner.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules } })))
  expect(result).toBe('400 InvalidRequest')
})

const origins: [string, string[], string | undefined, string | undefined][] = [
  ['the allowed origin', [app], app, app],
  ['another origin', [app], 'https://evil.example', undefined],
  ['the allowed host with another scheme', [app], 'http://app.example.com', undefined],
  ['no Origin', [app], undefined, undefined],
  ['any origin', ['*'], 'https://any.example', '*'],
  ['a subdomain by wildcard', ['https://*.example.com'], app, app],
  ['not the domain itself by that wildcard', ['https://*.example.com'], 'https://example.com', undefined],
]

for (const [title, allowed, origin, expected] of origins) {
  behaviour(`GET from ${title}: Access-Control-Allow-Origin is ${expected}`, async (world) => {
    const bucket = await corsBucket(world, allowed)
    const { status, headers } = await raw(world.s3, `/${bucket}/f`, { headers: origin ? { origin } : {} })
    expect(status).toBe(200)
    expect(headers['access-control-allow-origin']).toBe(expected)
  })
}

behaviour('an answer to an Origin varies by Origin and exposes headers', async (world) => {
  const bucket = await corsBucket(world)
  const { headers } = await raw(world.s3, `/${bucket}/f`, { headers: { origin: app } })
  expect(headers.vary).toContain('Origin')
  expect(headers['access-control-expose-headers']).toBe('ETag')
})

behaviour('without rules there are no CORS headers', async ({ s3, owner }) => {
  const bucket = await s3.createBucket(undefined, { public: '' })
  await put(owner, bucket, 'f')
  const { headers } = await raw(s3, `/${bucket}/f`, { headers: { origin: app } })
  expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([])
})

const preflights: [string, Record<string, string>, number][] = [
  ['an allowed method', { origin: app, 'access-control-request-method': 'GET' }, 200],
  [
    'an allowed header',
    { origin: app, 'access-control-request-method': 'GET', 'access-control-request-headers': 'x-one' },
    200,
  ],
  ['another origin', { origin: 'https://evil.example', 'access-control-request-method': 'GET' }, 403],
  ['another method', { origin: app, 'access-control-request-method': 'PUT' }, 403],
  [
    'another header',
    { origin: app, 'access-control-request-method': 'GET', 'access-control-request-headers': 'x-two' },
    403,
  ],
  ['no Origin', { 'access-control-request-method': 'GET' }, 400],
]

for (const [title, headers, status] of preflights) {
  behaviour(`preflight for ${title}: ${status}`, async (world) => {
    const bucket = await corsBucket(world)
    const reply = await raw(world.s3, `/${bucket}/f`, { method: 'OPTIONS', headers })
    expect(reply.status).toBe(status)
    expect(reply.headers['access-control-allow-origin']).toBe(status === 200 ? app : undefined)
    if (status !== 200) return
    expect(reply.headers['access-control-allow-methods']).toContain('GET')
    expect(reply.headers['access-control-max-age']).toBe('300')
  })
}

behaviour('preflight for a bucket without rules: 403', async ({ s3 }) => {
  const bucket = await s3.createBucket(undefined, { public: '' })
  const headers = { origin: app, 'access-control-request-method': 'GET' }
  expect((await raw(s3, `/${bucket}/f`, { method: 'OPTIONS', headers })).status).toBe(403)
})

group = 'Addressing and methods'

behaviour('virtual-host style: the bucket in the host name', async ({ s3, owner }) => {
  const { port } = new URL(s3.endpoint)
  const client = s3.client({ endpoint: `http://${s3.baseDomain}:${port}`, forcePathStyle: false })
  const Bucket = `test-${randomBytes(6).toString('hex')}`
  await client.send(new CreateBucketCommand({ Bucket }))
  await put(client, Bucket, 'dir/a b.txt', 'x')
  expect(await keysOf(client, Bucket)).toEqual(['dir/a b.txt'])
  expect((await read(owner, Bucket, 'dir/a b.txt')).toString()).toBe('x')
})

behaviour('a method that there is none of: 405 MethodNotAllowed', async (world) => {
  const bucket = await bucketWithPolicy(world, ['k'], {})
  const reply = await raw(world.s3, `/${bucket}/k`, { method: 'PATCH' })
  expect(reply.status).toBe(405)
  expect(reply.body).toContain('<Code>MethodNotAllowed</Code>')
})

behaviour('a PUT without a length: 411 MissingContentLength', async ({ s3 }) => {
  const bucket = await s3.createBucket()
  const { pathname, search, hostname, port } = new URL(presign(s3, bucket, 'k', { method: 'PUT' }))
  const status = await new Promise((resolve, reject) => {
    const call = request({ hostname, port, path: pathname + search, method: 'PUT', agent: false }, (message) => {
      message.resume()
      resolve(message.statusCode)
    })
    call.useChunkedEncodingByDefault = false
    call.on('error', reject)
    call.end()
  })
  expect(status).toBe(411)
})

for (const { name, title, available, start } of s3Servers) {
  describe.skipIf(!available)(`S3 as it is, on ${title}`, { timeout: 30_000 }, () => {
    const world = {} as World

    beforeAll(async () => {
      world.s3 = await start()
      world.owner = world.s3.client()
      world.other = world.s3.client({ credentials: world.s3.other })
    }, 90_000)

    afterAll(() => world.s3?.close())

    for (const group of new Set(behaviours.map((one) => one.group))) {
      describe(group, () => {
        for (const { title, check } of behaviours.filter((one) => one.group === group)) {
          const reason = differences[name].find((one) => one.of.some((pattern) => covers(pattern, title)))?.reason
          if (reason) it.fails(`differs: ${title} (${reason})`, () => check(world))
          else it(title, () => check(world))
        }
      })
    }
  })
}

describe('our own server, where Ceph has nothing to compare it with', () => {
  let s3: EmbeddedS3
  let owner: S3Client

  const started: TestS3[] = []
  const startWith = async (...options: Parameters<typeof startEmbedded>) => {
    const server = await startEmbedded(...options)
    started.push(server)
    return server
  }

  beforeAll(async () => {
    s3 = await startWith()
    owner = s3.client()
  })

  afterAll(() => Promise.all(started.map((server) => server.close())))

  describe('a new bucket, as AWS makes them since April 2023', () => {
    it('refuses a public policy until its public access block is gone', async () => {
      const Bucket = await s3.createBucket()
      const publish = () => owner.send(new PutBucketPolicyCommand({ Bucket, Policy: policy(Bucket, {}) }))
      expect(await answerTo(publish())).toBe('403 AccessDenied')
      const { PublicAccessBlockConfiguration } = await owner.send(new GetPublicAccessBlockCommand({ Bucket }))
      expect(PublicAccessBlockConfiguration).toEqual({
        BlockPublicAcls: true,
        IgnorePublicAcls: true,
        BlockPublicPolicy: true,
        RestrictPublicBuckets: true,
      })
      await owner.send(new DeletePublicAccessBlockCommand({ Bucket }))
      const none = answerTo(owner.send(new GetPublicAccessBlockCommand({ Bucket })))
      expect(await none).toBe('404 NoSuchPublicAccessBlockConfiguration')
      await publish()
      const { PolicyStatus } = await owner.send(new GetBucketPolicyStatusCommand({ Bucket }))
      expect(PolicyStatus?.IsPublic).toBe(true)
    })

    it('takes a policy for one user, or for one address, which is not public', async () => {
      const Bucket = await s3.createBucket()
      const statements: Statement[] = [
        { Principal: { AWS: s3.other.arn } },
        { Condition: { IpAddress: { 'aws:SourceIp': '203.0.113.7/32' } } },
      ]
      const Policy = policy(Bucket, ...statements)
      await owner.send(new PutBucketPolicyCommand({ Bucket, Policy }))
      const { PolicyStatus } = await owner.send(new GetBucketPolicyStatusCommand({ Bucket }))
      expect(PolicyStatus?.IsPublic).toBe(false)
    })

    it('RestrictPublicBuckets takes a public policy’s effect away again', async () => {
      const Bucket = await s3.createBucket(undefined, { public: '' })
      await put(owner, Bucket, 'k')
      expect((await raw(s3, `/${Bucket}/k`)).status).toBe(200)
      const PublicAccessBlockConfiguration = { RestrictPublicBuckets: true }
      await owner.send(new PutPublicAccessBlockCommand({ Bucket, PublicAccessBlockConfiguration }))
      expect((await raw(s3, `/${Bucket}/k`)).status).toBe(403)
    })

    it('has no ACLs: 400 AccessControlListNotSupported', async () => {
      const Bucket = await s3.createBucket()
      const { OwnershipControls } = await owner.send(new GetBucketOwnershipControlsCommand({ Bucket }))
      expect(OwnershipControls?.Rules).toEqual([{ ObjectOwnership: 'BucketOwnerEnforced' }])
      expect(await answerTo(put(owner, Bucket, 'k', '', { ACL: 'public-read' }))).toBe(
        '400 AccessControlListNotSupported',
      )
      await put(owner, Bucket, 'k', '', { ACL: 'bucket-owner-full-control' })
    })

    it('with ownership controls changed, takes an ACL once public ones are not blocked', async () => {
      const Bucket = await s3.createBucket()
      const OwnershipControls = { Rules: [{ ObjectOwnership: 'BucketOwnerPreferred' as const }] }
      await owner.send(new PutBucketOwnershipControlsCommand({ Bucket, OwnershipControls }))
      expect(await answerTo(put(owner, Bucket, 'k', '', { ACL: 'public-read' }))).toBe('403 AccessDenied')
      await owner.send(new DeletePublicAccessBlockCommand({ Bucket }))
      await put(owner, Bucket, 'public', '', { ACL: 'public-read' })
      await put(owner, Bucket, 'private', '')
      expect((await raw(s3, `/${Bucket}/public`)).status).toBe(200)
      expect((await raw(s3, `/${Bucket}/private`)).status).toBe(403)
    })
  })

  describe('subresources', () => {
    // PUT would be CreateBucket, DELETE DeleteBucket, if the query were not looked at.
    for (const [method, subresource] of [
      ['PUT', 'website'],
      ['PUT', 'something'],
      ['DELETE', 'lifecycle'],
      ['DELETE', 'something'],
      ['GET', 'versions'],
      ['GET', 'something'],
    ] as const) {
      it(`${method} ?${subresource}: 501 NotImplemented`, async () => {
        const bucket = await s3.createBucket()
        const reply = await raw(s3, `/${bucket}?${subresource}`, { method })
        expect(reply.status).toBe(501)
        expect(reply.body).toContain('<Code>NotImplemented</Code>')
        expect(s3.server.requests.at(-1)?.operation).toBe('Unknown')
        expect(s3.server.objects(bucket).size).toBe(0)
      })
    }
  })

  describe('session tokens', () => {
    const cases: [string, (session: ReturnType<EmbeddedS3['server']['session']>) => object, string][] = [
      ['a valid one', (session) => session, 'accepted'],
      ['an unknown one', (session) => ({ ...session, sessionToken: 'another' }), '400 InvalidToken'],
      ['none', ({ sessionToken: _, ...session }) => session, '403 InvalidAccessKeyId'],
    ]
    for (const [title, change, expected] of cases) {
      it(`${title}: ${expected}`, async () => {
        const client = s3.client({ credentials: change(s3.server.session()) as never })
        expect(await answerTo(list(client, await s3.createBucket()))).toBe(expected)
      })
    }

    it('an expired one: 400 ExpiredToken', async () => {
      const client = s3.client({ credentials: s3.server.session(-1) })
      expect(await answerTo(list(client, await s3.createBucket()))).toBe('400 ExpiredToken')
    })
  })

  it('outside us-east-1, a bucket of one’s own: 409 BucketAlreadyOwnedByYou; and the region is told', async () => {
    const elsewhere = await startWith({ region: 'eu-central-1' })
    const client = elsewhere.client()
    const Bucket = await elsewhere.createBucket()
    expect(await answerTo(elsewhere.createBucket(Bucket))).toBe('409 BucketAlreadyOwnedByYou')
    expect((await client.send(new GetBucketLocationCommand({ Bucket }))).LocationConstraint).toBe('eu-central-1')
    const stranger = elsewhere.client({ region: 'us-east-1', followRegionRedirects: false })
    const error = await list(stranger, Bucket).catch((problem) => problem)
    expect(error).toMatchObject({ name: 'AuthorizationHeaderMalformed', Region: 'eu-central-1' })
  })

  it('ETags under SSE-KMS are no MD5, and change with each write', async () => {
    const kms = await startWith({ etag: 'opaque' })
    const bucket = await kms.createBucket()
    const first = await put(kms.client(), bucket, 'k', 'same')
    const second = await put(kms.client(), bucket, 'k', 'same')
    expect(first.ServerSideEncryption).toBe('aws:kms')
    expect(first.ETag).toMatch(/^"[0-9a-f]{32}"$/)
    expect(first.ETag).not.toBe(second.ETag)
    expect(second.ETag).not.toBe(`"${md5('same')}"`)
  })

  it('a store without aws-chunked: 501 NotImplemented', async () => {
    const plain = await startWith({ awsChunked: 'refuse' })
    const bucket = await plain.createBucket()
    const client = plain.client({ requestChecksumCalculation: 'WHEN_SUPPORTED' })
    expect(await answerTo(put(client, bucket, 'k', Readable.from(['text']), { ContentLength: 4 }))).toBe(
      '501 NotImplemented',
    )
    await put(plain.client(), bucket, 'k', Readable.from(['text']), { ContentLength: 4 })
  })

  it('a checksum that nobody sent is CRC64NVME', async () => {
    const Bucket = await bucketWith({ s3, owner, other: owner }, '123456789')
    const object = await owner.send(new HeadObjectCommand({ Bucket, Key: '123456789', ChecksumMode: 'ENABLED' }))
    expect(object.ChecksumCRC64NVME).toBe(Buffer.from('ae8b14860a799888', 'hex').toString('base64'))
  })

  it('a multipart upload’s checksum is made of its parts’', async () => {
    const Bucket = await s3.createBucket()
    const parameters = { Bucket, Key: 'k', ChecksumAlgorithm: 'SHA256' as const }
    const { UploadId } = await owner.send(new CreateMultipartUploadCommand(parameters))
    const part = { ...parameters, UploadId, PartNumber: 1, Body: 'x' }
    const { ETag, ChecksumSHA256 } = await owner.send(new UploadPartCommand(part))
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag, ChecksumSHA256 }] }
    await owner.send(new CompleteMultipartUploadCommand({ Bucket, Key: 'k', UploadId, MultipartUpload }))
    const object = await owner.send(new HeadObjectCommand({ Bucket, Key: 'k', ChecksumMode: 'ENABLED' }))
    const digest = createHash('sha256')
      .update(Buffer.from(sha256('x'), 'hex'))
      .digest('base64')
    expect(object).toMatchObject({ ChecksumSHA256: `${digest}-1`, ChecksumType: 'COMPOSITE' })
  })

  it('DeleteObjects without a checksum: 400 InvalidRequest', async () => {
    const Bucket = await bucketWith({ s3, owner, other: owner }, 'k')
    const client = tampering(s3, () => {})
    client.middlewareStack.add(
      (next) => (args) => {
        const { headers } = args.request as { headers: Record<string, string> }
        for (const name in headers) if (/checksum|content-md5/.test(name)) delete headers[name]
        return next(args)
      },
      { step: 'build', priority: 'low' },
    )
    const result = answerTo(client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: 'k' }] } })))
    expect(await result).toBe('400 InvalidRequest')
  })

  it('more than 5 GiB are refused before they are sent: 400 EntityTooLarge', async () => {
    const bucket = await s3.createBucket()
    const { pathname, search, hostname, port } = new URL(presign(s3, bucket, 'k', { method: 'PUT' }))
    const headers = { 'content-length': 5 * 1024 ** 3 + 1, expect: '100-continue' }
    const status = await new Promise((resolve, reject) => {
      const call = request({ hostname, port, path: pathname + search, method: 'PUT', headers, agent: false })
      call.on('response', (message) => resolve(message.statusCode)).on('continue', () => reject(new Error('continue')))
      call.on('error', () => {})
      call.flushHeaders()
    })
    expect(status).toBe(400)
  })

  describe('the log', () => {
    it('tells what was asked, by whom, and how it ended', async () => {
      const bucket = await s3.createBucket(undefined, { public: '' })
      s3.server.reset()
      await put(owner, bucket, 'a/b', 'text', { CacheControl: 'no-cache' })
      await raw(s3, `/${bucket}/a/b?v=1`)
      await answerTo(list(s3.client({ credentials: s3.other }), bucket))
      expect(s3.server.requests).toMatchObject([
        { method: 'PUT', operation: 'PutObject', bucket, key: 'a/b', status: 200, size: 4, code: undefined },
        { method: 'GET', operation: 'GetObject', query: { v: '1' }, principal: 'anonymous', status: 200 },
        { operation: 'ListObjectsV2', key: undefined, principal: s3.other.arn, status: 403, code: 'AccessDenied' },
      ])
      expect(s3.server.requests[0]?.headers['cache-control']).toBe('no-cache')
      expect(s3.server.objects(bucket).get('a/b')?.body.toString()).toBe('text')
    })
  })

  describe('faults', () => {
    const withFault = async (fault: Fault, run: (bucket: string) => Promise<void>) => {
      const bucket = await bucketWith({ s3, owner, other: owner }, 'k')
      s3.server.intercept = ({ operation }) => (/^(?:Put|Get)Object$/.test(operation) ? fault : undefined)
      try {
        await run(bucket)
      } finally {
        s3.server.intercept = undefined
      }
    }
    const content = (bucket: string) => s3.server.objects(bucket).get('k')?.body.toString()
    const cut = (promise: Promise<unknown>) => expect(promise).rejects.toMatchObject({ code: 'ECONNRESET' })

    it('an answer in place of the operation', () =>
      withFault({ status: 503, code: 'SlowDown', headers: { 'retry-after': '1' } }, async (bucket) => {
        expect(await answerTo(put(owner, bucket, 'k', 'new'))).toBe('503 SlowDown')
        expect(content(bucket)).toBe('k')
      }))

    it('a delay', () =>
      withFault({ delayMs: 60 }, async (bucket) => {
        await put(owner, bucket, 'k', 'new')
        expect(s3.server.requests.at(-1)?.time).toBeGreaterThan(50)
      }))

    it('cut before anything was done', () =>
      withFault({ destroy: 'before' }, async (bucket) => {
        await cut(put(owner, bucket, 'k', 'new'))
        expect(content(bucket)).toBe('k')
      }))

    it('cut halfway through the request’s body', () =>
      withFault({ destroy: 'midBody' }, async (bucket) => {
        await expect(put(owner, bucket, 'k', Buffer.alloc(1_000_000))).rejects.toThrow()
        expect(content(bucket)).toBe('k')
      }))

    it('cut halfway through the answer’s body', () =>
      withFault({ destroy: 'midBody' }, async (bucket) => {
        await expect(read(owner, bucket, 'k')).rejects.toThrow()
      }))

    it('cut when it was already written', () =>
      withFault({ destroy: 'afterWrite' }, async (bucket) => {
        await cut(put(owner, bucket, 'k', 'new'))
        expect(content(bucket)).toBe('new')
      }))
  })

  it('a store that ignores start-after', async () => {
    const ignorant = await startWith({ startAfter: 'ignore' })
    const client = ignorant.client()
    const bucket = await bucketWith({ s3: ignorant, owner: client, other: client }, ...tree)
    expect(await keysOf(client, bucket, { StartAfter: 'b/1' })).toEqual(tree)
  })

  describe('objects that are there without a request', () => {
    it('have what they are given, and else what an upload has', async () => {
      const bucket = await bucketWith({ s3, owner, other: owner }, 'b')
      await list(owner, bucket)
      s3.server.reset()
      const body = Buffer.from('text')
      const lastModified = new Date('2024-02-03T04:05:06Z')
      s3.server.seed(bucket, [
        { key: 'c', body },
        { key: 'a', body, etag: 'e', headers: { 'cache-control': 'no-cache' }, lastModified },
      ])
      expect(s3.server.requests).toEqual([])
      expect(s3.server.objects(bucket).get('a')?.body).toBe(body)
      expect((await list(owner, bucket)).Contents).toMatchObject([
        { Key: 'a', ETag: '"e"', LastModified: lastModified, Size: 4 },
        { Key: 'b' },
        { Key: 'c', ETag: `"${md5('text')}"`, Size: 4 },
      ])
      const object = await get(owner, bucket, 'a')
      expect(object).toMatchObject({ CacheControl: 'no-cache', LastModified: lastModified })
      expect(await get(owner, bucket, 'c')).toMatchObject({ ContentType: 'binary/octet-stream' })
    })

    it('can be many, and a page of them is still quick', async () => {
      const bucket = await s3.createBucket()
      const body = Buffer.from('x')
      const began = performance.now()
      s3.server.seed(
        bucket,
        Array.from({ length: 100_000 }, (_, n) => ({ key: `static/${(n * 7919) % 100_000}-${n}.js`, body })),
      )
      await list(owner, bucket, { MaxKeys: 1 })
      expect(performance.now() - began).toBeLessThan(5000)
      s3.server.reset()
      for (const start of [1, 5, 9]) {
        const page = await list(owner, bucket, { Prefix: 'static/', StartAfter: `static/${start}` })
        expect(page).toMatchObject({ KeyCount: 1000, IsTruncated: true })
        await put(owner, bucket, `static/${start}`)
        await owner.send(new DeleteObjectCommand({ Bucket: bucket, Key: `static/${start}` }))
      }
      const pages = s3.server.requests.filter(({ operation }) => operation === 'ListObjectsV2')
      // A few milliseconds, and on a machine that is busy a few more; sorting all each time takes hundreds.
      expect(Math.min(...pages.map(({ time }) => time))).toBeLessThan(50)
    })
  })

  it('latency', async () => {
    const slow = await startWith({ latencyMs: 40 })
    await slow.createBucket()
    expect(slow.server.requests[0]?.time).toBeGreaterThan(35)
  })
})

it('no two checks have one title, and every difference is about some of them', () => {
  const titles = behaviours.map(({ title }) => title)
  expect(titles).toEqual([...new Set(titles)])
  const patterns = Object.values(differences).flatMap((list) => list.flatMap((one) => one.of))
  expect(patterns.filter((pattern) => !titles.some((title) => covers(pattern, title)))).toEqual([])
})
