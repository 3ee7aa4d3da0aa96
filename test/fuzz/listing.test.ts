import { parseXML } from '@aws-sdk/xml-builder'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { anyText, cases, inTime, oddText, thorough } from '../../fixtures/fuzz/chance.js'
import { withOneAnswer } from '../../fixtures/s3/one-answer.js'
import type { ListedObject } from '../../src/bucket/bucket.js'
import { type Page, readPage, timesOf, unquote } from '../../src/s3/objects/list-page.js'

const answering = withOneAnswer({ accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'secret' })

describe('a listing', () => {
  /** What the SDK's own parser makes of it. */
  function readBySdk(answer: string): Page {
    const { ListBucketResult: list } = parseXML(answer) as { ListBucketResult: Record<string, unknown> }
    const decoded = (key: string) => (list.EncodingType === 'url' ? decodeURIComponent(key.replaceAll('+', ' ')) : key)
    const contents = [list.Contents ?? []].flat() as Record<string, string>[]
    const times = timesOf(contents.map(({ LastModified = '' }) => LastModified))
    const objects = contents.map((element, index): ListedObject => {
      // An element without anything in it is an empty text.
      const { Key = '', Size = '0', ETag } = element
      return {
        key: decoded(Key),
        size: Number(Size),
        etag: unquote(ETag),
        lastModified: times[index],
      }
    })
    return {
      objects,
      next: list.IsTruncated === 'true' ? (list.NextContinuationToken as string) : undefined,
    }
  }

  const named: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' }
  const hex = (character: string) => character.charCodeAt(0).toString(16)
  /** The ways to write a character. The SDK's parser knows no number above U+FFFF, and turns a carriage return into a line's end. */
  const spellings = [
    (character: string) => (/[&<\r]/.test(character) ? (named[character] ?? `&#x${hex(character)};`) : character),
    (character: string) => named[character] ?? (character.length > 1 ? character : `&#${character.charCodeAt(0)};`),
    (character: string) => (character.length > 1 ? character : `&#x${hex(character).toUpperCase()};`),
    (character: string) => (/[\r>]/.test(character) ? `&#x${hex(character)};` : `<![CDATA[${character}]]>`),
    (character: string) => `${named[character] ?? (character === '\r' ? '&#13;' : character)}<!-- <Key>no</Key> & -->`,
    (character: string) => `<?no <Key>no</Key> ?>${named[character] ?? (character === '\r' ? '&#xD;' : character)}`,
  ] as const
  const spelled = (text: string, ways: readonly number[]) =>
    ways.length === 0 && !/\r|]]>/.test(text)
      ? `<![CDATA[${text}]]>`
      : [...text].map((character, i) => spellings[ways[i % ways.length] ?? 0]?.(character)).join('')

  /** Mostly plain, as all stores write it. */
  const ways = fc.oneof(
    { weight: 3, arbitrary: fc.constant([0]) },
    { weight: 1, arbitrary: fc.array(fc.nat(spellings.length - 1), { maxLength: 4 }) },
  )
  const space = fc.constantFrom('', '', '', '\n', '\n  ', '\t', '<!-- aside -->', '\n<?aside?>')

  const element = (name: string, text: fc.Arbitrary<string>) =>
    fc.tuple(text, ways).map(([value, spelling]) => `<${name}>${spelled(value, spelling)}</${name}>`)
  const maybe = (part: fc.Arbitrary<string>) => fc.option(part, { nil: '' })
  const inAnyOrder = (...parts: fc.Arbitrary<string>[]) =>
    fc
      .tuple(space, ...parts)
      .chain(([between, ...texts]) =>
        fc.shuffledSubarray(texts, { minLength: texts.length }).map((all) => all.join(between)),
      )

  const digits = fc.oneof(fc.nat(), fc.maxSafeNat()).map(String)
  const etag = fc.oneof(
    fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 32, maxLength: 32 }).map((md5) => `"${md5}"`),
    fc.string({ unit: 'grapheme-ascii' }).filter((text) => text.trim() === text),
  )
  const time = fc
    .date({ noInvalidDate: true, min: new Date(0), max: new Date('9999-01-01') })
    .map((date) => date.toISOString())
  const owner = inAnyOrder(element('ID', etag), element('DisplayName', etag)).map(
    (inside) => `<Owner>${inside}</Owner>`,
  )
  // XML has no way to write a control character; a parser drops text that is nothing but a line's end.
  const writable = /^[\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]*$/u
  const isWritable = (key: string) => writable.test(key) && key.trim() !== ''
  const encodings = [
    (key: string) => encodeURIComponent(key),
    (key: string) => encodeURIComponent(key).replaceAll('%20', '+'),
    (key: string) => encodeURIComponent(key).replaceAll('%2F', '/').toLowerCase(),
  ] as const

  const anyKey = fc.oneof(anyText, oddText('+', '%', ' ', '&amp;', '<', ']]>', '&#65;', '%2B', '\0', '\r\n', '<!--'))
  const contents = (encoding: number) =>
    inAnyOrder(
      maybe(
        element(
          'Key',
          encoding < 0 ? anyKey.filter(isWritable) : anyKey.map((key) => encodings[encoding]?.(key) ?? key),
        ),
      ),
      maybe(element('Size', digits)),
      maybe(fc.oneof(element('ETag', etag), fc.constantFrom('<ETag/>', '<ETag />', '<ETag></ETag>'))),
      maybe(element('LastModified', fc.oneof(time, fc.string({ unit: 'grapheme-ascii' })))),
      maybe(owner),
      maybe(fc.constantFrom('<StorageClass>STANDARD</StorageClass>', '<ChecksumAlgorithm>CRC32</ChecksumAlgorithm>')),
    ).map((inside) => `<Contents>${inside}</Contents>`)

  const listing = fc.integer({ min: -1, max: 2 }).chain((encoding) => {
    const parts = inAnyOrder(
      fc.constant('<Name>bucket</Name>'),
      maybe(element('Prefix', fc.constantFrom('', 'static/'))),
      maybe(element('KeyCount', digits)),
      fc.constantFrom(
        '<IsTruncated>false</IsTruncated>',
        '<IsTruncated>true</IsTruncated><NextContinuationToken>a&amp;b+c%20d</NextContinuationToken>',
        '<NextContinuationToken>1/<![CDATA[<&]]>==</NextContinuationToken><IsTruncated>true</IsTruncated>',
      ),
      maybe(fc.constant('<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes>')),
      fc.constant(encoding < 0 ? '' : '<EncodingType>url</EncodingType>'),
      fc.array(contents(encoding), { maxLength: 5 }).map((all) => all.join('')),
    )
    const start = fc.constantFrom(
      '<?xml version="1.0" encoding="UTF-8"?>\n',
      "<?xml version='1.0'?><?xml-stylesheet href='a'?><!-- <Error/> -->",
      '',
    )
    const root = fc.constantFrom(
      '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">',
      '<ListBucketResult>',
    )
    return fc.tuple(start, root, parts, space).map(([before, open, inside, end]) => {
      return `${before}${open}${inside}</ListBucketResult>${end}`
    })
  })

  it('is read as the parser of the SDK reads it', () => {
    fc.assert(
      fc.property(listing, (answer) => {
        expect(readPage(answer)).toMatchObject(readBySdk(answer))
      }),
      cases(1000),
    )
  })

  const page = (inside: string) => `<ListBucketResult><IsTruncated>false</IsTruncated>${inside}</ListBucketResult>`
  it.each([
    ['2026-01-02T03:04:05.678Z', Date.UTC(2026, 0, 2, 3, 4, 5, 678)],
    ['2026-01-02T03:04:05.000Z', Date.UTC(2026, 0, 2, 3, 4, 5)],
    // The Date header of this write may say 3:04:04.
    ['2026-01-02T03:04:05.006Z', Date.UTC(2026, 0, 2, 3, 4, 4, 999)],
    ['2026-01-02T03:04:05.011Z', Date.UTC(2026, 0, 2, 3, 4, 5, 11)],
    ['0001-01-01T00:00:00Z', undefined],
    ['yesterday', undefined],
    ['', undefined],
  ])('a time is one that a record can keep, or none: %j', (text, time) => {
    const inside = `<Contents><Key>a</Key><LastModified>${text}</LastModified></Contents>`
    expect(readPage(page(inside)).objects).toMatchObject([{ lastModified: time }])
  })

  it('a whole second is the end of the one before, where other times have milliseconds', () => {
    const [whole, early] = ['2026-01-02T03:04:05.000Z', '2026-01-02T03:04:07.600Z']
    const contents = (...times: string[]) =>
      times.map((time) => `<Contents><Key>a</Key><LastModified>${time}</LastModified></Contents>`).join('')
    const read = (...times: string[]) => readPage(page(contents(...times))).objects.map((each) => each.lastModified)
    expect(read(whole, early)).toEqual([Date.parse(whole) - 1, Date.parse(early)])
    expect(read(whole, whole)).toEqual([Date.parse(whole), Date.parse(whole)])
  })

  const keysOf = (inside: string) => [...readPage(page(inside)).objects].map(({ key }) => key)

  it.each<[what: string, text: string, key: string]>([
    ['a comment that is none, in CDATA', '<![CDATA[a<!-- b -->c]]>', 'a<!-- b -->c'],
    ['CDATA that is none, in a comment', 'a<!-- <![CDATA[ -->b<!-- ]]> -->c', 'abc'],
    ['a processing instruction', 'a<?b <c> ?>d', 'ad'],
    ['a character beyond the BMP by its number', '&#x1F600;&#128512;', '😀😀'],
    ['a number that is no character', '&#x110000;', '&#x110000;'],
    ['an entity that nobody has declared', '&nbsp;', '&nbsp;'],
    ['an entity with the name of a property of every object', '&constructor;&toString;', '&constructor;&toString;'],
    ['what is encoded twice', '&amp;lt;', '&lt;'],
  ])('has a key with %s', (_what, text, key) => {
    expect(keysOf(`<Contents><Key>${text}</Key></Contents>`)).toEqual([key])
  })

  /** A page, or the one error that is told apart from all others. */
  const isReadOrRefused = (answer: string) => {
    try {
      inTime(() => readPage(answer))
    } catch (error) {
      expect(error).toMatchObject({ name: 'NoS3Response' })
    }
  }

  const pieces = [
    ...['<!--', '-->', '<![CDATA[', ']]>', '<?', '?>', '<!DOCTYPE html>', '&', '&#', '&#x', ';', '<', '>', '</', '/>'],
    ...['<ListBucketResult>', '<IsTruncated>', '<Contents>', '</Contents>', '<Key>', '</Key>'],
    ...['<EncodingType>url</EncodingType>'],
    ...['%', '%E0%A4', '\0', '\ud800', '\ufeff', '<html><body>', '<__proto__>', '&__proto__;', '<Contents'],
    ...['x="<Key>"'],
  ]
  const mutation = fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(40), fc.constantFrom('', ...pieces))

  it('that was cut off or changed on the way is read or refused', () => {
    fc.assert(
      fc.property(listing, fc.array(mutation, { minLength: 1, maxLength: 6 }), fc.boolean(), (answer, changes, cut) => {
        let changed = answer
        for (const [at, removed, added] of changes) {
          const from = Math.floor(at * changed.length)
          changed = changed.slice(0, from) + added + (cut ? '' : changed.slice(from + removed))
        }
        isReadOrRefused(changed)
      }),
      cases(600),
    )
  })

  it('that is anything at all is read or refused', () => {
    fc.assert(fc.property(fc.oneof(anyText, oddText(...pieces)), isReadOrRefused), cases(800))
  })

  it.each([
    ['a web page', '<!DOCTYPE html><html><head><title>Sign in</title></head><body>IsTruncated</body></html>'],
    ['a page of XHTML', '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body/></html>'],
    ['nothing', ''],
    ['JSON', '{"IsTruncated": false}'],
    ['an error with status 200', '<Error><Code>InternalError</Code><IsTruncated>false</IsTruncated></Error>'],
    ['a listing in a comment', `<!-- ${page('')} -->`],
    ['a listing in a page', `<html>${page('')}</html>`],
    ['a page without the token for the next one', page('').replace('false', 'true')],
    ['a key that is not encoded as it says', page('<EncodingType>url</EncodingType><Contents><Key>%</Key></Contents>')],
  ])('is never made of %s', (_what, answer) => {
    expect(() => readPage(answer)).toThrow(expect.objectContaining({ name: 'NoS3Response' }))
  })

  const size = thorough ? 5_000_000 : 1_000_000
  const endless = (piece: string) => piece.repeat(Math.ceil(size / piece.length))

  it.each([
    ...['<Contents>', '</Contents>', '<Contents><Key>', '<Key>', '<IsTruncated>', '<', '</', '<a', '<a>', '<a><b>'],
    ...['&', '&a', '&#', '&#1', '&#x1', '&amp', '&amp;', '<!', '<!--', '<!-- -->', '<!---->-->', '-->', ']]>', '<?a?>'],
    ...['<![CDATA[', '<![CDATA[]]>', '<![CDATA[<!--]]>', '<!--<![CDATA[-->', '<?', '?>', '<?xml ?> ', ' ', '\n', '%'],
    ...['+'],
  ])('of nothing but %j is read or refused in its time', (piece) => {
    isReadOrRefused(endless(piece))
    isReadOrRefused(`<?xml version="1.0"?>${endless(piece)}`)
    isReadOrRefused(page(endless(piece)))
    isReadOrRefused(page(`<Contents><Key>${endless(piece)}</Key></Contents>`))
  })

  it('of 150,000 objects on one page is read, though S3 sends a thousand', async () => {
    const object = '<Contents><Key>a</Key></Contents>'
    const more = page(object)
      .replace('false', 'true<Token/>')
      .replace('<Token/>', '</IsTruncated><NextContinuationToken>2')
    const first = more.replace('2</IsTruncated>', '2</NextContinuationToken>')
    const second = page(Array.from({ length: 150_000 }, (_, i) => object.replace('>a<', `>${i + 1e6}<`)).join(''))
    await answering({ body: (url) => (url.includes('continuation-token') ? second : first) }, async ({ bucket }) => {
      expect([...(await bucket.list(''))]).toHaveLength(150_001)
    })
  })
})
