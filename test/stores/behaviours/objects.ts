import { randomBytes } from 'node:crypto'
import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { DeleteObjectCommand, GetObjectTaggingCommand } from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import { answerTo } from '../../../fixtures/s3/answer.js'
import { behavioursOf, bucketWith, get, head, keysOf, md5, put, read } from '../../../fixtures/s3/behaviour.js'
import { presign } from '../../../fixtures/s3/presign.js'

const behaviour = behavioursOf('Objects')

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
