import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { withBrowser } from '../../fixtures/browser/with-browser.js'
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
  const site = siteBucket('vite')
  const browser = withBrowser()
  // As `bin/vite build` calls it.
  const build = (env: Env) => app.run(['vite', 'build', '--mode', 'production'], { RAILS_ENV: 'production', ...env })

  test('off: nothing is sent', () => expectOff(site, build))

  test('pages of Rails take everything from the bucket', async () => {
    await buildFor(site, () => build(site.env))
    const pages = browser.keep(
      await serveBackEnd(rails(join(app.dir, 'public/vite'), site.publicUrl.replace('/vite/', ''))),
    )
    const { page, ...home } = await browser.open(pages.origin)
    await page.getByRole('button').click()
    await page.getByAltText('late').waitFor()
    await expect.poll(() => page.locator('img').evaluateAll(allDecoded)).toBe(true)
    expectFromBucket(site, { page, ...home }, pages, /^\/$/)
    expect(home.requests.map(({ resourceType }) => resourceType)).toContain('font')
  })

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
