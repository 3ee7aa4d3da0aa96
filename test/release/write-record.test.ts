import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { memoryBucket } from '../../fixtures/bucket/memory-bucket.js'
import { cases } from '../../fixtures/fuzz/chance.js'
import {
  file,
  holding,
  hour,
  listed,
  multipart,
  one,
  record,
  recorded,
  recordedAt,
  two,
  year,
} from '../../fixtures/release/plan-scene.js'
import type { WrittenObject } from '../../src/bucket/bucket.js'
import { canonicalHeaders } from '../../src/bucket/headers.js'
import type { HashedFile } from '../../src/files/hash.js'
import type { Lock } from '../../src/release/lock/lock.js'
import { plan } from '../../src/release/plan.js'
import { decodeRecord } from '../../src/release/records/format.js'
import type { RecordedObject, ReleaseRecord } from '../../src/release/records/record.js'
import type { Survey } from '../../src/release/survey.js'
import { type CarriedOut, recordOf, recordParameters, writeRecord } from '../../src/release/write-record.js'
import { StaticS3Error } from '../../src/runtime/error.js'

const deployer = { id: 'id', by: 'ada', commit: 'c0ffee', bundler: 'vite 8.4.0' }
const numbered = { release: 7, conditionalWrites: false }
const deployedAt = recordedAt + 60_000

interface Scene {
  files?: readonly HashedFile[]
  listing?: Survey['listing']
  record?: ReleaseRecord | undefined
  location?: string
}

/** A release that has been carried out: each object that the plan writes has an ETag and a time of its own. */
function carryOut({ files = [], listing = new Map(), record, location = 'static' }: Scene): CarriedOut {
  const backups = new Map()
  const survey: Survey = { listing, record, backups, folder: undefined, takenAt: recordedAt, warnings: [] }
  // HEAD shows the headers that a few files are to have.
  const heads = new Map([...listing].map(([key, { etag }]) => [key, { etag, parameters: year }]))
  const made = plan(files, { listing, record, backups, heads, written: new Map() }, false)
  const changed = made.decisions.filter(({ action }) => action !== 'skip')
  const written = new Map(
    changed.map(({ file: { key } }, i): [string, WrittenObject] => [
      key,
      { etag: `etag of ${key}`, writtenAt: deployedAt + i },
    ]),
  )
  return { location, deployer, plan: made, survey, written, backups: undefined, kind: 'live', hold: undefined }
}

const objectsOf = (scene: Scene) => Object.fromEntries(recordOf(carryOut(scene), numbered).objects)

describe('the record of a release', () => {
  it('says who deployed what, and when', () => {
    const before = Date.now()
    const { objects, at, ...rest } = recordOf(carryOut({}), numbered)
    expect(rest).toEqual({ ...deployer, release: 7, live: 7, conditionalWrites: false, splitAt: [] })
    expect(at.getTime()).toBeGreaterThanOrEqual(before)
    expect(objects.size).toBe(0)
  })

  it('has each written object with the ETag and the time of its writing', () => {
    const files = [
      file('new.js', { group: 'fingerprinted', md5: two, size: 11, parameters: hour }),
      file('changed.js', { md5: two }),
      file('other-headers.js', { parameters: hour }),
    ]
    const listing = holding(listed('changed.js'), listed('other-headers.js'))
    expect(objectsOf({ files, listing })).toEqual({
      'new.js': {
        ...{ sha256: `sha of ${two}`, size: 11, etag: 'etag of static/new.js', writtenAt: deployedAt },
        ...{ headers: canonicalHeaders(hour), fingerprinted: true, release: 7 },
      },
      'changed.js': {
        ...{ sha256: `sha of ${two}`, size: 10, etag: 'etag of static/changed.js', writtenAt: deployedAt + 1 },
        ...{ headers: canonicalHeaders(year), fingerprinted: false, release: 7 },
      },
      'other-headers.js': {
        ...{ sha256: `sha of ${one}`, size: 10, etag: 'etag of static/other-headers.js', writtenAt: deployedAt + 2 },
        ...{ headers: canonicalHeaders(hour), fingerprinted: false, release: 7, adopted: true },
      },
    })
  })

  it.each<[what: string, object: Parameters<typeof listed>[1], record?: ReleaseRecord]>([
    ['unchanged by the record', { lastModified: recordedAt - 5 }, record(recorded('a.js'))],
    [
      'unchanged by the record, of several parts',
      { lastModified: recordedAt - 5, etag: multipart },
      record(recorded('a.js', { etag: multipart })),
    ],
    ['by HEAD, with no record', { lastModified: recordedAt - 5 }],
    ['by HEAD, written since the record', { lastModified: recordedAt + 5 }, record(recorded('a.js'))],
  ])('has an object that is left alone with the ETag and the time of the listing: %s', (_what, object, record) => {
    const { etag, lastModified: writtenAt } = listed('a.js', object)
    const scene = { files: [file('a.js')], listing: holding(listed('a.js', object)), record }
    const [, expected] = recorded('a.js', { etag, writtenAt: writtenAt as number, release: 7 })
    const isOurs = record !== undefined && (writtenAt as number) <= recordedAt
    expect(objectsOf(scene)).toEqual({ 'a.js': isOurs ? expected : { ...expected, adopted: true } })
  })

  it('describes an object of a store that tells no time, in the next release too', () => {
    const scene = { files: [file('a.js')], listing: holding(listed('a.js', { lastModified: undefined })) }
    const first = recordOf(carryOut(scene), numbered)
    expect(first.objects.get('a.js')?.writtenAt).toBe(0)
    expect(carryOut({ ...scene, record: first }).plan.decisions).toMatchObject([{ reason: 'unchanged' }])
  })

  it('has an object that this deploy wrote before its last plan as the listing then shows it', () => {
    const scene = carryOut({
      files: [file('a.js')],
      listing: holding(listed('a.js', { lastModified: deployedAt - 300 })),
    })
    const written = new Map([['static/a.js', { etag: one, writtenAt: deployedAt }]])
    expect(recordOf({ ...scene, written }, numbered).objects.get('a.js')?.writtenAt).toBe(deployedAt - 300)
  })
})

describe('objects of earlier releases', () => {
  const earlier = record(recorded('old.js', { fingerprinted: true, release: 3 }))
  const [, old] = recorded('old.js', { fingerprinted: true, release: 3 })

  it.each<[what: string, object: Parameters<typeof listed>[1] | undefined, isKept: boolean]>([
    ['as recorded', {}, true],
    ['of a store that tells no time', { lastModified: undefined }, true],
    ['written one millisecond later', { lastModified: recordedAt + 1 }, false],
    ['with other bytes', { etag: two }, false],
    ['with another size', { size: 11 }, false],
    ['deleted', undefined, false],
  ])('are kept as they were recorded if they are still so: %s', (_what, object, isKept) => {
    const listing = object ? holding(listed('old.js', object)) : holding()
    expect(objectsOf({ listing, record: earlier })).toEqual(isKept ? { 'old.js': old } : {})
  })

  it('are looked for below the location', () => {
    const listing = new Map([['old.js', { ...listed('old.js'), key: 'old.js' }]])
    expect(objectsOf({ listing, record: earlier })).toEqual({})
    expect(objectsOf({ listing, record: earlier, location: '' })).toEqual({ 'old.js': old })
  })

  it('that nobody recorded are left out', () => {
    expect(objectsOf({ listing: holding(listed('a.js')) })).toEqual({})
  })

  const many = (count: number, name = 'old') => Array.from({ length: count }, (_, i) => `${name}-${i}.js`)
  const countsOf = (objects: Record<string, RecordedObject>) => {
    const counts: Record<number, number> = {}
    for (const { release } of Object.values(objects)) counts[release] = (counts[release] ?? 0) + 1
    return counts
  }

  it.each<[files: number, counts: Record<number, number>]>([
    [1, { 7: 1, 6: 10_000, 5: 10_000 }],
    [21_000, { 7: 21_000, 6: 10_000, 5: 11_000 }],
  ])('are 20,000 at most, or as many as the release has (%i), those of the latest releases', (count, counts) => {
    const paths = many(25_000)
    const objects = paths.map((path, i) => recorded(path, { release: i % 5 < 2 ? 6 : 5 }))
    const listing = holding(...paths.map((path) => listed(path)))
    const files = many(count, 'new').map((path) => file(path))
    expect(countsOf(objectsOf({ files, listing, record: record(...objects) }))).toEqual(counts)
  })
})

it('a record has what it has to have, whatever the bucket holds', () => {
  const paths = fc.constantFrom('a', 'b', 'c', 'd', 'e')
  const etag = fc.constantFrom(one, two, multipart)
  const size = fc.constantFrom(10, 11)
  const headers = fc.constantFrom(year, hour)
  const scene = fc.record({
    files: fc.dictionary(paths, fc.record({ md5: fc.constantFrom(one, two), size, parameters: headers })),
    there: fc.dictionary(
      paths,
      fc.record({ etag, size, lastModified: fc.integer({ min: recordedAt - 1, max: recordedAt + 1 }) }),
    ),
    known: fc.dictionary(
      paths,
      fc.record({ etag, size, sha256: fc.constantFrom(`sha of ${one}`, `sha of ${two}`), release: fc.nat(6) }),
    ),
  })
  fc.assert(
    fc.property(scene, ({ files, there, known }) => {
      const all = Object.entries(files).map(([path, more]) => file(path, more))
      const listing = holding(...Object.entries(there).map(([path, more]) => listed(path, more)))
      const last = record(...Object.entries(known).map(([path, more]) => recorded(path, more)))
      const done = carryOut({ files: all, listing, record: last })
      const expected: Record<string, RecordedObject> = {}
      for (const { path, key, size, sha256, parameters } of all) {
        const { etag, lastModified } = listed(path, there[path])
        const object = done.written.get(key) ?? { etag, writtenAt: lastModified as number }
        expected[path] = {
          ...object,
          sha256,
          size,
          headers: canonicalHeaders(parameters),
          fingerprinted: false,
          release: 7,
        }
        const [before, now] = [last.objects.get(path), there[path]]
        const isOurs =
          before?.etag === now?.etag && before?.size === now?.size && Number(now?.lastModified) <= recordedAt
        const isUploaded = done.plan.decisions.some(({ file, action }) => file.path === path && action === 'upload')
        if (!isUploaded && !isOurs) expected[path] = { ...expected[path], adopted: true } as RecordedObject
      }
      for (const [path, object] of last.objects) {
        const now = there[path]
        if (path in files || now?.etag !== object.etag || now.size !== object.size) continue
        if (now.lastModified <= recordedAt) expected[path] = object
      }
      expect(Object.fromEntries(recordOf(done, numbered).objects)).toEqual(expected)
    }),
    cases(500),
  )
})

describe('a listing is split where whole pages end', () => {
  const keys = (name: string, count: number) =>
    Array.from({ length: count }, (_, i) => `${name}${String(i).padStart(6, '0')}`)
  const splits = (listedPaths: string[], files: string[] = []) => {
    const listing = new Map(listedPaths.map((path) => [`static/${path}`, listed(path)]))
    return recordOf(carryOut({ files: files.map((path) => file(path)), listing }), numbered).splitAt
  }

  it.each<[count: number, splitAt: string[]]>([
    [0, []],
    [999, []],
    [1000, []],
    [1001, ['static/a000999']],
    [2000, ['static/a000999']],
    [2001, ['static/a000999', 'static/a001999']],
  ])('%i objects', (count, splitAt) => {
    expect(splits(keys('a', count))).toEqual(splitAt)
    // In whichever order they have been uploaded.
    expect(splits([], keys('a', count).reverse())).toEqual(splitAt)
  })

  it('objects of others count, and new ones among them, each once', () => {
    expect(splits([...keys('a', 700), ...keys('b', 300)], keys('b', 1500))).toEqual([
      'static/b000299',
      'static/b001299',
    ])
  })

  it('keys have S3’s order: UTF-8 bytes, not UTF-16', () => {
    const [emoji, wide] = ['😀', '\uff5e']
    expect(splits([], [...keys(emoji, 600), ...keys(wide, 600)])).toEqual([`static/${emoji}000399`])
  })

  it('into 250 parts at most, of several pages', () => {
    const splitAt = splits(keys('a', 250_001))
    expect(splitAt.slice(0, 2)).toEqual(['static/a001999', 'static/a003999'])
    expect(splitAt).toHaveLength(125)
  })
})

describe('writing the record', () => {
  const none = new AbortController().signal
  const lost = new StaticS3Error('static-s3: the lock is lost')
  const lock = (more: Partial<Lock> = {}) => ({ ...numbered, signal: none, check: () => {}, ...more }) as Lock
  const scene = carryOut({ files: [file('a.js', { sha256: 'ab'.repeat(32) })] })

  it.each([
    ['static', '.static-s3/static/releases/99999992.json.gz'],
    ['', '.static-s3/releases/99999992.json.gz'],
  ])('puts it into the folder of the location’s releases: %j', async (location, key) => {
    const bucket = memoryBucket()
    const parameters = { ContentType: 'application/gzip' }
    await writeRecord(bucket, lock(), { ...scene, location }, parameters, none)
    expect([...bucket.objects.keys()]).toEqual([key])
    const { bytes = Buffer.alloc(0), parameters: kept } = bucket.objects.get(key) ?? {}
    expect(kept).toEqual(parameters)
    const made = { ...recordOf({ ...scene, location }, numbered), at: expect.any(Date) }
    expect(await decodeRecord(location, bytes)).toEqual(made)
  })

  it.each<[what: string, lock: Partial<Lock>, cut: AbortSignal]>([
    [
      'whose time is over',
      {
        check: () => {
          throw lost
        },
      },
      none,
    ],
    ['that is lost', { signal: AbortSignal.abort(lost) }, none],
    ['of a deploy that is cut off', {}, AbortSignal.abort(lost)],
  ])('writes nothing under a lock %s', async (_what, more, cut) => {
    const bucket = memoryBucket()
    await expect(writeRecord(bucket, lock(more), scene, {}, cut)).rejects.toThrow(lost.message)
    expect(bucket.objects.size).toBe(0)
  })

  it('has the parameters that a bucket may require of every object, and none that is meant for visitors', () => {
    const objectParameters = {
      ...{
        BucketKeyEnabled: true,
        ExpectedBucketOwner: '1',
        RequestPayer: 'requester',
        SSEKMSEncryptionContext: 'e30=',
      },
      ...{ SSEKMSKeyId: 'key', ServerSideEncryption: 'aws:kms', Tagging: 'team=web' },
    }
    const own = { ContentType: 'application/gzip', CacheControl: 'no-store' }
    const forVisitors = { ACL: 'public-read', CacheControl: 'max-age=1', Expires: new Date(0), Metadata: {} }
    expect(recordParameters({ objectParameters: { ...objectParameters, ...forVisitors } })).toEqual({
      ...objectParameters,
      ...own,
    })
    expect(recordParameters({ objectParameters: {} })).toEqual(own)
    const ACL = 'bucket-owner-full-control'
    expect(recordParameters({ objectParameters: { ACL } })).toEqual({ ...own, ACL })
  })
})
