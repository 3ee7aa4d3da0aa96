import { existsSync, readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
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
  expectUnchanged,
  siteBucket,
} from '../../fixtures/frameworks/expectations.js'
import { servePagesOf } from '../../fixtures/frameworks/page-server.js'
import { servePages } from '../../fixtures/pages/index.js'

const cli = join(import.meta.dirname, '../../dist/cli.js')

describeFramework('next', (app) => {
  const site = siteBucket()
  const browser = withBrowser()
  const next = (args: string[], env: Env) => app.run(['next', ...args], { NEXT_TELEMETRY_DISABLED: '1', ...env })
  const turbopack = (env: Env) => next(['build'], env)
  const webpack = (env: Env) => next(['build', '--webpack'], env)

  test("the adapter fits Next's own type", async () => {
    const { code, output } = await app.run(
      'tsc --noEmit --strict --skipLibCheck --module nodenext adapter.ts'.split(' '),
    )
    expect(output).toBe('')
    expect(code).toBe(0)
  })

  test('off: nothing is sent, and Next has no adapter', async () => {
    await expectOff(site, turbopack)
    expect(existsSync(join(app.dir, '.next/server/app/index.html'))).toBe(true)
  })

  test('Turbopack: a site comes from the bucket, but its workers', async () => {
    const { output } = await buildFor(site, () => turbopack(site.env))
    expect(output).toMatch(/release 1 live/)
    expectFiles()
    await tryServer({ workers: /\/turbopack-worker-[\w-]+\.js/ })
  })

  test('the same site once more: nothing is sent', () => expectUnchanged(site, turbopack))

  test('keys that S3 refuses: the build fails and nothing is live', () => expectRefused(site, turbopack))

  test('webpack: a site comes from the bucket', async () => {
    await buildFor(site, () => webpack({ ...site.env, DEPLOYMENT_ID: 'first' }))
    expectFiles()
    await tryServer({ env: { DEPLOYMENT_ID: 'first' } })
  })

  test("static-s3/webpack inside Next's configuration: the build fails with a pointer to the adapter", async () => {
    const { code, output } = await webpack({ ...site.env, WRONG_ENTRY: '1' })
    expect(code).toBe(1)
    expect(output).toMatch(/StaticS3Plugin .*require\.resolve\('static-s3\/next'\)/)
  })

  test('a static export, which `static-s3 deploy` uploads later', async () => {
    await buildFor(site, () => webpack({ ...site.env, OUTPUT: 'export', STATIC_S3_UPLOAD: 'false' }))
    expect(site.s3.server.requests).toEqual([])
    const { code, output } = await app.run(['node', cli, 'deploy', 'out'], site.env)
    expect(code, output).toBe(0)
    expect([...site.objects().keys()]).toEqual(expect.arrayContaining(['index.html', 'about.html', 'about.txt']))
    const { origin } = browser.keep(await servePages(join(app.dir, 'out'), { everything: true }))
    await tryPages(origin, 'out/_next', '/posts/first.html')
  })

  /** All of Next's static files and of `public/`. Nothing is cached for a year in the folder of the build, whose name users may fix. */
  function expectFiles(): void {
    const paths = [...site.objects().keys()].sort()
    const ofNext = paths.filter((path) => path.startsWith('_next/static/'))
    expect(paths).toEqual([...ofNext, 'public.png'])
    const built = readdirSync(join(app.dir, '.next/static'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.endsWith('.map'))
      .map(({ parentPath, name }) => `_next/${relative(join(app.dir, '.next'), join(parentPath, name))}`)
    expect(ofNext).toEqual(expect.arrayContaining(built))
    expect(site.immutable()).toEqual(ofNext.filter((path) => !path.startsWith('_next/static/build/')))
  }

  /** A server without the build's environment: it still has the build's URLs. */
  async function tryServer({ env, workers }: { env?: Env; workers?: RegExp }): Promise<void> {
    const { origin } = browser.keep(
      await app.serve(
        (port) => ['next', 'start', '--port', String(port), '--hostname', '127.0.0.1'],
        () => ({ NEXT_TELEMETRY_DISABLED: '1', ...env }),
      ),
    )
    const pages = await tryPages(origin, '.next', '/posts/at-run-time', workers)
    const old = await browser.open(`${pages.origin}/old`)
    await old.page.getByRole('link').click()
    await expectCounter(old.page, '4 years')
    expect(old.errors).toEqual([])
    expect(pages.missed).toEqual([])
  }

  async function tryPages(origin: string, client: string, deepLink: string, workers?: RegExp) {
    const clientDirs = [client, 'public'].map((dir) => join(app.dir, dir))
    const pages = browser.keep(await servePagesOf({ origin, clientDirs, base: '/_next/', ...(workers && { workers }) }))
    const home = await browser.open(pages.origin)
    const { page } = home
    await expect.poll(() => page.locator('output').textContent()).toBe('ping pong')
    await expectCounter(page, 'count is 1')
    await expect.poll(() => page.locator('img').evaluateAll(allDecoded)).toBe(true)
    expect(await page.locator('script[integrity][src^="http"]').count()).toBeGreaterThan(0)
    await page.getByRole('link', { name: 'About' }).click()
    await expect.poll(() => page.title()).toBe('About')
    await expectCounter(page, 'late count is 1')
    const own = /^\/(about|[\w.]+\.txt)?(\?.*)?$|^\/_next\/image\?/
    expectFromBucket(site, home, pages, workers ? new RegExp(`${own.source}|^/_next/static/chunks/`) : own)
    expect(home.requests.map(({ resourceType }) => resourceType)).toContain('font')
    const deep = await browser.open(`${pages.origin}${deepLink}`)
    await expectCounter(deep.page, 'late count is 1')
    expect(deep.errors).toEqual([])
    expect(pages.missed).toEqual([])
    return pages
  }
})

async function expectCounter(page: Page, after: string): Promise<void> {
  const counter = page.getByRole('button')
  await counter.click()
  await expect.poll(() => counter.textContent()).toBe(after)
}

function allDecoded(images: Element[]): boolean {
  return images.length === 4 && images.every((image) => (image as HTMLImageElement).naturalWidth > 0)
}
