import { createHash } from 'node:crypto'
import { request } from 'node:http'
import { Readable } from 'node:stream'
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  DeletePublicAccessBlockCommand,
  GetBucketLocationCommand,
  GetBucketOwnershipControlsCommand,
  GetBucketPolicyStatusCommand,
  GetPublicAccessBlockCommand,
  HeadObjectCommand,
  PutBucketOwnershipControlsCommand,
  PutBucketPolicyCommand,
  PutPublicAccessBlockCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { answerTo } from '../../fixtures/s3/answer.js'
import {
  bucketWith,
  get,
  keysOf,
  list,
  md5,
  policy,
  put,
  raw,
  read,
  type Statement,
  tampering,
  tree,
} from '../../fixtures/s3/behaviour.js'
import { type EmbeddedS3, type Fault, startEmbedded, type TestS3 } from '../../fixtures/s3/index.js'
import { presign } from '../../fixtures/s3/presign.js'
import { sha256 } from '../../fixtures/s3/signature.js'

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
      ['DELETE', 'website'],
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
      const seeded = performance.now() - began
      s3.server.reset()
      for (const start of [1, 5, 9]) {
        const page = await list(owner, bucket, { Prefix: 'static/', StartAfter: `static/${start}` })
        expect(page).toMatchObject({ KeyCount: 1000, IsTruncated: true })
        await put(owner, bucket, `static/${start}`)
        await owner.send(new DeleteObjectCommand({ Bucket: bucket, Key: `static/${start}` }))
      }
      const pages = s3.server.requests.filter(({ operation }) => operation === 'ListObjectsV2')
      // Sorting all of them takes as long as seeding them did; a page takes a few milliseconds.
      expect(Math.min(...pages.map(({ time }) => time))).toBeLessThan(seeded / 2)
    })
  })

  it('latency', async () => {
    const slow = await startWith({ latencyMs: 40 })
    await slow.createBucket()
    expect(slow.server.requests[0]?.time).toBeGreaterThan(35)
  })
})
