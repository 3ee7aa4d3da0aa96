import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type MemoryBucket, type MemoryBucketOptions, memoryBucket } from '../fixtures/memory-bucket.js'
import type { Bucket } from '../src/core/bucket.js'
import type { DigestedFile } from '../src/core/digest.js'
import { dryRun } from '../src/core/dry-run.js'
import { StaticS3Error } from '../src/core/error.js'
import type { Group } from '../src/core/groups.js'
import { type Plan, plan } from '../src/core/plan.js'
import { upload } from '../src/core/upload.js'
import { createSlots } from '../src/s3/slots.js'

let dir: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'static-s3-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

async function write(path: string, group: Group, content: string | Buffer = path): Promise<DigestedFile> {
  const file = join(dir, path)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, content)
  return {
    path,
    file,
    emitted: true,
    fingerprinted: group === 'fingerprinted',
    key: `static/${path}`,
    group,
    parameters: { CacheControl: group },
    size: Buffer.byteLength(content),
    md5: createHash('md5').update(content).digest('hex'),
  }
}

/** Two files of each group, in an order that is nobody's. */
const site = () =>
  Promise.all([
    write('index.html', 'html'),
    write('manifest.json', 'manifest'),
    write('assets/a-1.js', 'fingerprinted'),
    write('logo.png', 'asset'),
    write('assets/b-1.js', 'fingerprinted'),
    write('about.html', 'html'),
    write('data.json', 'asset'),
    write('sw.js', 'manifest'),
  ])

const planAll = (files: DigestedFile[]): Plan => plan(files, [], false)

const ignoreProgress = () => {}

const failing = (...keys: string[]): MemoryBucketOptions['fail'] => {
  return (key) => (keys.includes(key) ? new StaticS3Error(`static-s3: AccessDenied: ${key}`) : undefined)
}

const messageOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no error',
    (error: Error) => error.message,
  )

const begun = ({ log }: MemoryBucket) => log.filter((line) => line.startsWith('begin')).map((line) => line.slice(10))

describe('what is uploaded', () => {
  it('bytes and headers, under the key', async () => {
    const bucket = memoryBucket()
    const planned = planAll([await write('ü/a b.js', 'asset', 'content')])
    expect(await upload(planned, bucket, 8, ignoreProgress)).toEqual({ decisions: planned.decisions })
    expect([...bucket.objects]).toEqual([
      ['static/ü/a b.js', { bytes: Buffer.from('content'), parameters: { CacheControl: 'asset' } }],
    ])
  })

  it.each([0, 1, 1024 * 1024, 1024 * 1024 + 1, 5_000_000])('a file of %i bytes', async (size) => {
    const bucket = memoryBucket()
    const content = Buffer.alloc(size, 'abcdefg')
    await upload(planAll([await write('file.bin', 'asset', content)]), bucket, 8, ignoreProgress)
    expect(bucket.objects.get('static/file.bin')?.bytes.equals(content)).toBe(true)
  })

  it('not what is unchanged', async () => {
    const bucket = memoryBucket()
    const files = await site()
    await upload(planAll(files), bucket, 8, ignoreProgress)
    const again = memoryBucket()
    const planned = plan(files, await bucket.list('static/'), false)
    expect(planned.decisions).toHaveLength(8)
    await upload(planned, again, 8, ignoreProgress)
    expect(again.log).toEqual([])
  })

  it('nothing in a dry run, which reads nothing either', async () => {
    const bucket = memoryBucket()
    const files = await site()
    await rm(dir, { recursive: true })
    await mkdir(dir)
    await upload(planAll(files), dryRun(bucket), 8, ignoreProgress)
    expect(bucket.log).toEqual([])
    expect(bucket.objects.size).toBe(0)
  })
})

describe('the order', () => {
  const group = (key: string) =>
    key.endsWith('.html') ? 3 : /manifest|sw\.js/.test(key) ? 2 : key.includes('assets/') ? 0 : 1

  it.each<[what: string, delay: (key: string) => number]>([
    ['when all are equally fast', () => 0],
    ['when what comes first is slow', (key) => 15 - 5 * group(key)],
    ['when one file of each group is slow', (key) => (/a-1|logo|sw|about/.test(key) ? 20 : 0)],
  ])('holds %s: a group begins only when the one before is there whole', async (_what, delay) => {
    const bucket = memoryBucket({ delay })
    await upload(planAll(await site()), bucket, 8, ignoreProgress)
    const steps = bucket.log.map((line) => ({
      begins: line.startsWith('begin'),
      group: group(line.split(' ')[2] as string),
    }))
    expect(steps).toHaveLength(16)
    for (const [index, step] of steps.entries()) {
      const open = steps.slice(index).filter((later) => later.group < step.group)
      expect(open, bucket.log.join('\n')).toEqual([])
    }
  })

  it('lets a whole group go at once', async () => {
    const bucket = memoryBucket({ delay: () => 10 })
    await upload(planAll(await site()), bucket, 8, ignoreProgress)
    expect(bucket.busiest).toBe(2)
  })
})

describe('progress', () => {
  it('comes after each file, and adds up', async () => {
    const files = await site()
    const seen: [files: number, bytes: number][] = []
    await upload(planAll(files), memoryBucket(), 8, (done) => seen.push([done.files, done.bytes]))
    expect(seen.map(([count]) => count)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(seen.at(-1)?.[1]).toBe(files.reduce((sum, { size }) => sum + size, 0))
  })
})

describe('concurrency', () => {
  it.each([1, 3, 64])('%i is kept', async (concurrency) => {
    const bucket = memoryBucket({ concurrency, delay: () => 2 })
    const files = await Promise.all(Array.from({ length: 100 }, (_, i) => write(`f${i}`, 'asset')))
    await upload(planAll(files), bucket, concurrency, ignoreProgress)
    expect(bucket.busiest).toBe(concurrency)
    expect(bucket.objects.size).toBe(100)
  })

  it('opens a body only when the bucket asks for it', async () => {
    const files = await Promise.all(Array.from({ length: 20 }, (_, i) => write(`f${i}`, 'asset')))
    const later = memoryBucket({ concurrency: 1 })
    const lazy: Bucket = {
      ...later,
      // Between the call and the request the file changes places: only an opening beforehand would still find it.
      put: async (key, body, parameters, signal) => {
        await new Promise((done) => setTimeout(done, 5))
        await rm(dir, { recursive: true, force: true })
        return later.put(key, body, parameters, signal)
      },
    }
    expect(await messageOf(upload(planAll(files), lazy, 8, ignoreProgress))).toContain(
      'vanished before it was uploaded',
    )
  })

  describe('slots', () => {
    it('take the next when one ends, however it ends', async () => {
      const inTurn = createSlots(2)
      let busy = 0
      let busiest = 0
      const order: number[] = []
      const work = (i: number) =>
        inTurn(async () => {
          order.push(i)
          busiest = Math.max(busiest, ++busy)
          await new Promise((done) => setTimeout(done, 1))
          busy--
          if (i % 3 === 0) throw new Error(`${i}`)
          return i
        })
      const results = await Promise.allSettled(Array.from({ length: 10 }, (_, i) => work(i)))
      expect(busiest).toBe(2)
      expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
      expect(results.map(({ status }) => status === 'fulfilled')).toEqual(
        Array.from({ length: 10 }, (_, i) => i % 3 !== 0),
      )
    })
  })
})

describe('a failure', () => {
  it.each<[key: string, uploaded: string[], stands: string]>([
    [
      'static/assets/a-1.js',
      ['static/assets/b-1.js'],
      'The site stands as it was. 1 of 8 files are up, and the next run carries on from there.',
    ],
    [
      'static/logo.png',
      ['static/assets/a-1.js', 'static/assets/b-1.js', 'static/data.json'],
      'The old pages stand; 1 file without a fingerprint is new. 3 of 8 files are up, and the next run carries on from there.',
    ],
    [
      'static/sw.js',
      ['static/assets/a-1.js', 'static/assets/b-1.js', 'static/data.json', 'static/logo.png', 'static/manifest.json'],
      'The old pages stand; 3 files without a fingerprint are new. 5 of 8 files are up, and the next run carries on from there.',
    ],
    [
      'static/index.html',
      [
        'static/about.html',
        'static/assets/a-1.js',
        'static/assets/b-1.js',
        'static/data.json',
        'static/logo.png',
        'static/manifest.json',
        'static/sw.js',
      ],
      '1 page is new, and everything that it needs is there. 7 of 8 files are up, and the next run carries on from there.',
    ],
  ])('at %s stops what comes later, and says what stands', async (key, uploaded, stands) => {
    // The one that fails is the last of its group, so that what is up is certain.
    const bucket = memoryBucket({ fail: failing(key), delay: (each) => (each === key ? 20 : 0) })
    const error = await upload(planAll(await site()), bucket, 8, ignoreProgress).catch((reason) => reason)
    expect(error).toBeInstanceOf(StaticS3Error)
    expect(error.message).toBe(`static-s3: AccessDenied: ${key}\n${stands}`)
    expect(error.cause.message).toBe(`static-s3: AccessDenied: ${key}`)
    expect([...bucket.objects.keys()].sort()).toEqual(uploaded)
  })

  it('starts nothing more in its own group', async () => {
    const files = await Promise.all(Array.from({ length: 100 }, (_, i) => write(`f${i}`, 'asset')))
    const bucket = memoryBucket({ concurrency: 4, fail: failing('static/f10'), delay: () => 1 })
    expect(await messageOf(upload(planAll(files), bucket, 8, ignoreProgress))).toContain('AccessDenied: static/f10')
    expect(begun(bucket).length).toBeLessThan(20)
    expect(bucket.objects.size).toBeLessThan(20)
  })

  it('leaves nothing under way when it is reported, and counts what was', async () => {
    const bucket = memoryBucket({
      fail: failing('static/about.html'),
      delay: (key) => (key.endsWith('index.html') ? 30 : 0),
    })
    const message = await messageOf(upload(planAll(await site()), bucket, 8, ignoreProgress))
    const { length } = bucket.log
    await new Promise((done) => setTimeout(done, 50))
    expect(bucket.log).toHaveLength(length)
    expect(bucket.objects.has('static/index.html')).toBe(true)
    expect(message).toMatch(/^1 pages? (is|are) new/m)
  })

  it('is the first one, when several fail', async () => {
    const bucket = memoryBucket({
      fail: failing('static/assets/a-1.js', 'static/assets/b-1.js'),
      delay: (key) => (key === 'static/assets/a-1.js' ? 20 : 0),
    })
    const message = await messageOf(upload(planAll(await site()), bucket, 8, ignoreProgress))
    expect(message).toContain('AccessDenied: static/assets/b-1.js')
    expect(message).not.toContain('a-1')
  })

  it('hands the bucket a signal that tells it', async () => {
    const signals: AbortSignal[] = []
    const inner = memoryBucket({ fail: failing('static/assets/a-1.js') })
    const bucket: Bucket = {
      ...inner,
      put: (key, body, parameters, signal) => {
        if (signal) signals.push(signal)
        return inner.put(key, body, parameters, signal)
      },
    }
    await messageOf(upload(planAll(await site()), bucket, 8, ignoreProgress))
    expect(signals).toHaveLength(2)
    expect(signals.every(({ aborted }) => aborted)).toBe(true)
  })

  it('is made good by the next run, which uploads only the rest', async () => {
    const files = await site()
    const bucket = memoryBucket({ fail: failing('static/sw.js'), delay: (key) => (key === 'static/sw.js' ? 20 : 0) })
    await messageOf(upload(planAll(files), bucket, 8, ignoreProgress))
    const next = memoryBucket()
    await upload(plan(files, await bucket.list('static/'), false), next, 8, ignoreProgress)
    expect(begun(next).sort()).toEqual(['static/about.html', 'static/index.html', 'static/sw.js'])
  })
})

describe('a file that is not what it was', () => {
  const big = 3 * 1024 * 1024

  describe.each([
    ['a small one', 100],
    ['a big one', big],
  ])('%s', (_what, size) => {
    it('vanished', async () => {
      const file = await write('app.js', 'asset', Buffer.alloc(size))
      await rm(file.file)
      expect(await messageOf(upload(planAll([file]), memoryBucket(), 8, ignoreProgress))).toContain(
        'static-s3: app.js vanished before it was uploaded\n',
      )
    })

    it.each([
      ['grew', 1],
      ['shrank', -1],
    ])('%s', async (_how, by) => {
      const file = await write('app.js', 'asset', Buffer.alloc(size))
      await writeFile(file.file, Buffer.alloc(size + by))
      const bucket = memoryBucket()
      expect(await messageOf(upload(planAll([file]), bucket, 8, ignoreProgress))).toContain(
        'static-s3: app.js changed while it was being uploaded; build again\n',
      )
      expect(bucket.objects.size).toBe(0)
    })

    it('became a folder', async () => {
      const file = await write('app.js', 'asset', Buffer.alloc(size))
      await rm(file.file)
      await mkdir(file.file)
      expect(await messageOf(upload(planAll([file]), memoryBucket(), 8, ignoreProgress))).toMatch(
        /static-s3: app\.js (can't be read \(EISDIR\)|changed while it was being uploaded)/,
      )
    })

    it('has other bytes of the same number: the checksum goes along, and the bucket refuses it', async () => {
      const file = await write('app.js', 'asset', Buffer.alloc(size, 'a'))
      await writeFile(file.file, Buffer.alloc(size, 'b'))
      const bucket = memoryBucket()
      expect(await messageOf(upload(planAll([file]), bucket, 8, ignoreProgress))).toContain('BadDigest')
      expect(bucket.objects.size).toBe(0)
    })
  })
})

describe('a body', () => {
  /** What the bucket is handed. */
  async function bodyOf(content: Buffer) {
    const file = await write('file.bin', 'asset', content)
    const bodies: Parameters<Bucket['put']>[1][] = []
    const bucket = memoryBucket()
    bucket.put = async (_key, body) => {
      bodies.push(body)
      return ''
    }
    await upload(planAll([file]), bucket, 8, ignoreProgress)
    return bodies[0] as (typeof bodies)[0]
  }

  it.each<[what: string, size: number, streamed: boolean]>([
    ['of up to a megabyte is one buffer', 1024 * 1024, false],
    ['above that is a stream', 1024 * 1024 + 1, true],
  ])('%s, and can be sent again', async (_what, size, streamed) => {
    const content = Buffer.alloc(size, 'abc')
    const body = await bodyOf(content)
    expect(body.size).toBe(size)
    const attempts = [await body.open(), await body.open()]
    expect(attempts[0] === attempts[1]).toBe(false)
    for (const attempt of attempts) {
      expect(attempt instanceof Readable).toBe(streamed)
      const bytes = attempt instanceof Readable ? await buffer(attempt) : Buffer.from(attempt)
      expect(bytes.equals(content)).toBe(true)
    }
  })

  it('that was given up halfway can be sent again', async () => {
    const content = Buffer.alloc(3 * 1024 * 1024, 'abc')
    const body = await bodyOf(content)
    const first = (await body.open()) as Readable
    await first.iterator({ destroyOnReturn: true }).next()
    first.destroy()
    expect((await buffer((await body.open()) as Readable)).equals(content)).toBe(true)
  })
})
