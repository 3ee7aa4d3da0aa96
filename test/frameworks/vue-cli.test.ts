import { join } from 'node:path'
import { expect, test } from 'vitest'
import { withBrowser } from '../../fixtures/browser/with-browser.js'
import type { Env } from '../../fixtures/build/run-process.js'
import { describeFramework } from '../../fixtures/frameworks/app.js'
import {
  buildFor,
  expectFromBucket,
  expectOff,
  expectUnchanged,
  expectUploadsRefused,
  siteBucket,
} from '../../fixtures/frameworks/expectations.js'
import { servePages } from '../../fixtures/pages/index.js'

describeFramework('vue-cli', (app) => {
  const site = siteBucket()
  const browser = withBrowser()
  const build = (env: Env) => app.run(['vue-cli-service', 'build'], env)

  test('off: nothing is sent', () => expectOff(site, build))

  test('uploads that S3 refuses: the build fails with one message', () => expectUploadsRefused(site, build))

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

  test('two builds for old and new browsers are one deploy', async () => {
    const { output } = await buildFor(site, () => build({ ...site.env, BROWSERSLIST: 'ie 11, last 2 Chrome versions' }))
    expect(output).toMatch(/legacy bundle for production[\s\S]*module bundle for production[\s\S]*release 2 live/)
    expect(output).not.toMatch(/release [13] live/)
    const page = site.objects().get('index.html')?.body.toString() ?? ''
    const scripts = [...page.matchAll(/<script [^>]*src="([^"]*)"/g)].map(([, url = '']) =>
      url.replace(site.publicUrl, ''),
    )
    expect(scripts).toHaveLength(4)
    expect([...site.objects().keys()]).toEqual(expect.arrayContaining(scripts))
  })
})

function allDecoded(images: Element[]): boolean {
  return images.length === 2 && images.every((image) => (image as HTMLImageElement).naturalWidth > 0)
}
