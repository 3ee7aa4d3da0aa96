import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { withBrowser } from '../../fixtures/browser/with-browser.js'
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
import { servePagesOf } from '../../fixtures/frameworks/page-server.js'
import { type PageServer, servePages } from '../../fixtures/pages/index.js'

describeFramework('astro', (app) => {
  const site = siteBucket()
  const browser = withBrowser()
  const build = (env: Env) => app.run(['astro', 'build'], { ASTRO_TELEMETRY_DISABLED: '1', ...env })
  const buildServer = (env: Env) => build({ OUTPUT: 'server', AWS_LOCATION: 'static', ...env })

  test('off: nothing is sent', () => expectOff(site, build))

  test('a static site comes from the bucket', async () => {
    const { output } = await buildFor(site, () => build(site.env))
    expect(output).toMatch(/release 1 live/)
    const paths = [...site.objects().keys()]
    expect(paths).toEqual(expect.arrayContaining(['index.html', 'about/index.html', 'public.png', 'late.txt']))
    expect(site.immutable()).toEqual(paths.filter((path) => path.startsWith('_astro/')).sort())
    await tryPages(await servePages(join(app.dir, 'dist')))
  })

  test('the same site once more: nothing is sent', () => expectUnchanged(site, build))

  test('keys that S3 refuses: the build fails and nothing is live', () => expectRefused(site, build))

  test('server output comes from the bucket, its prerendered page too', async () => {
    await buildFor(site, () => buildServer(site.env))
    expect([...site.objects().keys()].some((path) => /entry|chunks|server/.test(path))).toBe(false)
    const server = browser.keep(
      await app.serve(
        () => ['node', 'dist/server/entry.mjs'],
        (port) => ({ HOST: '127.0.0.1', PORT: String(port) }),
      ),
    )
    await tryPages(await servePagesOf({ origin: server.origin, clientDirs: [join(app.dir, 'dist/client')] }))
  })

  test('server output once more: nothing is sent', () => expectUnchanged(site, buildServer))

  test('the types fit Astro’s own', () => expectTypes(app, 'astro.config.ts'))

  async function tryPages(pages: PageServer): Promise<void> {
    browser.keep(pages)
    const home = await browser.open(pages.origin)
    await expectCounter(home.page, 'count is 1')
    await expect.poll(() => home.page.locator('output').textContent()).toBe('ping pong')
    await expect.poll(() => home.page.locator('img').evaluateAll(allDecoded)).toBe(true)
    await home.page.getByRole('link', { name: 'About' }).click()
    await expect.poll(() => home.page.title()).toBe('About')
    await expectCounter(home.page, 'late count is 1')
    expectFromBucket(site, home, pages, /^\/(about\/)?$|^\/_image\?/)
    const deep = await browser.open(`${pages.origin}/about/`)
    await expectCounter(deep.page, 'late count is 1')
    expect(deep.errors).toEqual([])
  }
})

async function expectCounter(page: Page, after: string): Promise<void> {
  const counter = page.getByRole('button')
  await expect.poll(() => page.locator('astro-island:not([ssr])').count()).toBe(1)
  await counter.click()
  await expect.poll(() => counter.textContent()).toBe(after)
}

function allDecoded(images: Element[]): boolean {
  return images.length === 2 && images.every((image) => (image as HTMLImageElement).naturalWidth > 0)
}
