import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { withBrowser } from '../../fixtures/browser/with-browser.js'
import type { Env } from '../../fixtures/build/run-process.js'
import { describeFramework, freshApp } from '../../fixtures/frameworks/app.js'
import {
  buildFor,
  expectFromBucket,
  expectOff,
  expectRefused,
  expectUnchanged,
  siteBucket,
} from '../../fixtures/frameworks/expectations.js'
import { servePagesOf } from '../../fixtures/frameworks/page-server.js'
import { type PageServer, servePages } from '../../fixtures/pages/index.js'

describeFramework('next', (app) => {
  const site = siteBucket()
  const browser = withBrowser()
  const next = (args: string[], env: Env) => app.run(['next', ...args], { NEXT_TELEMETRY_DISABLED: '1', ...env })
  const turbopack = (env: Env) => next(['build'], env)
  const webpack = (env: Env) => next(['build', '--webpack'], env)

  beforeAll(() => freshApp('next'))

  test("the adapter fits Next's own type", async () => {
    const { code, output } = await app.run(
      'tsc --noEmit --strict --skipLibCheck --module nodenext adapter.ts'.split(' '),
    )
    expect(output).toBe('')
    expect(code).toBe(0)
  })

  test('off: nothing is sent', () => expectOff(site, turbopack))

  test('Turbopack: a site comes from the bucket', async () => {
    const { output } = await buildFor(site, () => turbopack(site.env))
    expect(output).toMatch(/release 1 live/)
    expectFiles(/^_next\/static\/build\//)
    await tryServer()
  })

  test('the same site once more: nothing is sent', () => expectUnchanged(site, turbopack))

  test('keys that S3 refuses: the build fails and nothing is live', () => expectRefused(site, turbopack))

  test('webpack: a site comes from the bucket', async () => {
    await buildFor(site, () => webpack({ ...site.env, AWS_LOCATION: 'static' }))
    await tryServer()
  })

  test("static-s3/webpack inside Next's configuration: the build fails with a pointer to the adapter", async () => {
    const { code, output } = await webpack({ ...site.env, WRONG_ENTRY: '1' })
    expect(code).toBe(1)
    expect(output).toMatch(/StaticS3Plugin .*require\.resolve\('static-s3\/next'\)/)
  })

  test('a static export, which static-s3 deploy uploads later', async () => {
    await buildFor(site, () => turbopack({ ...site.env, OUTPUT: 'export', STATIC_S3_UPLOAD: 'false' }))
    const { code, output } = await app.run(['static-s3', 'deploy', 'out'], site.env)
    expect(code, output).toBe(0)
    expect([...site.objects().keys()]).toEqual(expect.arrayContaining(['index.html', 'about.html', 'about.txt']))
    await tryPages(await servePages(join(app.dir, 'out')))
  })

  /** All of Next's static files and of `public/`, and no others. */
  function expectFiles(notHashed: RegExp): void {
    const paths = [...site.objects().keys()].sort()
    const ofNext = paths.filter((path) => path.startsWith('_next/static/'))
    expect(paths).toEqual([...ofNext, 'public.png'])
    expect(site.immutable()).toEqual(ofNext.filter((path) => !notHashed.test(path)))
  }

  /** A server without the build's environment: it still has the build's URLs. */
  async function tryServer(): Promise<void> {
    const client = join(app.dir, 'client')
    await mkdir(client, { recursive: true })
    await symlink('../.next', join(client, '_next')).catch(() => {})
    const server = browser.keep(
      await app.serve(
        (port) => ['next', 'start', '--port', String(port), '--hostname', '127.0.0.1'],
        () => ({ NEXT_TELEMETRY_DISABLED: '1' }),
      ),
    )
    await tryPages(
      await servePagesOf({ origin: server.origin, clientDirs: [client, join(app.dir, 'public')] }),
      '/posts/other',
    )
  }

  async function tryPages(pages: PageServer, deepLink = '/posts/first'): Promise<void> {
    browser.keep(pages)
    const home = await browser.open(pages.origin)
    const { page } = home
    const button = page.getByRole('button')
    await expect.poll(() => page.locator('output').textContent()).toBe('ping pong')
    await button.click()
    await expect.poll(() => button.textContent()).toBe('count is 1')
    const isDecoded = (images: Element[]) => images.every((image) => (image as HTMLImageElement).naturalWidth > 0)
    await expect.poll(() => page.locator('img').evaluateAll(isDecoded)).toBe(true)
    expect(await page.locator('img').count()).toBe(4)
    await page.getByRole('link', { name: 'About' }).click()
    await expect.poll(() => page.title()).toBe('About')
    await button.click()
    await expect.poll(() => button.textContent()).toBe('late count is 1')
    expectFromBucket(site, home, pages, /^\/(about)?(\?_rsc=.*)?$|^\/_next\/image\?|worker/)
    const deep = await browser.open(`${pages.origin}${deepLink}`)
    await deep.page.getByRole('button').click()
    await expect.poll(() => deep.page.getByRole('button').textContent()).toBe('late count is 1')
    expect(deep.errors).toEqual([])
  }
})
