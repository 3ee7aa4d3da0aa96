import { beforeEach, describe, expect, it } from 'vitest'
import { type MemoryBucket, memoryBucket } from '../../fixtures/bucket/memory-bucket.js'
import { type DeployOptions, type Kind, run } from '../../fixtures/release/rivals.js'
import { fileOf, folder, location } from '../../fixtures/release/versions.js'
import { type Bucket, bodyOfBytes } from '../../src/bucket/bucket.js'
import type { HashedFile } from '../../src/files/hash.js'
import { filesOf } from '../../src/release/records/record.js'
import { lockKey, recordKey } from '../../src/release/records/releases-folder.js'
import { release } from '../../src/release/release.js'
import { takeSurvey } from '../../src/release/survey.js'
import type { Settings } from '../../src/settings/settings.js'

// Deploys whose objects are all there already: which of them are a release, and which write nothing.

let bucket: MemoryBucket
let time: number

beforeEach(() => {
  time = Date.UTC(2026, 0, 1)
  bucket = memoryBucket({ now: () => ++time })
})

const html = (path: string, text = path) => fileOf(path, 'html', text, {})
const script = fileOf('assets/app-1.js', 'fingerprinted', 'app', {})
const pages = (...paths: string[]): HashedFile[] => [script, ...paths.map((path) => html(path))]

async function start(kind: Kind, files: HashedFile[], options: DeployOptions = {}, from: Bucket = bucket) {
  return (await results(kind, files, options, from)).release
}
function results(kind: Kind, files: HashedFile[], options: DeployOptions = {}, from: Bucket = bucket) {
  const deploy = { name: `${kind} ${++time}`, kind, files, client: { bucket: from, die: () => {} } }
  return run({ ...deploy, outcome: 'under way' }, options)
}
const deploy = (files: HashedFile[], from?: Bucket) => start('deploy', files, {}, from)
const puts = () => bucket.log.flatMap((line) => /^begin put (.*)/.exec(line)?.[1] ?? [])
async function filesOfRelease(number: number): Promise<string[]> {
  const { record } = await takeSurvey(bucket, location)
  expect(record?.release).toBe(number)
  return record ? [...filesOf(record).keys()].sort() : []
}

describe('a deploy whose objects are all there', () => {
  it('is a release if its files are fewer, at the price of a lock and a record; the same again writes nothing', async () => {
    expect(await deploy(pages('index.html', 'old.html'))).toBe(1)
    const before = puts().length
    expect(await deploy(pages('index.html'))).toBe(2)
    expect(puts().slice(before)).toEqual([lockKey(folder, 2), recordKey(folder, 2)])
    expect(await filesOfRelease(2)).toEqual(['assets/app-1.js', 'index.html'])
    expect(await deploy(pages('index.html'))).toBeUndefined()
    expect(puts()).toHaveLength(before + 2)
  })

  it('names the files without a fingerprint that it leaves behind, once', async () => {
    await deploy([
      ...pages('index.html', 'old.html', 'gone.html'),
      fileOf('assets/old-1.js', 'fingerprinted', 'old', {}),
    ])
    await bucket.delete(`${location}/gone.html`)
    expect(await results('deploy', pages('index.html'))).toMatchObject({ release: 2, unreferenced: ['old.html'] })
    expect(await results('deploy', pages('index.html', 'new.html'))).toMatchObject({ release: 3, unreferenced: [] })
    expect(await results('stage', pages('index.html'))).toMatchObject({ unreferenced: [] })
    expect(await results('activate', [], { of: 2 })).toMatchObject({ unreferenced: ['new.html'] })
  })

  it('is a release if a file of an earlier release is back', async () => {
    await deploy(pages('index.html', 'old.html'))
    await deploy(pages('index.html'))
    expect(await deploy(pages('index.html', 'old.html'))).toBe(3)
    expect(await filesOfRelease(3)).toEqual(['assets/app-1.js', 'index.html', 'old.html'])
  })

  it('can be rolled back, and activated', async () => {
    await deploy(pages('index.html', 'old.html'))
    await deploy(pages('index.html'))
    expect(await start('rollback', [])).toBe(3)
    expect(await filesOfRelease(3)).toEqual(['assets/app-1.js', 'index.html', 'old.html'])
    expect(await start('activate', [], { of: 2 })).toBe(4)
    expect(await start('activate', [], { of: 2 })).toBeUndefined()
  })

  it('is staged once', async () => {
    await deploy(pages('index.html', 'old.html'))
    expect(await start('stage', pages('index.html'))).toBe(2)
    expect(await start('stage', pages('index.html'))).toBe(2)
    expect(await filesOfRelease(2)).toEqual(['assets/app-1.js', 'index.html'])
    expect(await deploy(pages('index.html', 'old.html')), 'the live one').toBeUndefined()
  })

  it('writes nothing if the live release is of another build, but an activation does', async () => {
    const [shop, app] = ['shop', 'app'].map((name) => [html(`${name}.html`)]) as [HashedFile[], HashedFile[]]
    expect([await deploy(shop), await deploy(app)]).toEqual([1, 2])
    expect([await deploy(shop), await deploy(app)]).toEqual([undefined, undefined])
    expect(await start('activate', [], { of: 1 })).toBe(3)
  })
})

describe('several builds of a run', () => {
  const all = pages('a.html', 'b.html', 'old.html')
  const part = async (files: HashedFile[], isLast: boolean, of: HashedFile[]) => {
    const settings = { activate: true, location, concurrency: 2, lockTimeout: 9, objectParameters: {}, force: false }
    const deployer = { id: 'run', by: 'run', commit: undefined, bundler: 'none' }
    const runPart = { id: `${++time}`, isLast, has: (key: string) => of.some((file) => file.key === key) }
    const quiet = { warn: () => {}, onProgress: () => {}, onWait: () => {}, runPart }
    const input = { files, bucket, settings: settings as unknown as Settings, ...quiet }
    const survey = await takeSurvey(bucket, location)
    return (await release({ ...input, survey, deployer: async () => deployer })).release
  }
  const runOf = async (of: HashedFile[]) => [
    await part(
      of.filter(({ path }) => path !== 'b.html'),
      false,
      of,
    ),
    await part([html('b.html')], true, of),
  ]

  it('write nothing if nothing has changed, and one record if a file of any is gone', async () => {
    expect(await runOf(all)).toEqual([1, 2])
    expect(await runOf(all)).toEqual([undefined, undefined])
    const fewer = pages('a.html', 'b.html')
    expect(await runOf(fewer)).toEqual([undefined, 3])
    expect(await filesOfRelease(3)).toEqual(['a.html', 'assets/app-1.js', 'b.html'])
    expect(await runOf(fewer)).toEqual([undefined, undefined])
  })
})

describe('after a deploy that ended without a record', () => {
  const site = pages('index.html')
  /** Fails at its page. */
  const failing: Bucket = {
    ...memoryBucket(),
    list: (...given) => bucket.list(...given),
    get: (...given) => bucket.get(...given),
    head: (...given) => bucket.head(...given),
    now: () => bucket.now(),
    put: (key, ...given) =>
      key.endsWith('.html') ? Promise.reject(new Error('no space left')) : bucket.put(key, ...given),
  }
  const other = [fileOf('assets/app-2.js', 'fingerprinted', 'app 2', {}), html('index.html', 'two')]

  it('the next one writes a record, though it has nothing to change, and the one after it writes nothing', async () => {
    await deploy(site)
    await expect(deploy(other, failing)).rejects.toThrow('no space left')
    expect(bucket.objects.get(lockKey(folder, 2))?.bytes).toHaveLength(0)
    expect(await deploy(site)).toBe(3)
    const before = puts().length
    expect(await deploy(site)).toBeUndefined()
    // The same failure again leaves nothing new.
    await expect(deploy(other, failing)).rejects.toThrow('no space left')
    expect(await deploy(site)).toBeUndefined()
    expect(
      puts()
        .slice(before)
        .filter((key) => key.endsWith('.json.gz')),
    ).toEqual([])
  })

  it('the next one writes a record after a hold and a resume too', async () => {
    await deploy(site)
    await expect(deploy(other, failing)).rejects.toThrow('no space left')
    expect([await start('hold', []), await start('resume', [])]).toEqual([3, 4])
    expect(await deploy(site)).toBe(5)
    expect(await deploy(site)).toBeUndefined()
  })

  it('the next one writes no record if nothing was left', async () => {
    await deploy(site)
    await bucket.put(lockKey(folder, 2), bodyOfBytes(Buffer.alloc(0)), {})
    expect(await deploy(site)).toBeUndefined()
  })

  it('the next one waits for no deploy that still runs', async () => {
    await deploy(site)
    await bucket.put(`${location}/assets/app-2.js`, bodyOfBytes(Buffer.from('app 2')), {})
    await bucket.put(lockKey(folder, 2), bodyOfBytes(Buffer.from('{"by":"somebody"}')), {})
    expect(await deploy(site)).toBeUndefined()
    time += 31_000
    expect(await deploy(site), 'after the lock has expired').toBe(3)
  })
})
