import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { inspect, isDeepStrictEqual } from 'node:util'
import { createContext, runInContext } from 'node:vm'
import { gunzipSync, gzipSync } from 'node:zlib'
import { parseXML } from '@aws-sdk/xml-builder'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { deployEnv } from '../fixtures/build/environment.js'
import { siteObjects } from '../fixtures/build/site.js'
import { type EmbeddedS3, startEmbedded } from '../fixtures/s3/index.js'
import { ask } from '../src/core/ask.js'
import type { Body, Bucket, ListedObject, ObjectParameters } from '../src/core/bucket.js'
import { type Classified, classify } from '../src/core/classify.js'
import { type Environment, readEnvironment, type Variables } from '../src/core/environment.js'
import { StaticS3Error } from '../src/core/error.js'
import { headersOf } from '../src/core/headers.js'
import { problemsOfParameters } from '../src/core/object-parameters.js'
import type { Options } from '../src/core/options.js'
import { preview } from '../src/core/preview.js'
import { encodePath } from '../src/core/public-url.js'
import { publish } from '../src/core/publish.js'
import {
  type BegunRecord,
  decodeBegun,
  decodeRelease,
  encodeBegun,
  encodeRelease,
  type KnownObject,
  type ReleaseRecord,
} from '../src/core/record.js'
import { resolveSettings, type Settings } from '../src/core/settings.js'
import { type Page, readPage, unquote } from '../src/s3/list-page.js'
import { openBucket, type S3Connection } from '../src/s3/s3-bucket.js'

// What comes from outside, in every shape that chance finds. The seed is fixed, so that a failure is the change's own:
// FUZZ=100000 takes that many cases for each, SEED=1 other ones.

const seed = Number(process.env.SEED ?? 42)
const cases = (usual: number) => ({ seed, numRuns: Number(process.env.FUZZ ?? usual) })
const patience = process.env.FUZZ === undefined ? 60_000 : 24 * 60 * 60_000

/** Milliseconds. What is linear takes a hundredth of it; what is not would take hours, and no time-out of a test ends it. */
const hang = 5000

const bounded = createContext({})

/** Runs what never waits, and fails where it doesn't come to an end. */
function inTime<T>(work: () => T): T {
  bounded.work = work
  return runInContext('work()', bounded, { timeout: hang })
}

/** Any character but half ones, rare ones as often as others. */
const anyText = fc.string({ unit: 'binary' })
const oddText = (...odd: string[]) =>
  fc
    .array(fc.oneof(fc.constantFrom(...odd), fc.string({ unit: 'binary', maxLength: 3 })))
    .map((parts) => parts.join(''))

const instantly = { now: Date.now, random: () => 0, sleep: async () => {} }

const errorOf = (promise: Promise<unknown>): Promise<Error | undefined> =>
  promise.then(
    () => undefined,
    (error: Error) => error,
  )

let s3: EmbeddedS3
let dir: string

beforeAll(async () => {
  s3 = await startEmbedded()
  dir = await mkdtemp(join(tmpdir(), 'static-s3-'))
})
afterAll(async () => {
  await s3.close()
  await rm(dir, { recursive: true, force: true })
})

describe('a listing', () => {
  /** What the SDK's own parser makes of it. */
  function readBySdk(answer: string, prefix: string): Omit<Page, 'first' | 'last' | 'inOrder'> {
    const { ListBucketResult: list } = parseXML(answer) as { ListBucketResult: Record<string, unknown> }
    const decoded = (key: string) => (list.EncodingType === 'url' ? decodeURIComponent(key.replaceAll('+', ' ')) : key)
    const objects = [list.Contents ?? []].flat().map((element): ListedObject => {
      // An element without anything in it is an empty text.
      const { Key = '', Size = '0', ETag, LastModified = '' } = element as Record<string, string>
      const time = Date.parse(LastModified)
      return {
        key: decoded(Key),
        size: Number(Size),
        etag: unquote(ETag),
        lastModified: Number.isNaN(time) ? undefined : time,
      }
    })
    return {
      objects: objects.filter(({ key }) => key.startsWith(prefix)),
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
      fc.property(listing, fc.constantFrom('', 'a'), (answer, prefix) => {
        expect(readPage(answer, prefix)).toMatchObject(readBySdk(answer, prefix))
      }),
      cases(1000),
    )
  })

  const page = (inside: string) => `<ListBucketResult><IsTruncated>false</IsTruncated>${inside}</ListBucketResult>`
  const keysOf = (inside: string) => readPage(page(inside), '').objects.map(({ key }) => key)

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
      inTime(() => readPage(answer, 'static/'))
    } catch (error) {
      expect(error).toMatchObject({ name: 'NoS3Answer' })
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
    expect(() => readPage(answer, '')).toThrow(expect.objectContaining({ name: 'NoS3Answer' }))
  })

  const size = process.env.FUZZ === undefined ? 1_000_000 : 5_000_000
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
      expect(await bucket.list('')).toHaveLength(150_001)
    })
  })
})

interface Answers {
  status?: number
  headers?: Record<string, string>
  body: string | Buffer | ((url: string) => string)
}

let answers: Answers
let store: Server
const secrets = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCY',
  sessionToken: 'IQoJb3Jp',
}

beforeAll(async () => {
  store = createServer((request, response) => {
    const { status = 200, headers = {}, body } = answers
    response.writeHead(status, headers).end(typeof body === 'function' ? body(request.url ?? '') : body)
  })
  await new Promise<void>((resolve) => store.listen(0, '127.0.0.1', resolve))
})
afterAll(() => {
  store.close()
  store.closeAllConnections()
})

/** A bucket on a server that answers everything alike. */
async function answering(with_: Answers, use: (connection: S3Connection) => Promise<void>): Promise<void> {
  answers = with_
  const connection = await openBucket(
    {
      bucket: 'bucket',
      region: 'us-east-1',
      endpoint: `http://127.0.0.1:${(store.address() as AddressInfo).port}`,
      addressingStyle: 'path',
      credentials: secrets,
      concurrency: 4,
    },
    instantly,
  )
  try {
    await use(connection)
  } finally {
    connection.close()
  }
}

describe('an answer that is no success', () => {
  const isReported = (error: Error | undefined) => {
    if (error === undefined) return
    expect(error).toBeInstanceOf(StaticS3Error)
    expect(error.message).toMatch(/^static-s3: (LIST|GET) s3:\/\/bucket\/static\/[^\p{Cc}]*\.$/u)
    expect(error.message).not.toMatch(/undefined|\[object|NaN/)
    expect(error.message.length).toBeLessThan(1500)
    const shown = `${error.message}\n${error.stack}\n${inspect(error.cause, { depth: 10 })}`
    for (const secret of Object.values(secrets)) expect(shown).not.toContain(secret)
  }

  const check = (answer: Answers) =>
    answering(answer, async ({ bucket }) => {
      const listed = await errorOf(bucket.list('static/'))
      expect(listed).toBeDefined()
      isReported(listed)
      isReported(await errorOf(bucket.get('static/a')))
    })

  const code = fc.oneof(
    fc.constantFrom(
      ...['AccessDenied', 'NoSuchKey', 'NoSuchBucket', 'SlowDown', 'PermanentRedirect', 'RequestTimeTooSkewed'],
    ),
    fc.constantFrom(
      'AuthorizationHeaderMalformed',
      'ExpiredToken',
      'InvalidRequest',
      'KMS.DisabledException',
      'NotFound',
    ),
    fc.constantFrom(
      ...['constructor', 'toString', '__proto__', 'hasOwnProperty', 'Error', 'UnknownError', '', '\n', '\u001b[31m'],
    ),
    anyText,
  )
  const word = fc.oneof(
    anyText,
    fc.constantFrom(
      ...Object.values(secrets),
      ...['Signature=abc', '\u001b[2J', '\n    at ', '%s', 'on resource: "', '\r\n'],
    ),
    fc.constantFrom('not authorized to perform: s3:GetObject', 'because no identity-based policy allows the', 'sts:'),
  )
  const sentence = fc.array(word, { maxLength: 4 }).map((words) => words.join(' '))
  const fieldName = fc.constantFrom(
    ...['Region', 'Endpoint', 'RequestTime', 'ServerTime', 'RequestId', 'HostId', 'BucketName', 'Key', 'name'],
    ...['message'],
    ...['stack', 'cause', 'code', 'errors', 'hostname', 'address', 'status', '__proto__', 'constructor', 'toString'],
    ...['$metadata', 'errnoCode', 'Message', 'Code'],
  )
  const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  const document = fc
    .tuple(code, sentence, fc.array(fc.tuple(fieldName, sentence), { maxLength: 4 }))
    .map(([Code, Message, fields]) => [['Code', Code], ['Message', Message], ...fields] as const)
    .map(
      (fields) =>
        `<Error>${fields.map(([name, text]) => `<${name}>${escaped(text ?? '')}</${name}>`).join('')}</Error>`,
    )
  const body = fc.oneof(
    { weight: 3, arbitrary: document },
    { weight: 1, arbitrary: fc.uint8Array().map((bytes) => Buffer.from(bytes)) },
    { weight: 1, arbitrary: oddText('<Error>', '<Code>', '</Code>', '<Message>', '</Message>', '<!--', '<html>', '&') },
  )
  const status = fc.oneof(
    fc.constantFrom(200, 204, 301, 302, 307, 304, 400, 401, 403, 404, 405, 408, 412, 429, 500, 501, 502, 503, 505),
    fc.integer({ min: 200, max: 999 }),
  )
  const ascii = fc.string({ unit: 'grapheme-ascii' })
  const headers = fc.record(
    {
      'retry-after': fc.oneof(fc.nat().map(String), ascii, fc.constant('1e400')),
      date: fc.oneof(ascii, fc.constantFrom('Thu, 01 Jan 1970 00:00:00 GMT', 'Fri, 31 Dec 9999 23:59:59 GMT')),
      'x-amz-request-id': fc.oneof(ascii, fc.constantFrom(...Object.values(secrets), 'x'.repeat(5000))),
      'x-amz-bucket-region': fc.oneof(ascii, fc.constantFrom('eu-central-1', 'us-east-1')),
      'content-type': fc.constantFrom('text/html', 'application/xml', 'application/json'),
      location: ascii,
    },
    { requiredKeys: [] },
  )

  it(
    'is reported in one line without secrets, whatever it says',
    async () => {
      const answer = fc.record({ status, headers, body })
      await fc.assert(fc.asyncProperty(answer, check), cases(250))
    },
    patience,
  )

  const error = (code: string, message: string, more = '') =>
    `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message>${more}</Error>`

  it.each<[what: string, answer: Answers]>([
    ['a code with the name of a property of every object', { status: 400, body: error('constructor', 'no') }],
    ['a code that is no property', { status: 400, body: error('__proto__', 'no') }],
    ['a secret for a code', { status: 400, body: error(secrets.accessKeyId, 'no') }],
    ['a code of many lines', { status: 400, body: error('a\nb\nc', 'no') }],
    ['a code for terminals', { status: 400, body: error('\u001b[31mred', 'no') }],
    ['a long code', { status: 400, body: error('x'.repeat(100_000), 'no') }],
    [
      'a long request id',
      { status: 500, body: error('InternalError', 'no', `<RequestId>${'x'.repeat(9999)}</RequestId>`) },
    ],
    ['a message for terminals', { status: 400, body: error('InvalidRequest', '\u001b[2J\u0007\u009b31m') }],
    [
      'a resource of many lines',
      { status: 403, body: error('AccessDenied', 'not authorized to perform: s3:GetObject on resource: "a"') },
    ],
    [
      'a message that looks like a stack',
      { status: 403, body: error('AccessDenied', `no\n    at ${secrets.secretAccessKey}`) },
    ],
    [
      'a long resource',
      {
        status: 403,
        body: error('AccessDenied', `not authorized to perform: s3:Get on resource: "${'x'.repeat(9999)}"`),
      },
    ],
    ['a stack', { status: 400, body: error('Bad', 'no', `<stack>    at ${secrets.secretAccessKey}</stack>`) }],
    [
      'a host name of its own',
      { status: 400, body: error('ENOTFOUND', 'no', `<hostname>${'x\n'.repeat(999)}</hostname>`) },
    ],
    ['an error code of the network', { status: 400, body: error('Bad', 'no', '<code>ECONNREFUSED</code>') }],
  ])('is reported in one line without secrets: %s', (_what, answer) => check(answer))

  const size = 60_000
  it.each([
    ...[' ', '\n', 'because no ', 'because no a', 'with an explicit deny in a', 'Signature', 'Signature =', 'a='],
    ...['AKIA', 'AKIAAAAA', 'on resource: ', 'not authorized to perform: ', '0123456789abcdef', 'expecting &apos;'],
    ...['.s3.'],
    ...['<Code>', '<a>', '<!--', '<![CDATA[', '<?a?>', '&', '</Message><Message>'],
  ])(
    'of nothing but %j is reported in its time',
    async (piece) => {
      const text = piece.repeat(Math.ceil(size / piece.length))
      const began = performance.now()
      await check({ status: 403, body: error('AccessDenied', text, `<Endpoint>${text}</Endpoint>`) })
      await check({ status: 400, body: error('PermanentRedirect', `${text}.`, `<Endpoint>${text}</Endpoint>`) })
      await check({ status: 400, body: `<?a?>${text}` })
      expect(performance.now() - began).toBeLessThan(hang)
    },
    2 * hang,
  )
})

/** Settings of a deploy into the embedded server. */
async function settingsFor(bucket: string, options: Options = {}): Promise<Settings> {
  const shell = deployEnv(s3, bucket)
  const resolved = await resolveSettings({
    options,
    environment: { shell, files: {}, all: shell },
    build: { watch: false, whyNotProduction: undefined, mode: 'production' },
    findRegion: async () => 'us-east-1',
  })
  if (!resolved.on) throw new Error(resolved.because)
  return resolved.settings
}

describe('a file name', () => {
  const signs = [
    ...` +%#?&=;:,@!$'"()*[]{}<>|\\^~\`-_.`,
    ...['%20', '%2F', '%25', '%C3%A4', '&amp;', '..', '$&', '\t', '\n', '\r', '\u0001'],
  ]
  const scripts = [
    ...['ä', 'a\u0308', 'é', 'e\u0301', 'ﬁ', '日本', 'א', '\u202e', '\u200d', '👩‍👩‍👧', '😀', '\uffff', '\ufffe'],
    ...['\ue000', '\u{10ffff}', 'İ'],
  ]
  const segment = fc
    .array(fc.oneof(fc.constantFrom(...signs, ...scripts), fc.string({ unit: 'binary', maxLength: 4 })), {
      minLength: 1,
      maxLength: 12,
    })
    .map((parts) => parts.join('').replaceAll(/[/\0]/g, '').slice(0, 60).toWellFormed())
    .filter((name) => !/^\.{0,2}$/.test(name))
  const path = fc
    .tuple(
      fc.array(segment, { maxLength: 2 }),
      segment,
      fc.constantFrom('', '.js', '.html', '.json', '.png', '.webmanifest'),
    )
    .map(([folders, name, ending]) => [...folders, name + ending].join('/'))
  const longPath = (bytes: number) => `${'ü/'.repeat(300)}${'x'.repeat(bytes - 900 - 'static/'.length)}`

  /** The paths that the file system took: not every two names go together. */
  async function write(folder: string, paths: readonly string[]): Promise<string[]> {
    const written: string[] = []
    for (const each of new Set(paths)) {
      const file = join(folder, each)
      try {
        await mkdir(dirname(file), { recursive: true })
        await writeFile(file, `bytes of ${each}`, { flag: 'wx' })
        written.push(each)
      } catch (error) {
        expect((error as NodeJS.ErrnoException).code).toMatch(/^(EEXIST|ENOTDIR|EISDIR|ENAMETOOLONG|EINVAL)$/)
      }
    }
    return written
  }

  const classified = (paths: readonly string[], settings: Settings): Classified => {
    const files = paths.map((each) => ({ path: each, file: join(dir, each), emitted: false, fingerprinted: false }))
    return classify({ files, leftOut: [] }, settings)
  }

  let count = 0
  async function deployAndFetch(all: readonly string[]): Promise<string[]> {
    const bucket = await s3.createBucket(undefined, { public: 'static/' })
    const settings = await settingsFor(bucket)
    const paths = all.filter((each) => classified([each], settings).problems.length === 0)
    const folder = join(dir, `site-${count++}`)
    const written = await write(folder, paths)
    const home = new Set(classified(written, settings).leftOut.map(({ path }) => path))
    const expected = written.filter((each) => !home.has(each)).sort()
    const warnings: string[] = []
    const logger = { info() {}, warn: (message: string) => warnings.push(message) }
    const outputs = [{ dir: folder, emitted: new Set(written), fingerprinted: new Set(written.slice(0, 20)) }]
    const common = { outputs, before: new Map(), notOurs: [], base: '/', terminal: undefined, logger, bundler: 'none' }
    await publish({ settings, asked: ask(settings), ...common })

    expect([...siteObjects(s3, bucket).keys()].sort()).toEqual(expected.map((each) => `static/${each}`).sort())
    if (expected.length > 0) {
      expect(warnings).toEqual([])
      const { decisions } = await preview(settings, folder)
      const decided = decisions.map(({ file, action, reason }) => `${action} ${reason} ${file.path}`)
      expect(decided.sort()).toEqual(expected.map((each) => `skip unchanged ${each}`).sort())
    }
    const fetched = await Promise.all(
      expected.map(async (each) => {
        const response = await fetch(settings.publicUrl + encodePath(each))
        return [each, response.status, await response.text()]
      }),
    )
    expect(fetched).toEqual(expected.map((each) => [each, 200, `bytes of ${each}`]))
    await rm(folder, { recursive: true })
    return expected
  }

  it(
    'of any kind is uploaded, found unchanged, and served under its URL',
    async () => {
      let served = 0
      await fc.assert(
        fc.asyncProperty(fc.array(path, { minLength: 60, maxLength: 100, size: 'max' }), async (paths) => {
          served += (await deployAndFetch(paths)).length
        }),
        cases(4),
      )
      expect(served).toBeGreaterThan(200)
    },
    patience,
  )

  it('of each kind is uploaded, found unchanged, and served under its URL', async () => {
    const known = [...signs, ...scripts].map((sign) => `a${sign}b.txt`).filter((each) => !/[\\]/.test(each))
    const paths = [
      ...known,
      ...['a\\b.txt', '%2e%2e%2f.txt', '__proto__', 'constructor', '10', '9'],
      longPath(1024),
      ' ',
      '  a ',
    ]
    expect(await deployAndFetch(paths)).toHaveLength(paths.length)
  })

  it('that makes a key of more than 1,024 bytes is refused before anything is written', async () => {
    const bucket = await s3.createBucket()
    const settings = await settingsFor(bucket)
    const folder = join(dir, 'too-long')
    expect(await write(folder, ['a.txt', longPath(1025)])).toHaveLength(2)
    const outputs = [{ dir: folder, emitted: new Set<string>(), fingerprinted: new Set<string>() }]
    const logger = { info() {}, warn() {} }
    const common = { outputs, before: new Map(), notOurs: [], base: '/', terminal: undefined, logger, bundler: 'none' }
    const error = await errorOf(publish({ settings, asked: ask(settings), ...common }))
    expect(error).toBeInstanceOf(StaticS3Error)
    expect(error?.message).toContain('its key has 1025 bytes, and S3 takes 1,024 at most')
    expect([...s3.server.objects(bucket)]).toEqual([])
  })

  it('and a glob of any kind go together', async () => {
    const glob = fc.oneof(
      anyText,
      oddText('*', '**', '/', '!', '(', ')', '[', ']', '{', '}', ',', '|', '?', '+', '@', '\\'),
    )
    await fc.assert(
      fc.asyncProperty(glob, path, async (exclude, each) => {
        const shell = { USE_S3: '1', AWS_STORAGE_BUCKET_NAME: 'bucket' }
        const settings = await resolvedOrProblems({ exclude }, { shell, files: {}, all: shell })
        if (settings) classified([each], settings)
      }),
      cases(300),
    )
  })
})

describe('headers', () => {
  let bucketName: string
  let connection: S3Connection
  let bucket: Bucket

  beforeAll(async () => {
    bucketName = await s3.createBucket()
    const { credentials, endpoint, region } = s3
    const settings = {
      bucket: bucketName,
      region,
      endpoint,
      addressingStyle: 'path',
      credentials,
      concurrency: 4,
    } as const
    connection = await openBucket(settings, instantly)
    bucket = connection.bucket
  })
  afterAll(() => connection.close())

  const bodyOf = (text: string): Body => {
    const bytes = Buffer.from(text)
    return { size: bytes.length, md5: createHash('md5').update(bytes).digest('hex'), open: async () => bytes }
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
    const problems = problemsOfParameters('AWS_S3_OBJECT_PARAMETERS', given)
    if (problems.length > 0) {
      for (const problem of problems) expect(problem).toMatch(/^AWS_S3_OBJECT_PARAMETERS has /)
      return 'refused'
    }
    const key = 'static/a.txt'
    await bucket.delete([key])
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
        expect(headersOf(reversed(one))).toBe(headersOf(plain(one)))
        expect(headersOf({ ...plain(one), ExpectedBucketOwner: '1', ContentType: undefined })).toBe(
          headersOf({ ...plain(one), ContentType: undefined }),
        )
        const same = isDeepStrictEqual(sortedEntries(one), sortedEntries(other))
        expect(headersOf(plain(one)) === headersOf(plain(other))).toBe(same)
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
        expect(new Set(all.map(headersOf)).size).toBe(all.length)
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
    .map((each) => headersOf(Object.fromEntries(Object.entries(each))))
  const author = {
    id: anyText,
    by: anyText,
    commit: fc.option(anyText, { nil: undefined }),
    bundler: anyText,
    at: date,
  }
  const known = (release: number): fc.Arbitrary<KnownObject> =>
    fc
      .record(
        {
          sha256,
          size: count,
          etag: anyText,
          headers,
          fingerprinted: fc.boolean(),
          release: count,
          kept: fc.constant(true),
        },
        { requiredKeys: ['sha256', 'size', 'etag', 'headers', 'fingerprinted', 'release'] },
      )
      .map((object): KnownObject => ({ ...object, release: object.release % 2 ? object.release : release }))
  const release: fc.Arbitrary<ReleaseRecord> = count.chain((number) =>
    fc.record({
      ...author,
      release: fc.constant(number),
      surveyedAt: date,
      conditionalWrites: fc.boolean(),
      objects: fc.array(fc.tuple(anyPath, known(number)), { maxLength: 5 }).map((all) => new Map(all)),
      splitAt: fc.array(anyPath),
    }),
  )
  const begun: fc.Arbitrary<BegunRecord> = fc.record({
    ...author,
    headers: fc.array(fc.tuple(anyPath, headers), { maxLength: 5 }).map((all) => new Map(all)),
  })

  it('that was written is read back as it was', async () => {
    await fc.assert(
      fc.asyncProperty(release, begun, anyPath, async (record, beginning, at) => {
        expect(await decodeRelease(at, await encodeRelease(at, record))).toEqual(record)
        expect(await decodeBegun(at, await encodeBegun(at, beginning))).toEqual(beginning)
      }),
      cases(250),
    )
  })

  const inherited = () => [Object.prototype, Array.prototype, Map.prototype].map((each) => Object.keys(each))

  /** It is decoded, or the reason fits into a sentence. */
  async function check(bytes: Uint8Array): Promise<void> {
    for (const decode of [decodeRelease, decodeBegun]) {
      const error = await errorOf(decode(location, bytes))
      if (error)
        expect(error.message).toMatch(
          /^(is damaged|was written by a newer static-s3|is another location's \(.{0,200}\))$/s,
        )
    }
    expect(inherited()).toEqual([[], [], []])
  }
  const packed = (content: unknown) => gzipSync(JSON.stringify(content))

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
          const bytes = await encodeRelease(location, record)
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
  const fields = [
    ...['format', 'location', 'id', 'at', 'by', 'commit', 'bundler', 'headers', 'release', 'surveyedAt', 'objects'],
    ...['splitAt'],
  ]
  const objectFields = ['sha256', 'size', 'etag', 'headers', 'fingerprinted', 'release', 'kept', '__proto__']

  it('of any other shape is read or refused', async () => {
    const real = {
      ...{ format: 1, location, id: 'id', at: '2026-01-02T03:04:05Z', by: 'ada', bundler: 'vite', headers: [{}] },
      ...{ release: 1, surveyedAt: '2026-01-02T03:04:05Z', conditionalWrites: true, splitAt: [] },
    }
    const object = { sha256: 'ab'.repeat(32), size: 1, etag: '', headers: 0 }
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.constantFrom(...fields, '__proto__', 'constructor'), json, { maxKeys: 2 }),
        fc.dictionary(fc.constantFrom(...objectFields), json, { maxKeys: 2 }),
        anyPath,
        json,
        async (changes, objectChanges, path, value) => {
          const objects = Object.fromEntries([[path, { ...object, ...objectChanges }]])
          await check(packed({ ...real, objects, ...changes }))
          await check(packed({ ...real, objects: value }))
          await check(packed(value))
        },
      ),
      cases(200),
    )
  })

  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
  const start = '"format":1,"location":"static","id":"","at":"2026-01-02","by":"","bundler":""'
  const end = '"release":1,"surveyedAt":"2026-01-02","splitAt":[],"objects":{}'

  it.each<[what: string, bytes: () => Buffer]>([
    ['a gzip in a gzip', () => gzipSync(gzipSync('{}'))],
    ['100,000 arrays in each other', () => gzipSync(nested(100_000))],
    [
      'headers of 100,000 arrays in each other',
      () => gzipSync(`{${start},"headers":[{"a":${nested(100_000)}}],${end}}`),
    ],
    ['a prototype', () => gzipSync(`{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},${start}}`)],
    ['a location of a megabyte', () => packed({ format: 1, location: 'x'.repeat(1_000_000) })],
    ['a location of 100,000 arrays in each other', () => gzipSync(`{"format":1,"location":${nested(100_000)}}`)],
    ['a location of many lines', () => packed({ format: 1, location: ['a\n'.repeat(1000)] })],
    ['a format of a newer one', () => packed({ format: 2, location: { a: 1 } })],
    ['an index that every array has', () => gzipSync(`{${start},"headers":[{}],"objects":{"a":"length","b":"at"}}`)],
    ['a time that is none', () => packed({ format: 1, location, id: '', at: 'yesterday' })],
    ['nothing', () => Buffer.alloc(0)],
  ])('of %s is read or refused', (_what, bytes) => check(bytes()))

  it('that unpacks to more than the memory has room for is damaged', async () => {
    const zeros = gzipSync(Buffer.alloc(1024 ** 2))
    const bomb = Buffer.concat(Array.from({ length: 300 }, () => zeros))
    await expect(decodeRelease(location, bomb)).rejects.toThrow(/^is damaged$/)
  })
})

/** What the settings come to, or undefined where they are refused as they have to be. */
async function resolvedOrProblems(options: Options, environment: Environment): Promise<Settings | undefined> {
  try {
    const resolved = await resolveSettings({
      options,
      environment,
      build: { watch: false, whyNotProduction: undefined, mode: 'production' },
      findRegion: async () => 'us-east-1',
    })
    return resolved.on ? resolved.settings : undefined
  } catch (error) {
    expect(error).toBeInstanceOf(StaticS3Error)
    expect((error as Error).message).toMatch(/^static-s3: (a setting is|\d+ settings are) wrong\n {2}- /)
    return undefined
  }
}

describe('settings', () => {
  const variables = [
    ...['USE_S3', 'AWS_STORAGE_BUCKET_NAME', 'AWS_LOCATION', 'AWS_S3_REGION_NAME', 'AWS_REGION', 'AWS_DEFAULT_REGION'],
    ...[
      'AWS_S3_CUSTOM_DOMAIN',
      'AWS_S3_URL_PROTOCOL',
      'AWS_S3_ENDPOINT_URL',
      'AWS_ENDPOINT_URL_S3',
      'AWS_ENDPOINT_URL',
    ],
    ...['AWS_S3_ADDRESSING_STYLE', 'AWS_S3_OBJECT_PARAMETERS', 'AWS_DEFAULT_ACL', 'AWS_S3_FILE_OVERWRITE'],
    ...['AWS_S3_ACCESS_KEY_ID', 'AWS_S3_SECRET_ACCESS_KEY', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'],
    ...[
      'AWS_SESSION_TOKEN',
      'AWS_SECURITY_TOKEN',
      'AWS_S3_SESSION_PROFILE',
      'AWS_PROFILE',
      'AWS_WEB_IDENTITY_TOKEN_FILE',
    ],
    ...['AWS_QUERYSTRING_AUTH', 'AWS_S3_SIGNATURE_VERSION', 'AWS_S3_VERIFY', 'AWS_IS_GZIPPED', 'API_TOKEN'],
    ...['__proto__'],
  ]
  const plausible = [
    ...['1', 'off', 'None', '', ' ', 'my-bucket', 'My_Bucket', 'a.b', 'arn:aws:s3:::x', 'static', '/', 'a/../b'],
    ...['%2e', 'auto'],
    ...['us-east-1', 'cdn.example.com', 'https://cdn.example.com/a//', '[::1]:9000', 'localhost', 'http:', 'https'],
    ...['path'],
    ...['https://s3.example.com', 'http://[::1]:9000/s3/', 'https://user:secret@host', 'http://%', 'https://a b'],
    ...['HTTPS://X'],
    ...['{"Metadata":{"a":"b"}}', '{"__proto__":{"ACL":1}}', '{"Expires":"never"}', '[]', 'null', '{"a":'],
    ...['public-read', 's3v4'],
  ]
  const settingValue = fc.oneof(
    fc.constantFrom(...plausible),
    oddText(...plausible, '/', ':', '@', '?', '#', '\\', '.', '..', '%2F', '[', ']'),
    fc.webUrl(),
    fc.domain(),
    fc.json(),
    fc
      .dictionary(fc.constantFrom('CacheControl', 'Expires', 'Metadata', 'ACL', 'toString'), fc.jsonValue())
      .map((each) => JSON.stringify(each)),
    anyText,
  )
  const environment = fc.dictionary(fc.constantFrom(...variables), settingValue, { maxKeys: 3 })
  const on = { USE_S3: 'yes', AWS_STORAGE_BUCKET_NAME: 'my-bucket' }

  it('of any environment are resolved, or each problem is named', async () => {
    let resolvedOnes = 0
    await fc.assert(
      fc.asyncProperty(environment, environment, async (more, files) => {
        const shell: Variables = { ...on, ...more }
        const settings = await resolvedOrProblems({}, { shell, files, all: { ...files, ...shell } })
        if (!settings) return
        resolvedOnes++
        expect(URL.canParse(settings.publicUrl), settings.publicUrl).toBe(true)
        expect(new URL(settings.publicUrl)).toMatchObject({ username: '', password: '', search: '', hash: '' })
        expect(settings.publicUrl).toMatch(/^https?:\/\/.*[^/]\/$/)
      }),
      cases(1000),
    )
    expect(resolvedOnes).toBeGreaterThan(100)
  })

  it('of any options are resolved, or each problem is named', async () => {
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withSparseArray: true,
    })
    const optionNames = [
      ...['enabled', 'bucket', 'location', 'region', 'customDomain', 'endpoint', 'addressingStyle', 'acl'],
      ...['objectParameters'],
      ...['rules', 'include', 'exclude', 'cacheControl', 'sourceMaps', 'rewrite', 'fileOverwrite', 'concurrency'],
      ...['lockTimeout'],
      ...['dryRun', 'force', 'onError', 'allowSecrets', 'toString'],
    ]
    const rule = fc.dictionary(fc.constantFrom('match', 'cacheControl', 'metadata', 'expires', 'acl', 'x'), anything)
    const option = fc.oneof(anything, settingValue, fc.array(rule), rule)
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.constantFrom(...optionNames), option, { maxKeys: 4 }), async (options) => {
        await resolvedOrProblems({ enabled: true, ...options } as Options, { shell: on, files: {}, all: on })
      }),
      cases(700),
    )
  })

  const cyclic: Record<string, unknown> = {}
  cyclic.self = cyclic
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`

  it.each<[what: string, options: Record<string, unknown>, shell: Variables]>([
    ['a number that JSON has not', { concurrency: 10n }, {}],
    ['an object that has itself', { region: cyclic }, {}],
    ['a symbol', { location: Symbol('static') }, {}],
    ['a parameter that has itself', { objectParameters: { CacheControl: cyclic } }, {}],
    ['a rule that has itself', { rules: [cyclic] }, {}],
    ['rules that are missing', { rules: [undefined, null, ...new Array(1)] }, {}],
    ['JSON that is deep', {}, { AWS_S3_OBJECT_PARAMETERS: `{"CacheControl":${deep}}` }],
    ['JSON that is deep at once', {}, { AWS_S3_OBJECT_PARAMETERS: deep }],
    ['a parameter that would be a prototype', {}, { AWS_S3_OBJECT_PARAMETERS: '{"__proto__":{"CacheControl":5}}' }],
    ['a glob that is the root', { exclude: ['/', './'] }, {}],
    ['a parameter with the name of a property of every object', {}, { AWS_S3_OBJECT_PARAMETERS: '{"toString":"a"}' }],
    ['a glob of 70,000 characters', { exclude: 'x'.repeat(70_000) }, {}],
  ])('of %s are resolved, or each problem is named', async (_what, options, shell) => {
    const all = { ...on, ...shell }
    const settings = await resolvedOrProblems(options as Options, { shell: all, files: {}, all })
    if (settings)
      classify({ files: [{ path: 'a', file: '/a', emitted: true, fingerprinted: true }], leftOut: [] }, settings)
  })

  // biome-ignore-start lint/suspicious/noTemplateCurlyInString: dotenv's syntax, not JavaScript's
  const readFile = async (text: string) => {
    await writeFile(join(dir, '.env'), text)
    return inTime(() => readEnvironment('production', dir, { SHELL: 'a' }))
  }

  it('of any .env file are resolved, or each problem is named', async () => {
    const name = fc.oneof(fc.constantFrom('A', 'B', 'C', ...variables), anyText)
    const text = oddText(
      ...['$A', '$B', '${A}', '${B:-x}', '${C:-${A}}', '${', '}', '$', '\\$', '"', "'", '`', '#', ':-', ':+', '\\n'],
    )
    const line = fc.tuple(name, fc.oneof(text, settingValue)).map((parts) => parts.join('='))
    const file = fc.oneof(
      fc.array(fc.oneof(line, text), { maxLength: 8 }).map((lines) => lines.join('\n')),
      anyText,
    )
    await fc.assert(
      fc.asyncProperty(file, async (content) => {
        const read = await readFile(content)
        await resolvedOrProblems({}, { ...read, all: { ...read.all, ...on } })
      }),
      cases(400),
    )
  })

  it.each([
    ['a variable that has itself', 'A=a$A'],
    ['two variables that have each other', 'A=a$B\nB=b$A'],
    ['a variable with two that have each other', 'A=a$B\nB=b$C\nC=c$B'],
    ['a value with signs that a replacement reads', 'A=a$&b\nB=${A}'],
    ['a default that has itself', 'A=${A:-${A}}'],
  ])('of a .env file with %s are read', async (_what, text) => {
    expect((await readFile(text)).files).toHaveProperty('A')
  })
  // biome-ignore-end lint/suspicious/noTemplateCurlyInString: dotenv's syntax, not JavaScript's
})
