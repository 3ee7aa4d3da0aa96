import { createHash, randomBytes } from 'node:crypto'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  type S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import { answerTo } from '../../../fixtures/s3/answer.js'
import { behavioursOf, head, md5, put, read } from '../../../fixtures/s3/behaviour.js'

const behaviour = behavioursOf('Multipart uploads')

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
