import { expect } from 'vitest'
import { answerTo } from '../../../fixtures/s3/answer.js'
import { behavioursOf, bucketWith, keysOf, put, rawUrl, tampering } from '../../../fixtures/s3/behaviour.js'
import { presign } from '../../../fixtures/s3/presign.js'

const behaviour = behavioursOf('Signatures')

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
