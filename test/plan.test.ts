import { describe, expect, it } from 'vitest'
import type { ListedObject } from '../src/core/bucket.js'
import type { Group } from '../src/core/groups.js'
import type { HashedFile } from '../src/core/hash.js'
import { headersOf } from '../src/core/headers.js'
import { type Known, type Plan, plan } from '../src/core/plan.js'
import type { KnownObject } from '../src/core/record.js'

const one = '1'.repeat(32)
const two = '2'.repeat(32)
const multipart = `${one}-2`

/** When the record was written, by the store's clock. */
const recordedAt = Date.UTC(2026, 0, 1)
const before = recordedAt - 60_000
const after = recordedAt + 60_000

const year = { CacheControl: 'max-age=31536000' }
const hour = { CacheControl: 'max-age=3600' }

const file = (
  path: string,
  { md5 = one, group = 'asset' as Group, size = 10, parameters = year } = {},
): HashedFile => ({
  path,
  dir: '/dist',
  key: `static/${path}`,
  group,
  parameters,
  size,
  md5,
  sha256: `sha of ${md5}`,
})

const listed = (
  path: string,
  { etag = one, size = 10, lastModified = before as number | undefined } = {},
): ListedObject => ({
  key: `static/${path}`,
  size,
  etag,
  lastModified,
})

const recorded = (path: string, known: Partial<KnownObject> = {}): [string, KnownObject] => [
  path,
  {
    sha256: `sha of ${one}`,
    size: 10,
    etag: one,
    headers: headersOf(year),
    fingerprinted: false,
    release: 1,
    ...known,
  },
]

const record = (...objects: [string, KnownObject][]): Known['record'] => ({
  id: 'id',
  by: 'somebody',
  commit: undefined,
  bundler: 'vite',
  release: 1,
  at: new Date(recordedAt),
  surveyedAt: new Date(recordedAt - 10_000),
  conditionalWrites: true,
  objects: new Map(objects),
  splitAt: [],
  writtenAt: recordedAt,
})

const begunWith = (headers: object, writtenAt: number): Known['begun'][number] => ({
  id: 'begun',
  headers: new Map([['a.js', headersOf({ ...headers })]]),
  writtenAt,
})

const known = (more: Partial<Known> = {}): Known => ({
  listing: [],
  record: undefined,
  begun: [],
  written: new Map(),
  ...more,
})

const decided = ({ decisions }: Plan) =>
  [...decisions].map(({ file: { path }, action, reason }) => `${path} ${action} ${reason}`)

describe('what is done to a file', () => {
  const a = file('a.js')
  const there = listed('a.js')
  it.each<[what: string, known: Partial<Known>, force: boolean, action: string, reason: string]>([
    ['not there', {}, false, 'upload', 'new'],
    ['not there, forced', {}, true, 'upload', 'new'],
    ['not there, whatever the record says', { record: record(recorded('a.js')) }, false, 'upload', 'new'],
    ['there, forced', { listing: [there] }, true, 'upload', 'forced'],
    ['in the record, forced', { listing: [there], record: record(recorded('a.js')) }, true, 'upload', 'forced'],
    ['written by this run, forced', { listing: [there], written: new Map([[a.key, one]]) }, true, 'skip', 'resumed'],
    ['another size', { listing: [listed('a.js', { size: 11 })] }, false, 'upload', 'size'],
    ['another size, multipart', { listing: [listed('a.js', { size: 11, etag: multipart })] }, false, 'upload', 'size'],

    // The record has it.
    ['the same', { listing: [there], record: record(recorded('a.js')) }, false, 'skip', 'unchanged'],
    [
      'the same, by a multipart ETag',
      { listing: [listed('a.js', { etag: multipart })], record: record(recorded('a.js', { etag: multipart })) },
      false,
      'skip',
      'unchanged',
    ],
    [
      'the same, by an ETag that looks like an MD5 and is none (SSE-KMS)',
      { listing: [listed('a.js', { etag: two })], record: record(recorded('a.js', { etag: two })) },
      false,
      'skip',
      'unchanged',
    ],
    [
      'other bytes, though the ETag is said to be their MD5',
      { listing: [there], record: record(recorded('a.js', { sha256: 'other' })) },
      false,
      'upload',
      'content',
    ],
    [
      'other headers',
      { listing: [there], record: record(recorded('a.js', { headers: headersOf(hour) })) },
      false,
      'copy',
      'headers',
    ],
    [
      'other bytes and other headers',
      { listing: [there], record: record(recorded('a.js', { sha256: 'other', headers: headersOf(hour) })) },
      false,
      'upload',
      'content',
    ],
    [
      'written in the same second as the record',
      { listing: [listed('a.js', { lastModified: recordedAt + 999 })], record: record(recorded('a.js')) },
      false,
      'skip',
      'unchanged',
    ],
    [
      'of a store that tells no time',
      { listing: [{ ...there, lastModified: undefined }], record: record(recorded('a.js')) },
      false,
      'skip',
      'unchanged',
    ],

    // The record has another one.
    [
      'written after the record: its headers may be other ones',
      { listing: [listed('a.js', { lastModified: after })], record: record(recorded('a.js')) },
      false,
      'copy',
      'headers unknown',
    ],
    [
      'another ETag than the record has, and the MD5 of the file',
      { listing: [there], record: record(recorded('a.js', { etag: two })) },
      false,
      'copy',
      'headers unknown',
    ],
    [
      'another ETag than the record has',
      { listing: [listed('a.js', { etag: two })], record: record(recorded('a.js')) },
      false,
      'upload',
      'content',
    ],
    [
      'the same ETag and another size than the record has',
      { listing: [there], record: record(recorded('a.js', { size: 11 })) },
      false,
      'copy',
      'headers unknown',
    ],

    // No record.
    ['no record, multipart', { listing: [listed('a.js', { etag: multipart })] }, false, 'upload', 'etag is no md5'],
    ['no record, no ETag', { listing: [listed('a.js', { etag: '' })] }, false, 'upload', 'etag is no md5'],
    ['no record, another MD5', { listing: [listed('a.js', { etag: two })] }, false, 'upload', 'content'],
    ['no record, the same MD5', { listing: [there] }, false, 'copy', 'headers unknown'],
    ['written by this run', { listing: [there], written: new Map([[a.key, one]]) }, false, 'skip', 'resumed'],
    [
      'written by this run, multipart',
      { listing: [listed('a.js', { etag: multipart })], written: new Map([[a.key, multipart]]) },
      false,
      'skip',
      'resumed',
    ],
    [
      'written by this run, and begun with other headers by another',
      {
        listing: [listed('a.js', { lastModified: after })],
        written: new Map([[a.key, one]]),
        begun: [begunWith(hour, after)],
      },
      false,
      'copy',
      'headers unknown',
    ],
    [
      'written by this run, multipart, and begun with other headers by another',
      {
        listing: [listed('a.js', { lastModified: after, etag: multipart })],
        written: new Map([[a.key, multipart]]),
        begun: [begunWith(hour, after)],
      },
      false,
      'copy',
      'headers unknown',
    ],
    [
      'written by this run, and by somebody else since',
      { listing: [listed('a.js', { etag: two })], written: new Map([[a.key, one]]) },
      false,
      'upload',
      'content',
    ],
    [
      'written by this run, and recorded with other headers by a deploy at the same time',
      {
        listing: [there],
        written: new Map([[a.key, one]]),
        record: record(recorded('a.js', { headers: headersOf(hour) })),
      },
      false,
      'copy',
      'headers',
    ],

    // A deploy began, and didn't get to its record.
    [
      'begun with the same headers',
      { listing: [listed('a.js', { lastModified: after })], begun: [begunWith(year, after)] },
      false,
      'skip',
      'resumed',
    ],
    [
      'begun with other headers',
      { listing: [listed('a.js', { lastModified: after })], begun: [begunWith(hour, after)] },
      false,
      'copy',
      'headers unknown',
    ],
    [
      'begun twice, with these and with other headers',
      { listing: [listed('a.js', { lastModified: after })], begun: [begunWith(year, after), begunWith(hour, after)] },
      false,
      'copy',
      'headers unknown',
    ],
    [
      'begun by a deploy of which nothing else is known',
      {
        listing: [listed('a.js', { lastModified: after })],
        begun: [begunWith(year, after), { id: 'unreadable', headers: undefined, writtenAt: after }],
      },
      false,
      'copy',
      'headers unknown',
    ],
    [
      'in the record, and begun with other headers in the same second',
      {
        listing: [listed('a.js', { lastModified: recordedAt })],
        record: record(recorded('a.js')),
        begun: [begunWith(hour, recordedAt)],
      },
      false,
      'copy',
      'headers unknown',
    ],
    [
      'in the record, and begun with the same headers in the same second',
      {
        listing: [listed('a.js', { lastModified: recordedAt })],
        record: record(recorded('a.js')),
        begun: [begunWith(year, recordedAt)],
      },
      false,
      'skip',
      'unchanged',
    ],
    [
      'in the record, and not written since others began',
      {
        listing: [there],
        record: record(recorded('a.js')),
        begun: [begunWith(hour, after), { id: 'unreadable', headers: undefined, writtenAt: after }],
      },
      false,
      'skip',
      'unchanged',
    ],
    [
      'there before it was begun',
      { listing: [listed('a.js', { lastModified: before })], begun: [begunWith(year, after)] },
      false,
      'copy',
      'headers unknown',
    ],
    [
      'begun with the same headers, but other bytes',
      { listing: [listed('a.js', { lastModified: after, etag: two })], begun: [begunWith(year, after)] },
      false,
      'upload',
      'content',
    ],
    [
      'begun with the same headers, but nobody knows which bytes',
      { listing: [listed('a.js', { lastModified: after, etag: multipart })], begun: [begunWith(year, after)] },
      false,
      'upload',
      'etag is no md5',
    ],
    [
      'begun, of a store that tells no time',
      { listing: [{ ...there, lastModified: undefined }], begun: [begunWith(year, before)] },
      false,
      'copy',
      'headers unknown',
    ],
  ])('%s', (_what, more, force, action, reason) => {
    const etag = action === 'copy' ? more.listing?.at(0)?.etag : undefined
    expect([...plan([a], known(more), force).decisions]).toEqual([{ file: a, action, reason, etag }])
  })

  it('new headers for what is too large to be copied are uploaded with it', () => {
    const size = 5 * 1024 ** 3
    const large = (bytes: number) => {
      const there = listed('a.js', { size: bytes, etag: multipart })
      const said = record(recorded('a.js', { size: bytes, etag: multipart, headers: headersOf(hour) }))
      return decided(plan([file('a.js', { size: bytes })], known({ listing: [there], record: said }), false))
    }
    expect(large(size)).toEqual(['a.js copy headers'])
    expect(large(size + 1)).toEqual(['a.js upload headers'])
  })

  it('depends on nothing but that file, and keeps the order', () => {
    const files = [file('c.js'), file('a.js', { md5: two }), file('b.js')]
    const listing = [listed('a.js'), listed('c.js'), listed('deleted-meanwhile.js')]
    const said = record(recorded('a.js'), recorded('b.js'), recorded('c.js'))
    expect(decided(plan(files, known({ listing, record: said }), false))).toEqual([
      'c.js skip unchanged',
      'a.js upload content',
      'b.js upload new',
    ])
  })

  it.each(['static/A.js', 'static/a.js/', 'static/a.jsx', 'static-admin/a.js', 'a.js', 'static//a.js'])(
    'takes %s for another key than static/a.js',
    (key) => {
      expect(
        plan([file('a.js')], known({ listing: [{ ...listed('a.js'), key }] }), false).decisions.at(0)?.reason,
      ).toBe('new')
    },
  )

  it('of nothing is nothing', () => {
    const { decisions, counts, overwritten } = plan([], known({ listing: [listed('a.js')] }), false)
    expect([...decisions, ...overwritten]).toEqual([])
    expect(counts).toEqual({ upload: 0, copy: 0, skip: 0, unchanged: 0 })
  })
})

describe('headers are compared by what they mean', () => {
  it.each<[one: Record<string, unknown>, other: Record<string, unknown>, same: boolean]>([
    [{ A: '1', B: '2' }, { B: '2', A: '1' }, true],
    [{ Metadata: { a: '1', b: '2' } }, { Metadata: { b: '2', a: '1' } }, true],
    [{ Expires: new Date(0) }, { Expires: new Date('1970-01-01T00:00:00Z') }, true],
    [{ A: '1', B: undefined }, { A: '1' }, true],
    [{ A: '1', RequestPayer: 'requester', ExpectedBucketOwner: '1' }, { A: '1' }, true],
    [{ Expires: new Date(0) }, { Expires: new Date(1) }, false],
    [{ A: '1' }, { A: '2' }, false],
    [{ A: '1' }, { A: '1', B: '2' }, false],
    [{ Metadata: { a: '1' } }, { Metadata: { a: '2' } }, false],
    [{ Metadata: { a: '1' } }, { Metadata: {} }, false],
  ])('%j and %j: %s', (left, right, same) => {
    expect(headersOf(left) === headersOf(right)).toBe(same)
  })
})

describe('fingerprinted names that stand in the bucket with other bytes', () => {
  const proof = file('proof-1.js')
  const proven = listed('proof-1.js')
  const hashed = (md5 = one) => file('a-1.js', { md5, group: 'fingerprinted' })

  it.each<[what: string, files: HashedFile[], known: Partial<Known>, overwritten: string[]]>([
    ['the same bytes', [proof, hashed()], { listing: [proven, listed('a-1.js')] }, []],
    ['not there', [proof, hashed()], { listing: [proven] }, []],
    ['other bytes', [proof, hashed()], { listing: [proven, listed('a-1.js', { etag: two })] }, ['a-1.js']],
    ['another size', [hashed()], { listing: [listed('a-1.js', { etag: two, size: 11 })] }, ['a-1.js']],
    ['another size, multipart', [hashed()], { listing: [listed('a-1.js', { etag: multipart, size: 11 })] }, ['a-1.js']],
    [
      'multipart, the same size: nobody knows',
      [proof, hashed()],
      { listing: [proven, listed('a-1.js', { etag: multipart })] },
      [],
    ],
    [
      'multipart, the same size, with a record',
      [hashed()],
      {
        listing: [listed('a-1.js', { etag: multipart })],
        record: record(recorded('a-1.js', { etag: multipart, sha256: 'other' })),
      },
      ['a-1.js'],
    ],
    [
      'multipart, the same bytes, with a record',
      [hashed()],
      { listing: [listed('a-1.js', { etag: multipart })], record: record(recorded('a-1.js', { etag: multipart })) },
      [],
    ],
    ['not fingerprinted', [proof, file('a.js')], { listing: [proven, listed('a.js', { etag: two })] }, []],
    ['a page', [proof, file('a.html', { group: 'html' })], { listing: [proven, listed('a.html', { etag: two })] }, []],
    [
      'large ones: that no MD5 is known of one, and no ETag, proves nothing',
      [{ ...file('new-1.bin'), md5: undefined }, hashed()],
      { listing: [listed('a-1.js', { etag: two })] },
      [],
    ],
    [
      'large ones: no MD5 is no other MD5',
      [proof, { ...hashed(), md5: undefined }],
      { listing: [proven, listed('a-1.js', { etag: two })], written: new Map([['static/a-1.js', two]]) },
      [],
    ],
    [
      'large ones: another size',
      [{ ...hashed(), md5: undefined }],
      { listing: [listed('a-1.js', { etag: two, size: 11 })] },
      ['a-1.js'],
    ],
    [
      'large ones: other bytes on record',
      [{ ...hashed(), md5: undefined }],
      { listing: [listed('a-1.js')], record: record(recorded('a-1.js', { sha256: 'other' })) },
      ['a-1.js'],
    ],
    // Under SSE-KMS no ETag is an MD5, and all of them look like one.
    [
      'SSE-KMS: every ETag is another one',
      [hashed(), file('b-1.js', { group: 'fingerprinted' })],
      { listing: [listed('a-1.js', { etag: two }), listed('b-1.js', { etag: '3'.repeat(32) })] },
      [],
    ],
    [
      'several',
      [proof, hashed(), file('b-1.js', { group: 'fingerprinted' })],
      { listing: [proven, listed('a-1.js', { etag: two }), listed('b-1.js', { size: 11 })] },
      ['a-1.js', 'b-1.js'],
    ],
  ])('%s', (_what, files, more, overwritten) => {
    for (const force of [false, true]) {
      expect(plan(files, known(more), force).overwritten.map(({ path }) => path)).toEqual(overwritten)
    }
  })
})
