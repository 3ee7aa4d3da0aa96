import { setImmediate as turn } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { memoryBucket } from '../fixtures/memory-bucket.js'
import { type EmbeddedS3, type LoggedRequest, startEmbedded } from '../fixtures/s3/index.js'
import type { Bucket } from '../src/core/bucket.js'
import { bodyOfBytes } from '../src/core/bytes.js'
import { StaticS3Error } from '../src/core/error.js'
import { headersOf } from '../src/core/headers.js'
import { encodeBegun, encodeRelease, type KnownObject } from '../src/core/record.js'
import { begunKey, lockKey, readFolder, recordKey, releasesFolder } from '../src/core/releases-folder.js'
import { isCurrent, readReleases, type Survey, takeSurvey } from '../src/core/survey.js'
import { openBucket } from '../src/s3/s3-bucket.js'

const headers = headersOf({ CacheControl: 'no-cache' })
const known: KnownObject = {
  sha256: 'ab'.repeat(32),
  size: 1,
  etag: '0cc175b9c0f1b6a831c399e269772661',
  headers,
  fingerprinted: false,
  release: 1,
}
const authorOf = (id: string) => ({ id, by: 'ada', commit: undefined, bundler: 'vite', at: new Date(0) })

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
    release: async (location: string, release: number, { id = `of ${release}`, splitAt = [] as string[] } = {}) => {
      const content = {
        ...authorOf(id),
        release,
        surveyedAt: new Date(0),
        conditionalWrites: true,
        splitAt,
        objects: new Map([['a', known]]),
      }
      return put(recordKey(releasesFolder(location), release), await encodeRelease(location, content))
    },
    begin: async (location: string, id: string) => {
      const content = { ...authorOf(id), headers: new Map([['a', headers]]) }
      return put(begunKey(releasesFolder(location), id), await encodeBegun(location, content))
    },
    lock: (location: string, release: number, content = '{}') =>
      put(lockKey(releasesFolder(location), release), content),
  }
}

let made: ReturnType<typeof makeBucket>
beforeEach(() => {
  made = makeBucket()
})

const folder = '.static-s3/static/releases/'
const begunIds = ({ begun }: Survey) => begun.map(({ id }) => id)

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
      listing: [{ key: 'static/a', size: 1, etag: known.etag }],
      record: undefined,
      begun: [],
      folder: { records: [], locks: [], begun: [] },
      warnings: [],
    })
  })

  it('the head of the folder before all else, then newest record, begun records and listing at the same time', async () => {
    await made.release('static', 1)
    await made.release('static', 2)
    await made.begin('static', 'one')
    await made.put('static/a')
    await takeSurvey(made.watched, 'static')
    const ends = made.log.findIndex((line, i) => i > 1 && line.startsWith('end '))
    expect(made.log.slice(0, 2)).toEqual([`list ${folder} first 20`, `end list ${folder} first 20`])
    expect(made.log.slice(2, ends).sort()).toEqual(
      [`get ${recordKey(folder, 2)}`, `get ${begunKey(folder, 'one')}`, 'list static/'].sort(),
    )
  })

  it('the newest record alone, with the time of its writing by the store’s clock', async () => {
    for (let release = 1; release < 30; release++) await made.release('static', release)
    const writtenAt = await made.release('static', 30)
    const { record, folder: seen } = await takeSurvey(made.watched, 'static')
    expect(record).toMatchObject({ release: 30, id: 'of 30', writtenAt })
    expect(seen?.records[0]).toMatchObject({ key: recordKey(folder, 30), release: 30 })
    expect(made.asked()).toEqual([`list ${folder} first 20`, `get ${recordKey(folder, 30)}`, 'list static/'])
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
    await made.release('static', 1, { splitAt: ['static/k', 'static/p'] })
    const list = vi.spyOn(made.watched, 'list')
    await takeSurvey(made.watched, 'static')
    const [, [prefix, options] = []] = list.mock.calls
    expect(prefix).toBe('static/')
    expect(await options?.splitAt).toEqual(['static/k', 'static/p'])
  })
})

describe('what deploys began', () => {
  it('before the newest record was written is of no interest', async () => {
    await made.begin('static', 'before')
    await made.release('static', 1)
    await made.begin('static', 'after')
    expect(begunIds(await takeSurvey(made.watched, 'static'))).toEqual(['after'])
    expect(made.asked()).not.toContain(`get ${begunKey(folder, 'before')}`)
  })

  it('is used with the time of its writing, where there is no record too', async () => {
    const writtenAt = await made.begin('static', 'one')
    const { begun } = await takeSurvey(made.watched, 'static')
    expect(begun).toMatchObject([{ id: 'one', writtenAt }])
    expect(begun[0]?.headers?.get('a')).toBe(headers)
    expect(begun[0]?.headers?.has('b')).toBe(false)
  })

  it('in the same instant as the record counts, unless it is the record’s own', async () => {
    const time = await made.release('static', 1, { id: 'own' })
    for (const id of ['own', 'other']) {
      await made.begin('static', id)
      made.memory.written.set(begunKey(folder, id), time)
    }
    expect(begunIds(await takeSurvey(made.watched, 'static'))).toEqual(['other'])
  })

  it('counts the newest first, and of more than twenty it isn’t known what they were to write', async () => {
    await made.release('static', 1)
    // Their names say nothing of their order.
    const ids = ['c', 'a', 'e', 'b', 'd', ...Array.from({ length: 18 }, (_, i) => `more-${i}`)]
    for (const id of ids) await made.begin('static', id)
    const survey = await takeSurvey(made.watched, 'static')
    expect(begunIds(survey)).toEqual(ids.toReversed())
    expect(survey.begun.map(({ headers }) => headers !== undefined)).toEqual(ids.map((_, i) => i < 20))
    expect(made.asked().filter((line) => line.startsWith('get '))).toHaveLength(21)
  })

  it('and put away while it was asked for may have written anything, without a warning', async () => {
    await made.release('static', 1)
    await made.begin('static', 'gone')
    const get = made.watched.get
    made.watched.get = (key, signal) => (key.includes('begun') ? Promise.resolve(undefined) : get(key, signal))
    expect(await takeSurvey(made.watched, 'static')).toMatchObject({
      begun: [{ id: 'gone', headers: undefined }],
      warnings: [],
      record: { release: 1 },
    })
  })
})

describe('more than the first 20 entries before the newest record', () => {
  it.each([19, 20, 21, 150])('%i that deploys began', async (count) => {
    await made.release('static', 3)
    for (let i = 0; i < count; i++) await made.put(begunKey(folder, `${i}`))
    const { record, folder: seen } = await takeSurvey(made.watched, 'static')
    expect(record?.release).toBe(3)
    expect(seen?.begun).toHaveLength(count)
    const lists = [`list ${folder} first 20`, ...(count < 20 ? [] : [`list ${folder}`]), 'list static/']
    expect(made.asked().filter((line) => line.startsWith('list '))).toEqual(lists)
  })

  it('locks of releases that failed', async () => {
    await made.release('static', 3)
    for (let release = 4; release < 40; release++) await made.lock('static', release, '')
    const survey = await takeSurvey(made.watched, 'static')
    expect(survey.record?.release).toBe(3)
    expect(isCurrent(survey, 40)).toBe(true)
  })

  it('and no record at all', async () => {
    for (let i = 0; i < 25; i++) await made.put(begunKey(folder, `${i}`), await encodeBegun('static', begun(`${i}`)))
    const { record, folder: seen, begun: used, warnings } = await takeSurvey(made.watched, 'static')
    expect({ record, count: seen?.begun.length, used: used.length, warnings }).toEqual({
      record: undefined,
      count: 25,
      used: 25,
      warnings: [],
    })
  })

  const begun = (id: string) => ({ ...authorOf(id), headers: new Map<string, string>() })
})

describe('other locations do not disturb', () => {
  it.each<[location: string, others: string[]]>([
    ['static', ['', 'static-admin', 'static/releases', 'static/releases/releases', 'stati', 'STATIC', 'other']],
    ['static', ['static/releases/0', 'static/releases/0-begun-1.json.gz', 'static/releases/99999998.json.gz']],
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
      for (let i = 0; i < 25; i++) await made.begin(other, `${i}`)
      await made.lock(other, 41)
    }
    const survey = await takeSurvey(made.watched, location)
    expect(survey.record?.release).toBe(1)
    expect(survey.warnings).toEqual([])
    expect(survey.begun).toEqual([])
    expect(survey.folder).toMatchObject({ records: [{ release: 1 }], locks: [], begun: [] })
    expect(isCurrent(survey, 2)).toBe(true)
    expect([...survey.listing].map(({ key }) => key)).toContain(`${prefix}page.html`)
    if (location !== '') expect(survey.listing).toHaveLength(1)
  })

  it('the listing ends with the location’s slash', async () => {
    for (const key of ['static', 'static-admin/a', 'static/a', 'static0', 'other/static/a']) await made.put(key)
    expect([...(await takeSurvey(made.watched, 'static')).listing].map(({ key }) => key)).toEqual(['static/a'])
  })

  it('what has another name in the folder is nobody’s', () => {
    const names = ['9999999.json.gz', '999999998.json.gz', '99999998.json', '99999998.lock.bak', '0-begun-.json.gz']
    const objects = [...names, '', 'x/99999998.json.gz', '0-begun-a/b.json.gz'].map((name) => ({
      key: folder + name,
      size: 1,
      etag: '',
      lastModified: 0,
    }))
    expect(readFolder(folder, objects)).toEqual({ records: [], locks: [], begun: [] })
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
  const unused = 'the record of the last release is not used, which costs time and nothing else: '

  it.each<[what: string, content: () => Promise<Buffer> | Buffer, says: string]>([
    ['damaged', () => Buffer.from('x'), 'is damaged'],
    ['empty', () => Buffer.alloc(0), 'is damaged'],
    [
      'of another location',
      () =>
        encodeRelease('other', {
          ...authorOf('x'),
          release: 2,
          surveyedAt: new Date(0),
          conditionalWrites: true,
          objects: new Map(),
          splitAt: [],
        }),
      `is another location's ("other")`,
    ],
  ])('a record that is %s is a warning, and no older one stands in', async (_what, content, says) => {
    await made.release('static', 1)
    await made.put(recordKey(folder, 2), await content())
    await made.begin('static', 'one')
    await made.put('static/a')
    const survey = await takeSurvey(made.watched, 'static')
    expect(survey.warnings).toEqual([`${unused}${recordKey(folder, 2)} ${says}`])
    expect(survey.record).toBeUndefined()
    expect(begunIds(survey)).toEqual(['one'])
    expect(survey.listing).toHaveLength(1)
    expect(isCurrent(survey, 3)).toBe(true)
  })

  it('what was begun and is damaged is a warning, and may have been about anything', async () => {
    await made.release('static', 1)
    await made.put(begunKey(folder, 'one'), 'x')
    await made.begin('static', 'two')
    const survey = await takeSurvey(made.watched, 'static')
    expect(survey.warnings).toEqual([expect.stringContaining(`${begunKey(folder, 'one')} is damaged`)])
    expect(survey.begun).toMatchObject([{ id: 'two' }, { id: 'one', headers: undefined }])
    expect(survey.record?.release).toBe(1)
  })

  it('a record that can’t be had is a warning', async () => {
    await made.release('static', 1)
    await made.put('static/a')
    made.watched.get = () => Promise.reject(refused)
    const survey = await takeSurvey(made.watched, 'static')
    expect(survey).toMatchObject({ record: undefined, listing: [{ key: 'static/a' }], folder: { records: [{}] } })
    expect(survey.warnings).toEqual([`${unused}${refused.message.replace('static-s3: ', '')}`])
  })

  it('a folder that can’t be listed is a warning, and nothing is asked for in it', async () => {
    await made.release('static', 1)
    await made.put('static/a')
    const list = made.watched.list
    made.watched.list = (prefix, options) => (prefix === folder ? Promise.reject(refused) : list(prefix, options))
    const survey = await takeSurvey(made.watched, 'static')
    expect(survey).toMatchObject({ record: undefined, begun: [], folder: undefined, listing: [{ key: 'static/a' }] })
    expect(survey.warnings).toEqual([
      `no records can be kept, so that deploys take longer and two at once may mix: ${refused.message.replace('static-s3: ', '')}`,
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
    await made.begin('static', 'one')
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
    await made.release('static', 1, { splitAt: ['static/2500', 'static/3500'] })
    await made.begin('static', 'one')
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
    const { record, begun, listing, warnings } = await takeSurvey(connection.bucket, 'static')
    expect({ release: record?.release, begun: begun.length, listed: listing.length, warnings }).toEqual({
      release: 1,
      begun: 1,
      listed: 3000,
      warnings: [],
    })
  })

  const patience = { timeout: 20_000 }
  const isFolder = ({ query }: LoggedRequest) => query.prefix === folder
  it.each<[when: string, holds: (request: LoggedRequest) => boolean, count: number]>([
    ['while the folder is listed', isFolder, 1],
    ['while record and listing are on their way', (request) => !isFolder(request), 3],
    ['while the record is on its way', ({ operation }) => operation === 'GetObject', 2],
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
