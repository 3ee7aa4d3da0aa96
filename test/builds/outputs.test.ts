import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Plugin } from 'vite'
import { describe, expect, test, vi } from 'vitest'
import type { Compiler, Configuration } from 'webpack'
import { deployEnv } from '../../fixtures/build/environment.js'
import {
  bundlerConfig,
  bundlers,
  closed,
  deployTarget,
  makeApp,
  runOnce,
  viteBuild,
} from '../../fixtures/build/in-process.js'
import { buildVite, readTree } from '../../fixtures/build/index.js'
import { siteObjects, sitePuts, uploadedPaths, writes } from '../../fixtures/build/site.js'
import { staticS3 } from '../../src/vite.js'
import { StaticS3Plugin } from '../../src/webpack.js'

// Which files of an output folder are the build's, and under which names, where the configuration is an unusual one.

const target = deployTarget()

const app = {
  'index.html': '<!doctype html><script type="module" src="/src/index.js"></script>',
  'src/index.js': `import './style.css'
import photo from './photo.png'
document.title = photo`,
  'src/style.css': 'body { background: url("./photo.png") }',
  'src/photo.png': Buffer.alloc(6000, 7),
}

const uploaded = () => uploadedPaths(target.s3, target.bucket)
const tree = (dir: string) => readTree(join(dir, 'dist'))
const cachedForAYear = () =>
  sitePuts(target.s3).flatMap(({ key, headers }) =>
    headers['cache-control']?.includes('immutable') ? [key.replace('static/', '')] : [],
  )

describe.each(bundlers)('output.path: %s', (_name, bundler) => {
  const build = async (dir: string, path: string, plugins: Configuration['plugins'] = []) => {
    const config = { output: { path: `${dir}/${path}` }, plugins: [...plugins, new StaticS3Plugin()] }
    const compiler = bundler.create(bundlerConfig(bundler, dir, config))
    await runOnce(compiler).finally(() => closed(compiler))
  }

  test.each(['dist', 'dist/', './dist/', 'src/../dist'])(
    '%s, not cleaned: what an earlier build left stays home',
    async (path) => {
      const dir = await makeApp({ ...app, 'dist/main.0123456789abcdef.js': 'old', 'dist/old/page.html': 'old' })
      const late = {
        apply: (compiler: Compiler) =>
          compiler.hooks.done.tapPromise('late', () => writeFile(join(dir, 'dist/late.txt'), 'late')),
      }
      await build(dir, path, [late])
      const files = [...(await tree(dir)).keys()]
      expect(files).toEqual(expect.arrayContaining(['late.txt', 'main.0123456789abcdef.js', 'old/page.html']))
      expect(uploaded()).toEqual(files.filter((each) => !['main.0123456789abcdef.js', 'old/page.html'].includes(each)))
      // The same once more: nothing is left over now but what was before.
      target.s3.server.reset()
      await build(dir, path, [late])
      expect(writes(target.s3)).toEqual([])
    },
  )

  test.each(['dist/[fullhash]', 'dist/[fullhash:8]/'])('%s: a template', async (path) => {
    const dir = await makeApp(app)
    await build(dir, path)
    const files = await tree(dir)
    const [folder] = [...files.keys()].map((each) => each.split('/')[0])
    expect(folder).toMatch(/^[0-9a-f]{8,}$/)
    expect(files.size).toBe(3)
    expect(uploaded()).toEqual([...files.keys()].map((each) => each.replace(`${folder}/`, '')))
    expect(cachedForAYear().length).toBe(3)
  })

  test('a page is the application’s when the bundler emits it, and bundle statistics when a tool writes it', async () => {
    const late = (name: string) => ({
      apply: (compiler: Compiler) =>
        compiler.hooks.done.tapPromise('late', () => writeFile(join(dir, 'dist', name), 'statistics')),
    })
    const dir = await makeApp(app)
    await build(dir, 'dist', [new bundler.html({ filename: 'report.html' }), late('stats.html')])
    expect(uploaded()).toContain('report.html')
    expect(uploaded()).not.toContain('stats.html')
  })
})

describe.each(['vite5', 'vite'] as const)('%s', (version) => {
  const byKind = ({ names, name = '' }: { names?: string[]; name?: string }) => {
    const asset = names?.[0] ?? name
    if (asset.endsWith('.css')) return 'css/[name].[hash][extname]'
    return asset.endsWith('.png') ? 'img/[hash:12]-[name][extname]' : 'fixed/[name][extname]'
  }

  test('assetFileNames as a function: what it gives a hash is cached for a year, and off it is as without the plugin', async () => {
    const dir = await makeApp({
      ...app,
      'src/data.bin': Buffer.alloc(6000, 1),
      'src/index.js': `${app['src/index.js']}
import data from './data.bin?url'
document.body.append(data)`,
    })
    const build = (plugins: Plugin[], outDir: string) =>
      viteBuild(version, dir, { plugins, build: { outDir, rollupOptions: { output: { assetFileNames: byKind } } } })
    await build([staticS3()], 'dist')
    const files = [...(await tree(dir)).keys()]
    expect(uploaded()).toEqual(files)
    expect(files).toContain('fixed/data.bin')
    expect(cachedForAYear().sort()).toEqual(files.filter((path) => /^(assets|css|img)\//.test(path)))
    expect(cachedForAYear().length).toBe(3)
    const css = [...(await tree(dir))].find(([path]) => path.endsWith('.css'))?.[1].toString()
    expect(css).toMatch(new RegExp(`url\\(${target.publicUrl}img/[\\w-]{12}-photo\\.png\\)`))

    vi.stubEnv('USE_S3', '0')
    await build([staticS3()], 'off')
    await build([], 'without')
    expect(await readTree(join(dir, 'off'))).toEqual(await readTree(join(dir, 'without')))
  })

  test('several outputs, each with an assetFileNames of its own', async () => {
    const dir = await makeApp(app)
    const output = ['[name]-[hash][extname]', () => 'second/[name]-[hash][extname]', '[name][extname]'].map(
      (assetFileNames, i) => ({ assetFileNames, dir: join(dir, `dist/${i}`), entryFileNames: `e${i}-[hash].js` }),
    )
    await viteBuild(version, dir, { plugins: [staticS3()], build: { rollupOptions: { output } } })
    const immutable = cachedForAYear()
    const hashed = uploaded().filter((path) => /-[\w-]{8}\.(js|css|png)$/.test(path))
    expect(immutable.sort()).toEqual(hashed)
    expect(hashed.length).toBeGreaterThan(5)
  })

  test('report.html is a page when it is an input or lies in public/, and bundle statistics when a tool writes it', async () => {
    const statistics = (path: string): Plugin => ({
      name: 'statistics',
      enforce: 'post',
      async closeBundle() {
        await writeFile(join(dir, 'dist', path), 'statistics')
      },
    })
    const dir = await makeApp({ ...app, 'report.html': '<!doctype html><title>Report</title>' })
    await viteBuild(version, dir, {
      plugins: [statistics('stats.html'), staticS3()],
      build: { rollupOptions: { input: [join(dir, 'index.html'), join(dir, 'report.html')] } },
    })
    expect([...(await tree(dir)).keys()]).toContain('stats.html')
    expect(uploaded().filter((path) => path.endsWith('.html'))).toEqual(['index.html', 'report.html'])
    await viteBuild(version, dir, { plugins: [statistics('report.html'), staticS3({ location: 'late' })] })
    const keys = [...siteObjects(target.s3, target.bucket).keys()].filter((key) => key.startsWith('late/'))
    expect(keys.filter((key) => key.endsWith('.html'))).toEqual(['late/index.html'])
  })
})

describe('a deploy that is refused while S3 doesn’t answer', () => {
  const trouble = [
    ['hangs', { delayMs: 600_000 }],
    ['says 503', { status: 503, code: 'SlowDown' }],
    ['cuts the connection', { destroy: 'before' }],
  ] as const

  test.each(trouble)('ends at once, and so does its process: the listing %s', async (what, fault) => {
    target.s3.server.intercept = () => fault
    const { code, output } = await buildVite('legacy', {
      env: deployEnv(target.s3, target.bucket),
      files: {
        'vite.config.js': `import { staticS3 } from 'static-s3/vite'
export default { plugins: [staticS3()] }
`,
        'public/%2e%2e/settings.json': '{}',
      },
    })
    expect(output).toMatch(/nothing was uploaded\n.*%2e%2e\/settings\.json: its name leads out of the location/)
    expect(code).toBe(1)
    expect(new Set(target.s3.server.requests.map(({ operation }) => operation))).toEqual(new Set(['ListObjectsV2']))
    // A slow bundler leaves time for all five attempts, unless each of them hangs. Waiting for an answer would bring them all.
    if (what === 'hangs') expect(target.s3.server.requests.length).toBeLessThan(5)
  })
})
