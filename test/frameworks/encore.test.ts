import { mkdir, readFile, writeFile } from 'node:fs/promises'
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

interface EntryPoints {
  entrypoints: { app: { js: string[]; css: string[] } }
  integrity: Record<string, string>
}

describeFramework('encore', (app) => {
  const site = siteBucket()
  const browser = withBrowser()
  const build = (env: Env) => app.run(['encore', 'production'], env)
  const readJson = async (name: string) => JSON.parse(await readFile(join(app.dir, 'public/build', name), 'utf8'))

  test('off: nothing is sent', () => expectOff(site, build))

  test('uploads that S3 refuses: the build fails with one message', () =>
    // webpack-cli's exit code for an error in a hook.
    expectUploadsRefused(site, build, 2))

  test('the page that Symfony makes of entrypoints.json comes from the bucket', async () => {
    await buildFor(site, () => build(site.env))
    const { entrypoints, integrity }: EntryPoints = await readJson('entrypoints.json')
    const urls = [...entrypoints.app.js, ...entrypoints.app.css]
    const manifest: Record<string, string> = await readJson('manifest.json')
    expect(Object.keys(manifest)).toContain('build/copied/tile.png')
    for (const url of [...urls, ...Object.values(manifest)]) expect(url).toContain(site.publicUrl)

    const tags = urls.map((url) => {
      const common = `integrity="${integrity[url]}" crossorigin="anonymous"`
      return url.endsWith('.js')
        ? `<script defer src="${url}" ${common}></script>`
        : `<link rel="stylesheet" href="${url}" ${common}>`
    })
    const folder = join(app.dir, 'pages')
    await mkdir(folder)
    await writeFile(join(folder, 'index.html'), `<!doctype html><title>Symfony</title>${tags.join('')}`)
    const pages = browser.keep(await servePages(folder))
    const home = await browser.open(pages.origin)
    await expect.poll(() => home.page.locator('img').evaluateAll(allDecoded)).toBe(true)
    await home.page.getByRole('button').click()
    await expect.poll(() => home.page.locator('h1.lazy').textContent()).toBe('Lazy')
    expectFromBucket(site, home, pages, /^\/$/)
    const fonts = home.requests.filter(({ resourceType }) => resourceType === 'font')
    expect(fonts.map(({ url }) => url.startsWith(site.publicUrl))).toEqual([true])
  })

  test('the same site once more: nothing is sent', () => expectUnchanged(site, build))
})

function allDecoded(images: Element[]): boolean {
  return images.length === 2 && images.every((image) => (image as HTMLImageElement).naturalWidth > 0)
}
