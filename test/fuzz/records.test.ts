import { gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { errorOf } from '../../fixtures/error-of.js'
import { anyText, cases } from '../../fixtures/fuzz/chance.js'
import { canonicalHeaders } from '../../src/bucket/headers.js'
import { decodeRecord, encodeRecord } from '../../src/release/records/format.js'
import type { RecordedObject, ReleasedFile, ReleaseRecord } from '../../src/release/records/record.js'

describe('a record', () => {
  const location = 'static'
  const count = fc.oneof(fc.nat(10), fc.maxSafeNat())
  const sha256 = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 64, maxLength: 64 })
  const date = fc.date({ noInvalidDate: true })
  const anyPath = fc.oneof(
    anyText,
    fc.constantFrom('__proto__', 'constructor', 'toString', '10', '9', '', 'a/b', '\ud800'),
  )
  const headers = fc
    .dictionary(fc.string(), fc.oneof(anyText, fc.boolean(), fc.dictionary(anyPath, anyText)))
    .map((each) => canonicalHeaders(Object.fromEntries(Object.entries(each))))
  const recorded = (release: number): fc.Arbitrary<RecordedObject> =>
    fc
      .record({
        ...{ sha256, size: count, etag: anyText, writtenAt: count, headers },
        ...{ fingerprinted: fc.boolean(), backup: fc.option(anyText, { nil: undefined }), release: count },
      })
      .map((object) => ({ ...object, release: object.release % 2 ? object.release : release }))
  const staged: fc.Arbitrary<ReleasedFile> = fc.record({
    ...{ sha256, size: count, headers, fingerprinted: fc.boolean(), original: fc.option(sha256, { nil: undefined }) },
    ...{ etag: fc.option(anyText, { nil: undefined }), backup: fc.option(anyText, { nil: undefined }) },
  })
  const release: fc.Arbitrary<ReleaseRecord> = count.chain((number) =>
    fc.record({
      ...{ id: anyText, by: anyText, commit: fc.option(anyText, { nil: undefined }), bundler: anyText, at: date },
      release: fc.constant(number),
      live: count,
      hold: fc.option(fc.record({ reason: anyText, by: anyText, at: date }), { nil: undefined }),
      activated: fc.option(count, { nil: undefined }),
      staged: fc.option(
        fc.array(fc.tuple(anyPath, staged), { maxLength: 3 }).map((all) => new Map(all)),
        { nil: undefined },
      ),
      conditionalWrites: fc.boolean(),
      objects: fc.array(fc.tuple(anyPath, recorded(number)), { maxLength: 5 }).map((all) => new Map(all)),
      splitAt: fc.array(anyPath),
    }),
  )

  it('that was written is read back as it was', async () => {
    await fc.assert(
      fc.asyncProperty(release, anyPath, async (record, at) => {
        expect(await decodeRecord(at, await encodeRecord(at, record))).toEqual(record)
      }),
      cases(250),
    )
  })

  const inherited = () => [Object.prototype, Array.prototype, Map.prototype].map((each) => Object.keys(each))

  /** It is decoded, or the reason fits into a sentence. */
  async function check(bytes: Uint8Array): Promise<void> {
    const error = await errorOf(decodeRecord(location, bytes))
    if (error) {
      expect(error.message).toMatch(
        /^(is damaged|was written by an? (newer|older) static-s3 \(format \d+ instead of 3\): .*|belongs to another location \(.{0,200}\))$/s,
      )
    }
    expect(inherited()).toEqual([[], [], []])
  }
  const packed = (...lines: unknown[]) => gzipSync(lines.map((line) => JSON.stringify(line)).join('\n'))

  it('of any bytes is damaged', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array(), fc.boolean(), (bytes, zipped) => check(zipped ? gzipSync(bytes) : bytes)),
      cases(300),
    )
  })

  it('that was cut off or changed on the way is read or refused', async () => {
    const flip = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 }))
    await fc.assert(
      fc.asyncProperty(
        release,
        fc.array(flip, { minLength: 1, maxLength: 4 }),
        fc.constantFrom('bits', 'text', 'end', 'more'),
        async (record, flips, how) => {
          const bytes = await encodeRecord(location, record)
          const change = (content: Buffer) => {
            for (const [at, bits] of flips) content[at % content.length] = (content[at % content.length] ?? 0) ^ bits
            return content
          }
          const cutAt = (flips[0]?.[0] ?? 0) % bytes.length
          if (how === 'bits') await check(change(bytes))
          if (how === 'text') await check(gzipSync(change(gunzipSync(bytes))))
          if (how === 'end') await check(bytes.subarray(0, cutAt))
          if (how === 'more') await check(Buffer.concat([bytes, Buffer.from(flips.flat())]))
        },
      ),
      cases(300),
    )
  })

  const json = fc.jsonValue({ maxDepth: 4 })
  const fields = [...['format', 'location', 'id', 'at', 'by', 'commit', 'bundler', 'release', 'splitAt']]
  const objectFields = [
    'path',
    'sha256',
    'size',
    'etag',
    'writtenAt',
    'headers',
    'fingerprinted',
    'release',
    '__proto__',
  ]

  it('of any other shape is read or refused', async () => {
    const real = {
      ...{ format: 3, location, id: 'id', at: '2026-01-02T03:04:05Z', by: 'ada', bundler: 'vite' },
      ...{ release: 1, conditionalWrites: true, splitAt: [] },
    }
    const object = { sha256: 'ab'.repeat(32), size: 1, etag: '', writtenAt: 0, headers: 0 }
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.constantFrom(...fields, '__proto__', 'constructor'), json, { maxKeys: 2 }),
        fc.dictionary(fc.constantFrom(...objectFields), json, { maxKeys: 2 }),
        anyPath,
        json,
        async (changes, objectChanges, path, value) => {
          const first = { ...real, ...changes }
          await check(packed(first, { headers: {} }, { path, ...object, ...objectChanges }))
          await check(packed(real, { headers: value }, { path, ...object }))
          await check(packed(real, value))
          await check(packed(value))
        },
      ),
      cases(200),
    )
  })

  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
  const start = '"format":3,"location":"static","id":"","at":"2026-01-02","by":"","bundler":""'
  const end = '"release":1,"splitAt":[]'

  it.each<[what: string, bytes: () => Buffer]>([
    ['a gzip in a gzip', () => gzipSync(gzipSync('{}'))],
    ['100,000 arrays in each other', () => gzipSync(nested(100_000))],
    [
      'headers of 100,000 arrays in each other',
      () => gzipSync(`{${start},${end}}\n{"headers":{"a":${nested(100_000)}}}`),
    ],
    ['a prototype', () => gzipSync(`{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},${start}}`)],
    ['a location of a megabyte', () => packed({ format: 3, location: 'x'.repeat(1_000_000) })],
    ['a location of 100,000 arrays in each other', () => gzipSync(`{"format":3,"location":${nested(100_000)}}`)],
    ['a location of many lines', () => packed({ format: 3, location: ['a\n'.repeat(1000)] })],
    ['a format of a newer one', () => packed({ format: 4, location: { a: 1 } })],
    [
      'an index that every array has',
      () => gzipSync(`{${start},${end}}\n{"headers":{}}\n{"path":"a","headers":"length"}`),
    ],
    ['a time that is none', () => packed({ format: 3, location, id: '', at: 'yesterday' })],
    ['nothing', () => Buffer.alloc(0)],
  ])('of %s is read or refused', (_what, bytes) => check(bytes()))

  it('that unpacks to more than the memory has room for is damaged', async () => {
    const zeros = gzipSync(Buffer.alloc(1024 ** 2))
    const bomb = Buffer.concat(Array.from({ length: 300 }, () => zeros))
    await expect(decodeRecord(location, bomb)).rejects.toThrow(/^is damaged$/)
  })
})
