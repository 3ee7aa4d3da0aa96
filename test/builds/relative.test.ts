import { join } from 'node:path'
import type { InlineConfig, Plugin } from 'vite'
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest'
import {
  bundlerConfig,
  bundlers,
  closed,
  makeApp,
  removeApps,
  runOnce,
  viteBuild,
} from '../../fixtures/build/in-process.js'
import { readTree, type ViteVersion } from '../../fixtures/build/index.js'
import type { Options } from '../../src/settings/options.js'
import { staticS3 } from '../../src/vite.js'
import { StaticS3Plugin } from '../../src/webpack.js'

// With `rewrite: 'relative'`, only pages know the domain and the location.

beforeEach(() => vi.stubEnv('NODE_ENV', 'production'))
afterEach(() => vi.unstubAllEnvs())
afterAll(removeApps)

const places = [
  { customDomain: 'staging.example.com', location: 'staging' },
  { customDomain: 'www.example.com', location: 'shop/live' },
]
const urls = places.map(({ customDomain, location }) => `https://${customDomain}/${location}/`)
const optionsFor = (place: Options, rewrite: Options['rewrite']): Options => ({
  ...{ enabled: true, upload: false, bucket: 'a-bucket', region: 'eu-central-1' },
  ...{ ...place, rewrite },
})

const png = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0xff])
const files = {
  'src/style.css': 'body { background: url(./photo.png) }',
  'src/lazy.css': 'p { background: url(./photo.png) }',
  'src/lazy.js': "import './lazy.css'\nexport const title = 'lazy'",
  'src/worker.js': "import photo from './photo.png'\npostMessage(photo)",
  'src/photo.png': png,
}

/** Everything but pages and the file for a later deploy, by path. */
async function codeIn(dir: string): Promise<[path: string, text: string][]> {
  const tree = await readTree(dir)
  return [...tree]
    .filter(([path]) => !/\.html$|^\.static-s3/.test(path))
    .map(([path, bytes]) => [path, bytes.toString('latin1')])
}

async function pagesIn(dir: string): Promise<string> {
  return [...(await readTree(dir))].flatMap(([path, bytes]) => (path.endsWith('.html') ? [String(bytes)] : [])).join('')
}

/** Builds an app for both places, in the same folder: some hashes depend on it. */
async function buildTwice(
  app: Record<string, string | Buffer>,
  build: (dir: string, options: Options) => Promise<unknown>,
  rewrite: Options['rewrite'] = 'relative',
) {
  const dir = await makeApp({ ...files, ...app })
  const built: { code: [path: string, text: string][]; page: string }[] = []
  for (const place of places) {
    await build(dir, optionsFor(place, rewrite))
    const dist = join(dir, 'dist')
    built.push({ code: await codeIn(dist), page: await pagesIn(dist) })
  }
  return { code: built.map(({ code }) => code), pages: built.map(({ page }) => page) }
}

const viteApp = {
  'index.html': `<!doctype html><link rel="icon" href="/icon.svg"><p>%STATIC_URL%icon.svg</p>
<style>i { background: url(./src/photo.png) }</style><script type="module" src="/src/main.js"></script>`,
  'public/icon.svg': '<svg xmlns="http://www.w3.org/2000/svg"><path/></svg>',
  'src/main.js': `import './style.css'\nimport photo from './photo.png'
const { STATIC_URL } = { ...import.meta.env }
console.log(photo, STATIC_URL, import.meta.env.STATIC_URL + 'a.png', import.meta.env.BASE_URL)
import('./lazy.js')
new Worker(new URL('./worker.js', import.meta.url))`,
}

const viteWith =
  (version: ViteVersion, { build, plugins = [] }: InlineConfig = {}) =>
  (dir: string, options: Options) =>
    viteBuild(version, dir, { plugins: [staticS3(options), plugins], build: { assetsInlineLimit: 0, ...build } })

test.each(['vite5', 'vite6', 'vite7', 'vite'] as const)(
  '%s: the files are the same for every place',
  async (version) => {
    const { code, pages } = await buildTwice(viteApp, viteWith(version))
    expect(code[0]).toEqual(code[1])
    const names = code[0]?.map(([path]) => path.replace(/-[\w-]{8}\./, '.'))
    expect(names).toEqual(
      expect.arrayContaining(['index.js', 'lazy.css', 'lazy.js', 'worker.js'].map((n) => `assets/${n}`)),
    )
    const main = code[0]?.find(([path]) => /index-.*js$/.test(path))?.[1]
    expect(main).toMatch(/\["\.\/lazy-[\w-]+\.js","\.\/lazy-[\w-]+\.css"\]|__vite__mapDeps/)
    expect(main?.match(/\.\/lazy-[\w-]+\.css/), main).not.toBe(null)
    expect(code[0]?.flatMap(([, text]) => text.match(/STATIC_S3_OUTPUT_ROOT|example\.com/g) ?? [])).toEqual([])
    for (const [i, page] of pages.entries()) {
      const found = page.match(/https:\/\/[^"')<\s]+/g) ?? []
      expect(found.length).toBeGreaterThan(4)
      expect(found.filter((url) => !url.startsWith(urls[i] as string))).toEqual([])
      expect(page).toContain(`<p>${urls[i]}icon.svg</p>`)
      expect(page).not.toMatch(/(src|href)="(?!https:)/)
    }
  },
)

test('Vite: without it, each place has names of its own', async () => {
  const { code } = await buildTwice(viteApp, viteWith('vite'), 'urls')
  expect(code[0]?.map(([path]) => path)).not.toEqual(code[1]?.map(([path]) => path))
})

test('Vite: server code gets whole URLs', async () => {
  const options = optionsFor(places[0] as Options, 'relative')
  const dir = await makeApp({
    'src/server.js': "import photo from './photo.png'\nexport default [photo, import.meta.env.STATIC_URL]",
    'src/photo.png': png,
  })
  await viteBuild('vite', dir, {
    plugins: [staticS3(options)],
    build: { ssr: 'src/server.js', assetsInlineLimit: 0 },
  })
  const [, server] = (await codeIn(join(dir, 'dist'))).find(([path]) => path.startsWith('server.')) ?? []
  expect(server).toMatch(/"https:\/\/staging\.example\.com\/staging\/assets\/photo-[\w-]+\.png"/)
  expect(server).toContain('"https://staging.example.com/staging/"')
})

test('Vite: a format whose scripts do not know their own URL is refused', async () => {
  const options = optionsFor(places[0] as Options, 'relative')
  const plugin: Plugin = { name: 'iife', outputOptions: (output) => ({ ...output, format: 'iife' }) }
  const build = viteWith('vite5', {
    plugins: [plugin],
    build: { rollupOptions: { output: { inlineDynamicImports: true } } },
  })(await makeApp({ ...files, ...viteApp }), options)
  await expect(build).rejects.toThrow(/rewrite is "relative", and output\.format is "iife"/)
})

test.each(bundlers)('%s: the files are the same for every place', async (_name, bundler) => {
  const app = {
    'src/index.html': '<!doctype html><html><head></head><body></body></html>',
    'src/index.js': `import './style.css'\nimport photo from './photo.png'
console.log(photo, process.env.STATIC_URL + 'a.png')
import('./lazy.js')
new Worker(new URL('./worker.js', import.meta.url))`,
  }
  const build = async (dir: string, options: Options) => {
    const compiler = bundler.create(
      bundlerConfig(bundler, dir, {
        // The public URL would get into these hashes.
        optimization: { minimize: false, realContentHash: false },
        output: { filename: 'js/[name].[contenthash].js', clean: true },
        plugins: [
          new bundler.html({ template: join(dir, 'src/index.html') }),
          new bundler.html({ template: join(dir, 'src/index.html'), filename: 'pages/about.html' }),
          new StaticS3Plugin(options),
        ],
      }),
    )
    await runOnce(compiler)
    await closed(compiler)
  }
  const { code, pages } = await buildTwice(app, build)
  expect(code[0]).toEqual(code[1])
  expect(code[0]?.length).toBeGreaterThan(5)
  expect(code[0]?.flatMap(([, text]) => text.match(/[\w.]+example\.com/g) ?? [])).toEqual([])
  for (const [i, page] of pages.entries()) {
    expect(page.match(/(?:src|href)="[^"]*"/g)).toHaveLength(4)
    expect(page.match(/(?:src|href)="(?!https:)[^"]*"/g)).toBe(null)
    expect(page).toContain(`src="${urls[i]}js/main.`)
  }
})
