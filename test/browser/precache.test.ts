import { createRequire } from 'node:module'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { GenerateSW, InjectManifest } from 'workbox-webpack-plugin'
import { withBrowser } from '../../fixtures/browser/with-browser.js'
import {
  bundlerConfig,
  bundlers,
  closed,
  deployTarget,
  makeApp,
  runOnce,
  writeFiles,
} from '../../fixtures/build/in-process.js'
import { readTree } from '../../fixtures/build/index.js'
import { servePages } from '../../fixtures/pages/index.js'
import { StaticS3Plugin } from '../../src/webpack.js'

// A site that workbox-webpack-plugin makes ready for offline use, with its assets in the bucket and its pages elsewhere.

const browser = withBrowser()

const target = deployTarget({ public: 'static', cors: '*' })

const workboxPrecaching = createRequire(import.meta.url).resolve('workbox-precaching')

const app = (version: string) => ({
  'src/index.js': `import './style.css'
import photo from './photo.png'
addEventListener('error', ({ message }) => (document.title = message))
navigator.serviceWorker.register('/sw.js')
document.body.append(Object.assign(new Image(), { src: photo }))
import('./lazy.js')
setTimeout(() => { throw new Error('told') })`,
  'src/lazy.js': `import './lazy.css'
document.body.append('${version}')`,
  'src/style.css': 'body { color: rgb(0, 128, 0) }',
  'src/lazy.css': 'body { background: rgb(1, 2, 3) }',
  'src/sw.js': `import { precacheAndRoute } from '${workboxPrecaching}'
skipWaiting()
precacheAndRoute(self.__WB_MANIFEST, { directoryIndex: 'index.html' })`,
  'src/photo.png': Buffer.concat([png, Buffer.alloc(9000)]),
})
const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==',
  'base64',
)

const generated = () => new GenerateSW({ swDest: 'sw.js', skipWaiting: true, clientsClaim: true })
const injected = () => new InjectManifest({ swSrc: './src/sw.js', swDest: 'sw.js' })
const [webpack, rspack] = bundlers.map(([, bundler]) => bundler)

test.each([
  ['webpack, GenerateSW', webpack, generated],
  ['webpack, InjectManifest', webpack, injected],
  ['Rspack, GenerateSW', rspack, generated],
] as const)('works offline, and receives the next release: %s', async (_name, bundler, workbox) => {
  if (!bundler) throw new Error('a bundler is missing')
  const dir = await makeApp(app('one'))
  const build = async () => {
    const compiler = bundler.create(
      bundlerConfig(bundler, dir, {
        output: { clean: true },
        plugins: [new bundler.html(), workbox(), new StaticS3Plugin()],
      }),
    )
    await runOnce(compiler)
    await closed(compiler)
  }
  await build()
  const files = await readTree(join(dir, 'dist'))
  const html = files.get('index.html')?.toString() ?? ''
  expect(html.match(/<(script|link) crossorigin/g)).toHaveLength(2)
  expect([...files.keys()].filter((path) => path.startsWith('workbox-'))).toEqual([])

  const pages = browser.keep(await servePages(join(dir, 'dist')))
  const open = await browser.open(`${pages.origin}/`)
  const { page } = open
  const shown = () =>
    page.evaluate(() => {
      const { color, backgroundColor } = getComputedStyle(document.body)
      const image = document.images[0]
      return [document.title, document.body.textContent?.trim(), color, backgroundColor, image?.naturalWidth].join()
    })
  const isReady = () => page.evaluate(async () => (await navigator.serviceWorker.getRegistration())?.active?.state)
  const site = (version: string) => `Uncaught Error: told,${version},rgb(0, 128, 0),rgb(1, 2, 3),1`
  await expect.poll(shown).toBe(site('one'))
  await expect.poll(isReady).toBe('activated')

  await page.context().setOffline(true)
  await page.reload()
  await expect.poll(shown).toBe(site('one'))
  await page.context().setOffline(false)

  await writeFiles(dir, app('two'))
  await build()
  await page.evaluate(async () => {
    const registration = await navigator.serviceWorker.getRegistration()
    await registration?.update()
    while (registration?.installing || registration?.waiting) await new Promise((next) => setTimeout(next, 20))
  })
  await page.reload()
  await expect.poll(shown).toBe(site('two'))
  await page.context().setOffline(true)
  await page.reload()
  await expect.poll(shown).toBe(site('two'))
  expect(pages.missed).toEqual([])
  const fromPages = open.requests.filter(
    ({ url, fromServiceWorker }) => url.startsWith(pages.origin) && !fromServiceWorker,
  )
  expect(
    fromPages
      .map(({ url }) => url.replace(pages.origin, ''))
      .filter((path) => !/^\/(index\.html.*|sw\.js)?$/.test(path)),
  ).toEqual([])
  expect(open.requests.some(({ url }) => url.startsWith(target.publicUrl))).toBe(true)
  expect(open.errors.filter((error) => !/told|favicon/.test(error))).toEqual([])
})
