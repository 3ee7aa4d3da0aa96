import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Plugin, UserConfig } from 'vite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Output } from '../../src/files/collect.js'
import { watchFingerprints } from '../../src/vite/fingerprints.js'
import { watchWorkerBuilds } from '../../src/vite/workers.js'
import { outputOf } from '../../src/webpack/output.js'

// Real builds decide: a project is built twice, and the second time every file of it has other bytes. A name that the bundler makes
// from the content changes with it. So a path that both builds wrote, with other bytes, must not be taken for fingerprinted (browsers
// would keep the old bytes for a year), and one that changed has to be.

const cache = join(import.meta.dirname, '../../.cache')
let dir: string

beforeAll(async () => {
  await mkdir(cache, { recursive: true })
  dir = await mkdtemp(join(cache, 'fingerprints-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

interface Built {
  /** Paths on disk, and their bytes. */
  files: Map<string, string>
  /** What the bundler itself wrote. */
  emitted: Set<string>
  fingerprinted: Set<string>
}

type Files = Record<string, string>

const svg = (text: string) => `<svg xmlns="http://www.w3.org/2000/svg"><text>${text}</text></svg>`

async function write(root: string, files: Files): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    const file = join(root, path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, content)
  }
}

async function readTree(root: string): Promise<Map<string, string>> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return new Map(
    await Promise.all(
      files.map(
        async (file) => [file.slice(root.length + 1).replaceAll('\\', '/'), await readFile(file, 'latin1')] as const,
      ),
    ),
  )
}

/** Builds twice, with other content, and compares. */
async function judge(build: (content: string, root: string) => Promise<Built>) {
  const root = await mkdtemp(join(dir, 'site-'))
  const [first, second] = [await build('first', join(root, '1')), await build('second', join(root, '2'))]
  expect(first.emitted.size).toBeGreaterThan(3)
  const both = [...first.files.keys()].filter((path) => second.files.has(path))
  const judged = {
    /** Stand in both builds, with other bytes, and are taken for fingerprinted. */
    falsePositives: both.filter(
      (path) =>
        first.files.get(path) !== second.files.get(path) &&
        (first.fingerprinted.has(path) || second.fingerprinted.has(path)),
    ),
    /** Have another name in the other build, and are not taken for fingerprinted. Source maps are never. */
    falseNegatives: [...first.emitted].filter(
      (path) => !second.files.has(path) && !first.fingerprinted.has(path) && !path.endsWith('.map'),
    ),
    /** Are taken for what is not there. */
    missing: [...first.emitted, ...first.fingerprinted].filter((path) => !first.files.has(path)),
    fingerprinted: [...first.fingerprinted].sort(),
    all: [...first.files.keys()].sort(),
  }
  return judged
}

const right = { falsePositives: [], falseNegatives: [], missing: [] }

/** Names that look as if a hash were in them, and have none. */
const publicFiles = (content: string): Files => ({
  'public/favicon.svg': svg(content),
  'public/app-BxYz1234.js': `// ${content}`,
  'public/assets/logo-BxYz1234.svg': svg(content),
  'public/0a1b2c3d4e5f60718293a4b5c6d7e8f9.txt': content,
  'public/bundle.0a1b2c3d.js': `// ${content}`,
})

describe.each([
  ['vite5', () => import('vite5')],
  ['vite6', () => import('vite6')],
  ['vite7', () => import('vite7')],
  ['vite', () => import('vite')],
] as const)('%s', (name, load) => {
  const odd = 'ünï cödé (1) [x] & a+b'
  // As in templates, and in what they are filled with. What Rollup makes of the second looks like a hash.
  const template = '$& [name]-[hash].[ext]'
  const bracketed = 'bracketed[hash]'

  const sources = (content: string): Files => ({
    ...publicFiles(content),
    'index.html':
      '<!doctype html><link rel="icon" href="/favicon.svg"><script type="module" src="/src/main.js"></script>',
    'about.html': '<!doctype html><script type="module" src="/src/sw.js"></script>',
    'src/main.js': [
      "import './style.css'",
      "import logo from './logo.svg'",
      `import odd from './${odd}.svg'`,
      `import template from './${template}.svg'`,
      `import bracketed from './${bracketed}.svg'`,
      "import wasm from './code.wasm?url'",
      "import text from './some.data.txt?url'",
      `console.log(${JSON.stringify(content)}, logo, odd, template, bracketed, wasm, text)`,
      "import('./lazy.js')",
      "new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })",
    ].join('\n'),
    'src/lazy.js': `import './lazy.css'\nexport default ${JSON.stringify(`lazy ${content}`)}`,
    'src/sw.js': `console.log('swahili', ${JSON.stringify(content)})`,
    'src/worker.js': `postMessage(${JSON.stringify(content)}); import('./part.js')`,
    'src/part.js': `export default ${JSON.stringify(`part ${content}`)}`,
    'src/fixed.js': `console.log('fixed', ${JSON.stringify(content)})`,
    'src/style.css': `body::after { content: '${content}'; background: url(./bg.svg) }`,
    'src/lazy.css': `p::after { content: 'lazy ${content}' }`,
    'src/bg.svg': svg(`bg ${content}`),
    'src/logo.svg': svg(content),
    [`src/${odd}.svg`]: svg(`odd ${content}`),
    [`src/${template}.svg`]: svg(`template ${content}`),
    [`src/${bracketed}.svg`]: svg(`bracketed ${content}`),
    'src/code.wasm': `\0asm\u0001\0\0\0${content}`,
    'src/some.data.txt': content,
  })

  /** What plugins emit: under names of their own, some of which look like the bundler's, and under names of the bundler's. */
  const emitter = (content: string): Plugin => ({
    name: 'emitter',
    buildStart() {
      this.emitFile({ type: 'asset', fileName: 'sw.js', source: `// ${content}` })
      this.emitFile({ type: 'asset', fileName: 'assets/fixed-BxYz1234.txt', source: content })
      this.emitFile({ type: 'asset', name: 'emitted.json', source: `{"content":"${content}"}` })
      this.emitFile({ type: 'chunk', id: '/src/fixed.js', fileName: 'assets/fixed-chunk-BxYz1234.js' })
    },
    generateBundle() {
      this.emitFile({ type: 'asset', fileName: 'late-BxYz1234.json', source: `{"late":"${content}"}` })
    },
  })

  async function build(content: string, root: string, config: UserConfig, plugin = emitter(content)): Promise<Built> {
    const vite = (await load()) as unknown as typeof import('vite')
    await write(root, sources(content))
    const emitted = new Set<string>()
    const fingerprinted = new Set<string>()
    const workers = watchWorkerBuilds()
    const fingerprints = watchFingerprints()
    const observer: Plugin = {
      name: 'observer',
      enforce: 'post',
      outputOptions: fingerprints.outputOptions,
      writeBundle: {
        order: 'post',
        handler(_options, bundle) {
          for (const path of Object.keys(bundle)) emitted.add(path)
          for (const path of [...fingerprints.of(bundle), ...workers.fingerprinted]) fingerprinted.add(path)
        },
      },
    }
    await vite.build({
      root,
      configFile: false,
      envDir: root,
      logLevel: 'silent',
      ...config,
      plugins: [plugin, ...((config.plugins as Plugin[] | undefined) ?? []), observer],
      worker: { format: 'es', ...config.worker, plugins: workers.plugins },
      build: {
        sourcemap: true,
        assetsInlineLimit: 0,
        ...config.build,
        rollupOptions: { input: [join(root, 'index.html'), join(root, 'about.html')], ...config.build?.rollupOptions },
      },
    })
    return { files: await readTree(join(root, config.build?.outDir ?? 'dist')), emitted, fingerprinted }
  }

  const output = (options: Record<string, unknown>): UserConfig => ({ build: { rollupOptions: { output: options } } })
  const noHash = {
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name].js',
    assetFileNames: 'assets/[name][extname]',
  }

  const namings: [what: string, config: UserConfig, atLeast: number][] = [
    ["the bundler's own names", {}, 12],
    ['no hash anywhere', { ...output(noHash), worker: { rollupOptions: { output: noHash } } }, 0],
    [
      'nothing but the hash',
      output({ entryFileNames: '[hash].js', chunkFileNames: 'c/[hash].js', assetFileNames: 'a/[hash][extname]' }),
      12,
    ],
    ['a hash for chunks only', output({ assetFileNames: 'assets/[name][extname]' }), 4],
    ['a hash for assets only', output({ entryFileNames: '[name].js', chunkFileNames: '[name].js' }), 7],
    [
      'a dot, and the ending as a folder',
      output({ entryFileNames: '[name].[hash].js', assetFileNames: '[ext]/[name].[hash].[ext]' }),
      12,
    ],
    [
      'a hash for a folder',
      output({ entryFileNames: '[hash]/[name].js', assetFileNames: 'a/[hash]/[name][extname]' }),
      12,
    ],
    ['a long hash', output({ entryFileNames: '[name]-[hash:20].js', assetFileNames: '[name]-[hash:20][extname]' }), 12],
    ['a hash in hex', output({ hashCharacters: 'hex' }), 12],
    [
      'a function that hashes pictures only',
      output({
        assetFileNames: ({ names, name }: { names?: string[]; name?: string }) =>
          /\.svg$/.test(names?.[0] ?? name ?? '') ? 'img/[name]-[hash][extname]' : 'assets/[name][extname]',
      }),
      7,
    ],
    ['one CSS file', { build: { cssCodeSplit: false } }, 11],
    ['classic workers', { worker: { format: 'iife' } }, 11],
    ['a manifest', { build: { manifest: true, ssrManifest: true } }, 12],
    ['an assetsDir', { build: { assetsDir: 'a/b' } }, 12],
  ]
  // Vite 5 to 7 name files with Rollup, Vite 8 with Rolldown: the ones in between have a turn at what Vite does itself.
  const inBetween = ["the bundler's own names", 'a function that hashes pictures only', 'classic workers', 'a manifest']
  const all = name === 'vite5' || name === 'vite'
  it.each(namings.filter(([what]) => all || inBetween.includes(what)))('%s', async (what, config, atLeast) => {
    // A classic worker can't be split.
    const single = what === 'classic workers'
    const judged = await judge(async (content, root) => {
      await write(root, single ? { 'src/part.js': '' } : {})
      return build(content, root, config, single ? { ...emitter(content), transform: unsplit } : emitter(content))
    })
    expect(judged).toMatchObject(right)
    expect(judged.fingerprinted.length, judged.fingerprinted.join('\n')).toBeGreaterThanOrEqual(atLeast)
    if (atLeast === 0) expect(judged.fingerprinted).toEqual([])
    expect(judged.all).toEqual(expect.arrayContaining(['index.html', 'sw.js', 'app-BxYz1234.js', 'late-BxYz1234.json']))
  })

  function unsplit(code: string, id: string) {
    return id.endsWith('worker.js') ? code.replace("import('./part.js')", '') : undefined
  }

  // Names that a plugin chose to look like the bundler's, beside one that the bundler's own go by.
  it('a file name of a plugin that fits the template is no fingerprint', async () => {
    const judged = await judge((content, root) =>
      build(
        content,
        root,
        {},
        {
          name: 'emitter',
          buildStart() {
            this.emitFile({
              type: 'asset',
              name: 'logo.svg',
              fileName: 'assets/logo-original.svg',
              source: svg(`original ${content}`),
            })
          },
        },
      ),
    )
    expect(judged.all).toContain('assets/logo-original.svg')
    expect(judged).toMatchObject(right)
  })

  it('an asset with a folder in its name', async () => {
    const judged = await judge((content, root) =>
      build(
        content,
        root,
        {},
        {
          name: 'emitter',
          buildStart() {
            this.emitFile({ type: 'asset', name: 'deep/er/picture.svg', source: svg(`deep ${content}`) })
          },
        },
      ),
    )
    expect(judged.all.join()).toContain('picture')
    expect(judged).toMatchObject(right)
  })

  it('an asset without a name may be missed, and is no false positive', async () => {
    const judged = await judge((content, root) =>
      build(
        content,
        root,
        {},
        {
          name: 'emitter',
          buildStart() {
            this.emitFile({ type: 'asset', source: `nameless ${content}` })
          },
        },
      ),
    )
    expect(judged.all.join()).toContain('assets/asset-')
    expect(judged.falsePositives).toEqual([])
    expect(judged.missing).toEqual([])
  })

  it('a library, whose names have no hash', async () => {
    const judged = await judge(async (content, root) => {
      const built = await build(content, root, {
        build: {
          lib: { entry: join(root, 'src/lazy.js'), formats: ['es', 'cjs'], fileName: 'my-library' },
          rollupOptions: { input: undefined },
        },
      })
      return built
    })
    expect(judged.all).toEqual(expect.arrayContaining(['my-library.js']))
    expect(judged).toMatchObject(right)
  })

  if (name === 'vite') {
    it('what @vitejs/plugin-legacy makes', async () => {
      const { default: legacy } = await import('@vitejs/plugin-legacy')
      const judged = await judge((content, root) =>
        build(content, root, {
          plugins: [legacy({ targets: ['ie 11'], renderModernChunks: true }) as unknown as Plugin],
        }),
      )
      expect(judged.fingerprinted.filter((path) => path.includes('legacy')).length).toBeGreaterThanOrEqual(3)
      expect(judged).toMatchObject(right)
    })
  }
})

describe.each(['webpack', 'rspack'] as const)('%s', (name) => {
  const require = createRequire(import.meta.url)
  const odd = 'ünï cödé (1) & a+b 100%'

  const sources = (content: string): Files => ({
    ...publicFiles(content),
    'src/main.js': [
      "import './style.css'",
      "import logo from './logo.svg'",
      `import odd from './${odd}.svg'`,
      `console.log(${JSON.stringify(content)}, logo, odd)`,
      "import('./lazy.js')",
      "new Worker(new URL('./worker.js', import.meta.url))",
    ].join('\n'),
    'src/lazy.js': `import './lazy.css'\nexport default ${JSON.stringify(`lazy ${content}`)}`,
    'src/second.js': `console.log('second', ${JSON.stringify(content)})`,
    'src/worker.js': `postMessage(${JSON.stringify(content)})`,
    'src/style.css': `body::after { content: '${content}'; background: url(./bg.svg) }`,
    'src/lazy.css': `p::after { content: 'lazy ${content}' }`,
    'src/bg.svg': svg(`bg ${content}`),
    'src/logo.svg': svg(content),
    [`src/${odd}.svg`]: svg(`odd ${content}`),
  })

  interface Names {
    js: string
    css: string
    asset: string
    copied?: string
  }

  // biome-ignore lint/suspicious/noExplicitAny: two bundlers, whose types differ and whose configurations don't
  function bundler(): any {
    if (name === 'webpack') {
      const MiniCssExtract = require('mini-css-extract-plugin')
      return {
        run: require('webpack'),
        Css: MiniCssExtract,
        loader: MiniCssExtract.loader,
        Copy: require('copy-webpack-plugin'),
        Html: require('html-webpack-plugin'),
      }
    }
    const { rspack } = require('@rspack/core')
    return {
      run: rspack,
      Css: rspack.CssExtractRspackPlugin,
      loader: rspack.CssExtractRspackPlugin.loader,
      Copy: rspack.CopyRspackPlugin,
      Html: rspack.HtmlRspackPlugin,
    }
  }

  /** @param minify off for webpack: its minifier takes half of the time, and minified files get their names in the same way */
  async function build(content: string, root: string, names: Names, minify = name === 'rspack'): Promise<Built> {
    const { run, Css, loader, Copy, Html } = bundler()
    await write(root, sources(content))
    const compiler = run({
      mode: 'production',
      context: root,
      devtool: 'source-map',
      optimization: { minimize: minify },
      entry: { main: './src/main.js', 'ünï +1 (x)': './src/second.js' },
      output: {
        path: join(root, 'dist'),
        filename: names.js,
        chunkFilename: `chunks/${names.js}`,
        assetModuleFilename: names.asset,
      },
      module: {
        rules: [
          { test: /\.css$/, use: [loader, require.resolve('css-loader')], type: 'javascript/auto' },
          { test: /\.svg$/, type: 'asset/resource' },
        ],
      },
      plugins: [
        new Css({ filename: names.css, chunkFilename: `chunks/${names.css}` }),
        new Html({ filename: 'index.html' }),
        new Copy({
          patterns: [{ from: 'public' }, { from: 'src/logo.svg', to: names.copied ?? 'copied/[name].0a1b2c3d[ext]' }],
        }),
        {
          // biome-ignore lint/suspicious/noExplicitAny: as above
          apply(each: any) {
            each.hooks.thisCompilation.tap('emitter', (compilation: typeof each) => {
              const { RawSource } = each.webpack.sources
              const stage = each.webpack.Compilation.PROCESS_ASSETS_STAGE_ADDITIONAL
              compilation.hooks.processAssets.tap({ name: 'emitter', stage }, () => {
                compilation.emitAsset('sw.js', new RawSource(`// ${content}`))
                compilation.emitAsset('/robots.txt', new RawSource(content))
                compilation.emitAsset('emitted.0a1b2c3d.txt', new RawSource(content))
              })
            })
          },
        },
      ],
    })
    const { emitted, fingerprinted } = await new Promise<Output>((done, fail) => {
      // biome-ignore lint/suspicious/noExplicitAny: as above
      compiler.run((error: Error | null, stats: any) => {
        if (error) return fail(error)
        if (stats.hasErrors()) return fail(new Error(stats.toString('errors-only')))
        const output = outputOf(compiler, stats.compilation)
        compiler.close(() => done(output))
      })
    })
    return {
      files: await readTree(join(root, 'dist')),
      emitted: new Set(emitted),
      fingerprinted: new Set(fingerprinted),
    }
  }

  it.each<[what: string, names: Names, atLeast: number]>([
    [
      'contenthash',
      { js: '[name].[contenthash].js', css: '[name].[contenthash].css', asset: 'img/[name].[contenthash][ext]' },
      9,
    ],
    [
      'a short contenthash',
      {
        js: '[name].[contenthash:8].js',
        css: '[name].[contenthash:8].css',
        asset: '[name].[contenthash:8][ext][query]',
      },
      9,
    ],
    ['nothing but the hash', { js: '[contenthash].js', css: '[contenthash].css', asset: '[contenthash][ext]' }, 9],
    ["the bundler's own names", { js: '[name].js', css: '[name].css', asset: '[hash][ext][query]' }, 3],
    ['no hash anywhere', { js: '[name].js', css: '[name].css', asset: 'img/[name][ext]' }, 0],
    [
      'a hash in the query',
      { js: '[name].js?v=[contenthash]', css: '[name].css?[contenthash]', asset: '[name][ext]?[contenthash]' },
      0,
    ],
    [
      'a hash in the path and in the query',
      { js: '[name].[contenthash:8].js?v=[contenthash]', css: '[name].css', asset: '[name][ext]' },
      4,
    ],
    ['chunkhash', { js: '[name].[chunkhash].js', css: '[name].[chunkhash:10].css', asset: '[name][ext]' }, 6],
    [
      'fullhash',
      {
        js: '[name].[fullhash:8].js',
        css: '[name].[fullhash].css',
        asset: '[name].[hash:8][ext]',
        copied: 'copied/[name].[fullhash][ext]',
      },
      9,
    ],
    ['the old [hash]', { js: '[name].[hash:8].js', css: '[name].[hash:8].css', asset: '[name].[hash:8][ext]' }, 9],
    [
      'a hash for a folder',
      { js: '[contenthash]/[name].js', css: '[contenthash:6]/[name].css', asset: 'a/[contenthash]/[name][ext]' },
      9,
    ],
    ['a hash for scripts only', { js: './[name].[contenthash].js', css: '[name].css', asset: 'img/[name][ext]' }, 4],
  ])('%s', async (what, names, atLeast) => {
    const judged = await judge((content, root) => build(content, root, names, what === 'contenthash' || undefined))
    // The hash of the whole build says nothing of one copied file.
    const isCopied = (path: string) => path.startsWith('copied/')
    expect(judged.fingerprinted.filter(isCopied)).toEqual([])
    expect({ ...judged, falseNegatives: judged.falseNegatives.filter((path) => !isCopied(path)) }).toMatchObject(right)
    expect(judged.fingerprinted.length, judged.fingerprinted.join('\n')).toBeGreaterThanOrEqual(atLeast)
    if (atLeast === 0) expect(judged.fingerprinted).toEqual([])
    expect(judged.all).toEqual(
      expect.arrayContaining(['index.html', 'sw.js', 'robots.txt', 'app-BxYz1234.js', 'emitted.0a1b2c3d.txt']),
    )
  })

  // Rspack doesn't say of a copied file that it is immutable: it is revalidated, which is never wrong.
  it(`a copied file with a hash ${name === 'webpack' ? 'is' : 'is not'} fingerprinted`, async () => {
    const names = {
      js: '[name].js',
      css: '[name].css',
      asset: '[name][ext]',
      copied: 'copied/[name].[contenthash][ext]',
    }
    const judged = await judge((content, root) => build(content, root, names))
    const copied = judged.all.filter((path) => path.startsWith('copied/'))
    expect(copied).toHaveLength(1)
    expect(judged.fingerprinted).toEqual(name === 'webpack' ? copied : [])
    expect(judged.falsePositives).toEqual([])
  })
})

it('a build of the same content makes the same names, so that the comparison means something', async () => {
  const vite = await import('vite')
  const names: string[][] = []
  for (const copy of ['same-1', 'same-2']) {
    const root = join(dir, copy)
    await write(join(dir, 'same'), {
      'index.html': '<script type="module" src="/main.js"></script>',
      'main.js': 'console.log(1)',
    })
    await cp(join(dir, 'same'), root, { recursive: true })
    await vite.build({ root, configFile: false, logLevel: 'silent' })
    names.push([...(await readTree(join(root, 'dist'))).keys()].sort())
  }
  expect(names[0]).toEqual(names[1])
})
