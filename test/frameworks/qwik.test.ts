import { join } from 'node:path'
import { expect, test } from 'vitest'
import { withBrowser } from '../../fixtures/browser/with-browser.js'
import type { Env } from '../../fixtures/build/run-process.js'
import { sitePuts } from '../../fixtures/build/site.js'
import { describeFramework } from '../../fixtures/frameworks/app.js'
import {
  buildFor,
  expectFromBucket,
  expectOff,
  expectRefused,
  siteBucket,
} from '../../fixtures/frameworks/expectations.js'
import { servePagesOf } from '../../fixtures/frameworks/page-server.js'

describeFramework('qwik', (app) => {
  const site = siteBucket()
  const browser = withBrowser()
  const build = (env: Env) => app.run(['vite', 'build'], env)
  const buildServer = (env: Env) => app.run(['vite', 'build', '-c', 'adapters/node/vite.config.ts'], env)

  test('off: nothing is sent', () => expectOff(site, build))

  test('pages of the server, and one that the build renders, take everything from the bucket', async () => {
    await buildFor(site, () => build(site.env))
    const paths = [...site.objects().keys()]
    expect(site.immutable()).toEqual(paths.filter((path) => /^(build|assets)\//.test(path)).sort())
    const { output } = await buildFor(site, () => buildServer(site.env))
    expect(output).not.toContain('this version of Qwik')
    expect(site.s3.server.requests).toEqual([])

    const server = browser.keep(
      await app.serve(
        () => ['node', 'server/entry.node.js'],
        (port) => ({ PORT: String(port) }),
      ),
    )
    const pages = browser.keep(
      await servePagesOf({ origin: server.origin, clientDirs: [join(app.dir, 'dist')], also: ['about/q-data.json'] }),
    )
    const own = /^\/((later|about)\/)?(q-data\.json)?$/
    const { page, ...home } = await browser.open(pages.origin)
    await page.getByRole('button').click()
    await page.getByText('Count 1').waitFor()
    await page.getByText('worker 2').waitFor()
    await expect.poll(() => page.locator('img').evaluateAll(allDecoded)).toBe(true)
    await page.getByRole('link', { name: 'Later' }).click()
    await page.getByRole('heading', { name: 'Later' }).waitFor()
    await expect.poll(() => page.locator('img').evaluateAll(allDecoded)).toBe(true)
    expectFromBucket(site, { page, ...home }, pages, own)
    expect(home.requests.map(({ resourceType }) => resourceType)).toContain('font')

    const about = await browser.open(`${pages.origin}/about/`)
    await about.page.getByRole('link', { name: 'Home' }).click()
    await about.page.getByRole('heading', { name: 'Home' }).waitFor()
    await about.page.getByRole('button').click()
    await about.page.getByText('Count 1').waitFor()
    expectFromBucket(site, about, pages, own)
  })

  // The order of its symbols is the order in which Qwik's optimizer ends its work.
  test('once more: nothing but q-manifest.json is sent', async () => {
    const { output } = await buildFor(site, () => build(site.env))
    expect(output).toMatch(/unchanged +\d/)
    expect(sitePuts(site.s3).filter(({ key }) => key !== 'static/q-manifest.json')).toEqual([])
  })

  test('keys that S3 refuses: the build fails and nothing is live', () => expectRefused(site, build))
})

function allDecoded(images: Element[]): boolean {
  return images.length > 0 && images.every((image) => (image as HTMLImageElement).naturalWidth > 0)
}
