import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { withBrowser } from '../../fixtures/browser/with-browser.js'
import { readTree } from '../../fixtures/build/index.js'
import type { Env } from '../../fixtures/build/run-process.js'
import { sitePuts } from '../../fixtures/build/site.js'
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

describeFramework('rsbuild', (app) => {
  const site = siteBucket()
  const browser = withBrowser()
  const build = (env: Env) => app.run(['rsbuild', 'build'], env)
  const dist = join(app.dir, 'dist')

  test('off: nothing is sent', async () => {
    await expectOff(site, build)
    expect(await readFile(join(dist, 'index.html'), 'utf8')).toContain('href="/public.png"')
  })

  test('the site comes from the bucket', async () => {
    const { output } = await buildFor(site, () => build(site.env))
    expect(output).toMatch(/release 1 live/)
    const paths = [...(await readTree(dist)).keys()].filter((path) => !path.endsWith('.map'))
    expect([...site.objects().keys()].sort()).toEqual(paths)
    expect(paths).toEqual(expect.arrayContaining(['index.html', 'late.html', 'public.png']))
    expect(site.immutable()).toEqual(paths.filter((path) => /^static\/(?!.*LICENSE)/.test(path)))

    const pages = browser.keep(await servePages(dist))
    const home = await browser.open(pages.origin)
    const counter = home.page.getByRole('button')
    await counter.click()
    await expect.poll(() => counter.textContent()).toBe('count is 1')
    await expect.poll(() => home.page.locator('output').textContent()).toBe('ping pong')
    await expect.poll(() => home.page.locator('img').evaluateAll(allDecoded)).toBe(true)
    await home.page.getByRole('link', { name: 'Late' }).click()
    await expect.poll(() => home.page.locator('h1').evaluate((h1) => getComputedStyle(h1).color)).toBe('rgb(1, 2, 3)')
    expectFromBucket(site, home, pages, /^\/$/)
    const deep = await browser.open(`${pages.origin}/late`)
    await expect.poll(() => deep.page.locator('h1').textContent()).toBe('Late')
    expect(deep.errors).toEqual([])
  })

  test('the same site once more: nothing is sent', () => expectUnchanged(site, build))

  test('with an environment for a server: its code is not uploaded, and the report is visible at any log level', async () => {
    const { output } = await buildFor(site, () => build({ ...site.env, SERVER: '1', LOG_LEVEL: 'error' }))
    expect(output).toMatch(/unchanged +13 (.*\n)*✓ nothing to upload/)
    expect(await readFile(join(dist, 'server.js'), 'utf8')).toContain(site.publicUrl)
    expect(sitePuts(site.s3).map(({ key }) => key)).toEqual([])
  })

  test('keys that S3 refuses: the build fails and nothing is live', () => expectRefused(site, build))

  test("the entry fits Rsbuild's types", () => expectTypes(app, 'rsbuild.config.ts'))

  test('an upload that fails at the end fails the build', async () => {
    site.s3.server.reset()
    site.s3.server.intercept = ({ operation }) =>
      operation === 'PutObject' ? { status: 403, code: 'AccessDenied' } : undefined
    const { code, output } = await build({ ...site.env, AWS_LOCATION: 'other' })
    expect(code, output).toBe(1)
    expect(output).toMatch(/error +static-s3: PUT other\/static.*AccessDenied/)
    site.s3.server.reset()
  })
})

function allDecoded(images: Element[]): boolean {
  return images.length === 3 && images.every((image) => (image as HTMLImageElement).naturalWidth > 0)
}
