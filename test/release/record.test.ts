import { hash } from 'node:crypto'
import { gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { canonicalHeaders } from '../../src/bucket/headers.js'
import { decodeRecord, encodeRecord } from '../../src/release/records/format.js'
import type { RecordedObject, ReleaseRecord } from '../../src/release/records/record.js'

const deployer = { id: 'id-1', by: 'ada@laptop', commit: 'c0ffee', bundler: 'vite 8.3.8' }
const at = new Date('2026-01-02T03:04:05.678Z')
const sha256 = 'ab'.repeat(32)
const year = canonicalHeaders({ CacheControl: 'max-age=31536000', ContentType: 'text/javascript' })
const rich = canonicalHeaders({
  CacheControl: 'no-cache',
  Expires: new Date('2030-12-31T00:00:00Z'),
  BucketKeyEnabled: true,
  Metadata: { 'built by': 'Ünïcödé "quotes" \\ 你好', __proto__x: '1', 10: 'ten', 9: 'nine' },
})

const oddPaths = [
  ...['index.html', 'assets/a-1.js', '__proto__', 'constructor/prototype', 'toString', '', ' ', 'a b.js', '10', '9'],
  ...['ü/你好/😀.txt', 'e\u0301', 'é', '"quotes"', "'", 'back\\slash', 'line\nbreak', '\0', '</script>', 'a//b/../c'],
]

const recorded = (more: Partial<RecordedObject> = {}): RecordedObject => ({
  sha256,
  size: 10,
  etag: '0123456789abcdef0123456789abcdef',
  writtenAt: at.getTime(),
  headers: year,
  fingerprinted: false,
  release: 7,
  ...more,
})

const recordOf = (objects: Iterable<[string, RecordedObject]>, more: Partial<ReleaseRecord> = {}): ReleaseRecord => ({
  ...deployer,
  release: 7,
  live: 7,
  at,
  conditionalWrites: true,
  objects: new Map(objects),
  splitAt: [],
  ...more,
})

/** What stands in a file: the record's own line, then sets of headers and objects. */
const unpacked = (bytes: Buffer) =>
  gunzipSync(bytes)
    .toString()
    .split('\n')
    .map((line) => JSON.parse(line))
const packed = (...lines: unknown[]) => gzipSync(lines.map((line) => JSON.stringify(line)).join('\n'))
/** A file with another first line. */
const withFirst = (bytes: Buffer, change: object) => {
  const [first, ...lines] = unpacked(bytes)
  return packed({ ...first, ...change }, ...lines)
}
/** A file with other objects. */
const withObjects = (bytes: Buffer, change: (object: object) => unknown) =>
  packed(...unpacked(bytes).map((line) => ('path' in line ? change(line) : line)))

describe('a release that was written is read back as it was', () => {
  it.each<[what: string, record: ReleaseRecord]>([
    ['empty', recordOf([])],
    ['with odd paths', recordOf(oddPaths.map((path) => [path, recorded()]))],
    [
      'with all that an object can be',
      recordOf([
        ['a', recorded()],
        ['fingerprinted', recorded({ fingerprinted: true })],
        ['of an earlier release', recorded({ release: 3 })],
        ['of the first release', recorded({ release: 0 })],
        ['empty', recorded({ size: 0 })],
        ['of a store that tells no time', recorded({ writtenAt: 0 })],
        ['as large as it gets', recorded({ size: 5 * 1024 ** 4 })],
        ['multipart', recorded({ etag: '0123456789abcdef0123456789abcdef-17' })],
        ['of a store with odd ETags', recorded({ etag: '"W/\u00e9"' })],
        ['without an ETag', recorded({ etag: '' })],
        ['with rich headers', recorded({ headers: rich })],
        ['without headers', recorded({ headers: canonicalHeaders({}) })],
      ]),
    ],
    ['by nobody, without a commit', recordOf([], { by: '', commit: undefined, bundler: '' })],
    ['of a store without conditional writes', recordOf([], { conditionalWrites: false })],
    ['with places to split the listing', recordOf([], { splitAt: oddPaths.map((path) => `static/${path}`) })],
  ])('%s', async (_what, record) => {
    for (const location of ['static', '', 'a b/ü/__proto__']) {
      expect(await decodeRecord(location, await encodeRecord(location, record))).toEqual(record)
    }
  })

  it('with the paths in their order', async () => {
    const paths = oddPaths
    const bytes = await encodeRecord('static', recordOf(paths.map((path) => [path, recorded()])))
    expect([...(await decodeRecord('static', bytes)).objects.keys()]).toEqual(paths)
  })

  it('with its headers in the form in which those of files are compared with them', async () => {
    const bytes = await encodeRecord('static', recordOf([['a', recorded({ headers: rich })]]))
    const { headers = '' } = (await decodeRecord('static', bytes)).objects.get('a') ?? {}
    expect(headers).toBe(rich)
    expect(JSON.parse(headers)).toMatchObject({ Expires: '2030-12-31T00:00:00.000Z' })
  })

  it('with 20,000 objects, in less than 2 MB', async () => {
    const paths = Array.from({ length: 20_000 }, (_, i) => `assets/some-folder/file-${i}.js`)
    const objects = paths.map((path, i): [string, RecordedObject] => [
      path,
      recorded({ sha256: i.toString(16).padStart(64, '0'), headers: i % 2 ? year : rich, release: i % 3 ? 7 : 6 }),
    ])
    const record = recordOf(objects, { splitAt: paths.filter((_path, i) => i % 1000 === 0) })
    const bytes = await encodeRecord('static', record)
    expect(await decodeRecord('static', bytes)).toEqual(record)
    expect(bytes.length).toBeLessThan(2_000_000)
    // Each set once.
    expect(unpacked(bytes).filter((line) => !('path' in line))).toHaveLength(1 + 2)
  })

  it('with megabytes of characters of several bytes', async () => {
    const hashOf = (text: string) => hash('sha256', text)
    const objects = Array.from({ length: 20_000 }, (_, i): [string, RecordedObject] => [
      `${'日本語ü😀'.repeat(8)}/${i}.js`,
      recorded({ sha256: hashOf(`${i}`), etag: hashOf(`etag ${i}`).slice(32) }),
    ])
    const bytes = await encodeRecord('static', recordOf(objects))
    expect(bytes.length).toBeGreaterThan(512 * 1024)
    expect(await decodeRecord('static', bytes)).toEqual(recordOf(objects))
  })
})

it('the same release is the same bytes', async () => {
  const record = recordOf(oddPaths.map((path) => [path, recorded({ headers: rich })]))
  expect(await encodeRecord('static', record)).toEqual(await encodeRecord('static', record))
})

it('has what is named in it and nothing else, whatever comes along', async () => {
  const secret = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'
  const stowaway = { secretAccessKey: secret, credentials: { sessionToken: secret } }
  const release = {
    ...recordOf([['a', { ...recorded({ release: 6, fingerprinted: true }), ...stowaway }]]),
    ...stowaway,
  }
  const preamble = { format: 3, location: 'static', ...deployer, at: at.toISOString() }
  const { etag, writtenAt } = recorded()
  expect(unpacked(await encodeRecord('static', release))).toEqual([
    { ...preamble, release: 7, conditionalWrites: true, splitAt: [] },
    { headers: JSON.parse(year) },
    { path: 'a', sha256, size: 10, etag, writtenAt, headers: 0, fingerprinted: true, release: 6 },
  ])
})

describe('a damaged record is refused in a few words', () => {
  const whole = encodeRecord('static', recordOf([['a.js', recorded({ release: 6, fingerprinted: true })]]))
  const problemOf = (bytes: Uint8Array, location = 'static') =>
    decodeRecord(location, bytes).then(
      () => 'none',
      // Its own words, not those of a TypeError.
      (error: unknown) => (error instanceof Error && error.name === 'Error' ? error.message : String(error)),
    )

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
    ['half of a JSON', () => gzipSync('{"format":3,"location":"static"')],
    ['null', () => packed(null)],
    ['a number', () => packed(1)],
    ['a text', () => packed('static')],
    ['a list', () => packed([{ format: 3 }])],
    ['an empty object', () => packed({})],
    ['a deep nest', () => gzipSync('['.repeat(1_000_000))],
  ])('%s', async (_what, bytes) => {
    expect(await problemOf(await bytes())).toBe('is damaged')
  })

  it('more than the memory should hold is not unpacked', async () => {
    const piece = gzipSync(Buffer.alloc(64 * 1024 ** 2, ' '), { level: 1 })
    const bytes = Buffer.concat(Array.from({ length: 20 }, () => piece))
    const peak = () => process.resourceUsage().maxRSS * 1024
    const before = peak()
    expect(await problemOf(bytes)).toBe('is damaged')
    expect(peak() - before).toBeLessThan(600 * 1024 ** 2)
  })

  it.each<[what: string, lines: (whole: Buffer) => Buffer[]]>([
    ['a line of 50 MB', () => [Buffer.alloc(50 * 1024 ** 2, 'x')]],
    [
      'an object whose line has 50 MB',
      (whole) => [whole, Buffer.from('\n{"path":"'), Buffer.alloc(50 * 1024 ** 2, 'x')],
    ],
    ['50 million empty lines', (whole) => [whole, Buffer.alloc(50 * 1024 ** 2, '\n')]],
  ])('with %s is refused at once', async (_what, lines) => {
    const bytes = gzipSync(Buffer.concat(lines(gunzipSync(await whole))), { level: 1 })
    const before = process.memoryUsage().heapUsed
    expect(await problemOf(bytes)).toBe('is damaged')
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(20 * 1024 ** 2)
  })

  const newer = (format: number) => `was written by a newer static-s3 (format ${format} instead of 3): update static-s3`
  const older = (format: number) =>
    `was written by an older static-s3 (format ${format} instead of 3): a deploy writes a new one`
  it.each<[what: string, format: unknown, problem: string]>([
    ['a newer one', 4, newer(4)],
    ['a much newer one', 2 ** 53 - 1, newer(2 ** 53 - 1)],
    ['none', undefined, 'is damaged'],
    ['an older one', 2, older(2)],
    ['the first one', 1, older(1)],
    ['zero', 0, 'is damaged'],
    ['a negative one', -1, 'is damaged'],
    ['one between two', 1.5, 'is damaged'],
    ['a text', '3', 'is damaged'],
    ['null', null, 'is damaged'],
  ])('of another format: %s', async (_what, format, problem) => {
    expect(await problemOf(withFirst(await whole, { format }))).toBe(problem)
  })

  it('a newer format comes first: what else a newer one has isn’t looked at', async () => {
    expect(await problemOf(packed({ format: 4 }))).toBe(newer(4))
  })

  it.each<[theirs: unknown, ours: string, problem: string]>([
    ['static-admin', 'static', `belongs to another location ("static-admin")`],
    ['', 'static', `belongs to another location ("")`],
    ['static', '', `belongs to another location ("static")`],
    ['STATIC', 'static', `belongs to another location ("STATIC")`],
    [undefined, 'static', `belongs to another location (undefined)`],
  ])('of location %j, asked for %j', async (location, ours, problem) => {
    expect(await problemOf(withFirst(await whole, { location }), ours)).toBe(problem)
  })

  const no = undefined
  const cases = (fields: [string, unknown[]][]) =>
    fields.flatMap(([field, wrong]) => wrong.map((value): [string, unknown] => [field, value]))

  it.each(
    cases([
      ['id', [no, null, 1, {}]],
      ['by', [no, null, 1, ['ada']]],
      ['commit', [null, 1, {}]],
      ['bundler', [no, null, 8]],
      ['at', [no, null, 0, 'yesterday', '', {}]],
      ['release', [no, null, -1, 1.5, '7', 2 ** 53]],
      ['splitAt', [no, null, {}, 'static/a', [1], [null]]],
    ]),
  )('a release whose %s is %j', async (field, value) => {
    const bytes = withFirst(await whole, { [field]: value })
    expect(await problemOf(bytes)).toBe('is damaged')
  })

  it.each([no, null, 1, 'x', [1], [], '{}'])('headers that are %j', async (headers) => {
    const lines = unpacked(await whole).map((line) => ('path' in line || 'format' in line ? line : { headers }))
    expect(await problemOf(packed(...lines))).toBe('is damaged')
  })

  it.each([null, 1, 'x', [], ['a.js'], {}, true])('an object that is %j', async (object) => {
    expect(await problemOf(withObjects(await whole, () => object))).toBe('is damaged')
  })

  it.each<[what: string, change: (lines: string[]) => string[]]>([
    ['that is cut off', ([first = '', ...lines]) => [first, ...lines.slice(0, -1), (lines.at(-1) ?? '').slice(0, -2)]],
    ['that is empty', ([first = '', ...lines]) => [first, '', ...lines]],
    ['that is empty, at the end', (lines) => [...lines, '']],
    ['of an object before its headers', ([first = '', ...lines]) => [first, ...lines.reverse()]],
    ['with two objects', ([first = '', ...lines]) => [first, lines.join('')]],
  ])('a line %s', async (_what, change) => {
    const lines = change(
      gunzipSync(await whole)
        .toString()
        .split('\n'),
    )
    expect(await problemOf(gzipSync(lines.join('\n')))).toBe('is damaged')
  })

  it.each(
    cases([
      ['path', [no, null, 1, {}]],
      ['sha256', [no, null, 1, '', sha256.slice(1), `${sha256}a`, sha256.toUpperCase(), 'g'.repeat(64)]],
      ['size', [no, null, -1, 1.5, '10', 2 ** 53, {}]],
      ['etag', [no, null, 1, {}]],
      ['writtenAt', [no, null, -1, 1.5, '1', 2 ** 53, '2026-01-02T03:04:05.678Z']],
      ['headers', [no, null, -1, 1, 0.5, 'length', 'x', {}]],
      ['release', [null, -1, 1.5, '6', {}]],
    ]),
  )('a release with an object whose %s is %j', async (field, value) => {
    const bytes = withObjects(await whole, (object) => ({ ...object, [field]: value }))
    expect(await problemOf(bytes)).toBe('is damaged')
  })

  it('fields that nobody knows are left alone', async () => {
    const bytes = withObjects(withFirst(await whole, { later: true }), (object) => ({ ...object, later: true }))
    expect(await decodeRecord('static', bytes)).toEqual(await decodeRecord('static', await whole))
  })
})
