import { hash } from 'node:crypto'
import { gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { headersOf } from '../src/core/headers.js'
import {
  type BegunRecord,
  decodeBegun,
  decodeRelease,
  encodeBegun,
  encodeRelease,
  type KnownObject,
  type ReleaseRecord,
} from '../src/core/record.js'

const author = { id: 'id-1', by: 'ada@laptop', commit: 'c0ffee', bundler: 'vite 8.3.8' }
const at = new Date('2026-01-02T03:04:05.678Z')
const sha256 = 'ab'.repeat(32)
const year = headersOf({ CacheControl: 'max-age=31536000', ContentType: 'text/javascript' })
const rich = headersOf({
  CacheControl: 'no-cache',
  Expires: new Date('2030-12-31T00:00:00Z'),
  BucketKeyEnabled: true,
  Metadata: { 'built by': 'Ünïcödé "quotes" \\ 你好', __proto__x: '1', 10: 'ten', 9: 'nine' },
})

const oddPaths = [
  ...['index.html', 'assets/a-1.js', '__proto__', 'constructor/prototype', 'toString', '', ' ', 'a b.js', '10', '9'],
  ...['ü/你好/😀.txt', 'e\u0301', 'é', '"quotes"', "'", 'back\\slash', 'line\nbreak', '\0', '</script>', 'a//b/../c'],
]

const known = (more: Partial<KnownObject> = {}): KnownObject => ({
  sha256,
  size: 10,
  etag: '0123456789abcdef0123456789abcdef',
  headers: year,
  fingerprinted: false,
  release: 7,
  ...more,
})

const releaseOf = (objects: Iterable<[string, KnownObject]>, more: Partial<ReleaseRecord> = {}): ReleaseRecord => ({
  ...author,
  release: 7,
  at,
  surveyedAt: at,
  conditionalWrites: true,
  objects: new Map(objects),
  splitAt: [],
  ...more,
})

const begunOf = (headers: Iterable<[string, string]>): BegunRecord => ({ ...author, at, headers: new Map(headers) })

/** What stands in a file: the record's own line, then sets of headers and objects. */
const unpacked = (bytes: Buffer) =>
  gunzipSync(bytes)
    .toString()
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line))
const packed = (...lines: unknown[]) => gzipSync(lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
/** A file with another first line. */
const withFirst = (bytes: Buffer, change: object) => {
  const [first, ...lines] = unpacked(bytes)
  return packed({ ...first, ...change }, ...lines)
}
/** A file with other objects. */
const withObjects = (bytes: Buffer, change: (object: object) => unknown) =>
  packed(...unpacked(bytes).map((line) => ('path' in line ? change(line) : line)))

const readRelease = async (location: string, bytes: Uint8Array) => {
  const release = await decodeRelease(location, bytes)
  return { ...release, objects: new Map(release.objects) }
}
const readBegun = async (location: string, bytes: Uint8Array) => {
  const begun = await decodeBegun(location, bytes)
  return { ...begun, headers: new Map(begun.headers) }
}

describe('a release that was written is read back as it was', () => {
  it.each<[what: string, record: ReleaseRecord]>([
    ['empty', releaseOf([])],
    ['with odd paths', releaseOf(oddPaths.map((path) => [path, known()]))],
    [
      'with all that an object can be',
      releaseOf([
        ['a', known()],
        ['fingerprinted', known({ fingerprinted: true })],
        ['of an earlier release', known({ release: 3 })],
        ['of the first release', known({ release: 0 })],
        ['empty', known({ size: 0 })],
        ['as large as it gets', known({ size: 5 * 1024 ** 4 })],
        ['multipart', known({ etag: '0123456789abcdef0123456789abcdef-17' })],
        ['of a store with odd ETags', known({ etag: '"W/\u00e9"' })],
        ['without an ETag', known({ etag: '' })],
        ['with rich headers', known({ headers: rich })],
        ['without headers', known({ headers: headersOf({}) })],
      ]),
    ],
    ['by nobody, without a commit', releaseOf([], { by: '', commit: undefined, bundler: '' })],
    ['of a store without conditional writes', releaseOf([], { conditionalWrites: false })],
    ['with places to split the listing', releaseOf([], { splitAt: oddPaths.map((path) => `static/${path}`) })],
  ])('%s', async (_what, record) => {
    for (const location of ['static', '', 'a b/ü/__proto__']) {
      expect(await readRelease(location, await encodeRelease(location, record))).toEqual(record)
    }
  })

  it('with the paths in their order', async () => {
    const paths = oddPaths
    const bytes = await encodeRelease('static', releaseOf(paths.map((path) => [path, known()])))
    expect([...(await readRelease('static', bytes)).objects.keys()]).toEqual(paths)
  })

  it('with its headers in the form in which those of files are compared with them', async () => {
    const bytes = await encodeRelease('static', releaseOf([['a', known({ headers: rich })]]))
    const { headers = '' } = (await decodeRelease('static', bytes)).objects.get('a') ?? {}
    expect(headers).toBe(rich)
    expect(JSON.parse(headers)).toMatchObject({ Expires: '2030-12-31T00:00:00.000Z' })
  })

  it('with 20,000 objects, in less than 2 MB', async () => {
    const paths = Array.from({ length: 20_000 }, (_, i) => `assets/some-folder/file-${i}.js`)
    const objects = paths.map((path, i): [string, KnownObject] => [
      path,
      known({ sha256: i.toString(16).padStart(64, '0'), headers: i % 2 ? year : rich, release: i % 3 ? 7 : 6 }),
    ])
    const record = releaseOf(objects, { splitAt: paths.filter((_path, i) => i % 1000 === 0) })
    const bytes = await encodeRelease('static', record)
    expect(await readRelease('static', bytes)).toEqual(record)
    expect(bytes.length).toBeLessThan(2_000_000)
    // Each set once.
    expect(unpacked(bytes).filter((line) => !('path' in line))).toHaveLength(1 + 2)
  })

  it('with more than is unpacked at once, in pieces that end anywhere', async () => {
    const hashOf = (text: string) => hash('sha256', text)
    // Mostly characters of several bytes, so that pieces end within them, too.
    const objects = Array.from({ length: 20_000 }, (_, i): [string, KnownObject] => [
      `${'日本語ü😀'.repeat(8)}/${i}.js`,
      known({ sha256: hashOf(`${i}`), etag: hashOf(`etag ${i}`).slice(32) }),
    ])
    const bytes = await encodeRelease('static', releaseOf(objects))
    expect(bytes.length).toBeGreaterThan(512 * 1024)
    expect(await readRelease('static', bytes)).toEqual(releaseOf(objects))
  })
})

it.each<[what: string, record: BegunRecord]>([
  ['empty', begunOf([])],
  ['with odd paths', begunOf(oddPaths.map((path, i) => [path, i % 2 ? year : rich]))],
  ['without a commit', { ...begunOf([['a', year]]), commit: undefined }],
  ['with 20,000 files', begunOf(Array.from({ length: 20_000 }, (_, i) => [`assets/${i}.js`, i % 2 ? year : rich]))],
])('what was begun is read back as it was: %s', async (_what, record) => {
  for (const location of ['static', '']) {
    expect(await readBegun(location, await encodeBegun(location, record))).toEqual(record)
  }
})

it('the same release is the same bytes', async () => {
  const record = releaseOf(oddPaths.map((path) => [path, known({ headers: rich })]))
  expect(await encodeRelease('static', record)).toEqual(await encodeRelease('static', record))
})

it('has what is named in it and nothing else, whatever comes along', async () => {
  const secret = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'
  const stowaway = { secretAccessKey: secret, credentials: { sessionToken: secret } }
  const release = { ...releaseOf([['a', { ...known({ release: 6, fingerprinted: true }), ...stowaway }]]), ...stowaway }
  const preamble = { format: 2, location: 'static', ...author, at: at.toISOString() }
  expect(unpacked(await encodeRelease('static', release))).toEqual([
    { ...preamble, release: 7, surveyedAt: at.toISOString(), conditionalWrites: true, splitAt: [] },
    { headers: JSON.parse(year) },
    { path: 'a', sha256, size: 10, etag: known().etag, headers: 0, fingerprinted: true, release: 6 },
  ])
  expect(unpacked(await encodeBegun('static', { ...begunOf([['a', year]]), ...stowaway }))).toEqual([
    preamble,
    { headers: JSON.parse(year) },
    { path: 'a', headers: 0 },
  ])
})

describe('what is damaged is said to be, in a few words', () => {
  const whole = encodeRelease('static', releaseOf([['a.js', known({ release: 6, fingerprinted: true })]]))
  const begun = encodeBegun('static', begunOf([['a.js', year]]))

  const problemOf = (reading: Promise<unknown>) =>
    reading.then(
      () => 'none',
      (error: unknown) => (error instanceof Error && error.name === 'Error' ? error.message : String(error)),
    )
  const problems = async (bytes: Uint8Array, location = 'static') => [
    await problemOf(decodeRelease(location, bytes)),
    await problemOf(decodeBegun(location, bytes)),
  ]

  it.each<[what: string, bytes: () => Promise<Uint8Array> | Uint8Array]>([
    ['empty', () => Buffer.alloc(0)],
    ['zeros', () => Buffer.alloc(1000)],
    ['text', () => Buffer.from('<Error><Code>NoSuchKey</Code></Error>')],
    ['JSON that is not packed', async () => gunzipSync(await whole)],
    ['half of a file', async () => (await whole).subarray(0, (await whole).length >> 1)],
    ['a file without its last byte', async () => (await whole).subarray(0, -1)],
    ['a file without its first byte', async () => (await whole).subarray(1)],
    [
      'a file with another byte in it',
      async () => {
        const bytes = Buffer.from(await whole)
        const middle = bytes.length >> 1
        bytes[middle] = (bytes[middle] as number) ^ 255
        return bytes
      },
    ],
    ['packed nothing', () => gzipSync('')],
    ['packed bytes', () => gzipSync(Buffer.from([0xff, 0xfe, 0]))],
    ['half of a JSON', () => gzipSync('{"format":2,"location":"static"')],
    ['null', () => packed(null)],
    ['a number', () => packed(1)],
    ['a text', () => packed('static')],
    ['a list', () => packed([{ format: 2 }])],
    ['an empty object', () => packed({})],
    ['a deep nest', () => gzipSync('['.repeat(1_000_000))],
  ])('%s', async (_what, bytes) => {
    expect(await problems(await bytes())).toEqual(['is damaged', 'is damaged'])
  })

  it('what would unpack to more than the memory should hold, which then doesn’t', async () => {
    const piece = gzipSync(Buffer.alloc(64 * 1024 ** 2, ' '), { level: 9 })
    const bytes = Buffer.concat(Array.from({ length: 20 }, () => piece))
    const peak = () => process.resourceUsage().maxRSS * 1024
    const before = peak()
    expect(await problemOf(decodeRelease('static', bytes))).toBe('is damaged')
    expect(peak() - before).toBeLessThan(600 * 1024 ** 2)
  })

  it.each<[what: string, format: unknown, problem: string]>([
    ['a newer one', 3, 'was written by a newer static-s3'],
    ['a much newer one', 2 ** 53 - 1, 'was written by a newer static-s3'],
    ['none', undefined, 'is damaged'],
    ['an older one', 1, 'is damaged'],
    ['a negative one', -1, 'is damaged'],
    ['one between two', 1.5, 'is damaged'],
    ['a text', '1', 'is damaged'],
    ['null', null, 'is damaged'],
  ])('of another format: %s', async (_what, format, problem) => {
    expect(await problems(withFirst(await whole, { format }))).toEqual([problem, problem])
  })

  it('a newer format comes first: what else a newer one has isn’t looked at', async () => {
    const problem = 'was written by a newer static-s3'
    expect(await problems(packed({ format: 3 }))).toEqual([problem, problem])
  })

  it.each<[theirs: unknown, ours: string, problem: string]>([
    ['static-admin', 'static', `is another location's ("static-admin")`],
    ['', 'static', `is another location's ("")`],
    ['static', '', `is another location's ("static")`],
    ['STATIC', 'static', `is another location's ("STATIC")`],
    [undefined, 'static', `is another location's (undefined)`],
  ])('of location %j, asked for %j', async (location, ours, problem) => {
    expect(await problems(withFirst(await whole, { location }), ours)).toEqual([problem, problem])
  })

  const no = undefined
  const ofBoth: [field: string, wrong: unknown[]][] = [
    ['id', [no, null, 1, {}]],
    ['by', [no, null, 1, ['ada']]],
    ['commit', [null, 1, {}]],
    ['bundler', [no, null, 8]],
    ['at', [no, null, 0, 'yesterday', '', {}]],
  ]
  const cases = (fields: [string, unknown[]][]) =>
    fields.flatMap(([field, wrong]) => wrong.map((value): [string, unknown] => [field, value]))

  it.each(
    cases([
      ...ofBoth,
      ['release', [no, null, -1, 1.5, '7', 2 ** 53]],
      ['splitAt', [no, null, {}, 'static/a', [1], [null]]],
    ]),
  )('a release whose %s is %j', async (field, value) => {
    const bytes = withFirst(await whole, { [field]: value })
    expect(await problemOf(decodeRelease('static', bytes))).toBe('is damaged')
  })

  it.each([no, null, 1, 'x', [1], [], '{}'])('headers that are %j', async (headers) => {
    for (const written of [await whole, await begun]) {
      const lines = unpacked(written).map((line) => ('path' in line || 'format' in line ? line : { headers }))
      expect(await problems(packed(...lines))).toEqual(['is damaged', 'is damaged'])
    }
  })

  it.each([null, 1, 'x', [], ['a.js'], {}, true])('an object that is %j', async (object) => {
    expect(
      await problemOf(
        decodeRelease(
          'static',
          withObjects(await whole, () => object),
        ),
      ),
    ).toBe('is damaged')
    expect(
      await problemOf(
        decodeBegun(
          'static',
          withObjects(await begun, () => object),
        ),
      ),
    ).toBe('is damaged')
  })

  it.each<[what: string, change: (lines: string[]) => string[]]>([
    ['that is cut off', ([first = '', ...lines]) => [first, ...lines.slice(0, -1), (lines.at(-1) ?? '').slice(0, -2)]],
    ['that is empty', ([first = '', ...lines]) => [first, '', ...lines]],
    ['with two objects', ([first = '', ...lines]) => [first, lines.join('')]],
  ])('a line %s', async (_what, change) => {
    const lines = change(
      gunzipSync(await whole)
        .toString()
        .trimEnd()
        .split('\n'),
    )
    expect(await problems(gzipSync(lines.join('\n')))).toEqual(['is damaged', 'is damaged'])
  })

  it.each(
    cases([
      ['path', [no, null, 1, {}]],
      ['sha256', [no, null, 1, '', sha256.slice(1), `${sha256}a`, sha256.toUpperCase(), 'g'.repeat(64)]],
      ['size', [no, null, -1, 1.5, '10', 2 ** 53, {}]],
      ['etag', [no, null, 1, {}]],
      ['headers', [no, null, -1, 1, 0.5, 'length', 'x', {}]],
      ['release', [null, -1, 1.5, '6', {}]],
    ]),
  )('a release with an object whose %s is %j', async (field, value) => {
    const bytes = withObjects(await whole, (object) => ({ ...object, [field]: value }))
    expect(await problemOf(decodeRelease('static', bytes))).toBe('is damaged')
  })

  it.each(cases(ofBoth))('what was begun, whose %s is %j', async (field, value) => {
    expect(await problemOf(decodeBegun('static', withFirst(await begun, { [field]: value })))).toBe('is damaged')
  })

  it.each(
    cases([
      ['path', [no, null, 1, {}]],
      ['headers', [no, null, -1, 1, 0.5, 'length', {}]],
    ]),
  )('what was begun, with an object whose %s is %j', async (field, value) => {
    const bytes = withObjects(await begun, (object) => ({ ...object, [field]: value }))
    expect(await problemOf(decodeBegun('static', bytes))).toBe('is damaged')
  })

  it('a release for what was begun, and the other way round', async () => {
    expect(await problemOf(decodeBegun('static', await whole))).toBe('is damaged')
    expect(await problemOf(decodeRelease('static', await begun))).toBe('is damaged')
  })

  it('what nobody expects beside the rest is left alone', async () => {
    const bytes = withObjects(withFirst(await whole, { later: true }), (object) => ({ ...object, later: true }))
    expect(await readRelease('static', bytes)).toEqual(await readRelease('static', await whole))
  })
})
