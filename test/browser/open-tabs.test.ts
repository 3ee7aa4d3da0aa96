import { join, resolve } from 'node:path'
import { DeleteObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { launchBrowser, type OpenPage, type TestBrowser } from '../../fixtures/browser/index.js'
import {
  bundlerConfig,
  bundlers,
  closed,
  deployTarget,
  makeApp,
  runOnce,
  viteBuild,
  writeFiles,
} from '../../fixtures/build/in-process.js'
import { servePages } from '../../fixtures/pages/index.js'
import { staticS3 } from '../../src/vite.js'
import { StaticS3Plugin } from '../../src/webpack.js'

// A tab of release 1 stays open while release 2 goes out and the chunks of release 1 are deleted.

const alias = { 'static-s3/client': resolve('dist/client.js') }
const page = '<!doctype html><link rel="icon" href="data:,"><button id="lazy">Lazy</button><main></main>'

const siteOf = (release: number) => ({
  'index.html': `${page}<script type="module" src="/src/index.js"></script>`,
  // Routers and error boundaries catch the errors of lazy imports, too.
  'src/index.js': `import { onNewRelease, reloadOnMissingChunk } from 'static-s3/client'
reloadOnMissingChunk()
document.body.dataset.release = ${release}
document.body.dataset.calls = ''
onNewRelease(() => { document.body.dataset.calls += 'called' })
const show = (text) => { document.querySelector('main').textContent = text }
document.querySelector('#lazy').addEventListener('click', () => {
  import(/* webpackChunkName: "lazy" */ './lazy.js').then(({ text }) => show(text), () => show('failed'))
})`,
  'src/lazy.js': `export const text = 'lazy ${release}'`,
})

const builds: [name: string, build: (dir: string) => Promise<unknown>][] = [
  ['Vite 8', (dir) => viteBuild('vite', dir, { resolve: { alias }, plugins: [staticS3()] })],
  ...bundlers.map(([name, bundler]): (typeof builds)[number] => [
    name,
    async (dir) => {
      const compiler = bundler.create(
        bundlerConfig(bundler, dir, {
          resolve: { alias },
          output: { uniqueName: 'shop', publicPath: '/' },
          plugins: [new bundler.html({ templateContent: page }), new StaticS3Plugin()],
        }),
      )
      await runOnce(compiler)
      await closed(compiler)
    },
  ]),
]

const target = deployTarget({ public: 'static', cors: '*' })

let browser: TestBrowser
beforeAll(async () => {
  browser = await launchBrowser()
})
afterAll(() => browser?.close())

const lazyChunks = () =>
  [...target.s3.server.objects(target.bucket).keys()].filter((key) => /\/lazy[^/]*\.js$/.test(key))

async function deleteObjects(keys: string[]): Promise<void> {
  expect(keys).toHaveLength(1)
  const client = target.s3.client()
  for (const Key of keys) await client.send(new DeleteObjectCommand({ Bucket: target.bucket, Key }))
}

/** What the next look at the release file leads to. */
async function callsAfterReturn({ page }: OpenPage): Promise<string | undefined> {
  const answer = page.waitForResponse(/\/release\.json$/)
  await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))
  await (await answer).finished()
  return page.evaluate(async () => {
    await new Promise((resolve) => setTimeout(resolve, 50))
    return document.body.dataset.calls
  })
}

const click = async ({ page }: OpenPage, text: string) => {
  await page.click('#lazy')
  await page.waitForSelector(`main:text-is("${text}")`)
}
const clickAndReload = ({ page }: OpenPage) => Promise.all([page.waitForEvent('load'), page.click('#lazy')])
const loads = ({ requests }: OpenPage) => requests.filter(({ resourceType }) => resourceType === 'document').length
const written = () =>
  target.s3.server.requests.flatMap(({ method, key = '' }) =>
    method === 'PUT' && !key.startsWith('.static-s3/') ? [key] : [],
  )

test.each(builds)(
  '%s: an open tab notices release 2, and gets it when its own chunk is missing',
  async (_name, build) => {
    const url = `${target.publicUrl}index.html`
    const dir = await makeApp(siteOf(1))
    await build(dir)
    expect(written().at(-1)).toBe('static/release.json')
    const tab = await browser.openPage(url)
    const objects = target.s3.server.objects(target.bucket)
    const first = objects.get('static/release.json')?.body.toString()
    expect(first).toMatch(/^\{"release":"[\da-f]{16}"\}\n$/)

    target.s3.server.reset()
    await build(dir)
    expect(written()).toEqual([])
    expect(await callsAfterReturn(tab)).toBe('')

    const old = lazyChunks()
    await writeFiles(dir, siteOf(2))
    await build(dir)
    expect(written().at(-1)).toBe('static/release.json')
    expect(objects.get('static/release.json')?.body.toString()).not.toBe(first)
    expect(await callsAfterReturn(tab)).toBe('called')
    await tab.page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))

    await deleteObjects(old)
    const before = tab.requests.filter(({ url }) => url.includes('release.json')).length
    await clickAndReload(tab)
    expect(await tab.page.getAttribute('body', 'data-release')).toBe('2')
    await click(tab, 'lazy 2')
    expect(loads(tab)).toBe(2)
    expect(before).toBe(3)
    await tab.close()

    // A chunk that no reload brings back.
    const other = await browser.openPage(url)
    await deleteObjects(lazyChunks())
    await clickAndReload(other)
    await click(other, 'failed')
    expect(loads(other)).toBe(2)
    await other.close()
  },
)

// webpack and Rspack share the code that says so.
test.each(builds.slice(0, 2))('%s: a build that stays on disk requests no release file', async (_name, build) => {
  vi.stubEnv('USE_S3', '0')
  const dir = await makeApp(siteOf(1))
  await build(dir)
  const pages = await servePages(join(dir, 'dist'), { everything: true })
  const tab = await browser.openPage(`${pages.origin}/`)
  await click(tab, 'lazy 1')
  expect(tab.errors).toEqual([])
  expect(pages.missed).toEqual([])
  await tab.close()
  await pages.close()
})
