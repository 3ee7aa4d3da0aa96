import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { isBuiltin } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { ListObjectsV2Command } from '@aws-sdk/client-s3'
import pMap from 'p-map'
import { publint } from 'publint'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { deployEnv } from '../../fixtures/build/environment.js'
import { startEmbedded } from '../../fixtures/s3/index.js'

// The package as npm would publish it, installed in a project that has nothing else. Projects with a bundler lie inside that one:
// they have a copy of static-s3 of their own, beside a link to the bundler, and find its dependencies in the folder above.

const root = join(import.meta.dirname, '../..')
const viteVersions = ['vite5', 'vite6', 'vite7', 'vite'] as const

interface Manifest {
  version: string
  exports: Record<string, unknown>
  bin?: Record<string, string>
  dependencies: Record<string, string>
}

interface Packed {
  filename: string
  size: number
  unpackedSize: number
  files: { path: string }[]
}

let project: string
let manifest: Manifest
let packed: Packed
let tarball: string

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'static-s3-package-'))
  manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  const { stdout } = await npm(['pack', '--json', '--ignore-scripts', '--pack-destination', project], root)
  // An array, or an object by package name in later versions of npm.
  ;[packed] = Object.values(JSON.parse(stdout)) as [Packed]
  tarball = join(project, packed.filename)
  await writeFiles(project, { 'package.json': '{ "private": true }' })
  await npm(['install', '--prefer-offline', '--no-audit', '--no-fund', tarball], project)
})

afterAll(async () => {
  if (!process.env.KEEP_APPS) await rm(project, { recursive: true, force: true })
})

describe('the tarball', () => {
  test('has what the package needs, and nothing else', async () => {
    const commands = Object.values(manifest.bin ?? {}).map((path) => basename(path, '.js'))
    const files = packed.files.map(({ path }) => path).sort()
    const [top, dist] = [files.filter((path) => !path.includes('/')), files.filter((path) => path.includes('/'))]
    expect(top).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'])
    const of = (names: string[], endings: string[]) =>
      names.flatMap((name) => endings.map((ending) => `dist/${name}.${ending}`))
    const expected = [...of(publicNames(), ['cjs', 'd.cts', 'd.ts', 'js']), ...of(commands, ['d.ts', 'js'])]
    const shared = dist.filter((path) => /^dist\/[\w-]+-[\w-]{8}\.(js|d\.c?ts)$/.test(path))
    expect(dist.filter((path) => !shared.includes(path))).toEqual(expected.sort())
    // Parts that several entries share, or that are loaded when they are needed.
    const texts = await Promise.all(dist.map((path) => readFile(join(project, 'node_modules/static-s3', path), 'utf8')))
    const named = new Set(texts.flatMap((text) => importsOf(text)).map((specifier) => basename(specifier)))
    // Types name `options.js` and mean `options.d.ts`.
    const unused = shared.filter((path) => !named.has(basename(path).replace(/\.d\.(c?)ts$/, '.$1js')))
    expect(unused).toEqual([])
  })

  test('publint has nothing to say', async () => {
    const { buffer } = Uint8Array.from(await readFile(tarball))
    const { messages } = await publint({ pack: { tarball: buffer }, strict: true })
    expect(messages).toEqual([])
  })

  test('the types are right (attw)', async () => {
    const attw = join(root, 'node_modules/@arethetypeswrong/cli/dist/index.js')
    const { code, output } = await run(process.execPath, [attw, tarball, '--profile', 'node16'], project)
    expect(code, output).toBe(0)
  })

  test('the code imports what package.json declares, and nothing else', async () => {
    const dist = join(project, 'node_modules/static-s3/dist')
    const imported = new Set<string>()
    for (const name of await readdir(dist)) {
      for (const specifier of importsOf(await readFile(join(dist, name), 'utf8'))) {
        if (!/^[./]/.test(specifier) && !isBuiltin(specifier)) imported.add(packageOf(specifier))
      }
    }
    // An optional peer may be named in types.
    imported.delete('vite')
    expect([...imported].sort()).toEqual(Object.keys(manifest.dependencies).sort())
  })

  test('is small', async () => {
    const installed = await sizeOf(join(project, 'node_modules'))
    const kilobytes = (bytes: number) => `${Math.round(bytes / 1000)} kB`
    console.log(
      `static-s3: ${kilobytes(packed.size)} to download, ${kilobytes(packed.unpackedSize)} on disk, ` +
        `${kilobytes(installed)} with its dependencies`,
    )
    expect(packed.unpackedSize).toBeLessThan(1_500_000)
  })
})

describe('installed in an empty project', () => {
  test('brings its dependencies and no bundler', async () => {
    const { stdout } = await npm(['ls', '--json', '--depth', '1'], project)
    const tree = JSON.parse(stdout)
    expect(Object.keys(tree.dependencies)).toEqual(['static-s3'])
    expect(tree.dependencies['static-s3'].version).toBe(manifest.version)
    // Optional peers are named without a version.
    const dependencies: [name: string, { version?: string }][] = Object.entries(
      tree.dependencies['static-s3'].dependencies,
    )
    const names = dependencies.filter(([, { version }]) => version).map(([name]) => name)
    expect(names.sort()).toEqual(Object.keys(manifest.dependencies).sort())
    const folders = await readdir(join(project, 'node_modules'))
    const bundlers = ['vite', 'webpack', '@rspack', 'rollup', 'rolldown', 'esbuild', 'typescript']
    expect(folders.filter((name) => bundlers.includes(name))).toEqual([])
  })

  const esm = `const names = {}
    for (const name of ['vite', 'webpack', 'rspack', 'client']) names[name] = Object.keys(await import('static-s3/' + name))
    console.log(JSON.stringify(names))`
  const cjs = `const names = {}
    for (const name of ['vite', 'webpack', 'rspack', 'client']) names[name] = Object.keys(require('static-s3/' + name))
    console.log(JSON.stringify(names))`

  test.each([
    ['module', esm],
    ['commonjs', cjs],
  ])('exports names only (%s)', async (type, script) => {
    const { code, stdout, output } = await run(process.execPath, [`--input-type=${type}`, '-e', script], project)
    expect(code, output).toBe(0)
    const plugin = ['StaticS3Plugin']
    expect(JSON.parse(stdout)).toEqual({
      vite: ['staticS3'],
      webpack: plugin,
      rspack: plugin,
      client: ['onNewRelease', 'reloadOnMissingChunk'],
    })
  })

  test.each([
    ['module', `import { staticS3 } from 'static-s3/vite'; import { StaticS3Plugin } from 'static-s3/webpack'`],
    [
      'commonjs',
      `const { staticS3 } = require('static-s3/vite'); const { StaticS3Plugin } = require('static-s3/rspack')`,
    ],
  ])('importing it and making a plugin loads no SDK (%s)', async (type, imports) => {
    const packages = await loadedBy(type, `${imports}; staticS3(); new StaticS3Plugin()`)
    expect(packages).toContain('static-s3')
    expect(packages.filter((name) => /^@(aws|smithy)/.test(name))).toEqual([])
    // Nor what connects to S3, which needs this.
    const builtins = 'console.log(process.moduleLoadList.join())'
    const { output } = await run(process.execPath, [`--input-type=${type}`, '-e', `${imports}; ${builtins}`], project)
    expect(output).toContain('NativeModule path')
    expect(output).not.toContain('NativeModule tls')
  })

  test('has the command', async () => {
    expect((await npm(['exec', '--', 'static-s3', '--version'], project)).stdout.trim()).toBe(manifest.version)
  })

  test('a loaded SDK can be seen', async () => {
    const chain = '@aws-sdk/credential-provider-node'
    expect(await loadedBy('module', `await import('${chain}')`)).toContain(chain)
    expect(await loadedBy('commonjs', `require('${chain}')`)).toContain(chain)
  })
})

describe('types', () => {
  const resolutions = {
    NodeNext: { module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext },
    Node16: { module: ts.ModuleKind.Node16, moduleResolution: ts.ModuleResolutionKind.Node16 },
    Bundler: { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler },
  } satisfies Record<string, ts.CompilerOptions>
  const everyResolution = Object.keys(resolutions) as (keyof typeof resolutions)[]
  // Vite 6 and 7 ship their types as Vite 8 does, and Node16 reads packages as NodeNext does: each has a turn.
  const everyVite: [vite: (typeof viteVersions)[number], resolution: keyof typeof resolutions][] = [
    ['vite5', 'NodeNext'],
    ['vite5', 'Bundler'],
    ['vite6', 'Node16'],
    ['vite7', 'Bundler'],
    ['vite', 'NodeNext'],
    ['vite', 'Bundler'],
  ]

  const read = new Map<string, ts.SourceFile | undefined>()

  /** What TypeScript says of a project's files and of static-s3's own, which are checked too (skipLibCheck is off). */
  function check(dir: string, names: string[], resolution: keyof typeof resolutions, types: string[]): string[] {
    const options: ts.CompilerOptions = {
      ...resolutions[resolution],
      // Where `types` are looked for.
      configFilePath: join(dir, 'tsconfig.json'),
      target: ts.ScriptTarget.ES2022,
      lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
      strict: true,
      noUncheckedIndexedAccess: true,
      noEmit: true,
      skipLibCheck: false,
      types,
    }
    // The bundlers' types are large, and the same in many programs.
    const host = ts.createCompilerHost(options)
    const { getSourceFile } = host
    host.getSourceFile = (path, ...rest) => {
      if (path.startsWith(dir)) return getSourceFile(path, ...rest)
      const key = `${resolution} ${path}`
      if (!read.has(key)) read.set(key, getSourceFile(path, ...rest))
      return read.get(key)
    }
    const program = ts.createProgram({ rootNames: names.map((name) => join(dir, name)), options, host })
    const files = program.getSourceFiles().filter(({ fileName }) => host.realpath?.(fileName).startsWith(dir))
    const wrong = files.flatMap((file) => [
      ...program.getSyntacticDiagnostics(file),
      ...program.getSemanticDiagnostics(file),
    ])
    return [...program.getOptionsDiagnostics(), ...program.getGlobalDiagnostics(), ...wrong].map((diagnostic) => {
      const { file, start = 0, messageText } = diagnostic
      const line = file
        ? `${file.fileName.slice(dir.length + 1)}:${file.getLineAndCharacterOfPosition(start).line + 1} `
        : ''
      return line + ts.flattenDiagnosticMessageText(messageText, '\n')
    })
  }

  const viteOptions = `
    import { type Options, type Rule, staticS3 } from 'static-s3/vite'
    const rule: Rule = { match: '*.pdf', cacheControl: 'no-store' }
    const options: Options = { rules: [rule], enabled: (environment, mode) => environment['DEPLOY'] === mode }
    const plugins = [staticS3(), staticS3(options), [staticS3({ location: '', rewrite: false })]]
    // @ts-expect-error An unknown option.
    staticS3({ buckets: 'x' })
    // @ts-expect-error A wrong value.
    staticS3({ sourceMaps: 'private' })
    // @ts-expect-error A wrong type.
    staticS3({ concurrency: '8' })
    // @ts-expect-error What is made is a plugin, and not anything at all.
    const number: number = staticS3()
  `
  const viteModule = (vite: string) => `${viteOptions}
    import { defineConfig } from '${vite}'
    export default defineConfig({ plugins })
  `
  // Vite has no types for CommonJS in any version.
  const viteCommon = `${viteOptions}
    import type { UserConfig } from 'vite' with { 'resolution-mode': 'import' }
    export const config: UserConfig = { plugins }
  `
  const viteApp = `
    const url: string = import.meta.env.STATIC_URL
    const base: string = import.meta.env.BASE_URL
    // @ts-expect-error 'any' would be a number too.
    const number: number = import.meta.env.STATIC_URL
    export { base, number, url }
  `

  test.each(everyVite)('Vite: %s, %s', async (vite, resolution) => {
    const dir = await projectWith(vite)
    await writeFiles(dir, { 'vite.config.mts': viteModule('vite'), 'vite.config.cts': viteCommon, 'app.mts': viteApp })
    expect(check(dir, ['vite.config.mts'], resolution, ['node'])).toEqual([])
    expect(check(dir, ['vite.config.cts'], resolution, ['node'])).toEqual([])
    for (const types of [
      ['vite/client', 'static-s3/client'],
      ['node', 'static-s3/client', 'vite/client'],
    ]) {
      expect(check(dir, ['app.mts'], resolution, types), types.join()).toEqual([])
    }
  })

  test('Vite: vitest/config', async () => {
    const dir = await projectWith('vitest')
    await writeFiles(dir, { 'vite.config.mts': viteModule('vitest/config') })
    expect(check(dir, ['vite.config.mts'], 'Bundler', ['node'])).toEqual([])
  })

  test('Vite: static-s3 beside another version of Vite than the project', async () => {
    const dir = await projectWith('vite7')
    const app = join(dir, 'app')
    await mkdir(join(app, 'node_modules'), { recursive: true })
    await symlink(join(root, 'node_modules/vite6'), join(app, 'node_modules/vite'), 'junction')
    await writeFiles(app, { 'vite.config.mts': viteModule('vite') })
    expect(check(dir, ['app/vite.config.mts'], 'Bundler', ['node'])).toEqual([])
  })

  const bundlerConfig = (imports: string, entry: string) => `
    import ${imports}
    import { type Options, type Rule, StaticS3Plugin } from 'static-s3/${entry}'
    const rule: Rule = { match: ['*.pdf'], contentDisposition: 'attachment' }
    const options: Options = { bucket: 'b', rules: [rule] }
    export const config: Configuration = { plugins: [new StaticS3Plugin(), new StaticS3Plugin(options)] }
    export const several: Configuration[] = [config, { ...config, mode: 'production' }]
    export const apply = (compiler: Compiler) => new StaticS3Plugin().apply(compiler)
    // @ts-expect-error An unknown option.
    new StaticS3Plugin({ buckets: 'x' })
    // @ts-expect-error A wrong value.
    new StaticS3Plugin({ onError: 'ignore' })
  `
  const processApp = `
    const url: string = process.env.STATIC_URL + 'logo.png'
    // @ts-expect-error 'any' would be a number too.
    const number: number = process.env.STATIC_URL
    // Nobody who makes an environment for a child process has to think of it.
    const env: NodeJS.ProcessEnv = {}
    export { env, number, url }
  `

  test.each(everyResolution)('webpack and Rspack: %s', async (resolution) => {
    const dir = await projectWith('webpack-rspack')
    const webpack = bundlerConfig(`type { Compiler, Configuration } from 'webpack'`, 'webpack')
    const rspack = bundlerConfig(`type { Compiler, Configuration } from '@rspack/core'`, 'rspack')
    const files = {
      'webpack.config.mts': webpack,
      'webpack.config.cts': webpack,
      'rspack.config.mts': rspack,
      // Rspack has no types for CommonJS.
      'rspack.config.cts': rspack.replace(`'@rspack/core'`, `$& with { 'resolution-mode': 'import' }`),
    }
    await writeFiles(dir, { ...files, 'app.mts': processApp })
    expect(check(dir, Object.keys(files), resolution, ['node'])).toEqual([])
    for (const types of [
      ['node', 'static-s3/client'],
      ['node', 'webpack/module', 'static-s3/client'],
      ['node', '@rspack/core/module', 'static-s3/client'],
    ]) {
      expect(check(dir, ['app.mts'], resolution, types), types.join()).toEqual([])
    }
  })

  test('static-s3/client by a reference', async () => {
    const dir = await projectWith('webpack-rspack')
    await writeFiles(dir, { 'reference.mts': `/// <reference types="static-s3/client" />\n${processApp}` })
    expect(check(dir, ['reference.mts'], 'Bundler', ['node'])).toEqual([])
  })
})

describe('config files in every format', () => {
  const page = {
    'index.html': '<!doctype html><script type="module" src="/src/index.js"></script>',
    'src/index.js': 'console.log(import.meta.env?.STATIC_URL)',
  }
  const viteModule = `import { staticS3 } from 'static-s3/vite'\nexport default { plugins: [staticS3()] }`
  const viteCommon = `const { staticS3 } = require('static-s3/vite')\nmodule.exports = { plugins: [staticS3()] }`
  const viteConfigs = {
    'vite.config.ts': viteModule,
    'vite.config.mts': viteModule,
    'vite.config.js': viteModule,
    'vite.config.mjs': viteModule,
    'vite.config.cjs': viteCommon,
    'vite.config.cts': viteCommon,
  }
  const settings = `mode: 'production', optimization: { minimize: false }`
  const bundlerModule = (name: string) =>
    `import { StaticS3Plugin } from 'static-s3/${name}'\nexport default { ${settings}, plugins: [new StaticS3Plugin()] }`
  const bundlerCommon = (name: string) =>
    `const { StaticS3Plugin } = require('static-s3/${name}')\nmodule.exports = { ${settings}, plugins: [new StaticS3Plugin()] }`
  const clis = { webpack: 'webpack-cli/bin/cli.js', rspack: '@rspack/cli/bin/rspack.js' }

  const environment = () => ({
    PATH: process.env.PATH,
    HOME: project,
    USERPROFILE: project,
    NO_COLOR: '1',
    AWS_EC2_METADATA_DISABLED: 'true',
  })
  const build = (dir: string, cli: string, args: string[], env: Record<string, string> = {}) =>
    run(process.execPath, [join(root, 'node_modules', cli), 'build', ...args], dir, { ...environment(), ...env })

  test.each(viteVersions)('vite.config.*: %s', async (vite) => {
    const dir = await projectWith(vite)
    await writeFiles(dir, { ...page, ...viteConfigs })
    const script = `import { build } from 'vite'
for (const configFile of ${JSON.stringify(Object.keys(viteConfigs))}) {
  console.log('--- ' + configFile)
  await build({ configFile, build: { outDir: 'out/' + configFile } })
}`
    const { code, output } = await run(process.execPath, ['--input-type=module', '-e', script], dir, environment())
    expect(code, output).toBe(0)
    const said = output.split(/^--- /m).slice(1)
    expect(said.map((each) => each.split('\n', 1)[0])).toEqual(Object.keys(viteConfigs))
    for (const each of said) expect(each).toContain('static-s3 is off')
  })

  test.each([
    ['webpack.config.js', bundlerCommon('webpack')],
    ['webpack.config.cjs', bundlerCommon('webpack')],
    ['webpack.config.mjs', bundlerModule('webpack')],
    ['rspack.config.js', bundlerCommon('rspack')],
    ['rspack.config.cjs', bundlerCommon('rspack')],
    ['rspack.config.mjs', bundlerModule('rspack')],
    ['rspack.config.ts', bundlerModule('rspack')],
    ['rspack.config.mts', bundlerModule('rspack')],
    ['rspack.config.cts', bundlerCommon('rspack')],
  ])('%s', async (config, content) => {
    const dir = await projectWith('webpack-rspack')
    await writeFiles(dir, { ...page, [config]: content })
    const cli = clis[config.split('.')[0] as keyof typeof clis]
    const { code, output } = await build(dir, cli, ['--config', config, '--output-path', join(dir, 'out', config)])
    expect(code, output).toBe(0)
    expect(output).toContain('off: USE_S3 is not set')
  })

  test('and with USE_S3 the installed package uploads', async () => {
    const s3 = await startEmbedded()
    try {
      const upload = async (name: string, cli: string, config: Record<string, string>) => {
        const dir = await projectWith(name)
        await writeFiles(dir, { ...page, ...config })
        const bucket = await s3.createBucket()
        const { code, output } = await build(dir, cli, ['--config', ...Object.keys(config)], deployEnv(s3, bucket))
        expect(code, output).toBe(0)
        const { Contents = [] } = await s3
          .client()
          .send(new ListObjectsV2Command({ Bucket: bucket, Prefix: 'static/' }))
        return Contents.map(({ Key = '' }) => Key.replace(/-[\w-]{8}\./, '-HASH.'))
      }
      const vite = await upload('vite', 'vite/bin/vite.js', { 'vite.config.mts': viteModule })
      expect(vite).toEqual(['static/assets/index-HASH.js', 'static/index.html'])
      const webpack = await upload('webpack-rspack', clis.webpack, { 'webpack.config.cjs': bundlerCommon('webpack') })
      expect(webpack).toEqual(['static/main.js'])
    } finally {
      await s3.close()
    }
  })
})

function publicNames(): string[] {
  return Object.keys(manifest.exports)
    .filter((path) => path !== './package.json')
    .map((path) => path.slice(2))
}

/** What a file imports, in whichever way. */
function importsOf(code: string): string[] {
  const found: string[] = []
  const add = (specifier: ts.Node | undefined) => {
    if (specifier && ts.isStringLiteralLike(specifier)) found.push(specifier.text)
  }
  const isImport = (called: ts.Expression): boolean =>
    called.kind === ts.SyntaxKind.ImportKeyword || /^(require\d*|.*createRequire\b.*)$/s.test(called.getText())
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) add(node.moduleSpecifier)
    else if (ts.isCallExpression(node) && isImport(node.expression)) add(node.arguments[0])
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal)
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile('code.ts', code, ts.ScriptTarget.Latest, true))
  return found
}

/** `@scope/name` of `@scope/name/path`. */
function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

/** A project with its own copy of static-s3, in which `vite` is one of the Vite versions that this repository has. */
async function projectWith(name: string): Promise<string> {
  const dir = join(project, name)
  const modules = join(dir, 'node_modules')
  const link = async (from: string, to: string) => {
    await mkdir(dirname(join(modules, to)), { recursive: true })
    await symlink(join(root, 'node_modules', from), join(modules, to), 'junction')
  }
  const exists = await stat(dir).catch(() => undefined)
  if (exists) return dir
  await cp(join(project, 'node_modules/static-s3'), join(modules, 'static-s3'), { recursive: true })
  await writeFiles(dir, { 'package.json': '{ "private": true }' })
  await link('@types/node', '@types/node')
  if (name === 'vitest') await link('vitest', 'vitest')
  if (name === 'webpack-rspack') {
    for (const bundler of ['webpack', '@rspack/core', '@rspack/cli']) await link(bundler, bundler)
  } else await link(name === 'vitest' ? 'vite' : name, 'vite')
  return dir
}

/** The packages of every module that a script loads, ES modules and CommonJS. */
async function loadedBy(type: string, script: string): Promise<string[]> {
  const record = join(project, `loaded-${type}-${performance.now()}`)
  const hooks = `
    import { appendFileSync } from 'node:fs'
    export async function load(url, context, next) {
      appendFileSync(${JSON.stringify(record)}, url + '\\n')
      return next(url, context)
    }`
  const preload = `
    import { appendFileSync } from 'node:fs'
    import { createRequire, register } from 'node:module'
    register(${JSON.stringify(dataUrl(hooks))})
    const { cache } = createRequire(${JSON.stringify(join(project, 'x.js'))})
    process.once('exit', () => appendFileSync(${JSON.stringify(record)}, Object.keys(cache).join('\\n')))`
  const args = ['--import', dataUrl(preload), `--input-type=${type}`, '-e', script]
  const { code, output } = await run(process.execPath, args, project)
  expect(code, output).toBe(0)
  const loaded = (await readFile(record, 'utf8')).replaceAll('\\', '/').split('\n')
  const inside = loaded.flatMap((path) => path.split('/node_modules/').slice(1).at(-1) ?? [])
  return [...new Set(inside.map(packageOf))].sort()
}

function dataUrl(script: string): string {
  return `data:text/javascript,${encodeURIComponent(script)}`
}

async function writeFiles(dir: string, files: Record<string, string>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(dir, path)), { recursive: true })
    await writeFile(join(dir, path), content)
  }
}

async function sizeOf(dir: string): Promise<number> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  const sizes = await pMap(files, async ({ parentPath, name }) => (await stat(join(parentPath, name))).size, {
    concurrency: 192,
  })
  return sizes.reduce((sum, size) => sum + size, 0)
}

/** The npm that runs the tests, else the one on the PATH; without what `npm test` tells its children about its own project. */
async function npm(args: string[], cwd: string) {
  const { npm_execpath } = process.env
  const own = /^(INIT_CWD|npm_(package|lifecycle)_.*|npm_(command|config_local_prefix|config_dry_run))$/i
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !own.test(name)))
  const result = npm_execpath?.endsWith('.js')
    ? await run(process.execPath, [npm_execpath, ...args], cwd, env)
    : await run('npm', args, cwd, env, process.platform === 'win32')
  if (result.code !== 0) throw new Error(`npm ${args.join(' ')} failed\n${result.output}`)
  return result
}

interface Result {
  code: number
  stdout: string
  output: string
}

function run(command: string, args: string[], cwd: string, env = process.env, shell = false): Promise<Result> {
  return new Promise((resolve) => {
    const options = { cwd, env, shell, maxBuffer: 64 * 1024 * 1024 }
    const child = execFile(command, args, options, (error, stdout, stderr) => {
      const code = error ? (typeof error.code === 'number' ? error.code : 1) : 0
      resolve({ code, stdout, output: `${stdout}${stderr}` })
    })
    child.stdin?.end()
  })
}
