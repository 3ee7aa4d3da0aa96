import { join } from 'node:path'
import { expect, test } from 'vitest'
import { withBrowser } from '../../fixtures/browser/with-browser.js'
import type { Env } from '../../fixtures/build/run-process.js'
import { sitePuts } from '../../fixtures/build/site.js'
import { describeFramework } from '../../fixtures/frameworks/app.js'
import { buildFor, expectOff, expectRefused, siteBucket } from '../../fixtures/frameworks/expectations.js'
import { servePagesOf } from '../../fixtures/frameworks/page-server.js'
import { expectThreeRoutes } from '../../fixtures/frameworks/three-routes.js'

describeFramework('tanstack-start', (app) => {
  const site = siteBucket()
  const { keep, open } = withBrowser()
  const build = (env: Env) => app.run(['vite', 'build'], env)

  test('off: nothing is sent', () => expectOff(site, build))

  test('keys that S3 refuses: the build fails and nothing is live', () => expectRefused(site, build))

  test('all files are uploaded, the prerendered page too', async () => {
    const { output } = await buildFor(site, () => build(site.env))
    expect(output).toMatch(/release 1 live/)
    const paths = [...site.objects().keys()]
    expect(paths.filter((path) => !path.startsWith('assets/')).sort()).toEqual(['about/index.html', 'public.png'])
    expect(site.immutable()).toEqual(paths.filter((path) => path.startsWith('assets/')).sort())
    await tryRoutes('/')
  })

  test('the same site once more: only the prerendered page is sent, which contains its time', async () => {
    await buildFor(site, () => build(site.env))
    expect(sitePuts(site.s3).map(({ key }) => key)).toEqual(['static/about/index.html'])
  })

  test('under a path, with its stylesheets in its pages', async () => {
    await buildFor(site, () => build({ ...site.env, BASE: '/app/', INLINE_CSS: '1' }))
    await tryRoutes('/app/')
  })

  async function tryRoutes(base: string): Promise<void> {
    const server = await app.serve(
      () => ['node', 'serve.mjs'],
      (port) => ({ PORT: String(port) }),
    )
    const pages = await servePagesOf({ ...keep(server), clientDirs: [join(app.dir, 'dist/client')], base })
    await expectThreeRoutes({ site, open, pages: keep(pages), base, own: /\/_serverFn\// })
  }
})
