import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { VitePWA } from 'vite-plugin-pwa'
import { describe, expect, test } from 'vitest'
import { withBrowser } from '../../fixtures/browser/with-browser.js'
import {
  bundlerConfig,
  bundlers,
  closed,
  deployTarget,
  makeApp,
  runOnce,
  viteBuild,
} from '../../fixtures/build/in-process.js'
import { readTree } from '../../fixtures/build/index.js'
import { servePages } from '../../fixtures/pages/index.js'
import { staticS3 } from '../../src/vite.js'
import { StaticS3Plugin } from '../../src/webpack.js'

// What browsers insist on having from the page's own origin, and what they needn't.

const target = deployTarget({ public: 'static', cors: '*' })

const cachingOf = (ending: string) =>
  target.s3.server.requests.find(({ method, key }) => method === 'PUT' && key?.endsWith(ending))?.headers[
    'cache-control'
  ]

describe('service workers', () => {
  const browser = withBrowser()

  const cases = bundlers.flatMap(([name, bundler]) =>
    ['auto', '/app/'].map((publicPath) => ({ name, bundler, publicPath })),
  )
  test.each(cases)(
    '$name registers one from the page’s origin: publicPath $publicPath',
    async ({ bundler, publicPath }) => {
      const dir = await makeApp({
        'src/index.js': `
        navigator.serviceWorker.register(new URL('./sw.js', import.meta.url)).then(
          ({ scope }) => navigator.serviceWorker.ready.then(({ active }) => (window.registered = { scope, script: active.scriptURL })),
          (error) => (window.registered = String(error)),
        )
        navigator.serviceWorker.register('not-there.js').catch(() => {})`,
        'src/sw.js': `import { version } from './version.js'
self.addEventListener('install', () => console.log(version))`,
        'src/version.js': 'export const version = 1',
      })
      const config = { output: { publicPath }, plugins: [new bundler.html(), new StaticS3Plugin()] }
      const compiler = bundler.create(bundlerConfig(bundler, dir, config))
      await runOnce(compiler)
      await closed(compiler)

      const base = '/app/'
      const pages = browser.keep(await servePages(join(dir, 'dist'), { base, everything: true }))
      const open = await browser.open(`${pages.origin}${base}`)
      const registered = () => open.page.evaluate(() => (window as unknown as { registered?: unknown }).registered)
      await expect.poll(registered).toBeDefined()
      expect(await registered()).toEqual({
        scope: `${pages.origin}${base}`,
        script: expect.stringMatching(`^${pages.origin}${base}[\\w.]+\\.js$`),
      })
      await expect.poll(() => pages.missed).toEqual([`${base}not-there.js`])
      // All else is the bucket's.
      expect(pages.served.filter((path) => !path.endsWith('.js'))).toEqual([base])
      expect(pages.served.length).toBe(2)
    },
  )

  test('a lazy chunk that has a service worker’s name is precached from the bucket, for a year', async () => {
    const dir = await makeApp({
      'index.html': '<!doctype html><head></head><body><script type="module" src="/src/main.js"></script></body>',
      'src/main.js': `import('./locales/sw.js').then(({ hello }) => document.body.append(hello))`,
      'src/locales/sw.js': `export const hello = 'Jambo'`,
      'public/icon.png': 'png',
    })
    const pwa = VitePWA({
      registerType: 'autoUpdate',
      manifest: { name: 'x', icons: [{ src: 'icon.png', sizes: '192x192' }] },
      workbox: { globPatterns: ['**/*.{js,html,png}'] },
    })
    await viteBuild('vite', dir, { plugins: [pwa, staticS3()] })
    const files = await readTree(join(dir, 'dist'))
    const chunk = [...files.keys()].find((path) => /^assets\/sw-/.test(path)) as string
    const serviceWorker = files.get('sw.js')?.toString() ?? ''
    expect(serviceWorker).toContain(`"${target.publicUrl}${chunk}"`)
    expect(serviceWorker).toContain(`"${target.publicUrl}icon.png"`)
    expect(serviceWorker).toMatch(/["']?url["']?:\s*["']index\.html["']/)
    expect(cachingOf(chunk)).toContain('immutable')
    expect(cachingOf('/sw.js')).toBe('no-cache')
    const main = [...files].find(([path]) => /^assets\/index-/.test(path))?.[1].toString()
    // Relative to the chunk that has it, which is the bucket's.
    expect(main).toContain(`./${chunk.replace('assets/', '')}`)
    expect(files.get('index.html')?.toString()).toContain(`src="${target.publicUrl}assets/index-`)
    expect(files.get('index.html')?.toString()).not.toContain(`${target.publicUrl}registerSW.js`)
  })
})

describe.each(['vite5', 'vite'] as const)('web app manifests: %s', (version) => {
  const build = async (files: Record<string, string>, base = '/') => {
    const dir = await makeApp({
      'index.html': `<!doctype html>
<link rel="manifest" href="/manifest.webmanifest?v=2"><link rel="icon" href="/icon.png?v=2">`,
      'public/icon.png': 'png',
      'public/img/icon 2.png': 'png',
      'public/img/ö.png': 'png',
      'public/.hidden/icon.png': 'png',
      ...files,
    })
    await viteBuild(version, dir, { base, plugins: [staticS3()] })
    const read = (path: string) => readFile(join(dir, 'dist', path), 'utf8')
    return {
      read,
      uploaded: (path: string) => target.s3.server.objects(target.bucket).get(`static/${path}`)?.body.toString(),
    }
  }

  test.each(['/', '/app/', './'])('are linked from the page’s origin, query and all: base %s', async (base) => {
    const { read, uploaded } = await build({ 'public/manifest.webmanifest': '{"name":"x"}' }, base)
    const html = await read('index.html')
    expect(html).toContain(`href="${base}manifest.webmanifest?v=2"`)
    expect(html).toContain(`href="${target.publicUrl}icon.png?v=2"`)
    expect(uploaded('manifest.webmanifest')).toBe('{"name":"x"}')
    expect(cachingOf('manifest.webmanifest')).toBe('no-cache')
  })

  test('have their pictures in the bucket, wherever they lie', async () => {
    const icons = (...srcs: string[]) => srcs.map((src) => ({ src }))
    const { read, uploaded } = await build({
      'public/manifest.webmanifest': JSON.stringify({
        name: 'x',
        start_url: '/',
        icons: icons(
          'icon.png',
          '/icon.png',
          './icon.png',
          'icon.png?v=2',
          'img/icon%202.png',
          'img/icon 2.png',
          'img/ö.png',
        ),
        screenshots: icons('img/%C3%B6.png#x'),
        shortcuts: [{ name: 'y', url: '/y', icons: icons('icon.png') }],
      }),
      'public/img/site.webmanifest': JSON.stringify({ icons: icons('../icon.png', 'icon 2.png', '/icon.png') }),
    })
    const manifest = JSON.parse(await read('manifest.webmanifest'))
    const srcs = (list: { src: string }[]) => list.map(({ src }) => src.replace(target.publicUrl, ''))
    expect(srcs(manifest.icons).map((src) => src.replace(/\?.*/, ''))).toEqual([
      'icon.png',
      'icon.png',
      'icon.png',
      'icon.png',
      'img/icon%202.png',
      'img/icon%202.png',
      'img/%C3%B6.png',
    ])
    for (const { src } of manifest.icons) expect(src).toMatch(target.publicUrl)
    expect(manifest.screenshots[0].src).toMatch(`${target.publicUrl}img/%C3%B6.png`)
    expect(manifest.shortcuts).toEqual([{ name: 'y', url: '/y', icons: [{ src: `${target.publicUrl}icon.png` }] }])
    expect(manifest.start_url).toBe('/')
    const nested = JSON.parse(await read('img/site.webmanifest'))
    expect(srcs(nested.icons)).toEqual(['icon.png', 'img/icon%202.png', 'icon.png'])
    expect(uploaded('manifest.webmanifest')).toBe(await read('manifest.webmanifest'))
    for (const { src } of [...manifest.icons, ...nested.icons]) expect((await fetch(src)).status, src).toBe(200)
  })

  test('keep what isn’t a file of the build: other origins, data, files that stay home, files that aren’t there', async () => {
    const text = JSON.stringify({
      icons: [
        'https://other.example/icon.png',
        '//other.example/icon.png',
        'data:image/png;base64,AA',
        '.hidden/icon.png',
        'no.png',
        '../icon2.png',
        '',
      ].map((src) => ({ src })),
    })
    const { read } = await build({ 'public/manifest.webmanifest': text })
    expect(await read('manifest.webmanifest')).toBe(text)
  })

  test('that the bundler gave a hash aren’t cached for a year: their pictures’ URLs come after it', async () => {
    const { read } = await build({
      'index.html': '<!doctype html><link rel="manifest" href="./src/site.webmanifest">',
      'src/site.webmanifest': JSON.stringify({ name: 'x'.repeat(5000), icons: [{ src: '/icon.png' }] }),
    })
    const [, path] = /href="\/(assets\/site-[\w-]+\.webmanifest)"/.exec(await read('index.html')) ?? []
    expect(JSON.parse(await read(path as string)).icons).toEqual([{ src: `${target.publicUrl}icon.png` }])
    expect(cachingOf(path as string)).toBe('no-cache')
  })

  test('below a base have their absolute pictures in the bucket too', async () => {
    const { read } = await build(
      { 'public/manifest.webmanifest': '{"icons":[{"src":"/app/icon.png"},{"src":"icon.png"}]}' },
      '/app/',
    )
    const src = `${target.publicUrl}icon.png`
    expect(JSON.parse(await read('manifest.webmanifest'))).toEqual({ icons: [{ src }, { src }] })
  })

  test('that are no manifests are uploaded as they are', async () => {
    const texts = {
      'a/manifest.webmanifest': '{ "icons": null, "screenshots": 1, "shortcuts": {} }',
      'b/manifest.webmanifest':
        '{ "icons": [null, 1, "icon.png", [], { "src": null }, { "src": { } }], "shortcuts": [null, {}] }',
      'c/manifest.webmanifest':
        '{ "icons": [{ "src": "100%.png" }, { "src": "%E0%A4%A.png" }, { "src": "http://[" }] }',
      'd/manifest.webmanifest': '{ not JSON',
      'e/manifest.webmanifest': 'null',
      'f/manifest.webmanifest': '',
      'g/manifest.json': '[1, 2]',
    }
    const files = Object.fromEntries(Object.entries(texts).map(([path, text]) => [`public/${path}`, text]))
    const { uploaded } = await build(files)
    for (const [path, text] of Object.entries(texts)) expect(uploaded(path), path).toBe(text)
  })
})
