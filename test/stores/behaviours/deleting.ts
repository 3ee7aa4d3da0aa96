import { DeleteObjectsCommand } from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import { answerTo } from '../../../fixtures/s3/answer.js'
import { behavioursOf, bucketWith, bucketWithPolicy, keysOf } from '../../../fixtures/s3/behaviour.js'

const behaviour = behavioursOf('Deleting')

behaviour('DeleteObjects of 1,001 keys: 400 MalformedXML', async (world) => {
  const Bucket = await bucketWith(world, '0')
  const Objects = Array.from({ length: 1001 }, (_, i) => ({ Key: String(i) }))
  const result = await answerTo(world.owner.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } })))
  expect(result).toBe('400 MalformedXML')
  expect(await keysOf(world.owner, Bucket)).toEqual(['0'])
})

behaviour('DeleteObjects reports a missing key as deleted', async (world) => {
  const Bucket = await bucketWith(world, 'a')
  const Delete = { Objects: [{ Key: 'a' }, { Key: 'missing' }] }
  const { Deleted, Errors } = await world.owner.send(new DeleteObjectsCommand({ Bucket, Delete }))
  expect(Deleted?.map(({ Key }) => Key).sort()).toEqual(['a', 'missing'])
  expect(Errors ?? []).toEqual([])
})

behaviour('DeleteObjects, quiet, lists nothing', async (world) => {
  const Bucket = await bucketWith(world, 'a')
  const Delete = { Objects: [{ Key: 'a' }], Quiet: true }
  const { Deleted } = await world.owner.send(new DeleteObjectsCommand({ Bucket, Delete }))
  expect(Deleted ?? []).toEqual([])
  expect(await keysOf(world.owner, Bucket)).toEqual([])
})

behaviour('DeleteObjects tells for each key whether it was allowed', async (world) => {
  const { s3, other, owner } = world
  const yours = { Principal: { AWS: s3.other.arn }, Action: 's3:DeleteObject', Resource: '/yours/*' }
  const Bucket = await bucketWithPolicy(world, ['yours/a', 'mine/a'], yours)
  const Delete = { Objects: [{ Key: 'yours/a' }, { Key: 'mine/a' }] }
  const { Deleted, Errors } = await other.send(new DeleteObjectsCommand({ Bucket, Delete }))
  expect(Deleted?.map(({ Key }) => Key)).toEqual(['yours/a'])
  expect(Errors?.map(({ Key, Code }) => `${Key} ${Code}`)).toEqual(['mine/a AccessDenied'])
  expect(await keysOf(owner, Bucket)).toEqual(['mine/a'])
})
