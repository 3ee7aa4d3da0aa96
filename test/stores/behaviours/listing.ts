import { DeleteObjectsCommand, ListObjectsCommand, type ListObjectsV2CommandInput } from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import { behavioursOf, bucketWith, keysOf, list, md5, put, raw, tree } from '../../../fixtures/s3/behaviour.js'

const behaviour = behavioursOf('Listing')

behaviour('pages of 1,000 in order, with sizes and ETags', async ({ s3, owner }) => {
  const bucket = await s3.createBucket()
  const keys = Array.from({ length: 1003 }, (_, i) => `static/f-${String(i).padStart(5, '0')}.js`)
  let next = 0
  const worker = async () => {
    while (next < keys.length) await put(owner, bucket, keys[next++] as string)
  }
  await Promise.all(Array.from({ length: 24 }, worker))
  await put(owner, bucket, 'static-admin/x')
  const first = await list(owner, bucket, { Prefix: 'static/' })
  expect(first).toMatchObject({ KeyCount: 1000, IsTruncated: true, MaxKeys: 1000 })
  const second = await list(owner, bucket, { Prefix: 'static/', ContinuationToken: first.NextContinuationToken })
  expect(second).toMatchObject({ KeyCount: 3, IsTruncated: false })
  expect(second.NextContinuationToken).toBeUndefined()
  const objects = [...(first.Contents ?? []), ...(second.Contents ?? [])]
  expect(objects.map(({ Key }) => Key)).toEqual(keys)
  expect(objects.every(({ Key = '', ETag, Size }) => ETag === `"${md5(Key)}"` && Size === Key.length)).toBe(true)

  const Objects = keys.map((Key) => ({ Key }))
  const Delete = { Objects: Objects.slice(0, 1000) }
  const { Deleted, Errors } = await owner.send(new DeleteObjectsCommand({ Bucket: bucket, Delete }))
  expect([Deleted?.length, Errors?.length ?? 0]).toEqual([1000, 0])
  expect(await keysOf(owner, bucket)).toEqual(['static-admin/x', ...keys.slice(1000)])
})

behaviour('keys are in the order of their UTF-8 bytes', async (world) => {
  const bucket = await bucketWith(world, '😀', '～', 'é', 'z', 'Z', 'a/b', 'a-b', 'a', 'a0')
  expect(await keysOf(world.owner, bucket)).toEqual(['Z', 'a', 'a-b', 'a/b', 'a0', 'z', 'é', '～', '😀'])
})

const listings: [string, Partial<ListObjectsV2CommandInput>, string[], string[]?][] = [
  ['everything', {}, tree],
  ['a prefix', { Prefix: 'a/' }, ['a/1', 'a/2', 'a/b/3']],
  ['a prefix that is part of a name', { Prefix: 'a' }, ['a/1', 'a/2', 'a/b/3']],
  ['a prefix that nothing has', { Prefix: 'x' }, []],
  ['a delimiter', { Delimiter: '/' }, ['c', 'd'], ['a/', 'b/']],
  ['a prefix and a delimiter', { Prefix: 'a/', Delimiter: '/' }, ['a/1', 'a/2'], ['a/b/']],
  ['StartAfter', { StartAfter: 'a/b/3' }, ['b/1', 'c', 'd']],
  ['StartAfter, of a key that is not there', { StartAfter: 'bb' }, ['c', 'd']],
  ['StartAfter before the prefix', { Prefix: 'b/', StartAfter: 'a' }, ['b/1']],
  ['StartAfter behind the prefix', { Prefix: 'a/', StartAfter: 'b' }, []],
]

for (const [title, query, keys, prefixes = []] of listings) {
  behaviour(`ListObjectsV2 with ${title}`, async (world) => {
    const bucket = await bucketWith(world, ...tree)
    const { Contents = [], CommonPrefixes = [], KeyCount, IsTruncated } = await list(world.owner, bucket, query)
    expect(Contents.map(({ Key }) => Key)).toEqual(keys)
    expect(CommonPrefixes.map(({ Prefix }) => Prefix)).toEqual(prefixes)
    expect([KeyCount, IsTruncated]).toEqual([keys.length + prefixes.length, false])
  })
}

behaviour('pages with a delimiter count common prefixes and show each one once', async (world) => {
  const bucket = await bucketWith(world, ...tree)
  const seen: (string | undefined)[] = []
  let ContinuationToken: string | undefined
  do {
    const page = await list(world.owner, bucket, { Delimiter: '/', MaxKeys: 1, ContinuationToken })
    seen.push(
      ...[...(page.Contents ?? []).map(({ Key }) => Key), ...(page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix)],
    )
    ContinuationToken = page.NextContinuationToken
  } while (ContinuationToken)
  expect(seen).toEqual(['a/', 'b/', 'c', 'd'])
})

behaviour('StartAfter goes by the order of UTF-8 bytes', async (world) => {
  const bucket = await bucketWith(world, '😀', '\uff5e', 'é', 'z', 'c\u0001', 'c\n')
  const behind = async (StartAfter: string) => (await keysOf(world.owner, bucket, { StartAfter })).join(' ')
  expect(await behind('c\u0001')).toBe('c\n z é \uff5e 😀')
  expect(await behind('c\n')).toBe('z é \uff5e 😀')
  expect(await behind('\uff20')).toBe('\uff5e 😀')
  expect(await behind('\uff5e')).toBe('😀')
  expect(await behind('😀')).toBe('')
})

behaviour('a token goes on behind StartAfter', async (world) => {
  const bucket = await bucketWith(world, ...tree)
  const query = { Prefix: 'a/', StartAfter: 'a/1', MaxKeys: 1 }
  const { Contents, IsTruncated, NextContinuationToken } = await list(world.owner, bucket, query)
  expect([Contents?.map(({ Key }) => Key), IsTruncated]).toEqual([['a/2'], true])
  const rest = await list(world.owner, bucket, { Prefix: 'a/', ContinuationToken: NextContinuationToken })
  expect([rest.Contents?.map(({ Key }) => Key), rest.IsTruncated]).toEqual([['a/b/3'], false])
})

behaviour('a listing tells when objects were written, by the clock of the Date header', async (world) => {
  const bucket = await bucketWith(world, 'k')
  const [object] = (await list(world.owner, bucket)).Contents ?? []
  const { headers } = await raw(world.s3, `/${bucket}/nothing`)
  const age = Date.parse(headers.date ?? '') - (object?.LastModified?.getTime() ?? 0)
  expect(Math.abs(age)).toBeLessThan(60_000)
})

behaviour('MaxKeys of 0 lists nothing and is not truncated', async (world) => {
  const bucket = await bucketWith(world, 'a')
  expect(await list(world.owner, bucket, { MaxKeys: 0 })).toMatchObject({ KeyCount: 0, IsTruncated: false })
})

// A space comes as a plus or as %20, a slash as itself or as %2F.
const escapedPrefix = '%C3%BC(?:%20|\\+)b%2B(?:/|%2F)'

behaviour('encoding-type=url escapes keys', async (world) => {
  const bucket = await bucketWith(world, 'ü b+/x y')
  const { Contents, EncodingType } = await list(world.owner, bucket, { EncodingType: 'url' })
  expect(EncodingType).toBe('url')
  expect(Contents?.[0]?.Key).toMatch(new RegExp(`^${escapedPrefix}x(?:%20|\\+)y$`))
})

behaviour('encoding-type=url escapes the prefix too', async (world) => {
  const bucket = await bucketWith(world, 'ü b+/x y')
  const { Prefix } = await list(world.owner, bucket, { EncodingType: 'url', Prefix: 'ü b+/' })
  expect(Prefix).toMatch(new RegExp(`^${escapedPrefix}$`))
})

behaviour('ListObjects (version 1) goes on at a marker', async (world) => {
  const Bucket = await bucketWith(world, ...tree)
  const { owner } = world
  const first = await owner.send(new ListObjectsCommand({ Bucket, MaxKeys: 2 }))
  expect(first.Contents?.map(({ Key }) => Key)).toEqual(['a/1', 'a/2'])
  const rest = await owner.send(new ListObjectsCommand({ Bucket, Marker: 'a/2' }))
  expect(rest.Contents?.map(({ Key }) => Key)).toEqual(tree.slice(2))
  const grouped = await owner.send(new ListObjectsCommand({ Bucket, Delimiter: '/', MaxKeys: 1 }))
  expect([grouped.CommonPrefixes?.[0]?.Prefix, grouped.NextMarker]).toEqual(['a/', 'a/'])
})
