import { join } from 'node:path'
import { expect, test } from 'vitest'
import { withBrowser } from '../../fixtures/browser/with-browser.js'
import type { Env } from '../../fixtures/build/run-process.js'
import { describeFramework } from '../../fixtures/frameworks/app.js'
import {
  buildFor,
  expectOff,
  expectRefused,
  expectUnchanged,
  siteBucket,
} from '../../fixtures/frameworks/expectations.js'
import { servePagesOf } from '../../fixtures/frameworks/page-server.js'
import { expectThreeRoutes } from '../../fixtures/frameworks/three-routes.js'

describeFramework('solid-start', (app) => {
  const site = siteBucket()
  const { keep, open } = withBrowser()
  const build = (env: Env) => app.run(['vite', 'build'], env)

  test('off: nothing is sent', () => expectOff(site, build))

  test('keys that S3 refuses: the build fails and nothing is live', () => expectRefused(site, build))

  test('all files are uploaded, the prerendered page too', async () => {
    const { output } = await buildFor(site, () => build(site.env))
    expect(output).toMatch(/release 1 live/)
    const paths = [...site.objects().keys()]
    expect(paths.filter((path) => !path.startsWith('_build/')).sort()).toEqual(['about/index.html', 'public.png'])
    expect(site.immutable()).toEqual(paths.filter((path) => path.startsWith('_build/')).sort())
  })

  test('the same site once more: nothing is sent', () => expectUnchanged(site, build))

  test('its pages take everything from the bucket', async () => {
    const server = await app.serve(
      () => ['node', '.output/server/index.mjs'],
      (port) => ({ PORT: String(port), HOST: '127.0.0.1' }),
    )
    const pages = await servePagesOf({ ...keep(server), clientDirs: [join(app.dir, '.output/public')] })
    await expectThreeRoutes({ site, open, pages: keep(pages), own: /\/_server\?/ })
  })
})
