import type { CopyObjectCommandInput } from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import { answerTo } from '../../../fixtures/s3/answer.js'
import {
  behavioursOf,
  bucketWith,
  bucketWithPolicy,
  copy,
  head,
  md5,
  put,
  read,
} from '../../../fixtures/s3/behaviour.js'

const behaviour = behavioursOf('Copying')

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
