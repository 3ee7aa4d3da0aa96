import { describe, expect, it } from 'vitest'
import {
  file,
  holding,
  hour,
  known,
  listed,
  multipart,
  one,
  record,
  recorded,
  recordedAt,
  shown,
  tagged,
  two,
  written,
  year,
} from '../../fixtures/release/plan-scene.js'
import { canonicalHeaders } from '../../src/bucket/headers.js'
import type { HashedFile } from '../../src/files/hash.js'
import { type Known, type Plan, plan } from '../../src/release/plan.js'

const decided = ({ decisions }: Plan) =>
  decisions.map(({ file: { path }, action, reason }) => `${path} ${action} ${reason}`)

const there = listed('a.js')
const listing = holding(there)
const newer = holding(listed('a.js', { lastModified: recordedAt + 1 }))
const ofParts = holding(listed('a.js', { etag: multipart }))
const otherBytes = holding(listed('a.js', { etag: two }))
const said = record(recorded('a.js'))

const expired = { ...said, expired: new Map([[there.key, true]]) }
const tags = new Map([[there.key, { etag: one, parameters: year, tags: 1 }]])

type Case = [what: string, known: Partial<Known>, file?: Partial<HashedFile>]

/** The truth table of `plan`, row by row. */
const rows: [row: string, force: boolean, decision: string, cases: Case[]][] = [
  [
    'not in the bucket',
    false,
    'upload new',
    [
      ['no record', {}],
      ['a record that has it', { record: said }],
      ['deleted since this deploy wrote it', { written: written('a.js') }],
    ],
  ],
  [
    'expired',
    false,
    'upload expired',
    [
      ['by the record', { listing, record: expired }],
      ['with other headers', { listing, record: expired }, { parameters: hour }],
      ['for a file that replaces none', { listing, record: expired }, { createOnly: true }],
      ['with a later time: Ceph counts a tag as a write', { listing: newer, record: expired }],
      ['with tags by HEAD, and no record', { listing, heads: tags }],
    ],
  ],
  [
    'expired, and written by this deploy since',
    false,
    'skip already there',
    [['the same headers by HEAD', { listing, record: expired, written: written('a.js'), heads: shown('a.js', year) }]],
  ],
  ['not in the bucket, forced', true, 'upload new', [['no record', {}]]],
  [
    'forced',
    true,
    'upload forced',
    [
      ['no record', { listing }],
      ['unchanged by the record', { listing, record: said }],
      ['the same headers by HEAD', { listing, heads: shown('a.js', year) }],
      ['another size', { listing: holding(listed('a.js', { size: 11 })) }],
      ['written by this deploy, and by somebody else since', { listing: otherBytes, written: written('a.js') }],
    ],
  ],
  [
    'another size',
    false,
    'upload size',
    [
      ['no record', { listing: holding(listed('a.js', { size: 11 })) }],
      ['the same ETag, of several parts', { listing: holding(listed('a.js', { size: 11, etag: multipart })) }],
      ['a record of that object', { listing: holding(listed('a.js', { size: 11 })), record: said }],
    ],
  ],
  [
    'the same size, nothing tells the bytes',
    false,
    'upload etag is no md5',
    [
      ['an ETag of several parts', { listing: ofParts }],
      ['no ETag', { listing: holding(listed('a.js', { etag: '' })) }],
      ['no MD5 of the file', { listing }, { md5: undefined }],
      ['a record of another ETag', { listing: ofParts, record: said }],
      [
        'a record of another size',
        { listing: ofParts, record: record(recorded('a.js', { etag: multipart, size: 11 })) },
      ],
    ],
  ],
  [
    'the same size, other bytes',
    false,
    'upload content',
    [
      ['by the MD5', { listing: otherBytes }],
      ['by the MD5, with a record of another ETag', { listing: otherBytes, record: said }],
      ['by the MD5, somebody else wrote it since this deploy', { listing: otherBytes, written: written('a.js') }],
      ['by the record, against the MD5', { listing, record: record(recorded('a.js', { sha256: 'other' })) }],
      ['by the record, of several parts', { listing: ofParts, record: withEtag(multipart, { sha256: 'other' }) }],
      ['by the record, with newer headers', { listing: newer, record: record(recorded('a.js', { sha256: 'other' })) }],
      ['by the record, with other headers', { listing, record: withEtag(one, { sha256: '0', headers: '{}' }) }],
    ],
  ],
  [
    'the same bytes and headers by the record',
    false,
    'skip unchanged',
    [
      ['as it is', { listing, record: said }],
      ['no MD5 of the file', { listing, record: said }, { md5: undefined }],
      ['an ETag of several parts', { listing: ofParts, record: withEtag(multipart) }],
      ['an ETag that looks like an MD5 and is none (SSE-KMS)', { listing: otherBytes, record: withEtag(two) }],
      ['written before', { listing: holding(listed('a.js', { lastModified: recordedAt - 1 })), record: said }],
      ['a store that tells no time', { listing: holding(listed('a.js', { lastModified: undefined })), record: said }],
      ['with tags', { listing, record: withEtag(one, { headers: canonicalHeaders(tagged) }) }, { parameters: tagged }],
      ['written a millisecond later, and shown by HEAD', { listing: newer, record: said, heads: shown('a.js', year) }],
      [
        'by the record, of several parts, written later',
        {
          listing: holding(listed('a.js', { etag: multipart, lastModified: recordedAt + 1 })),
          record: withEtag(multipart),
          heads: shown('a.js', year, multipart),
        },
      ],
      ['whatever a HEAD says', { listing, record: said, heads: shown('a.js', hour) }],
    ],
  ],
  [
    'the same bytes and other headers by the record',
    false,
    'copy headers',
    [
      ['as it is', { listing, record: withEtag(one, { headers: canonicalHeaders(hour) }) }],
      [
        'an ETag of several parts',
        { listing: ofParts, record: withEtag(multipart, { headers: canonicalHeaders(hour) }) },
      ],
      ['whatever a HEAD says', { listing, record: withEtag(one, { headers: '{}' }), heads: shown('a.js', year) }],
    ],
  ],
  [
    'the same bytes, and the same headers by HEAD',
    false,
    'skip already there',
    [
      ['by the MD5, no record', { listing, heads: shown('a.js', year) }],
      ['by the MD5, a record of another ETag', { listing, record: withEtag(two), heads: shown('a.js', year) }],
      [
        'by the MD5, a record of another size',
        { listing, record: withEtag(one, { size: 11 }), heads: shown('a.js', year) },
      ],
      [
        'by the record with other headers, written a millisecond later',
        { listing: newer, record: withEtag(one, { headers: canonicalHeaders(hour) }), heads: shown('a.js', year) },
      ],
      ['written by this deploy', { listing, written: written('a.js'), heads: shown('a.js', year) }],
      [
        'written by this deploy, of several parts',
        { listing: ofParts, written: written('a.js', multipart), heads: shown('a.js', year, multipart) },
      ],
      [
        'written by this deploy, and recorded with other headers by another deploy',
        {
          listing,
          written: written('a.js'),
          record: withEtag(one, { headers: canonicalHeaders(hour) }),
          heads: shown('a.js', year),
        },
      ],
    ],
  ],
  [
    'written by this deploy, forced',
    true,
    'skip already there',
    [['the same headers by HEAD', { listing, written: written('a.js'), heads: shown('a.js', year) }]],
  ],
  [
    'the same bytes, and other headers by HEAD',
    false,
    'copy headers',
    [
      ['by the MD5, no record', { listing, heads: shown('a.js', hour) }],
      ['by the MD5, no headers at all', { listing, heads: shown('a.js', {}) }],
      ['by the record, written a millisecond later', { listing: newer, record: said, heads: shown('a.js', hour) }],
      [
        'written by this deploy, and given other headers since',
        { listing, written: written('a.js'), heads: shown('a.js', hour) },
      ],
      [
        'written by this deploy, and recorded with the same headers by another deploy',
        { listing, written: written('a.js'), record: said, heads: shown('a.js', hour) },
      ],
      ['with tags, which HEAD doesn’t show', { listing, heads: shown('a.js', year) }, { parameters: tagged }],
    ],
  ],
  [
    'the same bytes, and nothing tells the headers',
    false,
    'copy headers unknown',
    [
      ['by the MD5, no record', { listing }],
      ['by the record, written a millisecond later', { listing: newer, record: said }],
      ['written by this deploy', { listing, written: written('a.js') }],
      ['a HEAD of another object than was listed', { listing, heads: shown('a.js', year, two) }],
    ],
  ],
]

function withEtag(etag: string, more: Parameters<typeof recorded>[1] = {}) {
  return record(recorded('a.js', { etag, ...more }))
}

for (const [row, force, decision, cases] of rows) {
  describe(`${row}: ${decision}`, () => {
    it.each(cases)('%s', (_what, more, change) => {
      const a = file('a.js', change)
      const [action, ...reason] = decision.split(' ')
      const etag = action === 'copy' ? more.listing?.get(a.key)?.etag : undefined
      expect(plan([a], known(more), force).decisions).toEqual([{ file: a, action, reason: reason.join(' '), etag }])
    })
  })
}

describe('an object that can’t be copied is uploaded with its new headers', () => {
  const most = 5 * 1024 ** 3
  const large = (size: number, more: Partial<Known>) => {
    const all = known({ listing: holding(listed('a.js', { size })), ...more })
    return decided(plan([file('a.js', { size })], all, false))
  }
  it('5 GiB can be copied, one byte more can’t', () => {
    const other = (size: number) => ({ record: withEtag(one, { size, headers: canonicalHeaders(hour) }) })
    expect(large(most, other(most))).toEqual(['a.js copy headers'])
    expect(large(most + 1, other(most + 1))).toEqual(['a.js upload headers'])
    expect(large(most + 1, { heads: shown('a.js', hour) })).toEqual(['a.js upload headers'])
    expect(large(most + 1, {})).toEqual(['a.js upload headers unknown'])
  })

  it.each<[what: string, known: Partial<Known>, file: Partial<HashedFile>, decision: string]>([
    ['a record with tags', { listing, record: withTags() }, {}, 'upload headers'],
    [
      'an older record with tags, and HEAD',
      { listing: newer, record: withTags(), heads: shown('a.js', hour) },
      {},
      'upload headers',
    ],
    ['an older record with tags, and no HEAD', { listing: newer, record: withTags() }, {}, 'upload headers unknown'],
    [
      'a record with other tags than the file',
      { listing, record: withTags() },
      { parameters: { ...year, Tagging: 'a=b' } },
      'copy headers',
    ],
    ['a record without tags, and a file with some', { listing, record: said }, { parameters: tagged }, 'copy headers'],
  ])('a copy keeps tags unless it brings others: %s', (_what, more, change, decision) => {
    expect(decided(plan([file('a.js', change)], known(more), false))).toEqual([`a.js ${decision}`])
  })

  function withTags() {
    return withEtag(one, { headers: canonicalHeaders(tagged) })
  }
})

describe('a decision', () => {
  it('depends on nothing but its file, and decisions have the order of the files', () => {
    const files = [file('c.js'), file('a.js', { md5: two }), file('b.js')]
    const listing = holding(there, listed('c.js'), listed('deleted-meanwhile.js'))
    const all = known({ listing, record: record(recorded('a.js'), recorded('b.js'), recorded('c.js')) })
    expect(decided(plan(files, all, false))).toEqual(['c.js skip unchanged', 'a.js upload content', 'b.js upload new'])
  })

  it.each(['static/A.js', 'static/a.js/', 'static/a.jsx', 'static-admin/a.js', 'a.js', 'static//a.js'])(
    'takes %s for another key than static/a.js',
    (key) => {
      expect(decided(plan([file('a.js')], known({ listing: holding({ ...there, key }) }), false))).toEqual([
        'a.js upload new',
      ])
    },
  )

  it('is made for no object without a file', () => {
    expect(plan([], known({ listing, record: said }), false)).toEqual({
      decisions: [],
      overwritten: [],
      backups: [],
      notBefore: 0,
    })
  })
})

describe('recorded bytes that are written again', () => {
  const writtenAt = recordedAt
  it.each<[what: string, files: HashedFile[], known: Partial<Known>, force: boolean, notBefore: number]>([
    [
      'with other headers wait until they can be told apart',
      [file('a.js', { parameters: hour })],
      { listing, record: said },
      false,
      writtenAt,
    ],
    ['by force wait for it, too', [file('a.js')], { listing, record: said }, true, writtenAt],
    ['that are unchanged do not', [file('a.js')], { listing, record: said }, false, 0],
    [
      'do not if a listing tells them from the recorded ones',
      [file('a.js', { parameters: hour })],
      { listing: newer, record: said },
      false,
      0,
    ],
    ['do not without a record', [file('a.js')], { listing }, true, 0],
    [
      'do not if the file has other bytes: its ETag tells',
      [{ ...file('a.js'), sha256: 'other' }],
      { listing, record: said },
      false,
      0,
    ],
  ])('%s', (_what, files, more, force, notBefore) => {
    expect(plan(files, known(more), force).notBefore).toBe(notBefore)
  })
})

describe('fingerprinted names that stand in the bucket with other bytes', () => {
  const proof = file('proof-1.js')
  const proven = listed('proof-1.js')
  const hashed = (more: Partial<HashedFile> = {}) => file('a-1.js', { group: 'fingerprinted', ...more })
  const unread = { ...hashed(), md5: undefined }
  const other = listed('a-1.js', { etag: two })
  const larger = listed('a-1.js', { etag: two, size: 11 })

  it.each<[what: string, files: HashedFile[], known: Partial<Known>, overwritten: string[]]>([
    ['the same bytes', [proof, hashed()], { listing: holding(proven, listed('a-1.js')) }, []],
    ['not there', [proof, hashed()], { listing: holding(proven) }, []],
    ['another MD5', [proof, hashed()], { listing: holding(proven, other) }, ['a-1.js']],
    ['another size', [hashed()], { listing: holding(larger) }, ['a-1.js']],
    ['another size, no MD5', [unread], { listing: holding(larger) }, ['a-1.js']],
    [
      'several parts of the same size',
      [proof, hashed()],
      { listing: holding(proven, { ...other, etag: multipart }) },
      [],
    ],
    ['no MD5 is no other MD5', [proof, unread], { listing: holding(proven, other) }, []],
    [
      'several parts, other bytes by the record',
      [hashed()],
      {
        listing: holding({ ...other, etag: multipart }),
        record: record(recorded('a-1.js', { etag: multipart, sha256: 'other' })),
      },
      ['a-1.js'],
    ],
    [
      'several parts, the same bytes by the record',
      [hashed()],
      { listing: holding({ ...other, etag: multipart }), record: record(recorded('a-1.js', { etag: multipart })) },
      [],
    ],
    [
      'other bytes by the record, no MD5',
      [unread],
      { listing: holding(listed('a-1.js')), record: record(recorded('a-1.js', { sha256: 'other' })) },
      ['a-1.js'],
    ],
    [
      'written by this deploy',
      [proof, hashed()],
      { listing: holding(proven, other), written: written('a-1.js', two) },
      [],
    ],
    ['an asset', [proof, file('a.js')], { listing: holding(proven, listed('a.js', { etag: two })) }, []],
    [
      'a page',
      [proof, file('a.html', { group: 'html' })],
      { listing: holding(proven, listed('a.html', { etag: two })) },
      [],
    ],
    [
      'a file without an MD5 that isn’t in the bucket proves nothing',
      [{ ...file('new-1.bin'), md5: undefined }, hashed()],
      { listing: holding(other) },
      [],
    ],
    [
      'SSE-KMS: each ETag looks like an MD5, and none is the file’s',
      [hashed(), file('b-1.js', { group: 'fingerprinted' })],
      { listing: holding(other, listed('b-1.js', { etag: '3'.repeat(32) })) },
      [],
    ],
    [
      'several names',
      [proof, hashed(), file('b-1.js', { group: 'fingerprinted' })],
      { listing: holding(proven, other, listed('b-1.js', { size: 11 })) },
      ['a-1.js', 'b-1.js'],
    ],
  ])('%s', (_what, files, more, overwritten) => {
    for (const force of [false, true]) {
      expect(plan(files, known(more), force).overwritten.map(({ path }) => path)).toEqual(overwritten)
    }
  })
})
