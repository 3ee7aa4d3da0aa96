import { hash } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import { beforeEach, describe, expect, it } from 'vitest'
import { type MemoryBucket, memoryBucket } from '../../fixtures/bucket/memory-bucket.js'
import type { Bucket, ObjectParameters, WrittenObject } from '../../src/bucket/bucket.js'
import { bodyOfBytes } from '../../src/bucket/bucket.js'
import type { HashedFile } from '../../src/files/hash.js'
import type { Lock } from '../../src/release/lock/lock.js'
import { currentHeaders, makePlan } from '../../src/release/make-plan.js'
import { needsMd5 } from '../../src/release/plan.js'
import { type Survey, takeSurvey } from '../../src/release/survey.js'
import { startUpload } from '../../src/release/upload/upload.js'
import { writeRecord } from '../../src/release/write-record.js'
import { StaticS3Error } from '../../src/runtime/error.js'
import { unstoppable } from '../../src/runtime/stop.js'

const js = { CacheControl: 'no-cache', ContentType: 'text/javascript' }

let time: number
let memory: MemoryBucket
/** Requests beside listings, in their order. */
let log: string[]
let bucket: Bucket
let warnings: string[]

beforeEach(() => {
  time = Date.UTC(2026, 0, 1)
  memory = memoryBucket({ now: () => time })
  log = []
  warnings = []
  const told = <T>(what: string, answer: T) => {
    log.push(what)
    return answer
  }
  bucket = {
    ...memory,
    head: (key, ...rest) => told(`head ${key}`, memory.head(key, ...rest)),
    put: (key, ...rest) => told(`put ${key}`, memory.put(key, ...rest)),
    copy: (from, key, ...rest) => told(`copy ${key}`, memory.copy(from, key, ...rest)),
  }
})

const file = (path: string, content: string, parameters: ObjectParameters = js): HashedFile => ({
  ...{ path, dir: '/dist', key: `static/${path}`, group: 'asset', parameters, size: content.length },
  ...{ md5: hash('md5', content), sha256: hash('sha256', content), content: Buffer.from(content) },
})

/** What another tool, or another deploy, does. */
const put = async (path: string, content: string, parameters: ObjectParameters = js) => {
  time += 1000
  await memory.put(`static/${path}`, bodyOfBytes(Buffer.from(content)), parameters)
}

interface Options {
  survey?: Survey
  written?: ReadonlyMap<string, WrittenObject>
  force?: boolean
  fileOverwrite?: boolean
  concurrency?: number
}

async function planOf(files: readonly HashedFile[], options: Options = {}) {
  const { survey = await takeSurvey(memory, 'static'), written, ...rest } = options
  const settings = { force: false, fileOverwrite: true, concurrency: 4, ...rest }
  return makePlan({ files, bucket, settings, warn: (message) => warnings.push(message) }, survey, written)
}

const decided = ({ decisions }: Awaited<ReturnType<typeof planOf>>) =>
  decisions.map(({ file: { path }, action, reason }) => `${path} ${action} ${reason}`)

/** A deploy without a lock: nobody else is there. */
async function deploy(files: readonly HashedFile[], release: number) {
  time += 1000
  const survey = await takeSurvey(memory, 'static')
  const plan = await planOf(files, { survey })
  const upload = startUpload(bucket, 4, () => {}, unstoppable)
  await upload.run(plan, 'all')
  const deployer = { id: `${release}`, by: 'ada', commit: undefined, bundler: 'vite' }
  const lock = { release, conditionalWrites: true, signal: new AbortController().signal, check: () => {} } as Lock
  await writeRecord(
    memory,
    lock,
    { location: 'static', deployer, plan, survey, ...upload, kind: 'live', hold: undefined } as const,
    {},
    new AbortController().signal,
  )
  const requests = log
  log = []
  return { plan: decided(plan), requests }
}

describe('a bucket that another tool filled', () => {
  it('is taken over with one HEAD for each file, and without a write where the headers are right', async () => {
    const files = ['a', 'b', 'c'].map((path) => file(path, `content of ${path}`))
    for (const { path, content } of files) await put(path, `${content}`)
    expect(await deploy(files, 1)).toEqual({
      plan: ['a skip already there', 'b skip already there', 'c skip already there'],
      requests: ['head static/a', 'head static/b', 'head static/c'],
    })
    // By its record, the next deploy asks for nothing.
    expect(await deploy(files, 2)).toEqual({
      plan: ['a skip unchanged', 'b skip unchanged', 'c skip unchanged'],
      requests: [],
    })
  })

  it('gets what differs, and no HEAD for what is uploaded anyway', async () => {
    await put('same', 'x')
    await put('other-headers', 'x', { ContentType: 'text/javascript' })
    await put('other-bytes', 'y')
    await put('other-size', 'yy')
    const names = ['same', 'other-headers', 'other-bytes', 'other-size', 'new']
    const files = names.map((path) => file(path, 'x'))
    const { plan, requests } = await deploy(files, 1)
    expect(plan).toEqual([
      'same skip already there',
      'other-headers copy headers',
      'other-bytes upload content',
      'other-size upload size',
      'new upload new',
    ])
    expect(requests.filter((each) => each.startsWith('head '))).toEqual([
      'head static/same',
      'head static/other-headers',
    ])
    expect(requests.filter((each) => !each.startsWith('head ')).sort()).toEqual([
      'copy static/other-headers',
      'put static/new',
      'put static/other-bytes',
      'put static/other-size',
    ])
    expect((await deploy(files, 2)).requests).toEqual([])
  })

  it('is written anew with `force`, without a HEAD', async () => {
    await put('a', 'x')
    expect(decided(await planOf([file('a', 'x')], { force: true }))).toEqual(['a upload forced'])
    expect(log).toEqual([])
  })
})

describe('an object that somebody else has written since the record', () => {
  it.each<[what: string, parameters: ObjectParameters, decision: string]>([
    ['with the same bytes and headers', js, 'a skip unchanged'],
    ['with the same bytes and other headers', { ...js, CacheControl: 'no-store' }, 'a copy headers'],
  ])('%s is asked for, alone', async (_what, parameters, decision) => {
    const files = [file('a', 'x'), file('b', 'x')]
    await deploy(files, 1)
    await put('a', 'x', parameters)
    expect(await deploy(files, 2)).toMatchObject({ plan: [decision, 'b skip unchanged'] })
    expect((await deploy(files, 3)).requests).toEqual([])
  })

  it('in the same millisecond is taken for the recorded one', async () => {
    await deploy([file('a', 'x')], 1)
    await memory.put('static/a', bodyOfBytes(Buffer.from('x')), {})
    expect((await deploy([file('a', 'x')], 2)).plan).toEqual(['a skip unchanged'])
  })
})

describe('a HEAD that tells nothing', () => {
  const failed = (name: string, status: number | undefined) =>
    new StaticS3Error(`static-s3: HEAD: ${name}`, { cause: Object.assign(new Error(name), { name, status }) })

  it.each([403, 405, 501])(
    'because it is refused with %i: the headers are written by a copy, and no more is asked',
    async (status) => {
      const names = Array.from({ length: 10 }, (_, i) => `${i}`)
      for (const path of names) await put(path, 'x')
      bucket.head = async (key) => {
        log.push(`head ${key}`)
        throw failed('AccessDenied', status)
      }
      const files = names.map((path) => file(path, 'x'))
      expect(decided(await planOf(files, { concurrency: 3 }))).toEqual(
        names.map((path) => `${path} copy headers unknown`),
      )
      expect(log).toEqual(['head static/0', 'head static/1', 'head static/2'])
    },
  )

  it('because of any other error ends the deploy, and no more is asked', async () => {
    for (const path of ['a', 'b', 'c', 'd']) await put(path, 'x')
    const down = failed('SlowDown', 503)
    bucket.head = async (key) => {
      log.push(`head ${key}`)
      if (key === 'static/a') throw down
      await turn()
      return undefined
    }
    const files = ['a', 'b', 'c', 'd'].map((path) => file(path, 'x'))
    await expect(planOf(files, { concurrency: 2 })).rejects.toBe(down)
    for (let i = 0; i < 5; i++) await turn()
    expect(log).toEqual(['head static/a', 'head static/b'])
  })

  it('because the object is gone: it is copied, and the upload finds out', async () => {
    await put('a', 'x')
    const survey = await takeSurvey(memory, 'static')
    memory.objects.delete('static/a')
    expect(decided(await planOf([file('a', 'x')], { survey }))).toEqual(['a copy headers unknown'])
  })

  it('because somebody has written other bytes since the listing: the copy is of the listed ones', async () => {
    await put('a', 'x')
    const survey = await takeSurvey(memory, 'static')
    await put('a', 'y')
    const { decisions } = await planOf([file('a', 'x')], { survey })
    expect(decisions).toMatchObject([{ action: 'copy', reason: 'headers unknown', etag: hash('md5', 'x') }])
  })
})

describe('HEADs at the same time', () => {
  it.each([1, 4, 100])('are as many as `concurrency`: %i', async (concurrency) => {
    const keys = Array.from({ length: 30 }, (_, i) => `static/${i}`)
    let [busy, busiest] = [0, 0]
    const head: Bucket['head'] = async (key) => {
      busiest = Math.max(busiest, ++busy)
      await turn()
      busy--
      return key === 'static/7' ? undefined : { etag: key, parameters: {} }
    }
    const heads = await currentHeaders({ ...memory, head }, keys, concurrency)
    expect(busiest).toBe(Math.min(concurrency, 30))
    expect([...heads.keys()].sort()).toEqual(keys.filter((key) => key !== 'static/7').sort())
    expect(heads.get('static/8')).toEqual({ etag: 'static/8', parameters: {} })
  })
})

describe('a plan after another deploy came between', () => {
  const written = (path: string, content: string) =>
    new Map([[`static/${path}`, { etag: hash('md5', content), writtenAt: time }]])

  it('asks for the objects that this deploy has written, and leaves those as they are', async () => {
    const files = [file('a', 'x')]
    for (const force of [false, true]) {
      await put('a', 'x')
      expect(decided(await planOf(files, { written: written('a', 'x'), force }))).toEqual(['a skip already there'])
    }
    expect(log).toEqual(['head static/a', 'head static/a'])
  })

  it('asks for them even if the other deploy has recorded them', async () => {
    await deploy([file('a', 'x', { ...js, CacheControl: 'no-store' })], 1)
    expect(decided(await planOf([file('a', 'x')], { written: written('a', 'x') }))).toEqual(['a copy headers'])
    expect(log).toEqual(['head static/a'])
  })

  it('uploads those that the other deploy has overwritten', async () => {
    await put('a', 'y')
    expect(decided(await planOf([file('a', 'x')], { written: written('a', 'x') }))).toEqual(['a upload content'])
    expect(log).toEqual([])
  })

  it('knows the bytes of those without an MD5', async () => {
    await put('a', 'x')
    const [a] = [{ ...file('a', 'x'), md5: undefined }]
    expect(decided(await planOf([a], { written: written('a', 'x') }))).toEqual(['a skip already there'])
  })
})

describe('fingerprinted names that come with other bytes', () => {
  const hashed = (path: string, content: string): HashedFile => ({ ...file(path, content), group: 'fingerprinted' })
  const what = 'the bucket has other bytes under the same fingerprinted name, which browsers keep for a year'
  const files = [file('proof', 'x'), hashed('a-1', 'x'), hashed('b-1', 'x')]

  it('are a warning', async () => {
    await put('proof', 'x')
    await put('a-1', 'y')
    await planOf(files)
    await put('b-1', 'y')
    await planOf(files)
    expect(warnings).toEqual([`static/a-1: ${what}`, `static/a-1 and 1 more: ${what}`])
  })

  it('are an error where they mustn’t be overwritten', async () => {
    await put('a-1', 'yy')
    await expect(planOf(files, { fileOverwrite: false })).rejects.toThrow(
      `static-s3: static/a-1: ${what}. AWS_S3_FILE_OVERWRITE is off: make the bundler hash the content, or switch it on.`,
    )
    expect(warnings).toEqual([])
  })

  it('are found in a recorded bucket by the MD5s that are made as a proof', async () => {
    await deploy([file('proof', 'x')], 1)
    await put('a-1', 'y')
    const needs = needsMd5(await takeSurvey(memory, 'static'))
    await planOf(files.map((each) => ({ ...each, md5: needs(each, each.size) ? each.md5 : undefined })))
    expect(warnings).toEqual([`static/a-1: ${what}`])
  })
})
