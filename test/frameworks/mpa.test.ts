import { join } from 'node:path'
import { expect, test } from 'vitest'
import { withBrowser } from '../../fixtures/browser/with-browser.js'
import type { Env } from '../../fixtures/build/run-process.js'
import { describeFramework } from '../../fixtures/frameworks/app.js'
import {
  buildFor,
  expectFromBucket,
  expectOff,
  expectRefused,
  expectUnchanged,
  siteBucket,
} from '../../fixtures/frameworks/expectations.js'
import { servePages } from '../../fixtures/pages/index.js'

describeFramework('mpa', (app) => {
  const site = siteBucket()
  const browser = withBrowser()
  const build = (env: Env) => app.run(['vite', 'build'], env)

  test('off: nothing is sent', () => expectOff(site, build))

  // A relative base is for pages whose place nobody knows when they are built.
  test('pages at any depth, below any path, take everything from the bucket', async () => {
    await buildFor(site, () => build(site.env))
    for (const base of ['/', '/some/where/']) {
      const pages = browser.keep(await servePages(join(app.dir, 'dist'), { base }))
      const { page, ...home } = await browser.open(`${pages.origin}${base}`)
      await page.getByRole('button').click()
      await page.getByText('worker 2').waitFor()
      await page.getByRole('link', { name: 'Item' }).click()
      await page.waitForURL(`${pages.origin}${base}shop/item/`)
      await page.getByRole('button').click()
      await page.getByText('worker 2').waitFor()
      await expect.poll(() => page.locator('img').count()).toBe(3)
      await expect.poll(() => page.locator('img').evaluateAll(allDecoded)).toBe(true)
      expectFromBucket(site, { page, ...home }, pages, new RegExp(`^${base}(shop/item/)?$`))
    }
  })

  test('once more: nothing is sent', () => expectUnchanged(site, build))

  test('keys that S3 refuses: the build fails and nothing is live', () => expectRefused(site, build))
})

function allDecoded(images: Element[]): boolean {
  return images.every((image) => (image as HTMLImageElement).naturalWidth > 0)
}
