import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
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
import { servePages } from '../../fixtures/pages/index.js'

describeFramework('react-router', (app) => {
  const site = siteBucket()
  const { keep, open } = withBrowser()
  const build = (env: Env) => app.run(['react-router', 'build'], env)
  const client = join(app.dir, 'build/client')
  // Data comes from the server, or from where the pages are.
  const own = /\.data$|\/__manifest\?/

  test('off: nothing is sent', () => expectOff(site, build))

  test('keys that S3 refuses: the build fails and nothing is live', () => expectRefused(site, build))

  test('a last hook that fails: nothing is live', async () => {
    const { code, output } = await build({ ...site.env, BROKEN: '1' })
    expect(code, output).toBe(1)
    expect(output).toContain('broken buildEnd')
    expect([...site.objects().keys()]).toEqual([])
  })

  test('all files are uploaded, those of the last hook too', async () => {
    const { output } = await buildFor(site, () => build(site.env))
    expect(output).toMatch(/release 1 live/)
    const paths = [...site.objects().keys()]
    const pages = ['about.data', 'about/index.html', 'by-build-end.txt', 'public.png']
    expect(paths.filter((path) => !path.startsWith('assets/'))).toEqual(expect.arrayContaining(pages))
    expect(site.immutable()).toEqual(paths.filter((path) => path.startsWith('assets/')).sort())
    const ofServer = paths.filter((path) => /stamp-[\w-]+\.png$|manifest-[\w-]+\.js$/.test(path))
    expect(ofServer).toHaveLength(2)
  })

  test('the same site once more: nothing is sent', () => expectUnchanged(site, build))

  test('its server needs no file of the client', async () => {
    const hidden = join(app.dir, 'hidden')
    await rename(client, hidden)
    const server = await app.serve(
      () => ['react-router-serve', 'build/server/index.js'],
      (port) => ({ PORT: String(port), HOST: '127.0.0.1' }),
    )
    const pages = await servePagesOf({ ...keep(server), clientDirs: [hidden], also: ['about.data'] })
    await expectThreeRoutes({ site, open, pages: keep(pages), own })
  })

  describe('without a server', () => {
    test.each([
      ['an application of one page', 'spa', []],
      ['prerendered pages', 'static', ['_root.data', 'about.data', 'late.data']],
    ])('%s', async (_what, mode, also) => {
      await buildFor(site, () => build({ ...site.env, MODE: mode }))
      const pages = await servePages(client, { also })
      await expectThreeRoutes({ site, open, pages: keep(pages), own })
    })
  })

  test('under a path', async () => {
    await buildFor(site, () => build({ ...site.env, BASE: '/app/', MODE: 'spa' }))
    const pages = await servePages(client, { base: '/app/' })
    await expectThreeRoutes({ site, open, pages: keep(pages), base: '/app/', own })
  })
})
