import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetBucketLocationCommand,
  HeadBucketCommand,
  ListBucketsCommand,
} from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import { answerTo } from '../../../fixtures/s3/answer.js'
import { behavioursOf, bucketWith, keysOf, list, put, statusOf } from '../../../fixtures/s3/behaviour.js'

const behaviour = behavioursOf('Buckets')

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
