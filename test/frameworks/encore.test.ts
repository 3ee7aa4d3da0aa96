import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { render, testBackEnd } from '../../fixtures/back-ends/back-ends.js'
import { recipe } from '../../fixtures/back-ends/recipe.js'
import { expectTagsAnswer } from '../../fixtures/back-ends/tags.js'
import { withBrowser } from '../../fixtures/browser/with-browser.js'
import { makeFolder, removeFolders } from '../../fixtures/build/folders.js'
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
  afterAll(removeFolders)

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

  testBackEnd(
    'php',
    "every URL in Symfony's own tags is in the bucket, and only manifests are on its disk",
    async () => {
      const manifests = ['manifest.json', 'entrypoints.json'].map((name) => `public/build/${name}`)
      const folder = await makeFolder({
        ...Object.fromEntries(
          await Promise.all(manifests.map(async (path) => [path, await readFile(join(app.dir, path))])),
        ),
        'config/packages/assets.yaml': recipe('Symfony (Webpack Encore)').code('yaml'),
        'templates/.gitignore': '',
      })
      const template = `{{ encore_entry_link_tags('app') }}{{ encore_entry_script_tags('app') }}
      <img src="{{ asset('build/copied/tile.png') }}"><img src="{{ asset('build/images/photo.png') }}">`
      const html = await render('symfony.php', [folder, template])
      const names = [/^app\..*\.css$/, /^runtime\..*\.js$/, /^app\..*\.js$/, /^copied\/tile\.png$/, /photo\..*\.png$/]
      expect(await expectTagsAnswer(html, site.publicUrl)).toEqual(names.map((name) => expect.stringMatching(name)))
      expect(html.match(/integrity="/g)).toHaveLength(3)
    },
  )

  test('the same site once more: nothing is sent', () => expectUnchanged(site, build))
})

function allDecoded(images: Element[]): boolean {
  return images.length === 2 && images.every((image) => (image as HTMLImageElement).naturalWidth > 0)
}
