import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { withBrowser } from '../../fixtures/browser/with-browser.js'
import type { Ended, Env } from '../../fixtures/build/run-process.js'
import { describeFramework } from '../../fixtures/frameworks/app.js'
import {
  buildFor,
  expectFromBucket,
  expectOff,
  expectUnchanged,
  siteBucket,
} from '../../fixtures/frameworks/expectations.js'
import { servePages } from '../../fixtures/pages/index.js'

describeFramework('module-federation', (app) => {
  const site = siteBucket()
  const browser = withBrowser()
  const build = (name: string, env: Env) => app.run(['webpack', '--config', `${name}/webpack.config.js`], env)

  describe.each([
    ['webpack', 'remoteEntry.js'],
    ['enhanced', 'mf-manifest.json'],
  ])('the plugin of %s', (federation, entry) => {
    const buildHost = (env: Env): Promise<Ended> =>
      build('host', { ...env, FEDERATION: federation, REMOTE: `${site.publicUrl}remote/${entry}` })
    const buildRemote = (env: Env): Promise<Ended> => build('remote', { ...env, FEDERATION: federation })

    test('off: nothing is sent', () => expectOff(site, buildRemote))

    test('host and remote come from two locations of the bucket', async () => {
      for (const each of [buildRemote, buildHost]) await buildFor(site, () => each(site.env))
      const pages = browser.keep(await servePages(join(app.dir, 'dist/host'), { base: '/host/' }))
      const { page, ...open } = await browser.open(`${pages.origin}/host/`)
      const counter = page.getByRole('button')
      await expect.poll(() => page.locator('img').evaluateAll(allDecoded)).toBe(true)
      await counter.click()
      await expect.poll(() => counter.textContent()).toBe('1')
      expectFromBucket(site, { page, ...open }, pages, /^\/host\/$/)
      const locations = open.requests.map(({ url }) => url.replace(site.publicUrl, '').split('/')[0])
      expect(new Set(locations)).toEqual(new Set(['http:', 'host', 'remote']))
      expect(open.requests.map(({ url }) => url)).toContain(`${site.publicUrl}remote/${entry}`)
    })

    test('the remote once more: nothing is sent', () => expectUnchanged(site, buildRemote))
  })
})

function allDecoded(images: Element[]): boolean {
  return images.length === 2 && images.every((image) => (image as HTMLImageElement).naturalWidth > 0)
}
