import { DeleteObjectsCommand } from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import {
  behavioursOf,
  bucketWith,
  bucketWithPolicy,
  copy,
  encodeKey,
  keysOf,
  put,
  raw,
  read,
} from '../../../fixtures/s3/behaviour.js'

const behaviour = behavioursOf('Keys')

const oddKeys = [
  'a b.txt',
  'ünï/日本 語.txt',
  'emoji-😀.js',
  'a+b.txt',
  'a%20b.txt',
  '100%.txt',
  '%2Fx',
  '.well-known/assetlinks.json',
  "q'(1)!*~.txt",
  'amp&<x>"y.txt',
  'a=b;c,d@e:f$g.txt',
  'q?x=1#frag',
  'dir//double.txt',
  'back\\slash.txt',
  'dir/./dot.txt',
  'dir/../up.txt',
  'trailing ',
  'folder/',
  '[id].js',
  'a|b^c`d{e}.txt',
]

for (const key of oddKeys) {
  behaviour(`key ${JSON.stringify(key)}: put, list, get, anonymous get, copy, delete`, async ({ s3, owner }) => {
    const Bucket = await s3.createBucket(undefined, { public: '' })
    await put(owner, Bucket, key, `content of ${key}`)
    expect(await keysOf(owner, Bucket)).toEqual([key])
    expect(await keysOf(owner, Bucket, { Prefix: key })).toEqual([key])
    expect((await read(owner, Bucket, key)).toString()).toBe(`content of ${key}`)
    expect(await raw(s3, `/${Bucket}/${encodeKey(key)}`)).toMatchObject({ status: 200, body: `content of ${key}` })
    await copy(owner, `${Bucket}/${encodeKey(key)}`, Bucket, `copy/${key}`)
    await owner.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: key }] } }))
    expect(await keysOf(owner, Bucket)).toEqual([`copy/${key}`])
  })
}

behaviour('"a", "a/" and "a/b" are three objects', async (world) => {
  const bucket = await bucketWith(world, 'a', 'a/', 'a/b')
  expect(await keysOf(world.owner, bucket)).toEqual(['a', 'a/', 'a/b'])
  expect((await read(world.owner, bucket, 'a')).toString()).toBe('a')
})

behaviour('a bare plus in a path is a space', async (world) => {
  const bucket = await bucketWithPolicy(world, ['a b'], {})
  expect((await raw(world.s3, `/${bucket}/a+b`)).status).toBe(200)
})

behaviour('a query that means nothing is ignored when an object is read', async (world) => {
  const bucket = await bucketWithPolicy(world, ['font.woff2'], {})
  expect((await raw(world.s3, `/${bucket}/font.woff2?v=3`)).status).toBe(200)
})
