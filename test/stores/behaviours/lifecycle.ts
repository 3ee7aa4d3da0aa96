import {
  DeleteBucketLifecycleCommand,
  GetBucketLifecycleConfigurationCommand,
  type LifecycleRule,
  PutBucketLifecycleConfigurationCommand,
} from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import { answerTo } from '../../../fixtures/s3/answer.js'
import { behavioursOf, type World } from '../../../fixtures/s3/behaviour.js'

const behaviour = behavioursOf('Lifecycle')

const put = ({ owner }: World, Bucket: string, ...Rules: LifecycleRule[]) =>
  owner.send(new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration: { Rules } }))

const get = ({ owner }: World, Bucket: string) => owner.send(new GetBucketLifecycleConfigurationCommand({ Bucket }))

const abort: LifecycleRule = {
  ID: 'abort',
  Status: 'Enabled',
  Filter: { Prefix: 'static/' },
  AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 },
}

behaviour('rules come back as they were sent', async (world) => {
  const bucket = await world.s3.createBucket()
  const expire: LifecycleRule = {
    ID: 'expire',
    Status: 'Disabled',
    Filter: { Prefix: 'old/' },
    Expiration: { Days: 3 },
  }
  await put(world, bucket, abort, expire)
  const { Rules } = await get(world, bucket)
  expect(Rules).toHaveLength(2)
  expect(Rules).toEqual(expect.arrayContaining([abort, expire]))
})

behaviour('no rules: 404 NoSuchLifecycleConfiguration, also after they were deleted', async (world) => {
  const bucket = await world.s3.createBucket()
  expect(await answerTo(get(world, bucket))).toBe('404 NoSuchLifecycleConfiguration')
  await put(world, bucket, abort)
  await world.owner.send(new DeleteBucketLifecycleCommand({ Bucket: bucket }))
  expect(await answerTo(get(world, bucket))).toBe('404 NoSuchLifecycleConfiguration')
})

behaviour('two rules of one ID: 400 InvalidArgument', async (world) => {
  const bucket = await world.s3.createBucket()
  expect(await answerTo(put(world, bucket, abort, abort))).toBe('400 InvalidArgument')
})
