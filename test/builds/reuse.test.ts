import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { InlineConfig, Plugin } from 'vite'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import type { Compiler, Configuration } from 'webpack'
import {
  bundlerConfig,
  bundlers,
  closed,
  deployTarget,
  makeApp,
  runOnce,
  viteBuild,
  viteWatchOnce,
  watchOnce,
  writeFiles,
} from '../../fixtures/build/in-process.js'
import { readTree } from '../../fixtures/build/index.js'
import { operations, readsAlone, uploadedPaths, writes } from '../../fixtures/build/site.js'
import type { Options } from '../../src/settings/options.js'
import { staticS3 } from '../../src/vite.js'
import { StaticS3Plugin } from '../../src/webpack.js'

// One plugin object, one compiler or one cache that serves several builds: what was true for the build before isn't for this one.

const target = deployTarget()

const png = Buffer.alloc(6000, 7)
const viteApp = {
  'index.html': '<!doctype html><link rel="icon" href="/icon.svg"><script type="module" src="/src/main.js"></script>',
  'src/main.js': `import './style.css'
import photo from './photo.png'
document.title = photo
import('./lazy.js')`,
  'src/lazy.js': `import './lazy.css'
document.body.append('lazy')`,
  'src/style.css': 'body { background: url("./photo.png") }',
  'src/lazy.css': 'p { color: red }',
  'src/photo.png': png,
  'public/icon.svg': '<svg xmlns="http://www.w3.org/2000/svg"/>',
}
const bundledApp = {
  'src/index.js': `import './style.css'
import photo from './photo.png'
document.title = photo + process.env.STATIC_URL
import('./lazy.js')`,
  'src/lazy.js': `document.body.append('lazy')`,
  'src/style.css': 'body { background: url("./photo.png") }',
  'src/photo.png': png,
}

/** The keys of one bucket, without the location. */
const uploaded = () => uploadedPaths(target.s3, target.bucket)

async function output(dir: string, folder = 'dist'): Promise<Record<string, string>> {
  return Object.fromEntries([...(await readTree(join(dir, folder)))].map(([path, bytes]) => [path, bytes.toString()]))
}

const mentions = (files: Record<string, string>, text: string) =>
  Object.keys(files).filter((path) => files[path]?.includes(text))

const withoutHash = (path: string) => path.replace(/\..*\./, '.')

const bundled = (dir: string) => readTree(join(dir, 'dist')).then((files) => [...files.keys()])

describe.each(['vite5', 'vite6', 'vite7', 'vite'] as const)('one plugin object: %s', (version) => {
  let dir: string
  let plugin: Plugin
  const build = (config: InlineConfig = {}) =>
    viteBuild(version, dir, { ...config, plugins: [config.plugins ?? [], plugin] })

  beforeEach(async () => {
    dir = await makeApp(viteApp)
    plugin = staticS3()
  })

  test('a build that is off after one that was on is as without the plugin; a watch build after it uploads nothing', async () => {
    await build()
    expect(uploaded()).toEqual(await bundled(dir))
    expect(mentions(await output(dir), target.publicUrl)).toContain('index.html')

    target.s3.server.reset()
    vi.stubEnv('USE_S3', '0')
    await build()
    await viteBuild(version, dir, { build: { outDir: 'without' } })
    expect(await output(dir)).toEqual(await output(dir, 'without'))

    vi.stubEnv('USE_S3', '1')
    await viteWatchOnce(version, dir, { plugins: [plugin] })
    expect(await output(dir)).toEqual(await output(dir, 'without'))
    expect(target.s3.server.requests).toEqual([])

    await build({ build: { outDir: 'again' } })
    expect(operations(target.s3)).toEqual(readsAlone)
  })

  const broken: [why: string, plugins: Plugin[], files: Record<string, string>][] = [
    ['a missing import', [], { 'src/lazy.js': `import './not-there.js'` }],
    ...(
      [
        'options',
        'buildStart',
        'transform',
        'renderStart',
        'renderChunk',
        'generateBundle',
        'writeBundle',
        'closeBundle',
      ] as const
    ).map((hook): [string, Plugin[], Record<string, string>] => {
      const thrower = () => {
        throw new Error(`broken in ${hook}`)
      }
      return [`an error in ${hook}`, [{ name: 'broken', [hook]: thrower }], {}]
    }),
  ]
  test.each(broken)(
    'a build that failed by %s uploads nothing, and the one after it everything',
    async (_why, plugins, files) => {
      await writeFiles(dir, files)
      await expect(build({ plugins })).rejects.toThrow(/not-there|broken in/)
      expect(writes(target.s3)).toEqual([])
      await writeFiles(dir, viteApp)
      await build()
      expect(uploaded()).toEqual(await bundled(dir))
    },
  )
})

test.each(['vite6', 'vite7', 'vite'] as const)(
  'two builds at once with one plugin object: an error says so, and none ends well without its files in the bucket: %s',
  async (version) => {
    const dirs = await Promise.all([makeApp(viteApp), makeApp({ ...viteApp, 'public/other.txt': 'other' })])
    const plugin = staticS3()
    const results = await Promise.allSettled(dirs.map((dir) => viteBuild(version, dir, { plugins: [plugin] })))
    const failures = results.flatMap((result) => (result.status === 'rejected' ? [String(result.reason.message)] : []))
    expect(failures.join()).toMatch(/one plugin object serves two builds at once; call staticS3\(\) for each/)
    for (const [i, { status }] of results.entries()) {
      if (status === 'fulfilled') expect(uploaded()).toEqual(await bundled(dirs[i] as string))
    }
    await viteBuild(version, dirs[1] as string, { plugins: [plugin] })
    expect(uploaded()).toContain('other.txt')
  },
)

describe.each(bundlers)('one compiler: %s', (name, bundler) => {
  const compilerOf = (dir: string, { output, ...config }: Configuration = {}) => {
    const plugins = [new StaticS3Plugin()]
    return bundler.create(bundlerConfig(bundler, dir, { ...config, output: { clean: true, ...output }, plugins }))
  }
  const variants: [what: string, config: Configuration][] = [
    ['', {}],
    [' without real content hashes', { optimization: { minimize: false, realContentHash: false } }],
    [' with a cache in memory', { cache: true }],
    [' with a publicPath of its own', { output: { publicPath: '/app/' } }],
  ]

  test.each(variants)('run twice, it makes the same files, and uploads them once%s', async (_what, config) => {
    const dir = await makeApp(bundledApp)
    const compiler = compilerOf(dir, config)
    await runOnce(compiler)
    const first = await output(dir)
    expect(uploaded()).toEqual(Object.keys(first))
    expect(mentions(first, target.publicUrl).map(withoutHash).sort()).toEqual(['main.css', 'main.js'])
    target.s3.server.reset()
    await runOnce(compiler)
    expect(await output(dir)).toEqual(first)
    expect(operations(target.s3)).toEqual(readsAlone)
    await closed(compiler)
  })

  test.each(name === 'webpack' ? variants : [])(
    'switched off, on again, and watched at last%s',
    async (_what, config) => {
      const dir = await makeApp(bundledApp)
      const compiler = compilerOf(dir, config)
      await runOnce(compiler)
      const on = await output(dir)

      vi.stubEnv('USE_S3', '0')
      target.s3.server.reset()
      await runOnce(compiler)
      const off = await output(dir)
      expect(mentions(off, target.s3.endpoint)).toEqual([])
      const fresh = compilerOf(dir, config)
      await runOnce(fresh)
      await closed(fresh)
      expect(off).toEqual(await output(dir))
      expect(target.s3.server.requests).toEqual([])

      vi.stubEnv('USE_S3', '1')
      await runOnce(compiler)
      expect(await output(dir)).toEqual(on)
      expect(operations(target.s3)).toEqual(readsAlone)

      target.s3.server.reset()
      await watchOnce(compiler)
      expect(target.s3.server.requests).toEqual([])
      expect(mentions(await output(dir), target.s3.endpoint)).toEqual([])
      await closed(compiler)
    },
  )

  // Its native half takes the options once: half of the files would have the URLs of the first run.
  test.each(name === 'Rspack' ? ['refused'] : [])(
    'that is switched on or off between two runs, or watched after one, is %s',
    async () => {
      const dir = await makeApp(bundledApp)
      for (const [before, after] of [
        ['1', '0'],
        ['0', '1'],
      ] as const) {
        const compiler = compilerOf(dir)
        vi.stubEnv('USE_S3', before)
        await runOnce(compiler)
        target.s3.server.reset()
        vi.stubEnv('USE_S3', after)
        await expect(runOnce(compiler)).rejects.toThrow(/new compiler/)
        if (before === '1') await expect(watchOnce(compiler)).rejects.toThrow(/new compiler/)
        expect(target.s3.server.requests).toEqual([])
        await closed(compiler)
      }
    },
  )
})

/** Keeps a URL in the bundler's cache, as favicons-webpack-plugin does. */
class CachingPlugin {
  apply(compiler: Compiler): void {
    const { RawSource } = compiler.webpack.sources
    compiler.hooks.thisCompilation.tap('CachingPlugin', (compilation) => {
      compilation.hooks.processAssets.tapPromise('CachingPlugin', async () => {
        const cache = compilation.getCache('CachingPlugin')
        const url = await cache.providePromise('url', null, async () => String(compilation.outputOptions.publicPath))
        compilation.emitAsset('url.txt', new RawSource(url))
      })
    })
  }
}

describe.each(bundlers)('one persistent cache: %s', (name, bundler) => {
  const build = async (dir: string, options?: Options) => {
    const type = name === 'webpack' ? 'filesystem' : 'persistent'
    const directory = join(dir, 'cache')
    const cache =
      name === 'webpack' ? { type, cacheDirectory: directory } : { type, storage: { type: 'filesystem', directory } }
    const compiler = bundler.create(
      bundlerConfig(bundler, dir, {
        output: { clean: true },
        cache: cache as Configuration['cache'],
        plugins: [new StaticS3Plugin(options), new CachingPlugin()],
      }),
    )
    await runOnce(compiler)
    await closed(compiler)
    return output(dir)
  }
  const cssOf = (files: Record<string, string>) =>
    Object.entries(files)
      .flatMap(([path, text]) => (path.endsWith('.css') ? [text] : []))
      .join()

  test('each public URL has its own CSS and values that plugins keep, and none is left when the plugin is off', async () => {
    const dir = await makeApp(bundledApp)
    for (const domain of ['a.example', 'b.example']) {
      vi.stubEnv('AWS_S3_CUSTOM_DOMAIN', domain)
      const files = await build(dir)
      expect(cssOf(files)).toMatch(`https://${domain}/static/photo.`)
      expect(mentions(files, `https://${domain}/`).length).toBe(3)
      expect(mentions(files, domain === 'a.example' ? 'b.example' : 'a.example')).toEqual([])
      expect(uploaded()).toEqual(expect.arrayContaining(Object.keys(files)))
    }
    vi.stubEnv('USE_S3', '0')
    const off = await build(dir)
    expect(mentions(off, '.example')).toEqual([])
    await rm(join(dir, 'cache'), { recursive: true })
    expect(await build(dir)).toEqual(off)
  })

  test('enabled may be a function of another variable', async () => {
    const dir = await makeApp(bundledApp)
    const options: Options = { enabled: ({ DEPLOY_TO }) => DEPLOY_TO === 'production' }
    for (const place of ['production', 'staging', 'production']) {
      vi.stubEnv('DEPLOY_TO', place)
      const files = await build(dir, options)
      expect(mentions(files, target.publicUrl).length, place).toBe(place === 'production' ? 3 : 0)
    }
  })
})
