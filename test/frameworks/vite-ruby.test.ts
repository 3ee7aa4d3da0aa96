import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { render, testBackEnd } from '../../fixtures/back-ends/back-ends.js'
import { recipe } from '../../fixtures/back-ends/recipe.js'
import { expectTagsAnswer } from '../../fixtures/back-ends/tags.js'
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

describeFramework('vite-ruby', (app) => {
  const viteRuby = recipe('Rails (vite_ruby)')
  const { AWS_LOCATION } = viteRuby.variables()
  const site = siteBucket(AWS_LOCATION)
  const browser = withBrowser()
  const assetHost = () => /asset_host = '(.*)'/.exec(viteRuby.code('ruby', site))?.[1] ?? ''
  // As `bin/vite build` calls it, with the host that it takes from Rails.
  const build = (env: Env) =>
    app.run(['vite', 'build', '--mode', 'production'], {
      RAILS_ENV: 'production',
      VITE_RUBY_ASSET_HOST: assetHost(),
      ...env,
      AWS_LOCATION,
    })
  afterAll(removeFolders)

  test('off: nothing is sent', () => expectOff(site, build))

  test('pages of Rails take everything from the bucket', async () => {
    await buildFor(site, () => build(site.env))
    const pages = browser.keep(await serveBackEnd(rails(join(app.dir, 'public/vite'), assetHost())))
    const { page, ...home } = await browser.open(pages.origin)
    await page.getByRole('button').click()
    await page.getByAltText('late').waitFor()
    await expect.poll(() => page.locator('img').evaluateAll(allDecoded)).toBe(true)
    expectFromBucket(site, { page, ...home }, pages, /^\/$/)
    expect(home.requests.map(({ resourceType }) => resourceType)).toContain('font')
  })

  testBackEnd(
    'ruby',
    "every URL in Rails' own tags is in the bucket, and only the manifests are on its disk",
    async () => {
      const manifests = ['manifest.json', 'manifest-assets.json'].map((name) => `public/vite/.vite/${name}`)
      const folder = await makeFolder(
        Object.fromEntries(manifests.map((path) => [path, readFileSync(join(app.dir, path))])),
      )
      const template = `<%= vite_typescript_tag 'application' %><%= vite_image_tag 'tag.png' %>`
      const html = await render('rails.rb', [folder, viteRuby.code('ruby', site), template])
      const names = [/application-.*\.js$/, /application-.*\.css$/, /tag-.*\.png$/]
      expect(await expectTagsAnswer(html, site.publicUrl)).toEqual(names.map((name) => expect.stringMatching(name)))
    },
  )

  test('once more: nothing is sent', () => expectUnchanged(site, build))

  test('keys that S3 refuses: the build fails and nothing is live', () => expectRefused(site, build))
})

/** A page of Rails, as the tag helpers of vite_ruby make it with `asset_host`. */
function rails(folder: string, assetHost: string) {
  const read = (name: string) => JSON.parse(readFileSync(join(folder, '.vite', name), 'utf8'))
  const manifest: Record<string, { file: string; css?: string[] }> = {
    ...read('manifest.json'),
    ...read('manifest-assets.json'),
  }
  const urlOf = (file = 'missing') => `${assetHost}/vite/${file}`
  const { file, css = [] } = manifest['entrypoints/application.ts'] ?? {}
  return (pathname: string): Answer | undefined =>
    pathname === '/'
      ? {
          type: 'text/html',
          body: `<!doctype html><title>Rails</title>
            <link rel="icon" href="data:,">
            <script src="${urlOf(file)}" crossorigin="anonymous" type="module"></script>
            ${css.map((each) => `<link rel="stylesheet" media="screen" href="${urlOf(each)}">`).join('')}
            <body><img src="${urlOf(manifest['entrypoints/tag.png']?.file)}"></body>`,
        }
      : undefined
}

function allDecoded(images: Element[]): boolean {
  return images.length === 3 && images.every((image) => (image as HTMLImageElement).naturalWidth > 0)
}
