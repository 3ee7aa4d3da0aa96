import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

// Holds what design.md and CONTRIBUTING say of the sources: who may import whom, and what the pure stages may touch.

const root = resolve(import.meta.dirname, '..')
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
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node.argument.literal, 'type')
    }
    ts.forEachChild(node, visit)
  }
  visit(tree)
  return imports
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

const stages = ['collect', 'classify', 'digest', 'plan', 'upload', 'report']
const bundlers = /^(vite\d?|rollup|rolldown|webpack|@rspack\/.+)(\/|$)/
const isStage = (of: string) => stages.some((stage) => of === `core/${stage}`)

describe('what this test reads', () => {
  it('is there, and its imports are found', () => {
    expect(sources.length).toBeGreaterThan(20)
    expect(source('core/plan').imports).toContainEqual({ of: 'core/digest', ours: true, kind: 'type' })
    expect(source('core/publish').imports).toContainEqual({ of: 'core/collect', ours: true, kind: 'static' })
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
    ["import { x } from '@aws-sdk/client-s3'", { of: '@aws-sdk/client-s3', ours: false, kind: 'static' }],
  ] as const)('%s', (code, found) => {
    expect(importsOf(ts.createSourceFile('a.ts', code, ts.ScriptTarget.Latest, true))).toEqual([found])
  })
})

describe('a file right in src/ is a public entry', () => {
  const entries = sources.filter(({ name }) => !name.includes('/')).map(({ name }) => name)
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

  it("and stands in tsup's list, and nothing else does", async () => {
    const { default: config } = await import('../tsup.config.js')
    const { entry } = config as { entry: string[] }
    expect(entry.map((file) => basename(file, '.ts')).sort()).toEqual(entries)
    expect(entry.every((file) => dirname(file) === 'src')).toBe(true)
  })

  it("and in package.json's exports, or is its command, and nothing else does", () => {
    const exported = Object.keys(manifest.exports).filter((name) => name !== './package.json')
    const commands = Object.values<string>(manifest.bin ?? {}).map((file) => basename(file).replace(/\.c?js$/, ''))
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

describe('an asset flows one way', () => {
  it.each(stages.map((stage, i) => [stage, stages[i - 1]] as const))(
    '%s imports no other stage than %s',
    (stage, before) => {
      expect(offences([source(`core/${stage}`)], ({ of }) => isStage(of) && of !== `core/${before}`)).toEqual([])
    },
  )

  it('adapters reach the stages only through publish; what collect needs of them, it says itself', () => {
    const adapters = sources.filter(({ name }) => !name.startsWith('core/') && !name.startsWith('s3/'))
    expect(adapters.map(({ name }) => name)).toEqual(expect.arrayContaining(['vite', 'webpack', 'vite/fingerprints']))
    expect(offences(adapters, ({ of }) => isStage(of) && of !== 'core/collect')).toEqual([])
    const taken = adapters.flatMap(({ text }) => [
      ...text.matchAll(/import (type )?\{([^}]*)\} from '[^']*core\/collect\.js'/g),
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

  it('S3 knows the port, and no stage', () => {
    expect(inFolder('s3').length).toBeGreaterThan(0)
    expect(offences(inFolder('s3'), ({ of }) => isStage(of))).toEqual([])
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
    expect([...new Set(importers)].sort()).toEqual(['core/prepare', 'core/publish'])
  })

  it('the core imports no bundler, and no adapter', () => {
    expect(
      offences(inFolder('core'), ({ of, ours }) => (ours ? /^(vite|webpack|rspack)(\/|$)/ : bundlers).test(of)),
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
    const adapters = sources.filter(({ name }) => !/^(core|s3)\//.test(name))
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

describe('pure stages', () => {
  const forbidden: [what: string, pattern: RegExp][] = [
    ['the clock', /\bDate\b|\bperformance\b|\bhrtime\b|\bsetTimeout\b|\bsetInterval\b/],
    ['chance', /\bMath\.random\b|\brandomUUID\b|\brandomBytes\b/],
    ['the process and its environment', /\bprocess\b/],
    ['the console', /\bconsole\b/],
    ['the network', /\bfetch\s*\(|\bnode:(http|https|http2|net|tls|dns|dgram)\b/],
    ['globals', /\bglobalThis\b/],
  ]
  const stageFiles = ['collect', 'classify', 'digest', 'plan'].map((stage) => source(`core/${stage}`))

  it.each(forbidden)('do without %s', (_what, pattern) => {
    expect(stageFiles.filter(({ tree }) => pattern.test(codeOf(tree))).map(({ name }) => name)).toEqual([])
  })

  it('and so does what they import of ours', () => {
    const seen = new Set(stageFiles.map(({ name }) => name))
    for (const name of seen) {
      for (const { of, ours, kind } of source(name).imports) if (ours && kind !== 'type') seen.add(of)
    }
    const reached = [...seen].map(source)
    for (const [what, pattern] of forbidden) {
      expect(
        reached.filter(({ tree }) => pattern.test(codeOf(tree))).map(({ name }) => name),
        what,
      ).toEqual([])
    }
  })

  it('plan touches no file either', () => {
    expect(offences([source('core/plan')], ({ of, kind }) => kind !== 'type' || of.startsWith('node:'))).toEqual([])
    expect(offences([source('core/classify')], ({ of }) => /^node:(?!path)/.test(of))).toEqual([])
  })

  it('the patterns find what they are for', () => {
    const code = "const a = Date.now() + Math.random(); console.log(process.env.X, fetch('x'), globalThis)"
    for (const [what, pattern] of forbidden) expect(pattern.test(code), what).toBe(true)
  })

  /** The code without its comments. */
  function codeOf(tree: ts.SourceFile): string {
    return ts.createPrinter({ removeComments: true }).printFile(tree)
  }
})
