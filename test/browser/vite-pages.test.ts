import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { federation } from '@module-federation/vite'
import type { InlineConfig, PluginOption } from 'vite'
import cspGuard from 'vite-plugin-csp-guard'
import sriGen from 'vite-plugin-sri-gen'
import { sri } from 'vite-plugin-sri3'
import { describe, expect, test } from 'vitest'
import { withBrowser } from '../../fixtures/browser/with-browser.js'
import { deployTarget, makeApp, viteBuild, writeFiles } from '../../fixtures/build/in-process.js'
import { readTree, type ViteVersion } from '../../fixtures/build/index.js'
import { siteObjects, sitePuts } from '../../fixtures/build/site.js'
import { servePages } from '../../fixtures/pages/index.js'
import { staticS3 } from '../../src/vite.js'

// Pages in which other plugins, or Vite itself, name files of the build.

const target = deployTarget({ public: 'static', cors: '*' })

const browser = withBrowser()

const svg = (content: string) => `<svg xmlns="http://www.w3.org/2000/svg">${content}</svg>`

/** Everything that a page may load ahead or late. `mixed.svg` is a picture too, so nothing but `<use>` shows that it is a sprite. */
const app = {
  'index.html': `<!doctype html><head><link rel="icon" href="data:image/svg+xml,"><link rel="prefetch" href="/ahead.js"></head>
<body><svg><use href="/mixed.svg#dot" /></svg><p></p><script type="module" src="/src/main.js"></script></body>`,
  'src/main.js': `import './style.css'
const add = (text) => document.querySelector('p').append(text + ' ')
add('main')
const parts = [import('./a.js'), import('./b.js')]
// Long after the prefetch, whose response is in the cache by then.
setTimeout(() => import(/* @vite-ignore */ import.meta.env.STATIC_URL + 'ahead.js').then(({ ahead }) => add(ahead)), 300)
Promise.all(parts).then((all) => all.forEach(({ text }) => add(text)))`,
  'src/style.css': 'p { color: rgb(1, 2, 3) }',
  'src/a.js': `import { shared } from './shared.js'
import './a.css'
export const text = 'a' + shared`,
  'src/a.css': 'p { margin: 7px }',
  'src/b.js': `import { shared } from './shared.js'
const { deep } = await import('./deep.js')
export const text = 'b' + shared + deep`,
  'src/deep.js': `export const deep = '-deep'`,
  'src/shared.js': `export const shared = '-shared'`,
  'public/ahead.js': `export const ahead = 'ahead'`,
  'public/mixed.svg': svg('<symbol id="dot" viewBox="0 0 8 8"><path d="M0 0h8v8H0z"/></symbol><path d="M0 0h4v4H0z"/>'),
}

async function buildAndOpen(
  version: ViteVersion,
  dir: string,
  plugins: PluginOption[] = [],
  config: InlineConfig = {},
) {
  const { base = '/', build } = config
  await viteBuild(version, dir, {
    base,
    plugins: [plugins, staticS3()],
    build: { target: 'esnext', assetsInlineLimit: 0, ...build },
  })
  const asked = target.s3.server.requests.filter(
    ({ operation, key = '' }) => operation === 'GetObject' && !key.startsWith('.'),
  )
  const served = base === './' ? '/' : base
  const pages = browser.keep(await servePages(join(dir, 'dist'), { base: served, everything: true }))
  const open = await browser.open(pages.origin + served)
  return { files: await readTree(join(dir, 'dist')), asked, pages, open }
}

async function expectWhole({ open, pages }: Awaited<ReturnType<typeof buildAndOpen>>) {
  const { page, errors } = open
  const words = async () => (await page.evaluate(() => document.body.innerText)).trim().split(/\s+/).sort()
  await expect.poll(words).toEqual(['a-shared', 'ahead', 'b-shared-deep', 'main'])
  const style = await page.evaluate(() => {
    const { color, margin } = getComputedStyle(document.querySelector('p') as Element)
    return [color, margin, document.querySelector('use')?.getBBox().width !== 0]
  })
  expect(style).toEqual(['rgb(1, 2, 3)', '7px', true])
  expect(errors).toEqual([])
  // Everything else came from the bucket.
  expect(pages.served.filter((path) => !/\/$|mixed\.svg$/.test(path))).toEqual([])
}

const cspPolicy = { 'img-src': ['http:', 'data:'], 'script-src': ['http:'], 'style-src-elem': ['http:'] }
const hashing: [name: string, version: ViteVersion, plugin: () => PluginOption][] = [
  ['vite-plugin-sri3', 'vite5', sri as () => PluginOption],
  ['vite-plugin-sri3', 'vite', sri],
  ['vite-plugin-sri-gen', 'vite', sriGen],
  ['vite-plugin-csp-guard', 'vite', () => cspGuard({ build: { sri: true }, policy: cspPolicy })],
]

describe.each(hashing)('%s with %s', (_name, version, plugin) => {
  test('gives the integrity of the files in the bucket, and asks for none of them', async () => {
    // vite-plugin-csp-guard loses lazy stylesheets by itself.
    const built = await buildAndOpen(
      version,
      await makeApp({
        ...app,
        'src/a.js': `import './shared.js'
import { shared } from './shared.js'
export const text = 'a' + shared`,
        'src/style.css': `${app['src/style.css']} ${app['src/a.css']}`,
      }),
      [plugin()],
    )
    expect(built.asked).toEqual([])
    await expectWhole(built)
    const tags = await built.open.page.evaluate(() =>
      Array.from(document.querySelectorAll('script[src], link[rel=stylesheet]'), (tag) => ({
        url: (tag as HTMLScriptElement).src || (tag as HTMLLinkElement).href,
        integrity: (tag as HTMLScriptElement).integrity,
      })),
    )
    expect(tags.length).toBeGreaterThan(1)
    for (const { url, integrity } of tags) {
      const [algorithm = '', hash] = integrity.split('-')
      const body = siteObjects(target.s3, target.bucket).get(url.replace(target.publicUrl, 'static/'))?.body as Buffer
      expect(hash, url).toBe(createHash(algorithm).update(body).digest('base64'))
    }
  })
})

test('a remote of Module Federation starts from the bucket', async () => {
  const remote = federation({
    name: 'remote',
    filename: 'remoteEntry.js',
    dts: false,
    exposes: { './a': './src/a.js' },
  })
  await expectWhole(await buildAndOpen('vite', await makeApp(app), [remote as PluginOption]))
})

describe('build.chunkImportMap', () => {
  test.each(['/', '/app/', './'])('the map leads from the bucket to the bucket: base %s', async (base) => {
    const built = await buildAndOpen('vite', await makeApp(app), [], { base, build: { chunkImportMap: true } })
    await expectWhole(built)
    // Back ends put the map into their own pages.
    const { imports } = JSON.parse(built.files.get('importmap.json')?.toString() ?? '{}')
    for (const url of Object.entries(imports).flat()) expect(url).toMatch(target.publicUrl)
  })

  test('one module changes one chunk', async () => {
    const dir = await makeApp(app)
    const config = { build: { chunkImportMap: true } }
    await buildAndOpen('vite', dir, [], config)
    await writeFiles(dir, { 'src/deep.js': `export const deep = '-deeper'` })
    target.s3.server.reset()
    const { open } = await buildAndOpen('vite', dir, [], config)
    await expect.poll(() => open.page.evaluate(() => document.body.innerText)).toContain('b-shared-deeper')
    const written = sitePuts(target.s3).map(({ key }) => key.replace(/-[\w-]{8}\./, '.'))
    expect(written.sort()).toEqual(['static/assets/deep.js', 'static/importmap.json', 'static/index.html'])
  })
})
