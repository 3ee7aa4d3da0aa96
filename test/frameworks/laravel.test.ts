import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { render, testBackEnd } from '../../fixtures/back-ends/back-ends.js'
import { recipe } from '../../fixtures/back-ends/recipe.js'
import { expectTagsAnswer, integrityOf } from '../../fixtures/back-ends/tags.js'
import { withBrowser } from '../../fixtures/browser/with-browser.js'
import { makeFolder, removeFolders } from '../../fixtures/build/folders.js'
import type { Env } from '../../fixtures/build/run-process.js'
import { describeFramework } from '../../fixtures/frameworks/app.js'
import { type Answer, serveBackEnd } from '../../fixtures/frameworks/back-end.js'
import {
  buildFor,
  expectFromBucket,
  expectOff,
  expectRefused,
  expectUnchanged,
  siteBucket,
} from '../../fixtures/frameworks/expectations.js'

describeFramework('laravel', (app) => {
  const laravel = recipe('Laravel')
  const site = siteBucket(laravel.variables().AWS_LOCATION)
  const browser = withBrowser()
  const assetUrl = () => laravel.variables(site).ASSET_URL ?? ''
  const build = (env: Env) => app.run(['vite', 'build'], { ...env, ...laravel.variables(site) })
  afterAll(removeFolders)

  test('off: nothing is sent', () => expectOff(site, (env) => app.run(['vite', 'build'], env)))

  test('pages of Inertia take everything from the bucket', async () => {
    await buildFor(site, () => build(site.env))
    const pages = browser.keep(await serveBackEnd(inertia(join(app.dir, 'public/build'), assetUrl())))
    const { page, ...home } = await browser.open(pages.origin)
    await page.getByRole('button').click()
    await page.getByText('Count 1').waitFor()
    await page.getByRole('link', { name: 'Later' }).click()
    await page.getByRole('heading', { name: 'Later' }).waitFor()
    await page.getByRole('button').click()
    await page.getByText('Later 1').waitFor()
    await expect.poll(() => page.locator('img').evaluateAll(allDecoded)).toBe(true)
    expectFromBucket(site, { page, ...home }, pages, /^\/(later)?$/)
    expect(home.requests.map(({ resourceType }) => resourceType)).toContain('font')

    const deep = await browser.open(`${pages.origin}/later`)
    await deep.page.getByRole('button').click()
    await deep.page.getByText('Later 1').waitFor()
    expectFromBucket(site, deep, pages, /^\/later$/)
  })

  testBackEnd(
    'php',
    "every URL in Laravel's own tags is in the bucket, and only manifests and the style of fonts are on its disk",
    async () => {
      const read = (name: string) => readFileSync(join(app.dir, 'public/build', name))
      const { style } = JSON.parse(read('fonts-manifest.json').toString())
      const manifest: Record<string, { file: string; integrity?: string }> = JSON.parse(
        read('manifest.json').toString(),
      )
      // As plugins for `integrity` do.
      for (const entry of Object.values(manifest)) entry.integrity = integrityOf(read(entry.file))
      const folder = await makeFolder({
        'public/build/manifest.json': JSON.stringify(manifest),
        'public/build/fonts-manifest.json': read('fonts-manifest.json'),
        [`public/build/${style.file}`]: read(style.file),
        'bootstrap/cache/.gitignore': '*',
        'resources/views/.gitignore': '*',
        'storage/framework/views/.gitignore': '*',
      })
      const template = `@php ${laravel.code('php')} @endphp ${blade}`
      const html = await render('laravel.php', [folder, template], laravel.variables(site))
      const paths = await expectTagsAnswer(html, site.publicUrl)
      const names = [/dots-.*\.ttf$/, /app-.*\.css$/, /app-.*\.js$/, /blade-.*\.png$/]
      expect(paths).toEqual(names.map((name) => expect.stringMatching(name)))
    },
  )

  test('once more: nothing is sent', () => expectUnchanged(site, build))

  test('keys that S3 refuses: the build fails and nothing is live', () => expectRefused(site, build))
})

const blade = `@fonts
  @vite(['resources/css/app.css', 'resources/js/app.js'])
  <img src="{{ Vite::asset('resources/images/blade.png') }}">`

/** Laravel's pages, as `@vite`, `@fonts`, `Vite::asset()` and `@inertia` make them. */
function inertia(folder: string, assetUrl: string) {
  const read = (name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8'))
  const manifest: Record<string, { file: string }> = read('manifest.json')
  const urlOf = (file: string) => `${assetUrl}/build/${file}`
  const built = (source: string) => urlOf(manifest[source]?.file ?? 'missing')
  const { style } = read('fonts-manifest.json')
  return (pathname: string, { headers }: { headers: NodeJS.Dict<string | string[]> }): Answer | undefined => {
    const component = { '/': 'Home', '/later': 'Later' }[pathname]
    if (component === undefined) return undefined
    const page = JSON.stringify({ component, props: { errors: {} }, url: pathname, version: null })
    if (headers['x-inertia'])
      return { type: 'application/json', body: page, headers: { 'x-inertia': 'true', vary: 'X-Inertia' } }
    return {
      type: 'text/html',
      body: `<!doctype html><title>Laravel</title>
        <link rel="icon" href="data:,">
        <style>${readFileSync(join(folder, style.file), 'utf8')}</style>
        <link rel="preload" as="style" href="${built('resources/css/app.css')}">
        <link rel="modulepreload" as="script" href="${built('resources/js/app.js')}">
        <link rel="stylesheet" href="${built('resources/css/app.css')}">
        <script type="module" src="${built('resources/js/app.js')}"></script>
        <img src="${built('resources/images/blade.png')}">
        <script data-page="app" type="application/json">${page}</script><div id="app"></div>`,
    }
  }
}

function allDecoded(images: Element[]): boolean {
  return images.length === 2 && images.every((image) => (image as HTMLImageElement).naturalWidth > 0)
}
