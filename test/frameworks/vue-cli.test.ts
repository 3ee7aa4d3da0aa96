import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { withBrowser } from '../../fixtures/browser/with-browser.js'
import type { Env } from '../../fixtures/build/run-process.js'
import { describeFramework, freshApp } from '../../fixtures/frameworks/app.js'
import {
  buildFor,
  expectFromBucket,
  expectOff,
  expectUnchanged,
  siteBucket,
} from '../../fixtures/frameworks/expectations.js'
import { servePages } from '../../fixtures/pages/index.js'

describeFramework('vue-cli', (app) => {
  const site = siteBucket()
  const browser = withBrowser()
  const build = (env: Env) => app.run(['vue-cli-service', 'build'], env)

  beforeAll(() => freshApp('vue-cli'))

  test('off: nothing is sent', () => expectOff(site, build))

  test('uploads that S3 refuses: vue-cli has found no error, but its build fails with one message', async () => {
    site.s3.server.intercept = ({ operation }) =>
      operation === 'PutObject' ? { status: 403, code: 'AccessDenied' } : undefined
    const { code, output } = await build(site.env)
    site.s3.server.intercept = undefined
    expect(code, output).toBe(1)
    expect(output.match(/\(AccessDenied\)/g), output).toHaveLength(1)
    expect(site.objects().size).toBe(0)
  })

  test('the site comes from the bucket', async () => {
    await buildFor(site, () => build(site.env))
    const pages = browser.keep(
      await servePages(join(app.dir, 'dist'), { base: '/app/', also: ['service-worker.js', 'manifest.json'] }),
    )
    const own = /^\/app\/(lazy|index\.html|service-worker\.js|manifest\.json)?$/
    const home = await browser.open(`${pages.origin}/app/`)
    const { page } = home
    await page.getByRole('button').click()
    await expect.poll(() => page.getByRole('button').textContent()).toBe('1')
    await expect.poll(() => page.locator('img').evaluateAll(allDecoded)).toBe(true)
    await page.getByRole('link', { name: 'Lazy' }).click()
    await expect.poll(() => page.locator('h1.lazy').textContent()).toBe('Lazy')
    await page.evaluate(() => navigator.serviceWorker.ready)
    expectFromBucket(site, home, pages, own)
    const fonts = home.requests.filter(({ resourceType }) => resourceType === 'font')
    expect(fonts.map(({ url }) => url.startsWith(site.publicUrl))).toEqual([true])
    const deep = await browser.open(`${pages.origin}/app/lazy`)
    await expect.poll(() => deep.page.locator('h1.lazy').textContent()).toBe('Lazy')
    expectFromBucket(site, deep, pages, own)
  })

  test('the same site once more: nothing is sent', () => expectUnchanged(site, build))
})

function allDecoded(images: Element[]): boolean {
  return images.length === 2 && images.every((image) => (image as HTMLImageElement).naturalWidth > 0)
}
