import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import {
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  PutBucketPolicyCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { patient, settingsFor } from '../../fixtures/s3/connection.js'
import {
  type EmbeddedS3,
  type Fault,
  type LoggedRequest,
  s3Servers,
  startEmbedded,
  type TestS3,
} from '../../fixtures/s3/index.js'
import type { Body } from '../../src/bucket/bucket.js'
import { deployPolicy } from '../../src/policy/iam.js'
import { refusedCondition, StaticS3Error } from '../../src/runtime/error.js'
import { openBucket, type S3Connection } from '../../src/s3/objects/s3-bucket.js'

// Objects that are too large for one request.

const MB = 1024 ** 2
const size = 33 * MB + 12_345
const partsOfIt = 3

// Users' objects have 100 MB before they go in parts. Of those here, most of the time would go into hashes of more parts.
vi.mock('../../src/s3/objects/multipart.js', async (load) => ({
  ...(await load<object>()),
  multipartBytes: 32 * 1024 ** 2,
}))
const key = 'static/large ü.bin'
const parameters = { CacheControl: 'no-cache', ContentType: 'application/x-large', Metadata: { by: 'test' } }

/** No two megabytes of it are alike. */
function* content(salt = 0): Generator<Buffer> {
  for (let at = 0; at < size; at += MB) {
    const piece = Buffer.alloc(Math.min(MB, size - at), at / MB + salt)
    piece.writeUInt32BE(at, 0)
    yield piece
  }
}
const digestOf = (algorithm: string, pieces: Iterable<Buffer>) => {
  const hash = createHash(algorithm)
  for (const piece of pieces) hash.update(piece)
  return hash.digest('hex')
}
const sha256 = digestOf('sha256', content())
const body: Body = { size, sha256, open: async () => Readable.from(content()) }

let server: TestS3
let name: string
let connection: S3Connection

const uploadsLeft = async () => {
  const { Uploads = [] } = await server.client().send(new ListMultipartUploadsCommand({ Bucket: name }))
  return Uploads.map(({ Key }) => Key)
}

function connect(start: () => Promise<TestS3>): void {
  beforeAll(async () => {
    server = await start()
  })
  beforeEach(async () => {
    name = await server.createBucket()
    connection = await openBucket(settingsFor(server, name), patient)
  })
  afterEach(() => connection.close())
  afterAll(() => server?.close())
}

for (const { title, available, start } of s3Servers) {
  describe.skipIf(!available)(title, () => {
    connect(start)

    it('arrives whole, with its headers, and is listed with the ETag that was returned', async () => {
      const { etag } = await connection.bucket.put(key, body, parameters)
      expect(etag).toMatch(new RegExp(`^[0-9a-f]{32}-${partsOfIt}$`))
      expect([...(await connection.bucket.list('static/'))]).toEqual([
        { key, size, etag, lastModified: expect.any(Number) },
      ])
      const { Body: read, ...headers } = await server.client().send(new GetObjectCommand({ Bucket: name, Key: key }))
      expect(headers).toMatchObject({ ContentLength: size, ...parameters })
      const hash = createHash('sha256')
      for await (const piece of read as Readable) hash.update(piece)
      expect(hash.digest('hex')).toBe(sha256)
      expect(await uploadsLeft()).toEqual([])
    })

    it('puts away what a process that died had begun of the same key, and nobody else’s', async () => {
      const client = server.client()
      for (const Key of [key, `${key}.other`]) {
        const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket: name, Key }))
        const part = { Bucket: name, Key, UploadId, PartNumber: 1, Body: Buffer.from('x') }
        await client.send(new UploadPartCommand(part))
      }
      await connection.bucket.put(key, body, parameters)
      expect(await uploadsLeft()).toEqual([`${key}.other`])
    })

    it.each(['s3:ListBucketMultipartUploads', 's3:AbortMultipartUpload'])(
      'names %s, without which parts of a process that died stay',
      async (missing) => {
        const names = { bucket: name, location: 'static', region: server.region, endpoint: server.endpoint }
        const Principal = { AWS: server.other.arn }
        const Statement = deployPolicy(names).Statement.map(({ Action = [], ...each }) => ({
          ...{ ...each, Principal, Action: [Action].flat().filter((action) => action !== missing) },
        }))
        const Policy = JSON.stringify({ Version: '2012-10-17', Statement })
        await server.client().send(new PutBucketPolicyCommand({ Bucket: name, Policy }))
        const other = await openBucket(settingsFor({ ...server, credentials: server.other }, name), patient)
        const told: string[] = []
        other.onPartsKept((action) => told.push(action))
        await server
          .client({ credentials: server.other })
          .send(new CreateMultipartUploadCommand({ Bucket: name, Key: key }))
        await other.bucket.put(key, body, parameters)
        other.close()
        expect(told).toEqual([missing])
        expect(await uploadsLeft()).toEqual([key])
      },
    )

    it('that is stopped in the middle leaves nothing, and what was there stands', async () => {
      await server.client().send(new PutObjectCommand({ Bucket: name, Key: key, Body: 'old' }))
      const stop = new AbortController()
      const reason = new StaticS3Error('stopped')
      const open = async () =>
        Readable.from(
          (function* () {
            let count = 0
            for (const piece of content()) {
              if (++count === 25) stop.abort(reason)
              yield piece
            }
          })(),
        )
      await expect(connection.bucket.put(key, { ...body, open }, {}, stop.signal)).rejects.toBe(reason)
      expect(await uploadsLeft()).toEqual([])
      const { ContentLength } = await server.client().send(new HeadObjectCommand({ Bucket: name, Key: key }))
      expect(ContentLength).toBe(3)
    })
  })
}

describe('what the embedded server shows', () => {
  connect(startEmbedded)
  const embedded = () => (server as EmbeddedS3).server
  afterEach(() => {
    embedded().intercept = undefined
  })
  const isPart = ({ operation }: LoggedRequest) => operation === 'UploadPart'

  it('is checked before each write of each request, and its parts are put away when that throws', async () => {
    const lost = new StaticS3Error('the lock is lost')
    let checks = 0
    await connection.bucket.put(key, body, parameters, undefined, () => void checks++)
    expect(checks).toBeGreaterThan(1 + partsOfIt + 1)
    for (const at of [1, 4, checks]) {
      let left = at
      const lose = () => {
        if (--left <= 0) throw lost
      }
      await expect(connection.bucket.put(`${key}.${at}`, body, {}, undefined, lose)).rejects.toBe(lost)
    }
    expect((await connection.bucket.list('static/')).length).toBe(1)
    expect(await uploadsLeft()).toEqual([])
  })

  it.each<[what: string, open: () => Promise<Readable>, says: RegExp]>([
    ['has other bytes', async () => Readable.from(content(1)), /changed while it was being uploaded/],
    [
      'is longer',
      async () => Readable.from([...content(), Buffer.from('more')]),
      /changed while it was being uploaded/,
    ],
    ['is shorter', async () => Readable.from([...content()].slice(1)), /changed while it was being uploaded/],
    [
      'can’t be read to its end',
      async () =>
        Readable.from(
          (function* () {
            yield* [...content()].slice(0, 20)
            throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' })
          })(),
        ),
      /can't be read \(EIO\)/,
    ],
  ])('whose file %s leaves nothing', async (_what, open, says) => {
    await expect(connection.bucket.put(key, { ...body, open }, {})).rejects.toThrow(says)
    expect(await uploadsLeft()).toEqual([])
    expect([...(await connection.bucket.list('static/'))]).toEqual([])
  })

  const trouble = { status: 503, code: 'SlowDown' }
  it.each<[what: string, faults: [operation: string, fault: Fault][]]>([
    [
      'parts are refused for a moment, cut off and unanswered, and so is its completion',
      [
        ['UploadPart', trouble],
        ['UploadPart', { destroy: 'midBody' }],
        ['UploadPart', { destroy: 'afterWrite' }],
        // S3 sends the status before it joins the parts.
        ['CompleteMultipartUpload', { status: 200, code: 'InternalError' }],
        ['CompleteMultipartUpload', { destroy: 'afterWrite' }],
      ],
    ],
    [
      'its uploads can’t be listed, and its completion is refused for a moment',
      [
        ['ListMultipartUploads', { status: 403, code: 'AccessDenied' }],
        ['CompleteMultipartUpload', trouble],
      ],
    ],
    ['another deploy puts it away', [['UploadPart', { status: 404, code: 'NoSuchUpload' }]]],
  ])('arrives although %s', async (_what, faults) => {
    const left = [...faults]
    embedded().intercept = async ({ operation }) => {
      const at = left.findIndex(([each]) => each === operation)
      return at < 0 ? undefined : left.splice(at, 1)[0]?.[1]
    }
    const { etag } = await connection.bucket.put(key, body, parameters)
    expect(left).toEqual([])
    expect(digestOf('sha256', [embedded().objects(name).get(key)?.body as Buffer])).toBe(sha256)
    expect([...(await connection.bucket.list('static/'))]).toMatchObject([{ key, size, etag }])
    expect(await uploadsLeft()).toEqual([])
  })

  it('fails in one message and leaves nothing when a part is refused for good', async () => {
    embedded().intercept = async ({ operation, query }) =>
      operation === 'UploadPart' && query.partNumber === '3' ? { status: 403, code: 'AccessDenied' } : undefined
    await expect(connection.bucket.put(key, body, {})).rejects.toThrow(
      /^static-s3: PUT static\/large ü\.bin to s3:.*AccessDenied/,
    )
    embedded().intercept = undefined
    expect(await uploadsLeft()).toEqual([])
  })

  it.each<[what: string, fault: Fault | undefined]>([
    ['is created once', undefined],
    ['is created where the store knows no conditions', { status: 501, code: 'NotImplemented' }],
    ['is recognised as the own one when the answer got lost', { destroy: 'afterWrite' }],
  ])('that must not be there yet %s, and is never replaced', async (_what, fault) => {
    const isCompletion = ({ operation }: LoggedRequest) => operation === 'CompleteMultipartUpload'
    let left = fault
    embedded().intercept = async (request) => {
      if (!isCompletion(request)) return undefined
      const now = left
      left = undefined
      return now
    }
    const condition = { ...parameters, IfNoneMatch: '*' }
    const { etag } = await connection.bucket.put(key, body, condition)
    expect([...(await connection.bucket.list('static/'))]).toMatchObject([{ key, etag, size }])
    embedded().reset()
    if (fault) return
    const again = { ...body, sha256: digestOf('sha256', content(1)), open: async () => Readable.from(content(1)) }
    const refused = await connection.bucket.put(key, again, condition).catch((error: unknown) => error)
    expect(refusedCondition(refused)).toBe('exists')
    expect(digestOf('sha256', [embedded().objects(name).get(key)?.body as Buffer])).toBe(sha256)
    expect(await uploadsLeft()).toEqual([])
  })

  it('has four parts on their way at most, of all objects', async () => {
    let open = 0
    let most = 0
    embedded().intercept = async (request) => {
      if (!isPart(request)) return undefined
      most = Math.max(most, ++open)
      await new Promise((resolve) => setTimeout(resolve, 20))
      open--
      return undefined
    }
    await Promise.all(['a', 'b'].map((each) => connection.bucket.put(`static/${each}`, body, {})))
    expect(most).toBeGreaterThan(1)
    expect(most).toBeLessThanOrEqual(4)
  })
})
