import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { withBrowser } from '../../fixtures/browser/with-browser.js'
import { readTree } from '../../fixtures/build/index.js'
import type { Env } from '../../fixtures/build/run-process.js'
import { describeFramework } from '../../fixtures/frameworks/app.js'
import {
  buildFor,
  expectFromBucket,
  expectOff,
  expectRefused,
  expectTypes,
  expectUnchanged,
  siteBucket,
} from '../../fixtures/frameworks/expectations.js'
import { servePages } from '../../fixtures/pages/index.js'

describeFramework('docusaurus', (app) => {
  const site = siteBucket()
  const browser = withBrowser()
  // Otherwise, Docusaurus inlines the small pictures and the font.
  const common = { WEBPACK_URL_LOADER_LIMIT: '0' }
  const build = (env: Env) => app.run(['docusaurus', 'build'], { BUNDLER: 'rspack', ...common, ...env })
  // Rspack's minifier gives variables other names when modules come from its cache.
  const buildLocales = (env: Env) => build({ ...env, LOCALES: 'en,fr', DOCUSAURUS_NO_PERSISTENT_CACHE: 'true' })
  const dir = join(app.dir, 'build')

  test('off: nothing is sent', async () => {
    await expectOff(site, (env) => build({ ...env, BUNDLER: 'webpack' }))
    const html = (await readTree(dir)).get('index.html')?.toString()
    expect(html).toMatch(/ src="?\/img\/logo.png/)
    expect(html).not.toContain(site.publicUrl)
  })

  test('a site with two locales comes from the bucket, as one release', async () => {
    const { output } = await buildFor(site, () => buildLocales(site.env))
    expect(output.match(/release \d live/g)).toEqual(['release 1 live'])
    expect([...site.objects().keys()].sort()).toEqual([...(await readTree(dir)).keys()].sort())
    await expectImmutable()
    await tryPages('')
    await tryPages('fr/')
  })

  test('the same site once more: nothing is sent', () => expectUnchanged(site, buildLocales))

  test('webpack: the site comes from the bucket (without its worker, which Docusaurus breaks with webpack)', async () => {
    await buildFor(site, () => build({ ...site.env, BUNDLER: 'webpack' }))
    await expectImmutable()
    await tryPages('', false)
  })

  test('a broken link, which Docusaurus finds after the last hook of plugins: nothing is sent', async () => {
    site.s3.server.reset()
    const { code, output } = await build({ ...site.env, BROKEN_LINK: '/nowhere' })
    expect(code, output).toBe(1)
    expect(output).toContain('/nowhere')
    expect(site.s3.server.requests.filter(({ method }) => method === 'PUT')).toEqual([])
  })

  test('keys that S3 refuses: the build fails and nothing is live', () => expectRefused(site, build))

  test("the entry fits Docusaurus' types", () => expectTypes(app, 'types.ts'))

  test('an upload that fails at the end fails the build', async () => {
    site.s3.server.reset()
    site.s3.server.intercept = ({ operation }) =>
      operation === 'PutObject' ? { status: 403, code: 'AccessDenied' } : undefined
    const { code, output } = await build({ ...site.env, AWS_LOCATION: 'other' })
    site.s3.server.reset()
    expect(code, output).toBe(1)
    expect(output).toMatch(/\[ERROR\] static-s3: PUT other\/.*AccessDenied/)
    // The bundler's cache has stylesheets with URLs of the earlier location.
    const css = [...(await readTree(dir))].find(([path]) => path.endsWith('.css'))?.[1].toString()
    expect(css).toContain(site.publicUrl.replace('/static/', '/other/assets/fonts/'))
    expect(css).not.toContain(site.publicUrl)
  })

  async function expectImmutable(): Promise<void> {
    const paths = [...(await readTree(dir)).keys()]
    const named = paths.filter((path) => /^(fr\/)?assets\/.*[.-][\da-f]{8,32}\.\w+$/.test(path))
    for (const folder of ['css', 'fonts', 'images', 'js'])
      expect(named.filter((path) => path.startsWith(`assets/${folder}/`))).not.toEqual([])
    expect(site.immutable().filter((path) => paths.includes(path))).toEqual(named)
  }

  async function tryPages(folder: string, hasWorker = true): Promise<void> {
    const pages = browser.keep(await servePages(dir))
    const home = await browser.open(`${pages.origin}/${folder}`)
    const { page } = home
    const counter = page.getByRole('button', { name: /count/ })
    await counter.click()
    await expect.poll(() => counter.textContent()).toBe('count is 1')
    if (hasWorker) await expect.poll(() => page.locator('output').textContent()).toBe('ping pong')
    await expectPictures(page, ['imported', 'static', 'by STATIC_URL'])
    await page.getByRole('link', { name: 'Late' }).click()
    await expectPictures(page, ['late'])
    await page.goBack()
    await page.getByRole('main').getByRole('link', { name: 'Intro' }).click()
    await expectPictures(page, ['imported', 'static'])
    // The worker that Docusaurus breaks.
    const errors = home.errors.filter((error) => hasWorker || !error.includes('importScripts'))
    expectFromBucket(site, { ...home, errors }, pages, new RegExp(`^/${folder}$`))
    const deep = await browser.open(`${pages.origin}/${folder}docs/intro`)
    await expectPictures(deep.page, ['imported', 'static'])
    expectFromBucket(site, deep, pages, new RegExp(`^/${folder}docs/intro$`))
  }
})

async function expectPictures(page: Page, names: string[]): Promise<void> {
  const drawn = () =>
    page
      .locator('main img')
      .evaluateAll((all) => all.map((img) => [img.getAttribute('alt'), (img as HTMLImageElement).naturalWidth > 0]))
  await expect.poll(drawn).toEqual(names.map((name) => [name, true]))
}
