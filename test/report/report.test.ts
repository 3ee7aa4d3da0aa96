import { inspect } from 'node:util'
import pc from 'picocolors'
import { describe, expect, it } from 'vitest'
import type { HashedFile } from '../../src/files/hash.js'
import type { Decision, Reason } from '../../src/release/plan.js'
import { printerOf } from '../../src/report/printer.js'
import { formatBytes, type ReportInput, report } from '../../src/report/report.js'
import { resultOf } from '../../src/report/result.js'
import { StaticS3Error } from '../../src/runtime/error.js'
import { printable } from '../../src/runtime/printable.js'

const plain = pc.createColors(false)
const escapes = '\u001b[2K\u001b[31m\u009b1m\u202e\r\u0007'

const actions: { [reason in Reason]?: Decision['action'] } = {
  headers: 'copy',
  'headers unknown': 'copy',
  'already there': 'skip',
  unchanged: 'skip',
}

const decision = (path: string, reason: Reason, size = 1000): Decision => ({
  file: { path, size } as HashedFile,
  action: actions[reason] ?? 'upload',
  reason,
})

const nothing: ReportInput = {
  decisions: [],
  release: undefined,
  leftOut: [],
  bucket: 'my-bucket',
  location: 'static',
  publicUrl: 'https://cdn.example.com/static/',
  dryRun: false,
  isBroken: false,
  milliseconds: 12.4,
}

const deploy: ReportInput = {
  ...nothing,
  release: 42,
  decisions: [
    decision('assets/index-BxYz1234.js', 'new', 143_210),
    decision('assets/style-CxYz1234.css', 'new', 20_000),
    decision('logo.png', 'size', 4_096),
    decision('data.json', 'content', 512),
    decision('big.bin', 'etag is no md5', 20_000_000),
    decision('fonts/a.woff2', 'headers', 30_000),
    decision('robots.txt', 'headers unknown', 100),
    decision('assets/lazy-DxYz1234.js', 'already there', 1_000),
    decision('favicon.ico', 'unchanged', 15_086),
    decision('index.html', 'content', 455),
  ],
  leftOut: [
    { path: 'assets/index-BxYz1234.js.map', reason: 'source map' },
    { path: '.env', reason: 'dotfile' },
    { path: 'assets/style-CxYz1234.css.map', reason: 'source map' },
  ],
  milliseconds: 2345,
}

const linesOf = (input: Partial<ReportInput>) => report({ ...nothing, ...input }, plain).split('\n')

describe('the whole summary', () => {
  it('a deploy', () => {
    expect(report(deploy, plain)).toMatchInlineSnapshot(`
      "s3://my-bucket/static → https://cdn.example.com/static/
        uploaded       2  163.21 kB
        updated        4  20.01 MB
        headers        2  30.10 kB
        unchanged      2  16.09 kB
        left out       3  source map × 2, dotfile
      ✓ release 42 live in 2.35s"
    `)
  })

  it.each([
    [['old.html'], '  kept           1  no longer in the release: old.html. static-s3 prune --unreferenced deletes it'],
    [
      ['a.html', 'b', 'c'],
      '  kept           3  no longer in the release: a.html and 2 more. static-s3 prune --unreferenced deletes them',
    ],
  ])('a deploy that leaves %s behind', (unreferenced, line) => {
    expect(linesOf({ ...deploy, unreferenced })).toContain(line)
    expect(resultOf({ ...deploy, unreferenced }, []).unreferenced).toEqual(unreferenced)
  })

  it('a dry run names each file and the reason', () => {
    expect(report({ ...deploy, dryRun: true }, plain)).toMatchInlineSnapshot(`
      "s3://my-bucket/static → https://cdn.example.com/static/
        assets/index-BxYz1234.js (new)
        assets/style-CxYz1234.css (new)
        logo.png (size)
        data.json (content)
        big.bin (etag is no md5)
        fonts/a.woff2 (headers)
        robots.txt (headers unknown)
        index.html (content)
        to upload      2  163.21 kB
        to update      4  20.01 MB
        headers        2  30.10 kB
        unchanged      2  16.09 kB
        left out       3  source map × 2, dotfile
      dry run: nothing was written"
    `)
  })

  it('a deploy in colors', () => {
    const colored = report(deploy, pc.createColors(true)).replaceAll('\u001b[', '␛')
    expect(colored).toMatchInlineSnapshot(`
      "s3://my-bucket/static ␛2m→␛22m ␛32mhttps://cdn.example.com/static/␛39m
        ␛32muploaded  ␛39m␛1m     2␛22m  ␛2m163.21 kB␛22m
        ␛36mupdated   ␛39m␛1m     4␛22m  ␛2m20.01 MB␛22m
        ␛36mheaders   ␛39m␛1m     2␛22m  ␛2m30.10 kB␛22m
        ␛2munchanged ␛22m␛1m     2␛22m  ␛2m16.09 kB␛22m
        ␛2mleft out  ␛22m␛1m     3␛22m  ␛2msource map × 2, dotfile␛22m
      ␛32m✓ release 42 live in 2.35s␛39m"
    `)
  })

  it('has the same text in colors', () => {
    for (const dryRun of [false, true]) {
      const colored = report({ ...deploy, dryRun }, pc.createColors(true))
      // biome-ignore lint/suspicious/noControlCharactersInRegex: what colors are made of
      expect(colored.replace(/\u001b\[\d+m/g, '')).toBe(report({ ...deploy, dryRun }, plain))
    }
  })

  it('a deploy without changes', () => {
    const decisions = [decision('a.js', 'unchanged'), decision('b.js', 'unchanged')]
    expect(report({ ...nothing, decisions }, plain)).toMatchInlineSnapshot(`
      "s3://my-bucket/static → https://cdn.example.com/static/
        unchanged      2  2.00 kB
      ✓ nothing to upload in 12ms"
    `)
  })
})

describe('its parts', () => {
  it.each<[location: string, target: string]>([
    ['static', 's3://my-bucket/static →'],
    ['', 's3://my-bucket →'],
    ['a/b', 's3://my-bucket/a/b →'],
  ])('location %j', (location, target) => {
    expect(linesOf({ location })[0]).toContain(target)
  })

  it.each<[reason: Reason, dryRun: boolean, label: string]>([
    ['new', false, 'uploaded'],
    ['size', false, 'updated'],
    ['content', false, 'updated'],
    ['etag is no md5', false, 'updated'],
    ['forced', false, 'updated'],
    ['headers', false, 'headers'],
    ['headers unknown', false, 'headers'],
    ['already there', false, 'unchanged'],
    ['unchanged', false, 'unchanged'],
    ['new', true, 'to upload'],
    ['size', true, 'to update'],
    ['content', true, 'to update'],
    ['forced', true, 'to update'],
    ['headers', true, 'headers'],
    ['already there', true, 'unchanged'],
    ['unchanged', true, 'unchanged'],
  ])('%s (dry run %s) is %s', (reason, dryRun, label) => {
    const rows = linesOf({ decisions: [decision('a.js', reason)], dryRun }).filter((line) =>
      / +1 {2}1\.00 kB$/.test(line),
    )
    expect(rows).toHaveLength(1)
    expect(rows[0]?.trim().startsWith(`${label} `)).toBe(true)
  })

  it('rows without files are left out', () => {
    const lines = linesOf({ decisions: [decision('a.js', 'new')] })
    expect(lines).toHaveLength(3)
    expect(lines.join()).not.toMatch(/unchanged|left out|updated|headers/)
  })

  it.each<[what: string, reasons: Reason[], release: number | undefined, last: string]>([
    ['uploads', ['new', 'unchanged'], 7, '✓ release 7 live in 12ms'],
    ['new headers alone', ['headers', 'unchanged'], 7, '✓ release 7 live in 12ms'],
    ['uploads that no record could be kept of', ['new'], undefined, '✓ live in 12ms'],
    ['nothing', ['unchanged'], undefined, '✓ nothing to upload in 12ms'],
    ['nothing, and a record of what was there already', ['already there'], 7, '✓ release 7 live in 12ms'],
  ])('the end of a deploy of %s', (_what, reasons, release, last) => {
    const decisions = reasons.map((reason, i) => decision(`f${i}`, reason))
    expect(linesOf({ decisions, release }).at(-1)).toBe(last)
  })

  it.each<[reasons: string[], text: string]>([
    [['dotfile'], '     1  dotfile'],
    [['dotfile', 'dotfile'], '     2  dotfile × 2'],
    [['source map', 'dotfile', 'source map'], '     3  source map × 2, dotfile'],
  ])('left out: %j', (reasons, text) => {
    const leftOut = reasons.map((reason, i) => ({ path: `f${i}`, reason }))
    expect(linesOf({ leftOut })[1]).toBe(`  left out  ${text}`)
  })

  it('files left out that the user may miss are named, at most three for a reason', () => {
    const leftOut = ['source map', 'dotfile', 'source map', 'dotfile', 'dotfile', 'dotfile'].map((reason, i) =>
      i === 0 ? { path: 'a.js.map', reason } : { path: `f${i}`, reason, byName: true as const },
    )
    expect(linesOf({ leftOut })[1]).toBe('  left out       6  source map × 2 (f2), dotfile × 4 (f1, f3, f4, 1 more)')
  })

  it('columns are aligned up to 999,999 files', () => {
    const decisions = Array.from({ length: 12_345 }, (_, i) => decision(`f${i}`, 'new', 7)).concat(
      decision('a', 'content', 9),
    )
    const [, uploaded = '', updated = ''] = linesOf({ decisions })
    expect(uploaded).toBe('  uploaded   12345  86.42 kB')
    expect(updated.indexOf('0.01 kB')).toBe(uploaded.indexOf('86.42 kB'))
  })

  it.each<[milliseconds: number, text: string]>([
    [0.4, 'in 0ms'],
    [12.4, 'in 12ms'],
    [999.4, 'in 999ms'],
    [999.6, 'in 1.00s'],
    [1000, 'in 1.00s'],
    [65_432, 'in 65.43s'],
  ])('%d milliseconds', (milliseconds, text) => {
    expect(linesOf({ milliseconds, release: 1, decisions: [decision('a', 'new')] }).at(-1)).toBe(
      `✓ release 1 live ${text}`,
    )
  })
})

describe('formatBytes', () => {
  it.each<[bytes: number, text: string]>([
    [0, '0.00 kB'],
    [1, '0.00 kB'],
    [512, '0.51 kB'],
    [1000, '1.00 kB'],
    [143_210, '143.21 kB'],
    [999_990, '999.99 kB'],
    [999_999, '1.00 MB'],
    [1_000_000, '1.00 MB'],
    [999_999_999, '1.00 GB'],
    [5_300_000_000, '5.30 GB'],
  ])('%d is %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text)
  })
})

describe('what is printed', () => {
  it('has no control characters of a file name, in a report', () => {
    const decisions = [decision(`a${escapes}\n✓ live`, 'new')]
    expect(report({ ...nothing, decisions, dryRun: true }, plain).split('\n')[1]).toBe(
      '  a\\u001b[2K\\u001b[31m\\u009b1m\\u202e\\u000d\\u0007\\n✓ live (new)',
    )
  })

  it('has none of a message, and its own colours in a report', () => {
    const printed: string[] = []
    // A logger of webpack is an object whose methods need it.
    const logger = {
      printed,
      info(message: string) {
        this.printed.push(message)
      },
      warn(message: string) {
        this.printed.push(message)
      },
    }
    const printer = printerOf(logger)
    printer.warn(`a${escapes}\nb`)
    printer.info(escapes)
    printer.report(deploy)
    expect(printed[0]).toBe('a\\u001b[2K\\u001b[31m\\u009b1m\\u202e\\u000d\\u0007\nb')
    expect(printed[1]).not.toMatch(/\p{Cc}/u)
    expect(printed[2]).toBe(report(deploy))
  })

  it('is the same JSON', () => {
    const told = { path: `a${escapes}`, by: 'größe 👩‍💻' }
    const json = printable(JSON.stringify(told, undefined, 2))
    expect(json).not.toMatch(/(?!\n)\p{Cc}|\u202e/u)
    expect(JSON.parse(json)).toEqual(told)
  })

  it('has none in an error, nor in its stack', () => {
    const error = new StaticS3Error(`static-s3: ${escapes}\n  - next`)
    expect(`${error.message}${error.stack}${inspect(error)}`).not.toMatch(/(?!\n)\p{Cc}|\u202e/u)
    expect(error.message).toMatch(/\n {2}- next$/)
  })
})

it('the results count the bytes that were sent, without those of copies', () => {
  const [sent, copied, changed] = ['a.js', 'b.js', 'c.js'].map((path) => decision(path, 'new'))
  const twin = { key: 'other/b.js', etag: 'x', sha256: 'same' }
  const decisions = [
    { ...sent, file: { ...sent?.file, sha256: 'same' } },
    { ...copied, file: { ...copied?.file, sha256: 'same', twin } },
    { ...changed, file: { ...changed?.file, sha256: 'other', twin } },
  ] as Decision[]
  expect(resultOf({ ...nothing, decisions }, []).bytes).toBe(2000)
})
