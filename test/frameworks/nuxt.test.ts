import { readFile } from 'node:fs/promises'
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
  expectUnchanged,
  siteBucket,
} from '../../fixtures/frameworks/expectations.js'
import { servePagesOf } from '../../fixtures/frameworks/page-server.js'
import { type PageServer, servePages } from '../../fixtures/pages/index.js'

describeFramework('nuxt', (app) => {
  const site = siteBucket()
  const browser = withBrowser()
  const generate = (env: Env) => app.run(['nuxt', 'generate'], env)
  const publicDir = join(app.dir, '.output/public')
  const built = (path: string) => readFile(join(publicDir, path), 'utf8')

  test('off: nothing is sent, and URLs are Nuxt’s own', async () => {
    await expectOff(site, generate)
    const page = await built('index.html')
    expect(page).toContain('src="/pictures/public.png"')
    expect(page).toContain('cdnURL:""')
    expect(page).toContain('<code>/</code>')
  })

  test('a page that fails ends nuxt generate, and nothing is sent', async () => {
    site.s3.server.reset()
    const { code, output } = await generate({ ...site.env, BROKEN: '1' })
    expect(code, output).toBe(1)
    expect(output).toContain('Exiting due to prerender errors')
    expect(sitePuts(site.s3)).toEqual([])
  })

  test('nuxt generate: pages, payloads and assets come from the bucket', async () => {
    const { output } = await buildFor(site, () => generate(site.env))
    expect(output).toMatch(/release 1 live/)
    expect(output).not.toContain('plain strings')
    const paths = [...site.objects().keys()]
    expect(paths).toEqual(
      expect.arrayContaining(['index.html', '200.html', 'pictures/public.png', 'lazy/_payload.json']),
    )
    // Another module wrote it in Nuxt's last hook.
    expect(paths).toContain('late.txt')
    const assets = paths.filter((path) => path.startsWith('_nuxt/') && !path.startsWith('_nuxt/builds/'))
    expect(site.immutable()).toEqual(assets.sort())
    await tryPages(await servePages(publicDir), { staticUrl: site.publicUrl, lazy: 'from the server' })
  })

  test('the same site once more: nothing is sent', () => expectUnchanged(site, generate))

  test('keys that S3 refuses: the build fails and nothing is live', () => expectRefused(site, generate))

  test('nuxt build: the server’s pages load assets and payloads from the bucket', async () => {
    await buildFor(site, () => app.run(['nuxt', 'build'], { ...site.env, AWS_LOCATION: 'static/server' }))
    const serve = async (env: Env = {}) =>
      browser.keep(
        await app.serve(
          () => ['node', '.output/server/index.mjs'],
          (port) => ({ HOST: '127.0.0.1', PORT: String(port), ...env }),
        ),
      )
    const { origin } = await serve()
    const get = async (url: string) => (await fetch(url)).text()
    const staticUrl = `${site.publicUrl}server/`
    expect(await get(`${origin}/api/static-url`)).toBe(staticUrl)
    const { id } = JSON.parse(await built('_nuxt/builds/latest.json'))
    expect(await get(origin)).toContain(`buildId:"${id}"`)
    const pages = await servePagesOf({ origin, clientDirs: [publicDir] })
    await tryPages(pages, { staticUrl, lazy: 'from the browser' })

    // Nuxt does not write a picture that only the server's code imports: docs/frameworks.md says so.
    const [picture = ''] = /(?<=src=")[^"]*server-only[^"]*png/.exec(await get(`${origin}/server-only`)) ?? []
    expect(picture).toMatch(staticUrl)
    expect((await fetch(picture)).ok).toBe(false)

    const moved = await get((await serve({ NUXT_APP_CDN_URL: 'https://cdn.example.com/moved/' })).origin)
    const urls = moved.match(/https?:[^"]*\/(_nuxt|pictures)\/[^"]*/g) ?? []
    expect(urls.length).toBeGreaterThan(5)
    expect(urls.filter((url) => !url.startsWith('https://cdn.example.com/moved/'))).toEqual([
      `${staticUrl}pictures/public.png`,
    ])
  })

  test('the module and its options have types', async () => {
    await app.run(['nuxt', 'prepare'])
    const { code, output } = await app.run(['tsc', '-p', 'tsconfig.types.json'])
    expect(code, output).toBe(0)
  })

  test('nuxt dev sends nothing', async () => {
    site.s3.server.reset()
    const dev = await app.serve(
      (port) => ['nuxt', 'dev', '--no-fork', '--host', '127.0.0.1', '--port', String(port)],
      () => site.env,
    )
    await expect.poll(async () => (await fetch(dev.origin)).text()).toContain('<code>/</code>')
    await dev.close()
    expect(site.s3.server.requests).toEqual([])
  })

  async function tryPages(pages: PageServer, { staticUrl, lazy }: { staticUrl: string; lazy: string }): Promise<void> {
    browser.keep(pages)
    const home = await browser.open(pages.origin)
    const { page } = home
    const shows = (selector: string, text: string) => expect.poll(() => page.locator(selector).textContent()).toBe(text)
    await shows('output', '42')
    await page.locator('button').click()
    await shows('button', '1')
    await shows('code', staticUrl)
    await expect.poll(() => page.locator('img').evaluateAll(allDecoded)).toBe(true)
    await page.locator('#to-lazy').click()
    await shows('p', lazy)
    await page.locator('#to-prerendered').click()
    await shows('p', 'from the build')
    await expect.poll(() => page.locator('img').evaluateAll(allDecoded)).toBe(true)
    expectFromBucket(site, home, pages, /^\/$/)
    const fromBucket = home.requests.map(({ url }) => url.replace(staticUrl, ''))
    expect(fromBucket).toEqual(expect.arrayContaining([expect.stringMatching(/^_nuxt\/dots.*ttf$/)]))
    expect(fromBucket).toEqual(expect.arrayContaining([expect.stringMatching(/^prerendered\/_payload\.json/)]))

    for (const [path, text] of [
      ['lazy', 'from the server'],
      ['prerendered', 'from the build'],
    ]) {
      const deep = await browser.open(`${pages.origin}/${path}`)
      await expect.poll(() => deep.page.locator('p').textContent()).toBe(text)
      await deep.page.locator('#to-index').click()
      await expect.poll(() => deep.page.locator('output').textContent()).toBe('42')
      expect(deep.errors).toEqual([])
    }
    expect(pages.missed).toEqual([])
  }
})

function allDecoded(images: Element[]): boolean {
  return images.length > 0 && images.every((image) => (image as HTMLImageElement).naturalWidth > 0)
}
