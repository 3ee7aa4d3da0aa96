import { hash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type MemoryBucket, memoryBucket } from '../../fixtures/bucket/memory-bucket.js'
import { patient, settingsFor } from '../../fixtures/s3/connection.js'
import { type EmbeddedS3, type LoggedRequest, s3Servers, startEmbedded, type TestS3 } from '../../fixtures/s3/index.js'
import type { Bucket, WrittenObject } from '../../src/bucket/bucket.js'
import { bodyOfBytes, compareKeys } from '../../src/bucket/bucket.js'
import type { HashedFile } from '../../src/files/hash.js'
import { type Lock, type LockInput, takeLock } from '../../src/release/lock/lock.js'
import { type LockRequest, requestLock } from '../../src/release/lock/lock-request.js'
import type { Decision } from '../../src/release/plan.js'
import type { Deployer } from '../../src/release/records/record.js'
import {
  latestRelease,
  lockKey,
  openLock,
  type ReleasesFolder,
  readFolder,
  readReleases,
  recordKey,
  releasesFolder,
} from '../../src/release/records/releases-folder.js'
import { startUpload } from '../../src/release/upload/upload.js'
import { StaticS3Error } from '../../src/runtime/error.js'
import { openBucket, type S3Connection } from '../../src/s3/objects/s3-bucket.js'

// Waits that Vitest's timers turn forward, and that are short where time is real.
vi.mock('node:timers/promises', async (original) => ({
  ...(await original<typeof import('node:timers/promises')>()),
  setTimeout: (ms: number) => new Promise<void>((done) => setTimeout(done, vi.isFakeTimers() ? ms : ms / 20)),
}))

// Vitest's timers have one of their own.
const realImmediate = setImmediate

const folder = releasesFolder('static')
const noReleases: ReleasesFolder = { records: [], locks: [], impossible: [] }

const deployer = (id: string): Deployer => ({ id, by: `${id}@machine`, commit: undefined, bundler: 'vite 8.0.0' })

function take(bucket: Bucket, id: string, more: Partial<LockInput> = {}): Promise<Lock> {
  const begunAt = performance.now()
  return takeLock({
    stop: new AbortController().signal,
    bucket,
    location: 'static',
    deployer: deployer(id),
    folder: noReleases,
    conditionalWrites: true,
    parameters: {},
    waited: () => performance.now() - begunAt,
    patience: 0,
    onWait: () => {},
    ...more,
  })
}

const put = (bucket: Bucket, key: string, content: string) => bucket.put(key, bodyOfBytes(Buffer.from(content)), {})

const contentOf = async (bucket: Bucket, key: string) => {
  const bytes = await bucket.get(key)
  return bytes && Buffer.from(bytes).toString()
}

const messageOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no error',
    (error: Error) => error.message,
  )

/** As `release` ends a release: with its record. */
async function end(bucket: Bucket, lock: Lock): Promise<void> {
  await put(bucket, recordKey(folder, lock.release), 'a record')
  await lock.letGo()
}

describe("the releases' folder", () => {
  it.each([
    ['static', '.static-s3/static/releases/'],
    ['my/static', '.static-s3/my/static/releases/'],
    ['', '.static-s3/releases/'],
  ])('of location %j is %s', (location, expected) => {
    expect(releasesFolder(location)).toBe(expected)
  })

  it('lists the newest release first, and its record before its lock', () => {
    const keys = [
      recordKey(folder, 1000),
      lockKey(folder, 1000),
      recordKey(folder, 42),
      lockKey(folder, 42),
      recordKey(folder, 9),
      recordKey(folder, 1),
    ]
    expect([...keys].sort(compareKeys)).toEqual(keys)
    expect(recordKey(folder, 42)).toBe('.static-s3/static/releases/99999957.json.gz')
    expect(lockKey(folder, 42)).toBe('.static-s3/static/releases/99999957.lock')
  })

  const object = (key: string, size = 10) => ({ key, size, etag: '', lastModified: 0 })
  const folderWith = (...keys: string[]) =>
    readFolder(
      folder,
      keys.sort(compareKeys).map((key) => object(key)),
    )

  it('is read by its names', () => {
    const read = folderWith(lockKey(folder, 3), recordKey(folder, 2), lockKey(folder, 2))
    expect(read.locks.map(({ release }) => release)).toEqual([3, 2])
    expect(read.records).toEqual([{ ...object(recordKey(folder, 2)), release: 2 }])
  })

  it.each([
    `${folder}`,
    `${folder}readme.txt`,
    `${folder}1.lock`,
    `${folder}123456789.lock`,
    `${folder}99999998.lock.bak`,
    `${folder}99999998.json`,
    `${folder}more/99999998.lock`,
    `${folder}0-begun-a.1.json.gz`,
    // The folder of a location `static/releases` lies inside.
    `${releasesFolder('static/releases')}99999998.lock`,
  ])('minds no other names: %s', (key) => {
    expect(folderWith(key)).toEqual(noReleases)
  })

  it.each<[what: string, keys: string[], latest: number]>([
    ['nothing', [], 0],
    ['a record', [recordKey(folder, 4)], 4],
    ['a lock above the newest record', [recordKey(folder, 4), lockKey(folder, 5)], 5],
    ['a lock below the newest record', [recordKey(folder, 4), lockKey(folder, 3)], 4],
  ])('with %s', (_what, keys, latest) => {
    expect(latestRelease(folderWith(...keys))).toBe(latest)
  })

  it.each<[what: string, listing: ReturnType<typeof object>[], open: number | undefined]>([
    ['nothing', [], undefined],
    ['a record', [object(recordKey(folder, 4))], undefined],
    ['a lock', [object(lockKey(folder, 1))], 1],
    ['a lock above the newest record', [object(recordKey(folder, 4)), object(lockKey(folder, 5))], 5],
    ["the newest record's own lock", [object(recordKey(folder, 4)), object(lockKey(folder, 4))], undefined],
    ['a lock below the newest record', [object(recordKey(folder, 4)), object(lockKey(folder, 2))], undefined],
    ['an empty lock, which was given up', [object(recordKey(folder, 4)), object(lockKey(folder, 5), 0)], undefined],
    ['an empty lock above another one', [object(lockKey(folder, 6), 0), object(lockKey(folder, 5))], undefined],
    ['two locks', [object(lockKey(folder, 6)), object(lockKey(folder, 5))], 6],
  ])('says who is at work: %s', (_what, listing, open) => {
    expect(openLock(readFolder(folder, listing))?.release).toBe(open)
  })
})

describe('in a bucket in memory', () => {
  let bucket: MemoryBucket
  /** The store's own clock. */
  let storeTime: number
  let failing: ((key: string) => Error | undefined) | undefined

  const day = 24 * 3_600_000
  const start = Date.UTC(2026, 0, 1)
  const first = lockKey(folder, 1)

  beforeEach(() => {
    vi.useFakeTimers({ now: start })
    storeTime = start - 3 * day
    failing = undefined
    bucket = memoryBucket({ now: () => storeTime, fail: (key) => failing?.(key) })
  })
  afterEach(() => {
    vi.clearAllTimers()
    vi.useRealTimers()
  })

  /** Time passes, for us and for the store. */
  async function pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 100) {
      storeTime += Math.min(left, 100)
      await vi.advanceTimersByTimeAsync(Math.min(left, 100))
    }
  }

  /** Time passes until then. */
  async function soon<T>(work: Promise<T>): Promise<T> {
    let over = false
    const settle = () => {
      over = true
    }
    work.then(settle, settle)
    for (let i = 0; !over && i < 10_000; i++) await pass(10)
    return work
  }

  const holder = async (key = first) => JSON.parse((await contentOf(bucket, key)) ?? '{}')
  const putsOf = (key: string) => bucket.log.filter((line) => line === `end put ${key}`).length
  const folderNow = () => readReleases(bucket, 'static')

  describe('taking it', () => {
    it('writes who has it, since when, and until when', async () => {
      const lock = await soon(take(bucket, 'a', { parameters: { ContentType: 'application/json' } }))
      expect(lock).toMatchObject({ release: 1, conditionalWrites: true })
      const time = expect.stringMatching(/^2026-01-01T00:00:00\.\d{3}Z$/)
      const written = await holder()
      expect(written).toEqual({ id: 'a', by: 'a@machine', start: time, renewed: time, end: expect.any(String) })
      expect(Date.parse(written.end) - Date.parse(written.renewed)).toBe(30_000)
      expect(bucket.objects.get(first)?.parameters).toEqual({ ContentType: 'application/json' })
      await lock.letGo()
    })

    it('costs one write, and the folder is the one of the survey', async () => {
      const list = vi.spyOn(bucket, 'list')
      const lock = await soon(take(bucket, 'a'))
      expect(lock.folder).toBe(noReleases)
      expect(bucket.log).toEqual([`begin put ${first}`, `end put ${first}`])
      expect(list).not.toHaveBeenCalled()
      await lock.letGo()
    })

    it('shows the folder as it was read last, if the survey was too old', async () => {
      await soon(end(bucket, await soon(take(bucket, 'b'))))
      const lock = await soon(take(bucket, 'a'))
      expect(lock.folder.records.map(({ key }) => key)).toEqual([recordKey(folder, 1)])
      expect(lock.folder.locks.map(({ key }) => key)).toEqual([first])
      await lock.letGo()
    })

    it.each<[what: string, objects: [key: string, content: string][], release: number]>([
      ['the first', [], 1],
      ['the one after the newest record', [[recordKey(folder, 4), 'a record']], 5],
      [
        'the one after a record and its lock',
        [
          [recordKey(folder, 4), 'a record'],
          [lockKey(folder, 4), '{}'],
        ],
        5,
      ],
      [
        'the one after a lock that was given up',
        [
          [recordKey(folder, 4), 'a record'],
          [lockKey(folder, 5), ''],
        ],
        6,
      ],
    ])('takes %s', async (_what, objects, release) => {
      for (const [key, content] of objects) await soon(put(bucket, key, content))
      const lock = await soon(take(bucket, 'a', { folder: await folderNow() }))
      expect(lock.release).toBe(release)
      expect((await holder(lockKey(folder, release))).id).toBe('a')
      await lock.letGo()
    })

    it('takes the number after all that have ended since its survey', async () => {
      for (const id of ['b', 'c', 'd'])
        await soon(end(bucket, await soon(take(bucket, id, { folder: await folderNow() }))))
      const lock = await soon(take(bucket, 'a'))
      expect(lock.release).toBe(4)
      expect(openLock(await folderNow())).toMatchObject({ release: 4 })
      await lock.letGo()
    })

    it('does not take one whose release failed without a record, in an old view', async () => {
      const old = await folderNow()
      await soon(put(bucket, first, ''))
      const lock = await soon(take(bucket, 'a', { folder: old }))
      expect(lock.release).toBe(2)
      await lock.letGo()
    })

    it('does not go on where the lock can not be written', async () => {
      failing = () => new StaticS3Error('static-s3: PUT: AccessDenied')
      expect(await messageOf(soon(take(bucket, 'a')))).toContain('AccessDenied')
      expect(bucket.objects.size).toBe(0)
      expect(vi.getTimerCount()).toBe(0)
    })
  })

  describe('a store that', () => {
    const ignoring = (): Bucket => ({
      ...bucket,
      put: (key, body, { IfNoneMatch, ...parameters }, signal) => bucket.put(key, body, parameters, signal),
    })
    const refusing = (status: number, name: string): Bucket => ({
      ...bucket,
      put: (key, body, parameters, signal) =>
        parameters.IfNoneMatch === undefined
          ? bucket.put(key, body, parameters, signal)
          : Promise.reject(
              new StaticS3Error(`static-s3: ${name}`, { cause: Object.assign(new Error(), { status, name }) }),
            ),
    })

    it('minds conditions is known by a second try', async () => {
      const lock = await soon(take(bucket, 'a', { conditionalWrites: false }))
      expect(lock).toMatchObject({ release: 1, conditionalWrites: true })
      expect(bucket.log.filter((line) => line.endsWith(first))).toEqual([
        `begin put ${first}`,
        `end put ${first}`,
        `begin put ${first}`,
        `fail put ${first}`,
      ])
      await lock.letGo()
    })

    it('is known to mind conditions is not asked twice', async () => {
      const lock = await soon(take(bucket, 'a', { conditionalWrites: true }))
      expect(bucket.log).toEqual([`begin put ${first}`, `end put ${first}`])
      await lock.letGo()
    })

    it.each<[what: string, open: () => Bucket]>([
      ['ignores conditions', ignoring],
      ['has not implemented them', () => refusing(501, 'NotImplemented')],
      ['refuses their header', () => refusing(400, 'InvalidArgument')],
    ])('%s is found out, and the lock is there all the same', async (_what, open) => {
      const store = open()
      const lock = await soon(take(store, 'a', { conditionalWrites: false }))
      expect(lock).toMatchObject({ release: 1, conditionalWrites: false })
      expect((await holder()).id).toBe('a')
      expect(await messageOf(soon(take(store, 'b', { folder: await folderNow() })))).toContain('locked by a@machine')
      const { renewed } = await holder()
      await pass(10_500)
      expect((await holder()).renewed > renewed).toBe(true)
      expect(lock.signal.aborted).toBe(false)
      await soon(end(store, lock))
      const next = await soon(take(store, 'b', { folder: await folderNow(), conditionalWrites: false }))
      expect(next.release).toBe(2)
      await next.letGo()
    })

    it('ignores conditions does not give a number again that was used before, even to an old survey', async () => {
      const store = ignoring()
      const old = await folderNow()
      for (const id of ['b', 'c']) {
        const folder = await folderNow()
        await soon(end(store, await soon(take(store, id, { folder, conditionalWrites: false }))))
      }
      const lock = await soon(take(store, 'a', { folder: old, conditionalWrites: false }))
      expect(lock).toMatchObject({ release: 3, conditionalWrites: false })
      expect(openLock(await folderNow())).toMatchObject({ release: 3 })
      await soon(end(store, lock))
      // The lock that it wrote by the old survey is in nobody's way.
      expect(openLock(await folderNow())).toBeUndefined()
    })

    it('ignores conditions, and does not show the folder under the lock: nothing is left behind that holds others up', async () => {
      const broken: Bucket = {
        ...ignoring(),
        list: () => Promise.reject(new StaticS3Error('static-s3: LIST: SlowDown')),
      }
      expect(await messageOf(soon(take(broken, 'a', { conditionalWrites: false })))).toContain('SlowDown')
      expect(vi.getTimerCount()).toBe(0)
      const next = await soon(take(bucket, 'b', { folder: await folderNow() }))
      expect(next.release).toBe(2)
      await next.letGo()
    })

    it.each(['RequestTimeout', 'BadDigest', 'ExpiredToken'])(
      'says 400 %s, which is nothing about conditions, does not get the lock of others overwritten',
      async (name) => {
        const old = await folderNow()
        const theirs = await soon(take(bucket, 'b'))
        await soon(take(refusing(400, name), 'a', { folder: old, conditionalWrites: false })).catch(() => {})
        expect((await holder()).id).toBe('b')
        await theirs.letGo()
      },
    )
  })

  describe('while it is held', () => {
    it('is renewed, until it is let go', async () => {
      const lock = await soon(take(bucket, 'a'))
      const written = await holder()
      await pass(10_100)
      expect(putsOf(first)).toBe(2)
      const renewed = await holder()
      expect(renewed).toEqual({ ...written, renewed: expect.any(String), end: expect.any(String) })
      expect(Date.parse(renewed.renewed) - Date.parse(written.renewed)).toBeGreaterThanOrEqual(10_000)
      expect(Date.parse(renewed.end) - Date.parse(renewed.renewed)).toBe(30_000)
      await pass(600_000)
      expect(putsOf(first)).toBe(62)
      lock.check()
      expect(lock.signal.aborted).toBe(false)

      await lock.letGo()
      await pass(600_000)
      expect(putsOf(first)).toBe(62)
      expect(lock.signal.aborted).toBe(false)
      expect(vi.getTimerCount()).toBe(0)
    })

    it('is renewed 10 seconds after it was requested, however late the answer came', async () => {
      const { put } = bucket
      vi.spyOn(bucket, 'put').mockImplementationOnce(async (...call) => {
        const answer = await put(...call)
        await new Promise((done) => setTimeout(done, 9000))
        return answer
      })
      const taking = take(bucket, 'a')
      await pass(9000)
      const lock = await soon(taking)
      expect(putsOf(first)).toBe(1)
      await pass(1100)
      expect(putsOf(first)).toBe(2)
      await lock.letGo()
    })

    it('keeps others out, however long it takes', async () => {
      const lock = await soon(take(bucket, 'a'))
      let got = false
      const second = take(bucket, 'b', { patience: day }).then((theirs) => {
        got = true
        return theirs
      })
      await pass(300_000)
      expect(got).toBe(false)
      await soon(end(bucket, lock))
      expect((await soon(second)).release).toBe(2)
      await (await second).letGo()
    })

    it('is over for others once it is given up', async () => {
      const lock = await soon(take(bucket, 'a'))
      await soon(lock.giveUp())
      expect(bucket.objects.get(first)?.bytes).toHaveLength(0)
      await pass(60_000)
      expect(putsOf(first)).toBe(2)
      expect(vi.getTimerCount()).toBe(0)
    })

    it('is not lost by one renewal that fails', async () => {
      const lock = await soon(take(bucket, 'a'))
      failing = () => new StaticS3Error('static-s3: PUT: SlowDown')
      await pass(15_000)
      failing = undefined
      await pass(30_000)
      lock.check()
      expect(lock.signal.aborted).toBe(false)
      await lock.letGo()
    })

    it('is lost when it can not be renewed, well before others may take it', async () => {
      const lock = await soon(take(bucket, 'a'))
      const takenAt = bucket.written.get(first) as number
      failing = () => new StaticS3Error('static-s3: PUT: SlowDown')
      await pass(24_000)
      lock.check()
      expect(lock.signal.aborted).toBe(false)
      await pass(1500)
      expect(lock.signal.aborted).toBe(true)
      expect(storeTime - takenAt).toBeLessThan(26_000)
      const { message } = lock.signal.reason as Error
      expect(lock.signal.reason).toBeInstanceOf(StaticS3Error)
      expect(message).toBe(
        `static-s3: ${first} could not be renewed for 25 seconds: another deploy may begin. On a slow line, lower concurrency (STATIC_S3_CONCURRENCY).`,
      )
      expect(() => lock.check()).toThrow(message)
      await lock.letGo()
    })

    it('is lost when the answers to its renewals do not come', async () => {
      const lock = await soon(take(bucket, 'a'))
      vi.spyOn(bucket, 'put').mockImplementation((_key, _body, _parameters, signal) => {
        return new Promise((_resolve, reject) => {
          if (signal?.aborted) reject(signal.reason)
          signal?.addEventListener('abort', () => reject(signal.reason))
        })
      })
      await pass(26_000)
      expect(lock.signal.aborted).toBe(true)
      await soon(lock.letGo())
      expect(vi.getTimerCount()).toBe(0)
    })

    it.each(['forwards', 'backwards'])('holds on when this clock is set %s meanwhile', async (direction) => {
      const lock = await soon(take(bucket, 'a'))
      if (direction === 'backwards') {
        vi.setSystemTime(start - day)
        await pass(60_000)
        expect(lock.signal.aborted).toBe(false)
        failing = () => new StaticS3Error('static-s3: PUT: SlowDown')
        await pass(35_000)
      } else vi.setSystemTime(start + day)
      expect(() => lock.check()).toThrow('could not be renewed')
      expect(lock.signal.aborted).toBe(true)
      await lock.letGo()
    })

    describe('by a machine that slept', () => {
      /** All stands still here, and goes on elsewhere. */
      const sleepFor = (ms: number) => {
        vi.setSystemTime(Date.now() + ms)
        storeTime += ms
      }

      it('is lost at the first look', async () => {
        const lock = await soon(take(bucket, 'a'))
        sleepFor(26_000)
        expect(() => lock.check()).toThrow('could not be renewed')
        expect(lock.signal.aborted).toBe(true)
        await lock.letGo()
      })

      it('is not taken back by a renewal that comes before the first look', async () => {
        const lock = await soon(take(bucket, 'a'))
        await pass(9000)
        sleepFor(60_000)
        const next = await soon(take(bucket, 'b', { folder: await folderNow() }))
        expect(next.release).toBe(2)
        await pass(2000)
        expect(() => lock.check()).toThrow('could not be renewed')
        expect(lock.signal.aborted).toBe(true)
        await lock.letGo()
        await next.letGo()
      })

      it('is not taken back by a renewal that was on its way', async () => {
        const lock = await soon(take(bucket, 'a'))
        let answer: (written: WrittenObject) => void = () => {}
        vi.spyOn(bucket, 'put').mockImplementationOnce(() => new Promise((resolve) => (answer = resolve)))
        await pass(10_100)
        sleepFor(20_000)
        answer({ etag: 'etag', writtenAt: 0 })
        await vi.advanceTimersByTimeAsync(0)
        expect(() => lock.check()).toThrow('could not be renewed')
        await lock.letGo()
      })

      it('is asked for before a page whose connection did not outlive that is sent once more', async () => {
        const dir = await mkdtemp(join(tmpdir(), 'static-s3-'))
        await writeFile(join(dir, 'index.html'), 'page')
        const lock = await soon(take(bucket, 'a'))
        let attempts = 0
        // As the bucket tries again: with the body opened anew, and the check immediately before the first byte.
        const retrying: Bucket = {
          ...bucket,
          put: async (_key, body, _parameters, _signal, check) => {
            for (; ; sleepFor(60_000)) {
              await body.open()
              check?.()
              if (++attempts === 2) return { etag: 'etag', writtenAt: 0 }
            }
          },
        }
        const page: HashedFile = {
          ...{ path: 'index.html', dir, key: 'static/index.html', group: 'html' },
          ...{ parameters: {}, size: 4, sha256: hash('sha256', 'page') },
        }
        const decisions: Decision[] = [{ file: page, action: 'upload', reason: 'new' }]
        const upload = startUpload(retrying, 8, () => {})
        const message = await messageOf(
          soon(upload.run({ decisions, overwritten: [], backups: [], notBefore: 0 }, 'all', lock)),
        )
        expect({ attempts, message }).toEqual({ attempts: 1, message: expect.stringContaining('could not be renewed') })
        await lock.letGo()
        await rm(dir, { recursive: true })
      })
    })
  })

  describe('one that has expired', () => {
    /** Of somebody who has died. */
    async function leaveLock(release = 1): Promise<void> {
      const holder = { id: 'dead', by: 'dead@machine', start: new Date(storeTime).toISOString() }
      await soon(put(bucket, lockKey(folder, release), JSON.stringify(holder)))
      storeTime = bucket.written.get(lockKey(folder, release)) as number
    }

    it.each<[what: string, localTime: number]>([
      ['is right', 0],
      ['is a day ahead', day],
      ['is a day behind', -day],
    ])('is taken over by the clock of the store, not before, when the own one %s', async (_what, localTime) => {
      await leaveLock()
      vi.setSystemTime(storeTime + localTime)
      storeTime += 29_500
      const message = await messageOf(soon(take(bucket, 'a', { folder: await folderNow() })))
      expect(message).toContain('locked by dead@machine')
      storeTime += 1000
      const lock = await soon(take(bucket, 'a', { folder: await folderNow() }))
      expect(lock.release).toBe(2)
      // It is over with the record of who came after.
      await soon(end(bucket, lock))
      expect(openLock(await folderNow())).toBeUndefined()
    })

    it('is taken over by who waits for it', async () => {
      await leaveLock()
      const lock = await soon(take(bucket, 'a', { folder: await folderNow(), patience: 60_000 }))
      expect(storeTime - (bucket.written.get(first) as number)).toBeGreaterThan(30_000)
      expect(lock.release).toBe(2)
      await lock.letGo()
    })

    it('is not, where it was renewed since it was seen', async () => {
      const theirs = await soon(take(bucket, 'b'))
      const old = await folderNow()
      await pass(120_000)
      const message = await messageOf(soon(take(bucket, 'a', { folder: old })))
      expect(message).toContain('locked by b@machine')
      expect([...bucket.objects.keys()]).toEqual([first])
      await theirs.letGo()
    })

    it('is not, where it was renewed while the listing that shows it was on its way', async () => {
      const theirs = await soon(take(bucket, 'b'))
      const slow: Bucket = {
        ...bucket,
        list: async (prefix, options) => {
          const listing = [...(await bucket.list(prefix, options))]
          await new Promise((done) => setTimeout(done, 40_000))
          return listing
        },
      }
      const old = await folderNow()
      expect(await messageOf(soon(take(slow, 'a', { folder: old })))).toContain('locked by b@machine')
      expect([...bucket.objects.keys()]).toEqual([first])
      await theirs.letGo()
    })

    it('has only one heir', async () => {
      await leaveLock()
      storeTime += 31_000
      const seen = await folderNow()
      const heirs = await soon(Promise.allSettled(['a', 'b', 'c'].map((id) => take(bucket, id, { folder: seen }))))
      const got = heirs.flatMap((heir) => (heir.status === 'fulfilled' ? [heir.value] : []))
      expect(got.map(({ release }) => release)).toEqual([2])
      await got[0]?.letGo()
    })

    it('is never taken over in a store that tells no times', async () => {
      await leaveLock()
      storeTime += day
      const timeless: Bucket = {
        ...bucket,
        list: async (prefix, options) =>
          [...(await bucket.list(prefix, options))].map((object) => ({ ...object, lastModified: undefined })),
      }
      const seen = await readReleases(timeless, 'static')
      expect(await messageOf(soon(take(timeless, 'a', { folder: seen })))).toContain('locked by dead@machine')
    })
  })

  describe('waiting', () => {
    it('tells once for each deploy that is waited for: who, and since when', async () => {
      const told: string[] = []
      const one = await soon(take(bucket, 'b'))
      const waiting = take(bucket, 'a', { patience: day, onWait: (whom) => told.push(whom) })
      await pass(60_000)
      expect(told).toEqual([expect.stringMatching(/^b@machine, running since 2026-01-01T00:00:00\.\d{3}Z$/)])
      await soon(end(bucket, one))
      // Before who waits looks again, the next one is there.
      const two = await soon(take(bucket, 'c', { folder: await folderNow() }))
      expect(two.release).toBe(2)
      await pass(60_000)
      expect(told.slice(1)).toEqual([expect.stringMatching(/^c@machine, running since 2026-01-01T00:01:/)])
      await soon(end(bucket, two))
      const lock = await soon(waiting)
      expect(lock.release).toBe(3)
      expect(told).toHaveLength(2)
      await lock.letGo()
    })

    it('tells nothing where there is nobody', async () => {
      const told: string[] = []
      const lock = await soon(take(bucket, 'a', { onWait: (whom) => told.push(whom) }))
      expect(told).toEqual([])
      await lock.letGo()
    })

    it('tells nobody new if a release ends while its lock is looked at', async () => {
      const told: string[] = []
      const theirs = await soon(take(bucket, 'b'))
      let ended = false
      const watching: Bucket = {
        ...bucket,
        get: async (key, signal) => {
          if (told.length > 0 && !ended) {
            ended = true
            await end(bucket, theirs)
          }
          return bucket.get(key, signal)
        },
      }
      const onWait = (whom: string) => told.push(whom)
      const lock = await soon(take(watching, 'a', { folder: await folderNow(), patience: day, onWait }))
      expect(told).toEqual([expect.stringContaining('b@machine')])
      await lock.letGo()
    })

    it('gives up after its patience, in a message that says who has it and how to wait longer', async () => {
      const theirs = await soon(take(bucket, 'b'))
      const begun = Date.now()
      const message = await messageOf(soon(take(bucket, 'a', { patience: 45_000 })))
      expect(Date.now() - begun).toBeGreaterThanOrEqual(45_000)
      expect(Date.now() - begun).toBeLessThan(50_000)
      expect(message).toMatch(/^static-s3: static is locked by b@machine, running since 2026-01-01T00:00:00\.\d{3}Z\./)
      expect(message).toContain('45 seconds (lockTimeout)')
      expect(message).toContain('expires 30 seconds after its last renewal')
      expect([...bucket.objects.keys()]).toEqual([first])
      await theirs.letGo()
    })

    it('names a location that is the whole bucket', async () => {
      const key = lockKey(releasesFolder(''), 1)
      await soon(put(bucket, key, '{}'))
      const seen = await readReleases(bucket, '')
      expect(await messageOf(soon(take(bucket, 'a', { location: '', folder: seen })))).toMatch(
        /^static-s3: the bucket's root is locked by another deploy\./,
      )
    })

    it('prints a name that somebody else wrote as one line of text', async () => {
      const key = lockKey(releasesFolder('static'), 1)
      const by = `x\u001b[2K\n✓ live\u009b1m${'x'.repeat(10_000)}`
      await soon(put(bucket, key, JSON.stringify({ by, start: '\n\u0007' })))
      const seen = await readReleases(bucket, 'static')
      const message = await messageOf(soon(take(bucket, 'a', { folder: seen })))
      expect(message).toMatch(/locked by x\\u001b\[2K\\n✓ live\\u009b1mx{100,200}, running since \\n\\u0007\. /)
      expect(message).not.toMatch(/\p{Cc}/u)
    })

    it('does not wait at all without patience', async () => {
      const told: string[] = []
      const theirs = await soon(take(bucket, 'b'))
      const begun = Date.now()
      expect(await messageOf(soon(take(bucket, 'a', { onWait: (whom) => told.push(whom) })))).toContain('0 seconds')
      expect(Date.now() - begun).toBeLessThan(100)
      expect(told).toEqual([])
      await theirs.letGo()
    })

    it.each(['not JSON', '[]', 'null', '"text"', '{}', '{"by":null,"start":null}', '{"id":'])(
      'minds a lock that holds %j',
      async (content) => {
        await soon(put(bucket, first, content))
        const message = await messageOf(soon(take(bucket, 'a', { folder: await folderNow() })))
        expect(message).toMatch(/^static-s3: static is locked by another deploy\./)
        expect(await contentOf(bucket, first)).toBe(content)
        // And so does who doesn't know of it yet.
        expect(await messageOf(soon(take(bucket, 'a')))).toContain('locked by another deploy')
        expect(await contentOf(bucket, first)).toBe(content)
      },
    )

    it('minds a lock that it may not read', async () => {
      const theirs = await soon(take(bucket, 'b'))
      const denied: Bucket = { ...bucket, get: () => Promise.reject(new StaticS3Error('static-s3: AccessDenied')) }
      const message = await messageOf(soon(take(denied, 'a', { folder: await folderNow() })))
      expect(message).toContain('locked by another deploy')
      await theirs.letGo()
    })

    it.each(['a record', 'giving up', 'death'])('ends with %s', async (how) => {
      const theirs = await soon(take(bucket, 'b'))
      const waiting = take(bucket, 'a', { patience: day })
      await pass(5000)
      if (how === 'a record') await soon(end(bucket, theirs))
      else if (how === 'giving up') await soon(theirs.giveUp())
      else await theirs.letGo()
      const lock = await soon(waiting)
      expect(lock.release).toBe(2)
      await lock.letGo()
    })
  })

  describe('requested beside the first uploads', () => {
    let warnings: string[]
    let unhandled: ReturnType<typeof vi.fn<() => void>>

    beforeEach(() => {
      warnings = []
      unhandled = vi.fn<() => void>()
      process.on('unhandledRejection', unhandled)
    })
    afterEach(async () => {
      await new Promise((done) => realImmediate(done))
      process.off('unhandledRejection', unhandled)
      expect(unhandled).not.toHaveBeenCalled()
    })

    const request = (from: Bucket, id: string, more: Partial<Parameters<typeof requestLock>[0]> = {}): LockRequest =>
      requestLock({
        bucket: from,
        location: 'static',
        deployer: deployer(id),
        folder: noReleases,
        conditionalWrites: true,
        parameters: {},
        patience: 0,
        stop: new AbortController().signal,
        onWait: () => {},
        warn: (message) => warnings.push(message),
        ...more,
      })

    const failsWith = (status: number | undefined, name: string) => {
      failing = (key) =>
        key.endsWith('.lock')
          ? Object.assign(new Error(name), { name, $metadata: { httpStatusCode: status } })
          : undefined
    }

    it('it is taken and renewed before anybody awaits it', async () => {
      const requested = request(bucket, 'a')
      await pass(95_000)
      expect(putsOf(first)).toBe(10)
      const lock = await soon(requested.held())
      expect(lock).toMatchObject({ release: 1, conditionalWrites: true })
      lock?.check()
      expect(await requested.held()).toBe(lock)
      await requested.letGo()
      await pass(100_000)
      expect(putsOf(first)).toBe(10)
      expect((await holder()).id).toBe('a')
      expect(vi.getTimerCount()).toBe(0)
      expect(warnings).toEqual([])
    })

    it.each([0, 45])('the patience of %i seconds begins when it is awaited', async (seconds) => {
      const theirs = await soon(take(bucket, 'b'))
      const told: string[] = []
      const requested = request(bucket, 'a', { patience: seconds * 1000, onWait: (whom) => told.push(whom) })
      await pass(120_000)
      expect(told).toEqual([expect.stringContaining('b@machine')])
      const awaitedAt = Date.now()
      expect(await messageOf(soon(requested.held()))).toContain(`waited ${seconds} seconds (lockTimeout)`)
      expect(Date.now() - awaitedAt).toBeGreaterThanOrEqual(seconds * 1000)
      expect(Date.now() - awaitedAt).toBeLessThan(seconds * 1000 + 5000)
      await requested.letGo()
      await theirs.letGo()
    })

    it('the patience does not begin again when it is awaited once more', async () => {
      const theirs = await soon(take(bucket, 'b'))
      const requested = request(bucket, 'a', { patience: 20_000 })
      const awaitedAt = Date.now()
      const held = messageOf(requested.held())
      await pass(15_000)
      expect(await messageOf(soon(requested.held()))).toContain('waited 20 seconds')
      expect(await held).toContain('waited 20 seconds')
      expect(Date.now() - awaitedAt).toBeLessThan(25_000)
      await theirs.letGo()
    })

    it.each([0, 45])(
      'another deploy that ends before it is awaited costs none of %i seconds of patience',
      async (seconds) => {
        const theirs = await soon(take(bucket, 'b'))
        const requested = request(bucket, 'a', { patience: seconds * 1000 })
        await pass(100_000)
        await soon(end(bucket, theirs))
        await pass(5000)
        expect(await soon(requested.held())).toMatchObject({ release: 2 })
        await requested.letGo()
      },
    )

    it.each(['giveUp', 'letGo'] as const)('%s ends the wait for another deploy, whose lock stands', async (how) => {
      const theirs = await soon(take(bucket, 'b'))
      const requested = request(bucket, 'a', { patience: day })
      await pass(10_000)
      const before = Date.now()
      await soon(requested[how]())
      expect(Date.now() - before).toBeLessThan(100)
      await soon(end(bucket, theirs))
      await pass(60_000)
      expect([...bucket.objects.keys()].sort()).toEqual([recordKey(folder, 1), first])
      expect((await holder()).id).toBe('b')
      expect(vi.getTimerCount()).toBe(0)
    })

    it.each<[how: 'giveUp' | 'letGo', what: string, isEmpty: boolean]>([
      ['giveUp', 'empties', true],
      ['letGo', 'leaves', false],
    ])('%s %s the lock that is on its way', async (how, _what, isEmpty) => {
      let arrive = () => {}
      const arrived = new Promise<void>((resolve) => {
        arrive = resolve
      })
      const slow: Bucket = {
        ...bucket,
        put: async (...sent) => {
          await arrived
          return bucket.put(...sent)
        },
      }
      const requested = request(slow, 'a')
      const ending = requested[how]()
      await pass(1000)
      expect(bucket.objects.size).toBe(0)
      arrive()
      await soon(ending)
      expect(bucket.objects.get(first)?.bytes.length === 0).toBe(isEmpty)
      await pass(60_000)
      expect(putsOf(first)).toBe(isEmpty ? 2 : 1)
      expect(vi.getTimerCount()).toBe(0)
    })

    it('giving up empties a lock that is held, and letting go afterwards changes nothing', async () => {
      const requested = request(bucket, 'a')
      await soon(requested.held())
      await soon(requested.giveUp())
      await soon(requested.letGo())
      expect(bucket.objects.get(first)?.bytes).toHaveLength(0)
      expect(putsOf(first)).toBe(2)
    })

    it.each(['giveUp', 'letGo'] as const)('%s does not fail where the lock can not be written', async (how) => {
      failsWith(500, 'InternalError')
      const requested = request(bucket, 'a')
      await soon(requested[how]())
      expect(bucket.objects.size).toBe(0)
    })

    it.each([403, 405])(
      'one that is forbidden with %i is none: a warning, once, and the deploy goes on',
      async (status) => {
        failsWith(status, 'AccessDenied')
        const requested = request(bucket, 'a')
        expect(await soon(requested.held())).toBeUndefined()
        expect(await soon(requested.held())).toBeUndefined()
        expect(warnings).toEqual([
          expect.stringMatching(
            /^\.static-s3\/ can't be written, .* two at the same time may mix: PUT .*99999998\.lock/,
          ),
        ])
        await soon(requested.giveUp())
        await soon(requested.letGo())
        expect(bucket.objects.size).toBe(0)
        expect(vi.getTimerCount()).toBe(0)
      },
    )

    it.each<[status: number | undefined, name: string]>([
      [500, 'InternalError'],
      [503, 'SlowDown'],
      [undefined, 'ECONNRESET'],
    ])('any other error, such as %s %s, is what awaiting it says', async (status, name) => {
      failsWith(status, name)
      const requested = request(bucket, 'a')
      await pass(1000)
      expect(await messageOf(requested.held())).toContain(name)
      expect(warnings).toEqual([])
      await requested.giveUp()
    })

    it('an error that nobody awaits is no unhandled rejection', async () => {
      failsWith(500, 'InternalError')
      request(bucket, 'a')
      await pass(1000)
      expect(bucket.log.at(-1)).toBe(`fail put ${first}`)
    })

    it('the stop of the deploy ends the wait, with its reason', async () => {
      const theirs = await soon(take(bucket, 'b'))
      const stop = new AbortController()
      const requested = request(bucket, 'a', { patience: day, stop: stop.signal })
      const held = messageOf(requested.held())
      await pass(10_000)
      stop.abort(new StaticS3Error('static-s3: stopped by SIGINT.'))
      expect(await soon(held)).toBe('static-s3: stopped by SIGINT.')
      await requested.giveUp()
      expect((await holder()).id).toBe('b')
      await theirs.letGo()
      // The pause between two looks.
      await pass(2000)
      expect(vi.getTimerCount()).toBe(0)
    })

    it('a store that ignores conditions is told of when the lock is awaited', async () => {
      const ignoring: Bucket = {
        ...bucket,
        put: (key, body, { IfNoneMatch, ...parameters }, signal) => bucket.put(key, body, parameters, signal),
      }
      const requested = request(ignoring, 'a', { conditionalWrites: false })
      await pass(1000)
      expect(warnings).toEqual([])
      expect(await soon(requested.held())).toMatchObject({ release: 1, conditionalWrites: false })
      expect(warnings).toEqual([expect.stringContaining('ignores conditional writes (If-None-Match)')])
      await requested.letGo()
    })
  })

  describe('late and doubled requests of a release that has ended', () => {
    const late: [what: string, send: (content: string) => Promise<unknown>][] = [
      ['a renewal', (content) => put(bucket, first, content)],
      [
        'taking its lock, once more',
        (content) => messageOf(bucket.put(first, bodyOfBytes(Buffer.from(content)), { IfNoneMatch: '*' })),
      ],
      ['giving up', () => put(bucket, first, '')],
      ['its record, once more', () => put(bucket, recordKey(folder, 1), 'a record')],
    ]

    it.each(late)('%s: changes nothing for who has the next one', async (_what, send) => {
      const one = await soon(take(bucket, 'b'))
      const content = (await contentOf(bucket, first)) as string
      await soon(end(bucket, one))
      const two = await soon(take(bucket, 'a', { folder: await folderNow() }))
      await soon(send(content))
      expect(openLock(await folderNow())).toMatchObject({ release: 2 })
      expect(await messageOf(soon(take(bucket, 'c', { folder: await folderNow() })))).toContain('locked by a@machine')
      await soon(end(bucket, two))
      await soon(send(content))
      expect(openLock(await folderNow())).toBeUndefined()
      const three = await soon(take(bucket, 'c', { folder: await folderNow() }))
      expect(three.release).toBe(3)
      await three.letGo()
    })

    it.each(late)('%s: changes nothing where its lock was taken over', async (_what, send) => {
      const one = await soon(take(bucket, 'b'))
      const content = (await contentOf(bucket, first)) as string
      await one.letGo()
      storeTime += 31_000
      const two = await soon(take(bucket, 'a', { folder: await folderNow() }))
      await soon(send(content))
      expect(openLock(await folderNow())).toMatchObject({ release: 2 })
      await soon(end(bucket, two))
      await soon(send(content))
      expect(openLock(await folderNow())).toBeUndefined()
    })
  })
})

function connect(s3: TestS3, bucket: string): Promise<S3Connection> {
  return openBucket(settingsFor(s3, bucket), patient)
}

describe.each(s3Servers)('$title', ({ available, start }) => {
  describe.skipIf(!available)('a lock', () => {
    let s3: TestS3
    let connection: S3Connection
    let bucket: Bucket

    beforeAll(async () => {
      s3 = await start()
    })
    beforeEach(async () => {
      connection = await connect(s3, await s3.createBucket())
      bucket = connection.bucket
    })
    afterEach(() => connection.close())
    afterAll(() => s3?.close())

    it('is taken, refused to others, and ended by a record or by giving up', async () => {
      const lock = await take(bucket, 'a', { conditionalWrites: false })
      expect(lock).toMatchObject({ release: 1, conditionalWrites: true })
      expect(JSON.parse((await contentOf(bucket, lockKey(folder, 1))) ?? '')).toMatchObject({
        id: 'a',
        by: 'a@machine',
      })
      expect(await messageOf(take(bucket, 'b'))).toContain('locked by a@machine, running since 20')
      await end(bucket, lock)
      const next = await take(bucket, 'b')
      expect(next.release).toBe(2)
      await next.giveUp()
      const last = await take(bucket, 'c')
      expect(last.release).toBe(3)
      await end(bucket, last)
    })

    it('goes round among 24 at once: one at a time, each with a number above the last', async () => {
      const inside = new Set<string>()
      const numbers: number[] = []
      const ended: [key: string, content: string][] = []
      const contend = async (index: number): Promise<void> => {
        const id = `contender ${index}`
        const lock = await take(bucket, id, { patience: 300_000, conditionalWrites: index % 2 === 0 })
        inside.add(id)
        expect([...inside]).toEqual([id])
        numbers.push(lock.release)
        const key = lockKey(folder, lock.release)
        const content = (await contentOf(bucket, key)) ?? ''
        expect(JSON.parse(content).id).toBe(id)
        // What those before might still have on its way.
        const [late, lateContent] = ended.at(-1) ?? []
        if (late) await put(bucket, late, index % 3 === 0 ? (lateContent ?? '') : '')
        expect([...inside]).toEqual([id])
        inside.delete(id)
        if (index % 4 === 0) await lock.giveUp()
        else {
          await end(bucket, lock)
          ended.push([key, content])
        }
      }
      await Promise.all(Array.from({ length: 24 }, (_, index) => contend(index)))
      expect(numbers).toHaveLength(24)
      expect(numbers).toEqual([...new Set(numbers)].sort((one, other) => one - other))
    }, 300_000)
  })
})

describe('on the embedded server', () => {
  let s3: EmbeddedS3
  let name: string
  let connection: S3Connection
  let bucket: Bucket

  const open = async (server: EmbeddedS3) => {
    s3 = server
    name = await s3.createBucket()
    connection = await connect(s3, name)
    bucket = connection.bucket
    s3.server.reset()
  }
  afterEach(async () => {
    connection.close()
    await s3.close()
  })

  const isLockPut = ({ method, key }: LoggedRequest) => method === 'PUT' && (key?.endsWith('.lock') ?? false)

  it.each([true, false])(
    'a lock is recognised as the own one when the answer got lost after it was written (conditions known: %s)',
    async (conditionalWrites) => {
      await open(await startEmbedded())
      let lost = 0
      s3.server.intercept = (request) => (isLockPut(request) && lost++ === 0 ? { destroy: 'afterWrite' } : undefined)
      const lock = await take(bucket, 'a', { conditionalWrites })
      expect(lock).toMatchObject({ release: 1, conditionalWrites: true })
      expect(s3.server.requests.filter(isLockPut).map(({ status }) => status)).toEqual([0, 412])
      await end(bucket, lock)
    },
  )

  it('a lock is recognised as the own one at a second look, and its time runs from when it was written', async () => {
    await open(await startEmbedded())
    let puts = 0
    let looks = 0
    s3.server.intercept = async (request) => {
      if (isLockPut(request)) return puts++ === 0 ? { destroy: 'afterWrite' } : undefined
      if (request.operation !== 'GetObject' || looks++ > 0) return undefined
      await new Promise((done) => setTimeout(done, 300))
      return { status: 403, code: 'AccessDenied' }
    }
    const waitedFor: string[] = []
    const begun = Date.now()
    const lock = await take(bucket, 'a', { patience: 60_000, onWait: (whom) => waitedFor.push(whom) })
    expect({ looks, puts, waitedFor }).toEqual({ looks: 2, puts: 2, waitedFor: [] })
    expect(lock).toMatchObject({ release: 1, conditionalWrites: true })
    const clock = vi.spyOn(Date, 'now')
    clock.mockReturnValue(begun + 24_900)
    expect(() => lock.check()).not.toThrow()
    // The lock was written before the answers that took 300 ms.
    clock.mockReturnValue(begun + 25_290)
    expect(() => lock.check()).toThrow('could not be renewed')
    clock.mockRestore()
    await end(bucket, lock)
  })

  it('the lock of somebody else is not recognised as the own one', async () => {
    await open(await startEmbedded())
    const theirs = await take(bucket, 'b')
    expect(await messageOf(take(bucket, 'a'))).toContain('locked by b@machine')
    await theirs.letGo()
  })

  it.each([
    [501, 'NotImplemented'],
    [400, 'InvalidArgument'],
  ])('a store that answers conditions with %i gets a lock all the same', async (status, code) => {
    await open(await startEmbedded())
    s3.server.intercept = ({ headers }) => (headers['if-none-match'] === undefined ? undefined : { status, code })
    const lock = await take(bucket, 'a', { conditionalWrites: false })
    expect(lock).toMatchObject({ release: 1, conditionalWrites: false })
    expect(await messageOf(take(bucket, 'b', { folder: lock.folder }))).toContain('locked by a@machine')
    await end(bucket, lock)
  })

  it('a lock of the day before yesterday is taken over by the clock of the server, and one of today is not', async () => {
    let ahead = 0
    await open(await startEmbedded({ now: () => new Date(Date.now() + ahead) }))
    ahead = -2 * 24 * 3_600_000
    const dead = await take(bucket, 'dead')
    await dead.letGo()
    const seen = await readReleases(bucket, 'static')
    expect(await messageOf(take(bucket, 'a', { folder: seen }))).toContain('locked by dead@machine')
    ahead += 27_000
    expect(await messageOf(take(bucket, 'a', { folder: seen }))).toContain('locked by dead@machine')
    ahead += 6000
    const lock = await take(bucket, 'a', { folder: seen, patience: 60_000 })
    expect(lock.release).toBe(2)
    await end(bucket, lock)
  })

  it('a wait ends when the other one has ended', async () => {
    await open(await startEmbedded())
    const theirs = await take(bucket, 'b')
    let waiting: Promise<Lock> | undefined
    const told = await new Promise<string>((onWait) => {
      waiting = take(bucket, 'a', { patience: 60_000, onWait })
    })
    expect(told).toContain('b@machine')
    await end(bucket, theirs)
    const lock = (await waiting) as Lock
    expect(lock.release).toBe(2)
    await end(bucket, lock)
  })
})
