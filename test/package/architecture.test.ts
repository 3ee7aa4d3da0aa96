import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

// Holds what design.md and CONTRIBUTING say of the sources: who may import whom, and what the pure stages may touch.

const root = resolve(import.meta.dirname, '../..')
const src = join(root, 'src')

interface Import {
  /** A package's name, `node:…`, or a source file relative to src/ without its ending: `core/plan`. */
  of: string
  /** Whether that is a source file: there is a package `vite`, and a `src/vite.ts`. */
  ours: boolean
  kind: 'static' | 'dynamic' | 'type'
}

interface Source {
  /** Relative to src/, without its ending. */
  name: string
  text: string
  tree: ts.SourceFile
  imports: Import[]
}

const sources = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .sort()
  .map(read)

function read(file: string): Source {
  const text = readFileSync(join(src, file), 'utf8')
  const tree = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
  return { name: file.replaceAll('\\', '/').replace(/\.ts$/, ''), text, tree, imports: importsOf(tree) }
}

function importsOf(tree: ts.SourceFile): Import[] {
  const imports: Import[] = []
  const add = (specifier: ts.Node | undefined, kind: Import['kind']) => {
    if (!specifier || !ts.isStringLiteralLike(specifier))
      throw new Error(`${tree.fileName}: an import of no fixed name`)
    imports.push({ of: targetOf(specifier.text, tree.fileName), ours: specifier.text.startsWith('.'), kind })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      const clause = node.importClause
      const named =
        clause?.namedBindings && ts.isNamedImports(clause.namedBindings) ? clause.namedBindings.elements : []
      const onlyTypes =
        clause?.isTypeOnly || (!clause?.name && named.length > 0 && named.every((each) => each.isTypeOnly))
      add(node.moduleSpecifier, onlyTypes ? 'type' : 'static')
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier) {
      add(node.moduleSpecifier, node.isTypeOnly ? 'type' : 'static')
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], 'dynamic')
    } else if (ts.isCallExpression(node) && isRequire(node.expression)) {
      add(node.arguments[0], ts.findAncestor(node, ts.isFunctionLike) ? 'dynamic' : 'static')
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node.argument.literal, 'type')
    }
    ts.forEachChild(node, visit)
  }
  visit(tree)
  return imports
}

/** `require`, and `createRequire(…)`, which a file may call on the spot. */
function isRequire(called: ts.Expression): boolean {
  if (ts.isCallExpression(called))
    return ts.isIdentifier(called.expression) && called.expression.text === 'createRequire'
  return ts.isIdentifier(called) && called.text === 'require'
}

function targetOf(specifier: string, from: string): string {
  if (!specifier.startsWith('.')) return specifier
  const file = relative(src, resolve(src, dirname(from), specifier)).replaceAll('\\', '/')
  return file.replace(/\.js$/, '')
}

const source = (name: string): Source => {
  const found = sources.find((each) => each.name === name)
  if (!found) throw new Error(`there is no src/${name}.ts`)
  return found
}

const inFolder = (folder: string) => sources.filter(({ name }) => name.startsWith(`${folder}/`))
const packageOf = (of: string) => /^(@[^/]+\/)?[^/]+/.exec(of)?.[0] ?? of

/** `core/plan imports core/digest`, for those imports of these files that are not as they have to be. */
const offences = (files: readonly Source[], isOffence: (of: Import, from: Source) => boolean): string[] =>
  files.flatMap((from) =>
    from.imports.filter((each) => isOffence(each, from)).map(({ of, kind }) => `${from.name} imports ${of} (${kind})`),
  )

const stages = ['collect', 'classify', 'hash', 'plan', 'upload', 'report']
const bundlers = /^(vite\d?|rollup|rolldown|webpack|@rspack\/.+)(\/|$)/
const isStage = (of: string) => stages.some((stage) => of === `core/${stage}`)

describe('what this test reads', () => {
  it('is there, and its imports are found', () => {
    expect(sources.length).toBeGreaterThan(20)
    expect(source('core/plan').imports).toContainEqual({ of: 'core/digest', ours: true, kind: 'type' })
    expect(source('core/read-files').imports).toContainEqual({ of: 'core/collect', ours: true, kind: 'static' })
    expect(source('vite').imports).toContainEqual({ of: 'vite', ours: false, kind: 'type' })
  })

  it('names every import: each relative one is a file', () => {
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
    expect(importsOf(ts.createSourceFile('a.ts', code, ts.ScriptTarget.Latest, true))).toEqual([found])
  })
})

describe('a file right in src/ is a public entry', () => {
  const entries = sources.filter(({ name }) => !name.includes('/')).map(({ name }) => name)
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const commands = Object.values<string>(manifest.bin ?? {}).map((file) => basename(file, '.js'))

  it("and stands in tsup's list for each format that it can be had in, and nothing else does", async () => {
    const { default: configs } = await import('../../tsup.config.js')
    const formats = configs as { entry: string[]; format: string }[]
    expect(formats.map(({ format }) => format).sort()).toEqual(['cjs', 'esm'])
    for (const { entry, format } of formats) {
      const made = format === 'cjs' ? entries.filter((name) => !commands.includes(name)) : entries
      expect(entry.map((file) => basename(file, '.ts')).sort(), format).toEqual(made)
      expect(entry.every((file) => dirname(file) === 'src')).toBe(true)
    }
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

/** Who talks to a bundler, or to a person at a command line. */
const adapters = sources.filter(({ name }) => !/^(core|s3)\//.test(name))
/** Through which they get at what is loaded where a build is on. */
const doors = ['core/before-build', 'core/after-build']
/** Adapters, and what they get at through the doors. */
const reaching = sources.filter((each) => adapters.includes(each) || doors.includes(each.name))

describe('an asset flows one way', () => {
  it.each(stages.map((stage, i) => [stage, stages[i - 1]] as const))(
    '%s imports no other stage than %s',
    (stage, before) => {
      expect(offences([source(`core/${stage}`)], ({ of }) => isStage(of) && of !== `core/${before}`)).toEqual([])
    },
  )

  it.each<[what: string, files: string[], stages: string[]]>([
    ['read-files has those up to the hashes', ['read-files'], ['collect', 'classify', 'hash']],
    ['release has those from the plan on', ['release'], ['plan', 'upload']],
    ['publish has the report alone', ['publish'], ['report']],
    ['what is asked of the bucket is no matter of the files', ['ask', 'survey'], []],
    ['the formats of what lies in the bucket are nobody’s', ['record', 'releases-folder', 'headers', 'key-order'], []],
  ])('%s', (_what, files, allowed) => {
    const imported = files.flatMap((file) => source(`core/${file}`).imports.map(({ of }) => of))
    expect(stages.filter((stage) => imported.includes(`core/${stage}`))).toEqual(allowed)
  })

  it('the lock knows of the upload only what a permit is', () => {
    expect(offences([source('core/lock')], ({ of, kind }) => isStage(of) && kind !== 'type')).toEqual([])
  })

  it('adapters, the command among them, reach the bucket only through ask, publish and preview', () => {
    const behind = ['bucket', 'lock', 'read-files', 'record', 'release', 'releases-folder', 'survey']
    expect(offences(reaching, ({ of }) => behind.some((name) => of === `core/${name}`))).toEqual([])
    expect(offences(inFolder('cli'), ({ of }) => of === 'core/preview')).not.toEqual([])
  })

  it('adapters reach the stages only through publish; what collect needs of them, it says itself', () => {
    expect(adapters.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['vite', 'webpack', 'vite/fingerprints', 'cli', 'cli/plan']),
    )
    expect(reaching.length).toBe(adapters.length + doors.length)
    expect(offences(reaching, ({ of }) => isStage(of) && of !== 'core/collect')).toEqual([])
    const taken = reaching.flatMap(({ text }) => [
      ...text.matchAll(/(?:(?:im|ex)port (type )?|const )\{([^}]*)\}(?: from | = await import\()'[^']*\/collect\.js'/g),
    ])
    expect(taken.length).toBeGreaterThan(0)
    const values = taken.flatMap(([, allTypes, names = '']) =>
      names
        .split(',')
        .map((name) => name.trim())
        .filter((name) => name && !allTypes && !name.startsWith('type ')),
    )
    expect([...new Set(values)]).toEqual(['takeSnapshots'])
  })

  it('S3 knows the port, and neither a stage nor what is kept in the bucket', () => {
    expect(inFolder('s3').length).toBeGreaterThan(0)
    const kept = ['ask', 'lock', 'record', 'release', 'releases-folder', 'survey'].map((name) => `core/${name}`)
    expect(offences(inFolder('s3'), ({ of }) => isStage(of) || kept.includes(of))).toEqual([])
  })

  it('no file imports itself, round however many corners', () => {
    const circles: string[] = []
    const done = new Set<string>()
    const visit = (name: string, path: string[]): void => {
      if (path.includes(name)) circles.push([...path.slice(path.indexOf(name)), name].join(' → '))
      if (path.includes(name) || done.has(name)) return
      for (const { of, ours } of source(name).imports) if (ours) visit(of, [...path, name])
      done.add(name)
    }
    for (const { name } of sources) visit(name, [])
    expect(circles).toEqual([])
  })
})

describe('who may import what', () => {
  it('the core imports S3 only where a build is on, dynamically', () => {
    expect(offences(inFolder('core'), ({ of, kind }) => of.startsWith('s3/') && kind !== 'dynamic')).toEqual([])
    const importers = offences(inFolder('core'), ({ of }) => of.startsWith('s3/')).map(
      (offence) => offence.split(' ')[0],
    )
    expect([...new Set(importers)].sort()).toEqual(['core/ask', 'core/prepare'])
  })

  it('the core imports no bundler, and no adapter', () => {
    expect(
      offences(inFolder('core'), ({ of, ours }) => (ours ? /^(vite|webpack|rspack|cli)(\/|$)/ : bundlers).test(of)),
    ).toEqual([])
    expect(offences(inFolder('s3'), ({ of }) => bundlers.test(of))).toEqual([])
  })

  it('adapters import no bundler but for its types: it is the one that is there', () => {
    expect(offences(sources, ({ of, ours, kind }) => !ours && bundlers.test(of) && kind !== 'type')).toEqual([])
  })

  it('the entry for webpack and Rspack imports neither, so that its types fit both', () => {
    expect(
      offences(
        [source('webpack'), source('rspack'), ...inFolder('webpack')],
        ({ of, ours }) => !ours && bundlers.test(of),
      ),
    ).toEqual([])
  })

  it('only src/s3 imports the AWS SDK, and nobody in a way that loads it with the file', () => {
    const isSdk = (of: string) => /^@(aws-sdk|smithy)\//.test(of)
    expect(offences(sources, ({ of }, { name }) => isSdk(of) && !name.startsWith('s3/'))).toEqual([])
    expect(offences(inFolder('s3'), ({ of, kind }) => isSdk(of) && kind === 'static')).toEqual([])
    expect(offences(inFolder('s3'), ({ of, kind }) => isSdk(of) && kind === 'dynamic')).not.toEqual([])
  })

  it('adapters import S3, if at all, dynamically', () => {
    expect(offences(adapters, ({ of, kind }) => of.startsWith('s3/') && kind === 'static')).toEqual([])
  })

  it('packages are those that package.json names for users', () => {
    const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    const named = Object.keys({ ...dependencies, ...peerDependencies })
    expect(
      offences(sources, ({ of, ours }) => !ours && !of.startsWith('node:') && !named.includes(packageOf(of))),
    ).toEqual([])
    const used = new Set(sources.flatMap(({ imports }) => imports.map(({ of }) => packageOf(of))))
    expect(Object.keys(dependencies).filter((name) => !used.has(name))).toEqual([])
  })
})

describe('what is pure', () => {
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
  const stageFiles = ['collect', 'classify', 'hash', 'plan'].map((stage) => source(`core/${stage}`))
  const formats = ['headers', 'key-order', 'record', 'releases-folder'].map((name) => source(`core/${name}`))
  const pure = [...stageFiles, ...formats]

  const matching = (files: readonly Source[], pattern: RegExp) =>
    files.filter(({ text }) => pattern.test(codeOf(text))).map(({ name }) => name)

  it.each(forbidden)('stages and formats do without %s', (_what, pattern) => {
    expect(matching(pure, pattern)).toEqual([])
  })

  it('and so does what they import of ours', () => {
    const seen = new Set(pure.map(({ name }) => name))
    for (const name of seen) {
      for (const { of, ours, kind } of source(name).imports) if (ours && kind !== 'type') seen.add(of)
    }
    for (const [what, pattern] of forbidden) {
      // Which slot an index has a name in is seen nowhere.
      const files = [...seen].filter((name) => what !== 'chance' || name !== 'core/packed')
      expect(matching(files.map(source), pattern), what).toEqual([])
    }
  })

  it('plan touches no file either, and a format nothing outside of the memory', () => {
    expect(offences([source('core/plan')], ({ ours }) => !ours)).toEqual([])
    expect(offences([source('core/classify')], ({ of }) => /^node:(?!path)/.test(of))).toEqual([])
    expect(offences(formats, ({ of }) => /^node:(?!(stream(\/.+)?|zlib)$)/.test(of))).toEqual([])
  })

  it('what is asked of the bucket depends on no clock of ours', () => {
    expect(matching([source('core/survey')], clock)).toEqual([])
  })

  it('the core reaches the network through the bucket’s port alone, and prints through the logger that it is given', () => {
    expect(offences(inFolder('core'), ({ of }) => network.test(of))).toEqual([])
    expect(matching(inFolder('core'), console)).toEqual([])
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

  /** The code without its comments and types. */
  function codeOf(text: string): string {
    const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, removeComments: true }
    return ts.transpileModule(text, { compilerOptions }).outputText
  }
})
