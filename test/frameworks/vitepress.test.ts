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
  expectRefused,
  expectUnchanged,
  siteBucket,
} from '../../fixtures/frameworks/expectations.js'
import { servePages } from '../../fixtures/pages/index.js'

for (const name of ['vitepress', 'vitepress-2']) {
  describeFramework(name, (app) => {
    const site = siteBucket()
    const browser = withBrowser()
    const build = (env: Env) => app.run(['vitepress', 'build'], env)
    const dist = join(app.dir, '.vitepress/dist')

    // VitePress hides the line that says why.
    test('off: nothing is sent', async () => {
      await buildFor(site, () => build({ ...site.env, USE_S3: '0' }))
      expect(site.s3.server.requests).toEqual([])
    })

    test('everything but pages comes from the bucket', async () => {
      const { output } = await buildFor(site, () => build(site.env))
      expect(output).toMatch(/release 1 live/)
      expect(output).not.toMatch(/plain strings|this version of VitePress/)
      const paths = [...site.objects().keys()]
      expect(paths.sort()).toEqual([...(await readTree(dist)).keys()].sort())
      expect(site.objects().get('sitemap.xml')?.body.toString()).toMatch(/<\/urlset>\s*$/)
      expect(site.immutable()).toEqual(paths.filter((path) => path.startsWith('assets/')))

      const pages = browser.keep(await servePages(dist))
      const home = await browser.open(pages.origin)
      await home.page.getByRole('button', { name: 'Count' }).click()
      await home.page.getByText('Count 1').waitFor()
      await home.page.getByText('worker 2').waitFor()
      expect(await home.page.locator('.static-url').textContent()).toBe(site.publicUrl)
      // Each of these was prefetched, and is imported on a click.
      await home.page.getByRole('link', { name: 'Guide' }).first().click()
      await home.page.getByRole('heading', { name: 'The guide' }).waitFor()
      await home.page.getByRole('link', { name: 'Deep' }).first().click()
      await home.page.getByRole('heading', { name: 'A deep link' }).waitFor()
      await home.page.locator('.VPNavBarSearch button').first().click()
      await home.page.locator('input[type=search]').fill('lean copy')
      await home.page.locator('.results a').first().waitFor()
      await expect.poll(() => home.page.locator('img').evaluateAll(allDecoded)).toBe(true)
      expectFromBucket(site, home, pages, /^\/$/)

      const deep = await browser.open(`${pages.origin}/deep/link.html`)
      await deep.page.getByRole('link', { name: 'Home' }).last().click()
      await deep.page.getByText('Count 0').waitFor()
      await expect.poll(() => deep.page.locator('img').evaluateAll(allDecoded)).toBe(true)
      expectFromBucket(site, deep, pages, /^\/deep\/link\.html$/)
    })

    test('a page that a new release renamed is found by the hashmap.json in the bucket', async () => {
      const pages = browser.keep(
        await servePages(dist, { transform: (html) => html.replaceAll(/(guide\.md\\?":\\?")[\w-]+/g, '$1gone0000') }),
      )
      const home = await browser.open(pages.origin)
      if (name === 'vitepress-2') {
        await home.page.evaluate(() =>
          Object.assign((window as never as Hashes).__VP_HASH_MAP__, { 'guide.md': 'gone0000' }),
        )
      }
      await home.page.getByRole('link', { name: 'Guide' }).first().click()
      await home.page.getByRole('heading', { name: 'The guide' }).waitFor()
      expect(pages.missed).toEqual([])
    })

    test('once more: nothing is sent', () => expectUnchanged(site, build))

    test('keys that S3 refuses: the build fails and nothing is live', () => expectRefused(site, build))

    test('a site that lacks a file: the build fails after its last page, with one message, and nothing is live', async () => {
      await app.write('guide.md', `<img src="${site.publicUrl}gone.png">`)
      site.s3.server.reset()
      const { code, output } = await build(site.env)
      expect(code, output).toBe(1)
      expect(output).toContain('rendering pages')
      expect(output.match(/nothing was uploaded/g), output).toHaveLength(1)
      expect(output).not.toContain('    at ')
      expect(sitePuts(site.s3)).toEqual([])
    })
  })
}

interface Hashes {
  __VP_HASH_MAP__: Record<string, string>
}

function allDecoded(images: Element[]): boolean {
  return images.length > 0 && images.every((image) => (image as HTMLImageElement).naturalWidth > 0)
}
