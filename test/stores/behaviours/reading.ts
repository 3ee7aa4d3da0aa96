import type { GetObjectCommandInput } from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import { answerTo } from '../../../fixtures/s3/answer.js'
import { behavioursOf, bucketWithPolicy, get, md5, put, raw } from '../../../fixtures/s3/behaviour.js'

const behaviour = behavioursOf('Reading')

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
