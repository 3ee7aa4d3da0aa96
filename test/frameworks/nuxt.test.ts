import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { withBrowser } from '../../fixtures/browser/with-browser.js'
import type { Env } from '../../fixtures/build/run-process.js'
import { sitePuts } from '../../fixtures/build/site.js'
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

describeFramework('nuxt', (app) => {
  const site = siteBucket()
  const browser = withBrowser()
  const generate = (env: Env) => app.run(['nuxt', 'generate'], env)
  const build = (env: Env) => app.run(['nuxt', 'build'], env)
  const publicDir = join(app.dir, '.output/public')
  const built = (path: string) => readFile(join(publicDir, path), 'utf8')

  beforeAll(() => freshApp('nuxt'))

  test('off: nothing is sent, and URLs are Nuxt’s own', async () => {
    await expectOff(site, generate)
    const page = await built('index.html')
    expect(page).toContain('src="/pictures/public.png"')
    expect(page).toContain('cdnURL:""')
    expect(page).toContain('<code>/</code>')
  })

  test('nuxt generate: a page that fails ends the build, and nothing is sent', async () => {
    site.s3.server.reset()
    const { code, output } = await generate({ ...site.env, BROKEN: '1' })
    expect(code, output).toBe(1)
    expect(output).toContain('Exiting due to prerender errors')
    expect(sitePuts(site.s3)).toEqual([])
  })

  test('nuxt generate: pages, payloads and assets come from the bucket', async () => {
    const { output } = await buildFor(site, () => generate(site.env))
    expect(output).toMatch(/release 1 live/)
    const paths = [...site.objects().keys()]
    expect(paths).toEqual(expect.arrayContaining(['index.html', '200.html', 'pictures/public.png', 'lazy/_payload.json']))
    // Another module wrote it in Nuxt's last hook.
    expect(paths).toContain('late.txt')
    const assets = paths.filter((path) => path.startsWith('_nuxt/') && !path.startsWith('_nuxt/builds/'))
    expect(site.immutable()).toEqual(assets.sort())
    const pages = await servePages(publicDir)
    await tryPages(pages, 'from the build')
  })

  test('the same site once more: nothing is sent', () => expectUnchanged(site, generate))

  test('keys that S3 refuses: the build fails and nothing is live', () => expectRefused(site, generate))

  test('nuxt build: the server’s pages come with assets from the bucket', async () => {
    await buildFor(site, () => build({ ...site.env, AWS_LOCATION: 'static/server' }))
    const paths = [...site.objects().keys()]
    console.log(paths)
    await expectUnchanged(site, (env) => build({ ...env, AWS_LOCATION: 'static/server' }))
  })

  async function tryPages(pages: PageServer, data: string): Promise<void> {
    browser.keep(pages)
    const { page, ...home } = await browser.open(pages.origin)
    await page.locator('button').click()
    await expect.poll(() => page.locator('button').textContent()).toBe('1')
    await expect.poll(() => page.locator('output').textContent()).toBe('42')
    expect(await page.locator('code').textContent()).toBe(site.publicUrl)
    await expect.poll(() => page.locator('img').evaluateAll(allDecoded)).toBe(true)
    console.log(home.errors, pages.missed, pages.served)
    await page.locator('#to-lazy').click()
    await expect.poll(() => page.locator('p').textContent()).toBe(data)
    console.log(home.errors, pages.missed, pages.served, home.requests.map(({url}) => url))
  }
})

function allDecoded(images: Element[]): boolean {
  return images.every((image) => (image as HTMLImageElement).naturalWidth > 0)
}
