import { beforeEach, expect, it } from 'vitest'
import { type MemoryBucket, memoryBucket } from '../../fixtures/bucket/memory-bucket.js'
import { fileOf } from '../../fixtures/release/versions.js'
import { type Bucket, bodyOfBytes } from '../../src/bucket/bucket.js'
import { prune } from '../../src/prune/prune.js'
import { release } from '../../src/release/release.js'
import { takeSurvey } from '../../src/release/survey.js'
import { withTwins } from '../../src/restore/twins.js'
import { StaticS3Error } from '../../src/runtime/error.js'
import type { Settings } from '../../src/settings/settings.js'

const template = 'previews/[branch]'
const large = 'x'.repeat(70_000)

let time = Date.now() - 1_000_000
let bucket: MemoryBucket
let copied: string[]
beforeEach(() => {
  bucket = memoryBucket({ now: () => time })
  copied = []
})

/** The release of a branch, as `publish` makes it. */
async function deploy(branch: string, { on = bucket as Bucket, text = large, fixed = false, photo = 'photo' } = {}) {
  time += 60_000
  const location = `previews/${branch}`
  const preview = fixed ? undefined : { template, branch }
  const built = [
    fileOf(`assets/${photo}.png`, 'fingerprinted', text, {}),
    fileOf('assets/small.js', 'fingerprinted', 'small', {}),
    fileOf('index.html', 'html', large, {}),
  ].map((file) => ({ ...file, key: `${location}/${file.path}` }))
  const copies: Bucket = {
    ...on,
    copy: (from, key, ...rest) => {
      copied.push(`${from} → ${key}`)
      return on.copy(from, key, ...rest)
    },
  }
  const settings = {
    ...{ activate: true, location, concurrency: 2, lockTimeout: 600, objectParameters: {} },
    ...{ force: false, fileOverwrite: true, dryRun: false },
  } as unknown as Settings
  const survey = await takeSurvey(on, location)
  const files = await withTwins(built, { bucket: on, location, preview, survey })
  const id = crypto.randomUUID()
  await release({
    ...{ files, survey, bucket: copies, settings, warn: () => {}, onProgress: () => {}, onWait: () => {} },
    deployer: async () => ({ id, by: id, commit: undefined, bundler: 'none', preview }),
  })
  for (const { key, content } of built) expect(bucket.objects.get(key)?.bytes.equals(content as Buffer), key).toBe(true)
  return copied.splice(0).filter((each) => !each.startsWith('.static-s3/'))
}

/** Tags the objects of the branch's expired releases for a lifecycle rule. */
function expire(branch: string) {
  const settings = { location: `previews/${branch}`, concurrency: 2, lockTimeout: 600, objectParameters: {} }
  const deployer = { id: crypto.randomUUID(), by: 'prune', commit: undefined, bundler: 'none' }
  return prune({
    ...{ bucket, settings: settings as unknown as Settings, deployer, warn: () => {}, onWait: () => {} },
    ...{ retention: { releases: 1, days: 0 }, unreferenced: false, tag: true, maxDelete: undefined },
  })
}

const copyTo = (branch: string, from: string) => [
  `previews/${from}/assets/photo.png → previews/${branch}/assets/photo.png`,
]

it('a first release copies large fingerprinted files from the newest other preview, and a later one does not', async () => {
  expect(await deploy('a')).toEqual([])
  expect(await deploy('fixed', { fixed: true })).toEqual([])
  expect(await deploy('b')).toEqual(copyTo('b', 'fixed'))
  expect(await deploy('b', { text: `${large}!` })).toEqual([])
  expect(await deploy('c', { text: `${large}!` })).toEqual(copyTo('c', 'b'))
  // Other bytes under the same name.
  expect(await deploy('d', { text: `${large}?` })).toEqual([])
  // Changed by another tool.
  await bucket.put('previews/d/assets/photo.png', bodyOfBytes(Buffer.from(`${large}!`)), {})
  expect(await deploy('e', { text: `${large}?` })).toEqual([])
})

it('an object that a lifecycle rule may delete is not copied: its tags would come along', async () => {
  await deploy('a')
  await deploy('a', { photo: 'other' })
  expect((await expire('a')).objects.flat().map(({ key }) => key)).toEqual(['previews/a/assets/photo.png'])
  expect(await deploy('b')).toEqual([])
})

it('a copy that the store refuses, or whose source is gone or changed, becomes an upload', async () => {
  await deploy('a')
  const changes: ((copy: Bucket['copy']) => Bucket['copy'])[] = [
    (copy) =>
      async (from, ...rest) => {
        bucket.objects.delete(from)
        return copy(from, ...rest)
      },
    (copy) =>
      async (from, ...rest) => {
        await bucket.put(from, bodyOfBytes(Buffer.from('changed')), {})
        return copy(from, ...rest)
      },
    () => async () => {
      throw new StaticS3Error('NotImplemented', { cause: { status: 501 } })
    },
  ]
  for (const [i, change] of changes.entries()) {
    const branch = `b${i}`
    expect(await deploy(branch, { on: { ...bucket, copy: change(bucket.copy) } })).toHaveLength(1)
    await bucket.put('previews/a/assets/photo.png', bodyOfBytes(Buffer.from(large)), {})
  }
})

it('a record that cannot be read costs the copies alone', async () => {
  await deploy('a')
  await bucket.put('.static-s3/previews/a/releases/99999998.json.gz', bodyOfBytes(Buffer.from('damaged')), {})
  expect(await deploy('b')).toEqual([])
  const list: Bucket['list'] = async (prefix, options) => {
    if (prefix === '.static-s3/previews/') throw new Error('no list')
    return bucket.list(prefix, options)
  }
  expect(await deploy('c', { on: { ...bucket, list } })).toEqual([])
})
