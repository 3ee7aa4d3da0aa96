import { hash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { DeleteObjectCommand } from '@aws-sdk/client-s3'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { errorOf } from '../../fixtures/error-of.js'
import { anyText, cases, oddText, patience } from '../../fixtures/fuzz/chance.js'
import { patient, settingsFor } from '../../fixtures/s3/connection.js'
import { type EmbeddedS3, startEmbedded } from '../../fixtures/s3/index.js'
import type { Body, Bucket, ObjectParameters } from '../../src/bucket/bucket.js'
import { canonicalHeaders } from '../../src/bucket/headers.js'
import { StaticS3Error } from '../../src/runtime/error.js'
import { openBucket, type S3Connection } from '../../src/s3/objects/s3-bucket.js'
import { readObjectParameters } from '../../src/settings/headers.js'
import { SettingReader } from '../../src/settings/setting-reader.js'

describe('headers', () => {
  let s3: EmbeddedS3
  let bucketName: string
  let connection: S3Connection
  let bucket: Bucket

  beforeAll(async () => {
    s3 = await startEmbedded()
    bucketName = await s3.createBucket()
    connection = await openBucket(settingsFor(s3, bucketName), patient)
    bucket = connection.bucket
  })
  afterAll(async () => {
    connection.close()
    await s3.close()
  })

  const bodyOf = (text: string): Body => {
    const bytes = Buffer.from(text)
    return { size: bytes.length, sha256: hash('sha256', bytes), open: async () => bytes }
  }
  const names: Record<string, string> = {
    CacheControl: 'cache-control',
    ContentDisposition: 'content-disposition',
    ContentEncoding: 'content-encoding',
    ContentLanguage: 'content-language',
    ContentType: 'content-type',
    Expires: 'expires',
    WebsiteRedirectLocation: 'x-amz-website-redirect-location',
  }
  /** HTTP has no blanks at a value's ends, and S3 no empty headers. */
  const sent = (value: unknown) =>
    value instanceof Date ? value.toUTCString() : String(value).replace(/^[ \t]+|[ \t]+$/g, '')
  const expected = ({ Metadata = {}, ...rest }: ObjectParameters) => {
    const headers = Object.entries(rest).map(([name, value]) => [names[name], sent(value)])
    return {
      headers: {
        ...Object.fromEntries(headers.filter(([, value]) => value !== '')),
      },
      metadata: Object.entries(Metadata as object)
        .map(([name, value]) => [name.toLowerCase(), sent(value)])
        .sort(),
    }
  }
  const kept = (key: string) => {
    const object = s3.server.objects(bucketName).get(key)
    return (
      object && {
        headers: object.headers,
        metadata: Object.entries(object.metadata).sort(),
        body: object.body.toString(),
      }
    )
  }

  const value = fc.oneof(
    { weight: 4, arbitrary: fc.string({ unit: 'grapheme-ascii' }) },
    { weight: 1, arbitrary: anyText },
    {
      weight: 1,
      arbitrary: oddText('\t', '\0', '\u007f', 'ä', '\u0080', '\u00ff', '€', ' ', ',', '"', ';', '\r\n', '\u2028'),
    },
    { weight: 1, arbitrary: fc.constantFrom('', ' ', 'x'.repeat(2000), 'x'.repeat(10_000), 'x'.repeat(100_000)) },
  )
  const metadataName = fc.oneof(
    { weight: 4, arbitrary: fc.stringMatching(/^[a-zA-Z0-9-]{1,12}$/) },
    { weight: 1, arbitrary: fc.string({ unit: 'grapheme', minLength: 0, maxLength: 5 }) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('__proto__', 'constructor', 'a b', 'a:b', 'ä', '', '10', 'x'.repeat(10_000)),
    },
  )
  const metadata = fc.array(fc.tuple(metadataName, value), { maxLength: 3 }).map(Object.fromEntries)
  const when = fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('9999-12-31') }).map((date) => {
    date.setMilliseconds(0)
    return date
  })
  const parameters: fc.Arbitrary<ObjectParameters> = fc.record(
    {
      CacheControl: value,
      ContentDisposition: value,
      ContentEncoding: value,
      ContentLanguage: value,
      ContentType: value.filter((text) => sent(text) !== ''),
      WebsiteRedirectLocation: value,
      Expires: when,
      Metadata: metadata,
    },
    { requiredKeys: [] },
  )

  /** Either the object has them, all of them and nothing else, or it is as it was, and the error says so. */
  async function checkWrite(odd: ObjectParameters, overwrites: boolean): Promise<'refused' | 'failed' | 'written'> {
    // Each file has one.
    const given = { ContentType: 'text/plain', ...odd }
    const read = new SettingReader({ options: { objectParameters: given }, variables: {} })
    readObjectParameters(read)
    if (read.problems.length > 0) {
      for (const problem of read.problems) expect(problem).toMatch(/^option `objectParameters\.\w+` is /)
      return 'refused'
    }
    const key = 'static/a.txt'
    await s3.client().send(new DeleteObjectCommand({ Bucket: bucketName, Key: key }))
    if (overwrites) await bucket.put(key, bodyOf('content'), { CacheControl: 'before' })
    const before = kept(key)
    const error = await errorOf(overwrites ? bucket.copy(key, key, given) : bucket.put(key, bodyOf('content'), given))
    if (error) {
      expect(error).toBeInstanceOf(StaticS3Error)
      expect(error.message).toMatch(/^static-s3: (PUT|new headers for) static\/a.txt /)
      expect(error.message.length).toBeLessThan(1500)
      expect(error.message).not.toMatch(/is in trouble|secret access key does not belong|broke off|did not answer/)
      expect(kept(key)).toEqual(before)
      return 'failed'
    }
    expect(kept(key)).toEqual({ ...expected(given), body: 'content' })
    return 'written'
  }

  it(
    'are on the object as they were given, or it stays as it was',
    async () => {
      const outcomes = new Set<string>()
      await fc.assert(
        fc.asyncProperty(parameters, fc.boolean(), async (given, overwrites) => {
          outcomes.add(await checkWrite(given, overwrites))
        }),
        cases(400),
      )
      expect([...outcomes].sort()).toEqual(['failed', 'refused', 'written'])
    },
    patience,
  )

  it.each<[what: string, given: ObjectParameters]>([
    ['two names of metadata that are one', { Metadata: { Built: '1', built: '2' } }],
    ['10,000 characters of metadata', { Metadata: { a: 'x'.repeat(10_000) } }],
    ['a Cache-Control of 100,000 characters', { CacheControl: 'x'.repeat(100_000) }],
    ['a character beyond Latin-1', { CacheControl: '€' }],
    ['a character of Latin-1', { ContentDisposition: 'attachment; filename="ä.pdf"' }],
    ['a control character', { ContentType: 'text/\0html' }],
    ['metadata without a name', { Metadata: { '': 'x' } }],
    ['a name of metadata with a blank', { Metadata: { 'a b': 'x' } }],
    ['a name of metadata with an umlaut', { Metadata: { ä: 'x' } }],
    ['an empty value', { CacheControl: '', Metadata: { a: '' } }],
    ['metadata with names that objects have', { Metadata: JSON.parse('{"__proto__": "a", "constructor": "b"}') }],
  ])('that are odd are kept or refused: %s', async (_what, given) => {
    await checkWrite(given, false)
    await checkWrite(given, true)
  })

  const anyParameters: fc.Arbitrary<ObjectParameters> = fc.dictionary(
    fc.oneof(
      fc.constantFrom('CacheControl', 'Expires', 'Metadata', 'Tagging', '__proto__'),
      fc.string({ maxLength: 3 }),
    ),
    fc.oneof(
      fc.string(),
      fc.boolean(),
      fc.constantFrom('true', '{}', 'null'),
      fc.dictionary(fc.oneof(fc.constantFrom('a', 'b', '1', '__proto__'), anyText), anyText),
    ),
  )
  const reversed = (given: ObjectParameters): ObjectParameters =>
    Object.fromEntries(
      Object.entries(given)
        .reverse()
        .map(([name, each]) => [name, typeof each === 'object' ? reversed(each as ObjectParameters) : each]),
    )
  const plain = (given: ObjectParameters) => Object.fromEntries(Object.entries(given))

  it('are equal in any order, and unequal when they differ', () => {
    fc.assert(
      fc.property(anyParameters, anyParameters, (one, other) => {
        expect(canonicalHeaders(reversed(one))).toBe(canonicalHeaders(plain(one)))
        expect(canonicalHeaders({ ...plain(one), ExpectedBucketOwner: '1', ContentType: undefined })).toBe(
          canonicalHeaders({ ...plain(one), ContentType: undefined }),
        )
        const same = isDeepStrictEqual(sortedEntries(one), sortedEntries(other))
        expect(canonicalHeaders(plain(one)) === canonicalHeaders(plain(other))).toBe(same)
      }),
      cases(1000),
    )
  })

  it('that differ in one character, one name or one type are unequal', () => {
    fc.assert(
      fc.property(anyText, anyText, fc.constantFrom('x', '"', '\\', '\0', '\ud800', ' '), (name, text, more) => {
        const all: ObjectParameters[] = [
          { CacheControl: text },
          { CacheControl: text + more },
          { CacheControl: more + text + more },
          { ContentType: text },
          { Metadata: { [name]: text } },
          { Metadata: { [name]: text + more } },
          { Metadata: { [name + more]: text } },
          { Metadata: JSON.stringify({ [name]: text }) },
          { CacheControl: true },
          { CacheControl: { text } },
        ]
        expect(new Set(all.map(canonicalHeaders)).size).toBe(all.length)
      }),
      cases(500),
    )
  })
})

function sortedEntries(given: unknown): unknown {
  if (typeof given !== 'object' || given === null) return given
  return Object.entries(given)
    .map(([name, value]) => [name, sortedEntries(value)])
    .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1))
}
