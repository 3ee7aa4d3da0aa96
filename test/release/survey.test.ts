import { setImmediate as turn } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { memoryBucket } from '../../fixtures/bucket/memory-bucket.js'
import { patience } from '../../fixtures/patience.js'
import { type EmbeddedS3, type LoggedRequest, startEmbedded } from '../../fixtures/s3/index.js'
import type { Bucket } from '../../src/bucket/bucket.js'
import { bodyOfBytes } from '../../src/bucket/bucket.js'
import { canonicalHeaders } from '../../src/bucket/headers.js'
import { encodeRecord } from '../../src/release/records/format.js'
import type { RecordedObject } from '../../src/release/records/record.js'
import {
  lockKey,
  readFolder,
  readReleases,
  recordKey,
  releasesFolder,
} from '../../src/release/records/releases-folder.js'
import { isCurrent, takeSurvey } from '../../src/release/survey.js'
import { StaticS3Error } from '../../src/runtime/error.js'
import { openBucket } from '../../src/s3/objects/s3-bucket.js'

const recorded: RecordedObject = {
  sha256: 'ab'.repeat(32),
  size: 1,
  etag: '0cc175b9c0f1b6a831c399e269772661',
  writtenAt: 0,
  headers: canonicalHeaders({ CacheControl: 'no-cache' }),
  fingerprinted: false,
  release: 1,
}
const recordOf = (release: number, splitAt: string[] = []) => ({
  ...{ id: `of ${release}`, by: 'ada', commit: undefined, bundler: 'vite', at: new Date(0) },
  ...{ release, live: release, conditionalWrites: true, splitAt, objects: new Map([['a', recorded]]) },
})

/** A bucket in memory whose clock is moved by hand, and which tells what it is asked. */
function makeBucket() {
  let time = Date.UTC(2026, 0, 1)
  const memory = memoryBucket({ now: () => time })
  const log: string[] = []
  const told = async <T>(what: string, asked: Promise<T>): Promise<T> => {
    log.push(what)
    try {
      return await asked
    } finally {
      log.push(`end ${what}`)
    }
  }
  const watched: Bucket = {
    ...memory,
    list: (prefix, options = {}) =>
      told(
        `list ${prefix}${options.first === undefined ? '' : ` first ${options.first}`}`,
        memory.list(prefix, options),
      ),
    get: (key, signal) => told(`get ${key}`, memory.get(key, signal)),
  }
  const put = async (key: string, bytes: Buffer | string = 'a') => {
    time += 1000
    await memory.put(key, bodyOfBytes(Buffer.from(bytes)), {})
    return time
  }
  return {
    memory,
    watched,
    log,
    put,
    /** What was asked, without its ends. */
    asked: () => log.filter((line) => !line.startsWith('end ')),
    release: async (location: string, release: number, splitAt: string[] = []) =>
      put(recordKey(releasesFolder(location), release), await encodeRecord(location, recordOf(release, splitAt))),
    lock: (location: string, release: number, content = '{}') =>
      put(lockKey(releasesFolder(location), release), content),
  }
}

let made: ReturnType<typeof makeBucket>
beforeEach(() => {
  made = makeBucket()
})

const folder = '.static-s3/static/releases/'

describe('what is asked', () => {
  it('of a bucket without a release: the head of the folder, then the location', async () => {
    await made.put('static/a')
    const survey = await takeSurvey(made.watched, 'static')
    expect(made.log).toEqual([
      `list ${folder} first 20`,
      `end list ${folder} first 20`,
      'list static/',
      'end list static/',
    ])
    expect(survey).toMatchObject({
      record: undefined,
      folder: { records: [], locks: [], impossible: [] },
      warnings: [],
    })
    expect([...survey.listing]).toMatchObject([['static/a', { key: 'static/a', size: 1, etag: recorded.etag }]])
  })

  it('the head of the folder before all else, then the newest record and the listing at the same time', async () => {
    await made.release('static', 1)
    await made.release('static', 2)
    await made.put('static/a')
    await takeSurvey(made.watched, 'static')
    const ends = made.log.findIndex((line, i) => i > 1 && line.startsWith('end '))
    expect(made.log.slice(0, 2)).toEqual([`list ${folder} first 20`, `end list ${folder} first 20`])
    expect(made.log.slice(2, ends)).toEqual([`get ${recordKey(folder, 2)}`, 'list static/'])
  })

  it('the newest record alone', async () => {
    for (let release = 1; release <= 30; release++) await made.release('static', release)
    const { record, folder: seen } = await takeSurvey(made.watched, 'static')
    expect(record).toEqual(recordOf(30))
    expect(seen?.records[0]).toMatchObject({ key: recordKey(folder, 30), release: 30 })
    expect(made.asked()).toEqual([`list ${folder} first 20`, `get ${recordKey(folder, 30)}`, 'list static/'])
  })

  it('the time, when the folder has been read and before the rest is', async () => {
    const { list } = made.watched
    made.watched.list = async (prefix, options) => {
      const listed = await list(prefix, options)
      await made.put('static/other')
      return listed
    }
    const before = made.memory.now()
    const { takenAt } = await takeSurvey(made.watched, 'static')
    expect([takenAt, made.memory.now()]).toEqual([before + 1000, before + 2000])
  })

  it('not the folder, where it was read already', async () => {
    await made.release('static', 1)
    const read = await readReleases(made.memory, 'static')
    await made.release('static', 2)
    const survey = await takeSurvey(made.watched, 'static', { folder: read })
    expect(survey).toMatchObject({ folder: read, record: { release: 1 } })
    expect(made.asked()).toEqual([`get ${recordKey(folder, 1)}`, 'list static/'])
  })

  it('gets the record’s splits for the listing', async () => {
    await made.release('static', 1, ['static/k', 'static/p'])
    const list = vi.spyOn(made.watched, 'list')
    await takeSurvey(made.watched, 'static')
    const [, [prefix, options] = []] = list.mock.calls
    expect(prefix).toBe('static/')
    expect(await options?.splitAt).toEqual(['static/k', 'static/p'])
  })
})

describe('a listing by key', () => {
  it('has S3’s order, and names that every object has', async () => {
    for (const key of ['static/__proto__', 'static/b', 'static/constructor', 'static/a', 'static/ä'])
      await made.put(key)
    const { listing } = await takeSurvey(made.watched, 'static')
    expect([...listing.keys()]).toEqual(['__proto__', 'a', 'b', 'constructor', 'ä'].map((path) => `static/${path}`))
    expect(listing.get('static/toString')).toBeUndefined()
  })
})

describe('locks of releases that failed, before the newest record', () => {
  it.each([19, 20, 21, 150])('%i of them', async (count) => {
    await made.release('static', 3)
    for (let release = 4; release < 4 + count; release++) await made.lock('static', release, '')
    const survey = await takeSurvey(made.watched, 'static')
    expect(survey.record?.release).toBe(3)
    expect(survey.folder?.locks).toHaveLength(count)
    expect(isCurrent(survey, 4 + count)).toBe(true)
    const lists = [
      `list ${folder} first 20`,
      ...(count < 20 ? [] : [`list ${folder}`]),
      'list static/',
      'list .static-s3/static/objects/',
    ]
    expect(made.asked().filter((line) => line.startsWith('list '))).toEqual(lists)
  })

  it('and no record at all', async () => {
    for (let release = 1; release <= 25; release++) await made.lock('static', release, '')
    const survey = await takeSurvey(made.watched, 'static')
    expect(survey).toMatchObject({ record: undefined, warnings: [] })
    expect(isCurrent(survey, 26)).toBe(true)
  })

  it('not those after it: they are older', async () => {
    for (let release = 1; release <= 30; release++) {
      await made.lock('static', release)
      await made.release('static', release)
    }
    const survey = await takeSurvey(made.watched, 'static')
    expect(survey.folder?.locks.map(({ release }) => release)).toEqual([30, 29, 28, 27, 26, 25, 24, 23, 22, 21])
    expect(isCurrent(survey, 31)).toBe(true)
    expect(made.asked().filter((line) => line.startsWith('list '))).toEqual([`list ${folder} first 20`, 'list static/'])
  })
})

describe('other locations do not disturb', () => {
  it.each<[location: string, others: string[]]>([
    ['static', ['', 'static-admin', 'static/releases', 'static/releases/releases', 'stati', 'STATIC', 'other']],
    ['static', ['static/releases/0', 'static/releases/99999998.json.gz']],
    ['static/releases', ['', 'static', 'releases', 'static/releases/releases']],
    ['', ['static', 'releases', 'releases/releases', 'r']],
    ['releases', ['', 'releases/releases', 'static']],
  ])('%j beside %j', async (location, others) => {
    const prefix = location === '' ? '' : `${location}/`
    await made.put(`${prefix}page.html`)
    await made.release(location, 1)
    for (const other of others) {
      await made.release(other, 40)
      // Enough of them to fill the head of the folder.
      for (let release = 41; release < 66; release++) await made.lock(other, release)
    }
    const survey = await takeSurvey(made.watched, location)
    expect(survey.record?.release).toBe(1)
    expect(survey.warnings).toEqual([])
    expect(survey.folder).toMatchObject({ records: [{ release: 1 }], locks: [] })
    expect(isCurrent(survey, 2)).toBe(true)
    expect([...survey.listing.keys()]).toContain(`${prefix}page.html`)
    if (location !== '') expect(survey.listing.size).toBe(1)
  })

  it('the listing ends with the location’s slash', async () => {
    for (const key of ['static', 'static-admin/a', 'static/a', 'static0', 'other/static/a']) await made.put(key)
    expect([...(await takeSurvey(made.watched, 'static')).listing.keys()]).toEqual(['static/a'])
  })

  it('what has another name in the folder is nobody’s', () => {
    const names = ['9999999.json.gz', '999999998.json.gz', '99999998.json', '99999998.lock.bak', '99999998.lock/']
    const objects = [...names, '', 'x/99999998.json.gz', '0-begun-1.json.gz'].map((name) => ({
      key: folder + name,
      size: 1,
      etag: '',
      lastModified: 0,
    }))
    expect(readFolder(folder, objects)).toEqual({ records: [], locks: [], impossible: [] })
  })
})

describe('a survey holds for who has the lock', () => {
  it.each<[what: string, prepare: () => Promise<unknown>, release: number, holds: boolean]>([
    ['of the first release', async () => {}, 1, true],
    ['of the next release', () => made.release('static', 4), 5, true],
    ['not of one after that: somebody had a lock in between', () => made.release('static', 4), 6, false],
    ['not of one that was there already', () => made.release('static', 4), 4, false],
    ['not while another one was at work', () => made.lock('static', 1), 2, false],
    ['after one that failed', () => made.lock('static', 1, ''), 2, true],
    ['not with the number of one that failed', () => made.lock('static', 1, ''), 1, false],
    [
      'after one that ended and left its lock',
      async () => {
        await made.lock('static', 1)
        await made.release('static', 1)
      },
      2,
      true,
    ],
    [
      'not after one that failed, when another one is at work',
      async () => {
        await made.lock('static', 1, '')
        await made.lock('static', 2)
      },
      3,
      false,
    ],
  ])('%s', async (_what, prepare, release, holds) => {
    await prepare()
    expect(isCurrent(await takeSurvey(made.watched, 'static'), release)).toBe(holds)
  })

  it('never where the folder can’t be read', async () => {
    const survey = await takeSurvey(made.watched, 'static')
    expect(isCurrent({ ...survey, folder: undefined }, 1)).toBe(false)
  })

  it('and the folder alone can be read once more', async () => {
    await made.release('static', 4)
    await made.lock('static', 5)
    expect(await readReleases(made.watched, 'static')).toMatchObject({
      records: [{ release: 4 }],
      locks: [{ release: 5, size: 2 }],
    })
  })
})

describe('what goes wrong', () => {
  const refused = new StaticS3Error('static-s3: GET x in s3://memory: S3 said no (AccessDenied)', {
    cause: { name: 'AccessDenied', status: 403 },
  })
  const unused = 'the newest record is not used, so this takes longer: '

  it.each<[what: string, content: () => Promise<Buffer> | Buffer, says: string]>([
    ['damaged', () => Buffer.from('x'), 'is damaged'],
    ['empty', () => Buffer.alloc(0), 'is damaged'],
    ['of another location', () => encodeRecord('other', recordOf(2)), 'belongs to another location ("other")'],
  ])('a record that is %s is a warning, and an older one takes its place', async (_what, content, says) => {
    await made.release('static', 1)
    await made.put(recordKey(folder, 2), await content())
    await made.put(recordKey(folder, 3), await content())
    await made.put('static/a')
    const survey = await takeSurvey(made.watched, 'static')
    const both = `${recordKey(folder, 3)} ${says}; ${recordKey(folder, 2)} ${says}`
    expect(survey.warnings).toEqual([
      `${unused}${both}. The record of release 1 takes its place: a later hold is not known`,
    ])
    expect(survey.record?.release).toBe(1)
    expect(survey.listing.size).toBe(1)
    expect(isCurrent(survey, 4)).toBe(true)
  })

  it('records of which none can be used are a warning', async () => {
    await made.put(recordKey(folder, 1), Buffer.from('x'))
    const survey = await takeSurvey(made.watched, 'static')
    expect(survey.warnings).toEqual([`${unused}${recordKey(folder, 1)} is damaged. A hold in it has no effect`])
    expect(survey.record).toBeUndefined()
  })

  it('a record that is gone when it is asked for is none, without a warning', async () => {
    await made.release('static', 1)
    made.watched.get = () => Promise.resolve(undefined)
    expect(await takeSurvey(made.watched, 'static')).toMatchObject({ record: undefined, warnings: [] })
  })

  it('a record that can’t be had is a warning', async () => {
    await made.release('static', 1)
    await made.put('static/a')
    made.watched.get = () => Promise.reject(refused)
    const survey = await takeSurvey(made.watched, 'static')
    expect(survey).toMatchObject({ record: undefined, folder: { records: [{}] } })
    expect([...survey.listing.keys()]).toEqual(['static/a'])
    expect(survey.warnings).toEqual([
      `${unused}${refused.message.replace('static-s3: ', '')}. A hold in it has no effect`,
    ])
  })

  it('a folder that can’t be listed is a warning, and nothing is asked for in it', async () => {
    await made.release('static', 1)
    await made.put('static/a')
    const list = made.watched.list
    made.watched.list = (prefix, options) => (prefix === folder ? Promise.reject(refused) : list(prefix, options))
    const survey = await takeSurvey(made.watched, 'static')
    expect(survey).toMatchObject({ record: undefined, folder: undefined })
    expect([...survey.listing.keys()]).toEqual(['static/a'])
    expect(survey.warnings).toEqual([
      `.static-s3/ can't be read, so deploys take longer and two at the same time may mix: ${refused.message.replace('static-s3: ', '')}`,
    ])
    expect(made.asked()).toEqual(['list static/'])
  })

  it('a folder that the store can’t list just now is an error: without it there would be no lock', async () => {
    await made.release('static', 1)
    const { list } = made.watched
    const down = new StaticS3Error('static-s3: LIST: SlowDown', { cause: { name: 'SlowDown', status: 503 } })
    made.watched.list = (prefix, options) => (prefix === folder ? Promise.reject(down) : list(prefix, options))
    await expect(takeSurvey(made.watched, 'static')).rejects.toBe(down)
  })

  it('a location that can’t be listed is an error, when all else has come to its end', async () => {
    await made.release('static', 1)
    const { list, get } = made.watched
    made.watched.list = (prefix, options) => (prefix === 'static/' ? Promise.reject(refused) : list(prefix, options))
    made.watched.get = async (key, signal) => {
      for (let i = 0; i < 5; i++) await turn()
      return get(key, signal)
    }
    await expect(takeSurvey(made.watched, 'static')).rejects.toBe(refused)
    expect(made.log.at(-1)).toBe(`end get ${recordKey(folder, 1)}`)
  })

  it('an error beside a failing record is an error, and no rejection is left over', async () => {
    await made.release('static', 1)
    const { list } = made.watched
    made.watched.list = (prefix, options) => (prefix === 'static/' ? Promise.reject(refused) : list(prefix, options))
    made.watched.get = () => Promise.reject(refused)
    await expect(takeSurvey(made.watched, 'static')).rejects.toBe(refused)
  })
})

describe('an abort ends everything that was asked', () => {
  let s3: EmbeddedS3
  let name: string
  let connection: Awaited<ReturnType<typeof openBucket>>
  const rejections: unknown[] = []
  const note = (reason: unknown) => rejections.push(reason)

  beforeAll(async () => {
    s3 = await startEmbedded()
    process.on('unhandledRejection', note)
  })
  beforeEach(async () => {
    rejections.length = 0
    name = await s3.createBucket()
    const { endpoint, region, credentials } = s3
    const settings = { bucket: name, endpoint, region, credentials, addressingStyle: 'path' as const, concurrency: 8 }
    connection = await openBucket(settings)
    await made.release('static', 1, ['static/2500', 'static/3500'])
    const entries = [...made.memory.objects].map(([key, { bytes }]) => ({ key, body: bytes }))
    const body = Buffer.from('a')
    s3.server.seed(name, [...entries, ...Array.from({ length: 3000 }, (_, i) => ({ key: `static/${1000 + i}`, body }))])
    s3.server.reset()
  })
  afterEach(() => {
    s3.server.intercept = undefined
    connection.close()
  })
  afterAll(async () => {
    process.off('unhandledRejection', note)
    await s3.close()
  })

  it('is the whole of it without one', async () => {
    const { record, listing, warnings } = await takeSurvey(connection.bucket, 'static')
    expect({ release: record?.release, listed: listing.size, warnings }).toEqual({
      release: 1,
      listed: 3000,
      warnings: [],
    })
  })

  const isFolder = ({ query }: LoggedRequest) => query.prefix === folder
  it.each<[when: string, holds: (request: LoggedRequest) => boolean, count: number]>([
    ['while the folder is listed', isFolder, 1],
    ['while record and listing are on their way', (request) => !isFolder(request), 2],
    ['while the record is on its way', ({ operation }) => operation === 'GetObject', 1],
    [
      'while the parts of the listing are on their way',
      ({ query }) => Boolean(query['continuation-token'] ?? query['start-after']),
      3,
    ],
  ])('%s', async (_when, holds, count) => {
    const held: LoggedRequest[] = []
    let letGo = () => {}
    const gate = new Promise<void>((resolve) => {
      letGo = resolve
    })
    s3.server.intercept = async (request) => {
      if (!holds(request)) return undefined
      held.push(request)
      await gate
      return { destroy: 'before' }
    }
    const stop = new AbortController()
    const survey = takeSurvey(connection.bucket, 'static', { signal: stop.signal })
    const settled = vi.fn()
    survey.then(settled, settled)
    await vi.waitFor(() => expect(held).toHaveLength(count), patience)
    expect(settled).not.toHaveBeenCalled()
    stop.abort(new StaticS3Error('static-s3: the build failed'))
    await expect(survey).rejects.toThrow('the build failed')
    // Cut by the client: nobody has let them go yet.
    await vi.waitFor(() => expect(held.every(({ time }) => time > 0)).toBe(true), patience)
    const asked = s3.server.requests.length
    letGo()
    for (let i = 0; i < 10; i++) await turn()
    expect(s3.server.requests).toHaveLength(asked)
    expect(rejections).toEqual([])
  })

  it('before it begins: nothing is asked', async () => {
    await expect(takeSurvey(connection.bucket, 'static', { signal: AbortSignal.abort() })).rejects.toThrow()
    expect(s3.server.requests).toEqual([])
    expect(rejections).toEqual([])
  })
})
