import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { codeOf, type Import, importsOf, parse, root, type Source, sources } from '../../fixtures/package/sources.js'

// Holds what CONTRIBUTING says of the sources: which room imports which, and what the pure stages do without.

/**
 * The rooms, each with the rooms that it imports. `types` stands for an import of types only. Every room may import `runtime`, errors first of all.
 */
const rooms: Record<string, { imports?: string[]; types?: string[]; dynamic?: string[] }> = {
  '': {
    imports: ['vite', 'webpack', 'frameworks', 'cli', 'client', 'urls'],
    types: ['deploy', 'files', 'settings'],
    dynamic: ['deploy', 'vite'],
  },
  vite: { imports: ['vite/frameworks', 'deploy', 'urls'], types: ['files', 'settings'] },
  'vite/frameworks': { imports: ['urls'] },
  webpack: { imports: ['deploy', 'urls'], types: ['files', 'settings'] },
  frameworks: { imports: ['vite', 'webpack', 'deploy', 'folders', 'urls'], types: ['files', 'settings'] },
  client: {},
  cli: { imports: ['cli/releases', 'deploy/commands', 'deploy'], types: ['settings'] },
  'cli/releases': { imports: ['cli', 'deploy/commands'], types: ['settings'] },
  'deploy/commands': {
    imports: [
      ...['deploy', 'report', 'promote', 'sync', 'release', 'check', 'folders', 'files', 'setup', 'policy', 'settings'],
      ...['release/records', 'restore', 'prune', 'urls'],
    ],
    types: ['bucket'],
    dynamic: ['s3/objects', 's3/aws', 's3/configuration'],
  },
  deploy: {
    imports: [
      ...['report', 'promote', 'sync', 'release', 'release/records', 'prune', 'check', 'prove', 'folders', 'files'],
      ...['restore', 'settings', 'bucket', 'urls'],
    ],
    dynamic: ['s3/objects', 's3/aws', 'cloudfront'],
  },
  report: { types: ['release', 'release/upload', 'prune'] },
  sync: { imports: ['release', 'release/records', 'urls'], types: ['bucket'] },
  cloudfront: { imports: ['release', 'files', 'bucket', 'urls'] },
  restore: { imports: ['release', 'release/records', 'files', 'bucket', 'previews', 'urls'] },
  prune: {
    imports: ['release', 'release/lock', 'release/records', 'restore', 'sync', 'previews', 'files', 'urls'],
    types: ['bucket'],
  },
  promote: { imports: ['release', 'release/records', 'files', 'references', 'bucket', 'urls'] },
  release: {
    imports: ['release/lock', 'release/records', 'release/upload', 'files', 'bucket', 'urls'],
    types: ['settings'],
  },
  'release/upload': { imports: ['release', 'release/records', 'files', 'bucket'], types: ['release/lock'] },
  'release/lock': { imports: ['release', 'release/records', 'bucket', 'urls'], types: ['settings'] },
  'release/records': { imports: ['urls'], types: ['bucket', 'previews'] },
  prove: { imports: ['files', 'references', 'urls'], types: ['settings'] },
  files: { imports: ['bucket', 'urls'], types: ['settings'] },
  folders: { imports: ['files', 'urls'], types: ['settings'] },
  check: { imports: ['check/points', 'policy', 'bucket', 'urls'], types: ['settings'] },
  'check/points': { imports: ['check', 'policy', 'report', 'files', 'urls'], types: ['bucket'] },
  setup: { imports: ['policy', 'bucket'] },
  policy: { imports: ['previews', 'urls'], types: ['bucket'] },
  references: {},
  's3/configuration': { imports: ['s3/objects', 's3/http', 's3/errors', 'bucket', 'urls'], types: ['settings'] },
  's3/objects': { imports: ['s3/http', 's3/aws', 's3/errors', 'bucket', 'urls'], types: ['settings'] },
  's3/http': { imports: ['s3/aws', 's3/errors'], types: ['settings'] },
  's3/aws': { imports: ['urls'], types: ['settings'] },
  's3/errors': { imports: ['urls'], types: ['bucket'] },
  settings: { imports: ['previews', 'urls'], types: ['bucket', 'report'] },
  previews: {},
  bucket: {},
  urls: {},
  runtime: {},
}

const roomOf = (name: string) => name.split('/').slice(0, -1).join('/')
const packageOf = (of: string) => /^(@[^/]+\/)?[^/]+/.exec(of)?.[0] ?? of
const bundlers = /^(vite\d?|rollup|rolldown|webpack|@rspack\/.+)(\/|$)/

const source = (name: string): Source => {
  const found = sources.find((each) => each.name === name)
  if (!found) throw new Error(`there is no src/${name}.ts`)
  return found
}

/** `release/plan imports report/report (static)`, for each import of these files that breaks a rule. */
const offences = (files: readonly Source[], isOffence: (of: Import, from: Source) => boolean): string[] =>
  files.flatMap((from) =>
    from.imports.filter((each) => isOffence(each, from)).map(({ of, kind }) => `${from.name} imports ${of} (${kind})`),
  )

describe('the rooms', () => {
  it('are the folders of src', () => {
    expect([...new Set(sources.map(({ name }) => roomOf(name)))].sort()).toEqual(Object.keys(rooms).sort())
  })

  it.each(Object.entries(rooms))('src/%s imports the rooms that its row names, and no others', (room, row) => {
    const { imports = [], types = [], dynamic = [] } = row
    const allowed: Record<Import['kind'], string[]> = {
      static: imports,
      dynamic: [...imports, ...dynamic],
      type: [...imports, ...dynamic, ...types],
    }
    const files = sources.filter(({ name }) => roomOf(name) === room)
    expect(
      offences(files, ({ of, ours, kind }) => {
        const target = roomOf(of)
        return ours && target !== room && target !== 'runtime' && !allowed[kind].includes(target)
      }),
    ).toEqual([])
  })

  it('hold at most 15 files each, and no file over 300 lines', () => {
    const counts = Object.keys(rooms).map((room) => [room, sources.filter(({ name }) => roomOf(name) === room).length])
    expect(counts.filter(([, count]) => Number(count) > 15)).toEqual([])
    const long = sources.filter(({ text }) => text.split('\n').length > 301).map(({ name }) => name)
    expect(long).toEqual([])
  })

  it('have at most 6 files under 20 lines', () => {
    const short = sources.filter(({ text }) => text.split('\n').length < 21).map(({ name }) => name)
    expect(short.length, short.join(', ')).toBeLessThanOrEqual(6)
  })

  it('have no file that imports itself through others', () => {
    const circles: string[] = []
    const done = new Set<string>()
    const visit = (name: string, path: string[]): void => {
      if (path.includes(name)) circles.push([...path.slice(path.indexOf(name)), name].join(' → '))
      if (path.includes(name) || done.has(name)) return
      for (const { of, ours, kind } of source(name).imports) if (ours && kind !== 'type') visit(of, [...path, name])
      done.add(name)
    }
    for (const { name } of sources) visit(name, [])
    expect(circles).toEqual([])
  })
})

describe('packages', () => {
  it('bundlers are imported for their types only: the user has installed one', () => {
    expect(offences(sources, ({ of, ours, kind }) => !ours && bundlers.test(of) && kind !== 'type')).toEqual([])
    const shared = sources.filter(({ name }) => /^(webpack|rspack)(\/|$)/.test(name))
    expect(offences(shared, ({ of, ours }) => !ours && bundlers.test(of))).toEqual([])
  })

  it('only s3 imports the AWS SDK, and loads it only if it needs it', () => {
    const isSdk = (of: string) => /^@(aws-sdk|smithy)\//.test(of)
    expect(offences(sources, ({ of }, { name }) => isSdk(of) && !name.startsWith('s3/'))).toEqual([])
    expect(offences(sources, ({ of, kind }) => isSdk(of) && kind === 'static')).toEqual([])
    expect(offences(sources, ({ of, kind }) => isSdk(of) && kind === 'dynamic')).not.toEqual([])
  })

  it('that parse files are loaded only for a build that is on', () => {
    const parsers = ['htmlparser2', 'js-tokens', 'mime-types']
    const adapters = sources.filter(({ name }) => !name.includes('/') && name !== 'cli')
    const loaded = new Set(adapters.map(({ name }) => name))
    for (const name of loaded) {
      for (const { of, ours, kind } of source(name).imports) if (ours && kind === 'static') loaded.add(of)
    }
    expect(loaded.size).toBeGreaterThan(20)
    const files = [...loaded].map(source)
    expect(offences(files, ({ of, kind }) => kind === 'static' && parsers.includes(packageOf(of)))).toEqual([])
  })

  it('are those that package.json names for users', () => {
    const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    const named = Object.keys({ ...dependencies, ...peerDependencies })
    const isUnnamed = ({ of, ours }: Import) => !ours && !of.startsWith('node:') && !named.includes(packageOf(of))
    expect(offences(sources, isUnnamed)).toEqual([])
    const used = new Set(sources.flatMap(({ imports }) => imports.map(({ of }) => packageOf(of))))
    expect(Object.keys(dependencies).filter((name) => !used.has(name))).toEqual([])
  })
})

describe('a file directly in src/ is a public entry', () => {
  const entries = sources.filter(({ name }) => !name.includes('/')).map(({ name }) => name)
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const commands = Object.values<string>(manifest.bin ?? {}).map((file) => basename(file, '.js'))

  it("and stands in tsup's list for each format that it can be had in, and nothing else does", async () => {
    const { default: configs } = await import('../../tsup.config.js')
    const formats = configs as { entry: string[]; format: string }[]
    const filesOf = (wanted: string) => formats.filter(({ format }) => format === wanted).flatMap(({ entry }) => entry)
    const expected = (names: string[]) => names.map((name) => `src/${name}.ts`)
    expect(filesOf('esm').sort()).toEqual(expected(entries))
    expect(filesOf('cjs').sort()).toEqual(expected(entries.filter((name) => !commands.includes(name))))
  })

  it("and in package.json's exports, or is its command, and nothing else does", () => {
    const exported = Object.keys(manifest.exports).filter((name) => name !== './package.json')
    expect([...exported.map((name) => name.slice(2)), ...commands].sort()).toEqual(entries)
  })

  it('and every target of exports is a file that tsup makes of it', () => {
    const targets = Object.entries<object>(manifest.exports)
      .filter(([name]) => name !== './package.json')
      .flatMap(([name, conditions]) => leavesOf(conditions).map((target) => [name, target] as const))
    expect(targets.length).toBe((entries.length - Object.keys(manifest.bin ?? {}).length) * 4)
    for (const [name, target] of targets) {
      expect([
        `dist${name.slice(1)}.js`,
        `dist${name.slice(1)}.cjs`,
        `dist${name.slice(1)}.d.ts`,
        `dist${name.slice(1)}.d.cts`,
      ]).toContain(target.replace('./', ''))
    }
  })

  function leavesOf(conditions: object | string): string[] {
    return typeof conditions === 'string' ? [conditions] : Object.values(conditions).flatMap(leavesOf)
  }
})

describe('purity', () => {
  const clock =
    /\bDate\b(?!\.parse\(|\([^)])|\bperformance\b|\bhrtime\b|\bsetTimeout\b|\bsetInterval\b|\btimers(?!\/promises)/
  const network = /\bfetch\s*\(|\bnode:(http|https|http2|net|tls|dns|dgram)\b/
  const console = /\bconsole\b/
  const forbidden: [what: string, pattern: RegExp][] = [
    ['the clock', clock],
    ['chance', /\bMath\.random\b|\brandomUUID\b|\brandomBytes\b/],
    ['the process and its environment', /\bprocess\b/],
    ['the console', console],
    ['the network', network],
    ['globals', /\bglobalThis\b/],
  ]
  const formats = [
    'bucket/headers',
    'release/records/record',
    'release/records/format',
    'release/records/releases-folder',
  ].map(source)
  const stages = ['files/collect', 'files/classify', 'files/hash', 'release/plan'].map(source)
  const pure = [...stages, ...formats]
  const matching = (files: readonly Source[], pattern: RegExp) =>
    files.filter(({ text }) => pattern.test(codeOf(text))).map(({ name }) => name)

  it.each(forbidden)(
    'collect, classify, hash, plan and the formats do without %s, and so do their imports',
    (_what, pattern) => {
      const seen = new Set(pure.map(({ name }) => name))
      for (const name of seen) {
        for (const { of, ours, kind } of source(name).imports) if (ours && kind !== 'type') seen.add(of)
      }
      expect(matching([...seen].map(source), pattern)).toEqual([])
    },
  )

  it('plan reads no file, classify none, and a format uses nothing outside of the memory', () => {
    expect(offences([source('release/plan')], ({ ours }) => !ours)).toEqual([])
    expect(
      offences([source('files/classify'), source('files/headers')], ({ of }) => /^node:(?!path)/.test(of)),
    ).toEqual([])
    expect(offences(formats, ({ of }) => /^node:(?!(util|zlib)$)/.test(of))).toEqual([])
  })

  it('a survey reads no clock of this machine', () => {
    expect(matching([source('release/survey')], clock)).toEqual([])
  })

  it('only s3 uses the network, and only the command the console', () => {
    // Code for browsers; the first is text.
    const forBrowsers = /^(urls\/worker-url$|client\/)/
    const ours = sources.filter(({ name }) => !forBrowsers.test(name) && !name.startsWith('s3/'))
    expect(matching(ours, network)).toEqual([])
    expect(
      matching(
        // AWS has a console, too.
        sources.filter(({ name }) => !/^cli(\/|$)|explanations$/.test(name)),
        console,
      ),
    ).toEqual([])
  })

  it.each(forbidden)('%s would be found', (_what, pattern) => {
    const code = "const a = Date.now() + Math.random(); console.log(process.env.X, fetch('x'), globalThis)"
    expect(pattern.test(codeOf(code))).toBe(true)
  })

  it.each<[code: string, reads: boolean]>([
    ['new Date()', true],
    ['new Date', true],
    ['Date()', true],
    ['const { now } = Date', true],
    ["import { setTimeout as wait } from 'node:timers/promises'; wait(5)", true],
    ["import { setImmediate as yieldToOthers } from 'node:timers/promises'; yieldToOthers()", false],
    ['new Date(text)', false],
    ['Date.parse(text)', false],
    ['let at: Date', false],
  ])('%s reads the clock: %s', (code, reads) => {
    expect(clock.test(codeOf(code))).toBe(reads)
  })
})

describe('imports that this test reads', () => {
  it('each relative one leads to a file', () => {
    expect(sources.length).toBeGreaterThan(20)
    expect(offences(sources, ({ of, ours }) => ours && !sources.some(({ name }) => name === of))).toEqual([])
  })

  it.each([
    ["import { a } from './b.js'", { of: 'b', ours: true, kind: 'static' }],
    ["import './b.js'", { of: 'b', ours: true, kind: 'static' }],
    ["import * as b from './b.js'", { of: 'b', ours: true, kind: 'static' }],
    ["import b, { type C } from './b.js'", { of: 'b', ours: true, kind: 'static' }],
    ["import { type C, d } from './b.js'", { of: 'b', ours: true, kind: 'static' }],
    ["import { type C } from './b.js'", { of: 'b', ours: true, kind: 'type' }],
    ["import type { C } from './b.js'", { of: 'b', ours: true, kind: 'type' }],
    ["export * from './b.js'", { of: 'b', ours: true, kind: 'static' }],
    ["export type { C } from './b.js'", { of: 'b', ours: true, kind: 'type' }],
    ["const b = await import('./b.js')", { of: 'b', ours: true, kind: 'dynamic' }],
    ["let b: typeof import('./b.js')", { of: 'b', ours: true, kind: 'type' }],
    ["const b = require('./b.js')", { of: 'b', ours: true, kind: 'static' }],
    ["const b = createRequire(import.meta.url)('./b.js')", { of: 'b', ours: true, kind: 'static' }],
    ["const b = () => createRequire(import.meta.url)('./b.js')", { of: 'b', ours: true, kind: 'dynamic' }],
    ["async function b() { return require('./b.js') }", { of: 'b', ours: true, kind: 'dynamic' }],
    ["import { x } from '@aws-sdk/client-s3'", { of: '@aws-sdk/client-s3', ours: false, kind: 'static' }],
  ] as const)('%s', (code, found) => {
    expect(importsOf(parse(code))).toEqual([found])
  })
})
