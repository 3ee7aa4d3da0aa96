import { execFileSync } from 'node:child_process'
import { cp, readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import type { Page } from 'playwright-core'
import { beforeAll, expect, test } from 'vitest'
import { withBrowser } from '../../fixtures/browser/with-browser.js'
import type { Env } from '../../fixtures/build/run-process.js'
import { sitePuts } from '../../fixtures/build/site.js'
import { describeFramework } from '../../fixtures/frameworks/app.js'
import {
  buildFor,
  expectFromBucket,
  expectOff,
  expectRefused,
  expectTypes,
  expectUnchanged,
  siteBucket,
} from '../../fixtures/frameworks/expectations.js'
import { servePagesOf } from '../../fixtures/frameworks/page-server.js'

const apps = join(import.meta.dirname, '../../fixtures/frameworks')

const noKeys = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined }

const typesOf2 = `
import node from '@sveltejs/adapter-node'
import type { Config } from '@sveltejs/kit'
import { withStaticS3 } from 'static-s3/sveltekit'

export default withStaticS3({ kit: { adapter: node() } }, { bucket: 'my-bucket' }) satisfies Config
`

describeSvelteKit('sveltekit-2', '/shop')
describeSvelteKit('sveltekit-3', '')

function describeSvelteKit(name: string, base: string): void {
  describeFramework(name, (app) => {
    const site = siteBucket()
    const browser = withBrowser()
    const build = (env: Env) => app.run(['vite', 'build'], env)
    const git = (...args: string[]) => execFileSync('git', args, { cwd: app.dir })

    beforeAll(async () => {
      // Both versions build the same sources.
      for (const folder of ['src', 'static']) {
        await cp(join(apps, 'sveltekit-2', folder), join(app.dir, folder), { recursive: true })
      }
      await app.write('.gitignore', 'node_modules\n.svelte-kit\nbuild\n')
      git('init', '--quiet')
      git('add', '.')
      git('-c', 'user.name=test', '-c', 'user.email=test@example.com', 'commit', '--quiet', '--message', 'app')
    })

    test('off: the same bytes as without static-s3, and nothing is sent', async () => {
      await buildFor(site, () => build({ PLAIN: '1', VERSION: '1' }))
      const plain = await filesOf(app.dir)
      await expectOff(site, (env) => build({ ...env, VERSION: '1' }))
      expect(await filesOf(app.dir)).toEqual(plain)
    })

    test('the site comes from the bucket: client, server’s files, workers, prerendered pages', async () => {
      const { output } = await buildFor(site, () => build(site.env))
      expect(output).toMatch(/release 1 live/)
      expect(output).not.toContain('plain string')
      const paths = [...site.objects().keys()]
      expect(paths).toEqual(expect.arrayContaining(['prerendered.html', 'public.svg', '_app/version.json']))
      expect(paths.filter((path) => path.startsWith('.vite') || path.includes('server/'))).toEqual([])
      expect(site.immutable()).toEqual(paths.filter((path) => path.startsWith('_app/immutable/')).sort())
      await tryPages()
    })

    test('the same commit once more: nothing is sent', () => expectUnchanged(site, build))

    test('keys that S3 refuses: the build fails and nothing is live', () => expectRefused(site, build))

    test('adapter-static without credentials, and a deploy later: the fallback page is there too', async () => {
      const { output } = await buildFor(site, () =>
        build({ ...site.env, ...noKeys, ADAPTER: 'static', STATIC_S3_UPLOAD: '0' }),
      )
      expect(output).toContain('static-s3 deploy .svelte-kit/static-s3')
      expect(site.s3.server.requests).toEqual([])
      await buildFor(site, () =>
        app.run(['node', 'node_modules/static-s3/dist/cli.js', 'deploy', '.svelte-kit/static-s3'], site.env),
      )
      expect(sitePuts(site.s3).map(({ key }) => key)).toContain('static/200.html')
      expect(site.immutable().length).toBeGreaterThan(10)
    })

    test('its configuration has SvelteKit’s types', async () => {
      if (name === 'sveltekit-2') await app.write('types.ts', typesOf2)
      await expectTypes(app, name === 'sveltekit-2' ? 'types.ts' : 'vite.config.ts')
    })

    async function tryPages(): Promise<void> {
      const { origin } = browser.keep(
        await app.serve(
          () => ['node', 'build/index.js'],
          (port) => ({ HOST: '127.0.0.1', PORT: String(port) }),
        ),
      )
      const clientDirs = [join(app.dir, 'build/client', base)]
      const pages = browser.keep(await servePagesOf({ origin, clientDirs, base: `${base}/` }))
      const own = new RegExp(`^${base}(/(lazy|prerendered)?)?$`)
      const home = await browser.open(`${pages.origin}${base}`)
      await expectCounter(home.page)
      expect(await pictures(home.page)).toBe(4)
      await home.page.getByRole('link', { name: 'lazy' }).click()
      await expectLazy(home.page)
      expectFromBucket(site, home, pages, own)
      const lazy = await browser.open(`${pages.origin}${base}/lazy`)
      await expectLazy(lazy.page)
      expectFromBucket(site, lazy, pages, own)
      const prerendered = await browser.open(`${pages.origin}${base}/prerendered`)
      await expectCounter(prerendered.page)
      expect(prerendered.errors).toEqual([])
    }
  })
}

/** The built files by path, without source maps. */
async function filesOf(app: string): Promise<Map<string, string>> {
  const files = new Map<string, string>()
  for (const folder of ['.svelte-kit/output', 'build']) {
    const entries = await readdir(join(app, folder), { recursive: true, withFileTypes: true })
    for (const entry of entries.filter((each) => each.isFile() && !each.name.endsWith('.map'))) {
      const file = join(entry.parentPath, entry.name)
      files.set(relative(app, file), await readFile(file, 'latin1'))
    }
  }
  return files
}

async function expectCounter(page: Page): Promise<void> {
  const counter = page.getByRole('button')
  await expect
    .poll(async () => {
      await counter.click()
      return counter.textContent()
    })
    .toMatch(/count: [1-9]/)
}

async function expectLazy(page: Page): Promise<void> {
  await expect.poll(() => page.getByText('worker: ').textContent()).toBe('worker: 42')
  expect(await pictures(page)).toBe(1)
}

/** The number of pictures, if all of them are there. */
async function pictures(page: Page): Promise<number> {
  const images = page.locator('img')
  await expect
    .poll(() => images.evaluateAll((all) => all.every((image) => (image as HTMLImageElement).naturalWidth > 0)))
    .toBe(true)
  return images.count()
}
