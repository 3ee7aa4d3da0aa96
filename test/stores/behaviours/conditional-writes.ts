import { CompleteMultipartUploadCommand, CreateMultipartUploadCommand, UploadPartCommand } from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import { answerTo } from '../../../fixtures/s3/answer.js'
import { behavioursOf, bucketWith, md5, put, read } from '../../../fixtures/s3/behaviour.js'

const behaviour = behavioursOf('Conditional writes')

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
