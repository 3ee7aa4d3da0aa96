import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cases } from '../../fixtures/fuzz/chance.js'
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
  two,
  written,
  year,
} from '../../fixtures/release/plan-scene.js'
import { smallBytes } from '../../src/bucket/bucket.js'
import { canonicalHeaders } from '../../src/bucket/headers.js'
import type { HashedFile } from '../../src/files/hash.js'
import { describedBy, type Known, needsMd5, plan, undescribed } from '../../src/release/plan.js'

// What a plan needs to know beside listing and record: headers by HEAD, and MD5s.

const there = listed('a.js')
const listing = holding(there)
const newer = holding(listed('a.js', { lastModified: recordedAt + 1 }))
const said = record(recorded('a.js'))

describe('an object is described by a record', () => {
  it.each<[what: string, object: Partial<typeof there>, is: boolean]>([
    ['as it was recorded', {}, true],
    ['written in the last recorded millisecond', { lastModified: recordedAt }, true],
    ['written earlier', { lastModified: 0 }, true],
    ['written one millisecond later', { lastModified: recordedAt + 1 }, false],
    ['of a store that tells no time', { lastModified: undefined }, true],
    ['with another ETag', { etag: two }, false],
    ['with another size', { size: 11 }, false],
  ])('%s: %s', (_what, change, is) => {
    expect(describedBy(said, 'a.js', listed('a.js', change))).toBe(is ? said.objects.get('a.js') : undefined)
  })

  it('by its path, and not without a record', () => {
    expect(describedBy(said, 'b.js', there)).toBeUndefined()
    expect(describedBy(undefined, 'a.js', there)).toBeUndefined()
  })
})

describe('HEAD is asked for', () => {
  it.each<[what: string, known: Partial<Known>, file?: Partial<HashedFile>]>([
    ['the same MD5, no record', { listing }],
    ['the same MD5, a record of another ETag', { listing, record: record(recorded('a.js', { etag: two })) }],
    ['recorded bytes, written one millisecond later', { listing: newer, record: said }],
    ['recorded bytes, written later, no MD5', { listing: newer, record: said }, { md5: undefined }],
  ])('%s; but not by a deploy that writes all anew', (_what, more, change) => {
    const files = [file('a.js', change), file('new.js')]
    expect(undescribed(files, known(more), false)).toEqual(['static/a.js'])
    expect(undescribed(files, known(more), true)).toEqual([])
  })

  it.each<[what: string, known: Partial<Known>]>([
    ['no record', { listing, written: written('a.js') }],
    ['described by another deploy’s record', { listing, written: written('a.js'), record: said }],
    [
      'of several parts',
      { listing: holding(listed('a.js', { etag: multipart })), written: written('a.js', multipart) },
    ],
  ])('an object that this deploy has written: %s', (_what, more) => {
    for (const force of [false, true]) {
      expect(undescribed([file('a.js')], known(more), force)).toEqual(['static/a.js'])
    }
  })

  it.each<[what: string, known: Partial<Known>]>([
    ['not there', {}],
    ['described', { listing, record: said }],
    [
      'described, to get other headers',
      { listing, record: record(recorded('a.js', { headers: canonicalHeaders(hour) })) },
    ],
    ['another size', { listing: holding(listed('a.js', { size: 11 })) }],
    ['another MD5', { listing: holding(listed('a.js', { etag: two })) }],
    ['other bytes by the record, written later', { listing: newer, record: record(recorded('a.js', { sha256: '0' })) }],
    ['unknown bytes', { listing: holding(listed('a.js', { etag: multipart })) }],
    [
      'changed since this deploy wrote it',
      { listing: holding(listed('a.js', { etag: two })), written: written('a.js') },
    ],
    ['of no file', { listing: holding(listed('other.js')) }],
  ])('no object that is decided without it: %s', (_what, more) => {
    expect(undescribed([file('a.js')], known(more), false)).toEqual([])
  })
})

describe('an MD5 is made', () => {
  const needed = (more: Partial<Known>, size = 10) => needsMd5(known(more))(file('a.js'), size)

  it.each<[what: string, known: Partial<Known>]>([
    ['no record', { listing }],
    ['a record of another ETag', { listing, record: record(recorded('a.js', { etag: two })) }],
    ['a record of another size', { listing, record: record(recorded('a.js', { size: 11 })) }],
    ['a record of another path', { listing, record: record(recorded('b.js')) }],
  ])('of a file with the same size whose bytes no record tells: %s', (_what, more) => {
    expect(needed(more)).toBe(true)
  })

  it.each<[what: string, known: Partial<Known>, size?: number]>([
    ['not there', { record: said }],
    ['another size', { listing }, 11],
    ['an ETag of several parts', { listing: holding(listed('a.js', { etag: multipart })) }],
    ['no ETag', { listing: holding(listed('a.js', { etag: '' })) }],
    ['an ETag in capitals, which is no MD5 of S3’s', { listing: holding(listed('a.js', { etag: 'A'.repeat(32) })) }],
    [
      'a recorded ETag of several parts',
      {
        listing: holding(listed('a.js', { etag: multipart })),
        record: record(recorded('a.js', { etag: multipart })),
      },
    ],
  ])('of no file whose MD5 would tell nothing: %s', (_what, more, size) => {
    expect(needed(more, size)).toBe(false)
  })

  it('of sixteen small recorded files, to prove that ETags are MD5s here, and of no large one', () => {
    const small = Array.from({ length: 20 }, (_, i) => `${i}.js`)
    const large = ['large-1.bin', 'large-2.bin']
    const objects = [
      ...small.map((path) => ({ path, size: smallBytes, etag: one })),
      ...large.map((path) => ({ path, size: smallBytes + 1, etag: one })),
      { path: 'parts.bin', size: 10, etag: multipart },
    ]
    const needs = needsMd5({
      listing: holding(...objects.map(({ path, ...more }) => listed(path, more)), listed('changed.js')),
      record: record(...objects.map(({ path, ...more }) => recorded(path, more))),
    })
    const asked = (path: string, size: number) => needs(file(path), size)
    // What proves nothing takes no proof's place.
    expect(large.map((path) => asked(path, smallBytes + 1))).toEqual([false, false])
    expect(asked('parts.bin', 10)).toBe(false)
    expect(asked('changed.js', 10)).toBe(true)
    expect(small.filter((path) => asked(path, smallBytes))).toEqual(small.slice(0, 16))
    // Those that have to be compared are, however many proofs there are.
    expect(asked('changed.js', 10)).toBe(true)
  })

  it('of recorded files as a proof: then another fingerprinted name’s other ETag means other bytes', () => {
    const hashed = file('a-1.js', { group: 'fingerprinted', md5: one })
    const all = known({ listing: holding(there, listed('a-1.js', { etag: two })), record: said })
    const needs = needsMd5(all)
    const [unchanged, changed] = [file('a.js'), hashed].map((each) => ({
      ...each,
      md5: needs(each, each.size) ? each.md5 : undefined,
    })) as [HashedFile, HashedFile]
    expect(plan([unchanged, changed], all, false).overwritten).toEqual([changed])
    expect(plan([{ ...unchanged, md5: undefined }, changed], all, false).overwritten).toEqual([])
  })
})

describe('whatever a bucket holds', () => {
  const paths = ['a', 'b', 'c']
  const etag = fc.constantFrom(one, two, multipart)
  const size = fc.constantFrom(10, 11)
  const parameters = fc.constantFrom<Record<string, string>>(year, hour)
  const perPath = <T>(each: fc.Arbitrary<T>) => fc.dictionary(fc.constantFrom(...paths), each)
  const scene = fc.record({
    files: perPath(fc.record({ md5: fc.constantFrom(one, two), size, parameters })),
    listed: perPath(fc.record({ etag, size, lastModified: fc.constantFrom(recordedAt, recordedAt + 1, undefined) })),
    recorded: fc.option(
      perPath(
        fc.record({
          etag,
          size,
          sha256: fc.constantFrom(`sha of ${one}`, 'other'),
          headers: parameters.map(canonicalHeaders),
        }),
      ),
    ),
    written: perPath(etag),
    heads: perPath(fc.record({ etag, parameters })),
    force: fc.boolean(),
  })
  type Scene = typeof scene extends fc.Arbitrary<infer T> ? T : never

  const filesOf = ({ files }: Scene) => Object.entries(files).map(([path, more]) => file(path, more))
  const knownOf = (scene: Scene) =>
    known({
      listing: holding(...Object.entries(scene.listed).map(([path, more]) => listed(path, more))),
      record: scene.recorded
        ? record(...Object.entries(scene.recorded).map(([path, more]) => recorded(path, more)))
        : undefined,
      written: new Map(Object.entries(scene.written).flatMap(([path, each]) => [...written(path, each)])),
      heads: new Map(
        Object.entries(scene.heads).flatMap(([path, each]) => [...shown(path, each.parameters, each.etag)]),
      ),
    })

  it('HEADs beyond those that are asked for change no plan', () => {
    fc.assert(
      fc.property(scene, (each) => {
        const [files, all] = [filesOf(each), knownOf(each)]
        const asked = undescribed(files, all, each.force)
        const heads = new Map([...all.heads].filter(([key]) => asked.includes(key)))
        expect(plan(files, { ...all, heads }, each.force)).toEqual(plan(files, all, each.force))
      }),
      cases(500),
    )
  })

  it('each HEAD that is asked for decides, unless the object can’t be had', () => {
    fc.assert(
      fc.property(scene, (each) => {
        const [files, all] = [filesOf(each), knownOf(each)]
        const asked = undescribed(files, all, each.force)
        const without = plan(files, { ...all, heads: new Map() }, each.force).decisions
        const unknown = without.filter(({ reason }) => reason === 'headers unknown').map(({ file }) => file.key)
        expect(unknown).toEqual(asked)
      }),
      cases(500),
    )
  })

  it('MD5s beyond those that are needed change no decision', () => {
    fc.assert(
      fc.property(scene, (each) => {
        // This deploy has written nothing yet when files are read.
        const [files, all] = [filesOf(each), { ...knownOf(each), written: new Map() }]
        const needs = needsMd5(all)
        const withNeeded = files.map((one) => ({ ...one, md5: needs(one, one.size) ? one.md5 : undefined }))
        const made = (of: HashedFile[]) =>
          plan(of, all, each.force).decisions.map(({ file, ...rest }) => ({ ...rest, path: file.path }))
        expect(made(withNeeded)).toEqual(made(files))
      }),
      cases(500),
    )
  })
})
