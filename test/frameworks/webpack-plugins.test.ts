import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { render, testBackEnd } from '../../fixtures/back-ends/back-ends.js'
import { recipe } from '../../fixtures/back-ends/recipe.js'
import { expectTagsAnswer } from '../../fixtures/back-ends/tags.js'
import { withBrowser } from '../../fixtures/browser/with-browser.js'
import { makeFolder, removeFolders } from '../../fixtures/build/folders.js'
import type { Env } from '../../fixtures/build/run-process.js'
import { describeFramework } from '../../fixtures/frameworks/app.js'
import { buildFor, expectOff, siteBucket } from '../../fixtures/frameworks/expectations.js'
import { servePages } from '../../fixtures/pages/index.js'

interface Manifest {
  icons: { src: string }[]
}

describeFramework('webpack-plugins', (app) => {
  const site = siteBucket()
  const browser = withBrowser()
  const build = (env: Env) => app.run(['webpack'], env)
  const read = (path: string) => readFile(join(app.dir, 'dist', path), 'utf8')

  afterAll(removeFolders)

  test('off: nothing is sent', () => expectOff(site, build))

  test('their URLs point to the bucket, though the build before was off and has filled the cache', async () => {
    await buildFor(site, () => build(site.env))
    const html = await read('index.html')
    const urls = [...html.matchAll(/(?:src|href|content)="?((?:https?:|\/)[^\s">]*)/g)].map(([, url = '']) => url)
    const manifests = urls.filter((url) => /manifest/.test(url))
    expect(manifests).toEqual([
      expect.stringMatching(/^\/app\/assets\/manifest\.webmanifest$/),
      expect.stringMatching(/^\/app\/manifest\.\w+\.json$/),
    ])
    const others = urls.filter((url) => !manifests.includes(url))
    expect(others.length).toBeGreaterThan(4)
    expect(others.filter((url) => !site.objects().has(url.replace(site.publicUrl, '')))).toEqual([])
    expect(html).toMatch(/<script>\(/)
    for (const url of manifests) {
      const { icons }: Manifest = JSON.parse(await read(url.replace('/app/', '')))
      expect(icons.map(({ src }) => site.objects().has(src.replace(site.publicUrl, '')))).toEqual([true])
    }
    expect(JSON.parse(await read('webpack-stats.json')).publicPath).toBe(site.publicUrl)
    expect([...site.objects().keys()]).not.toContain('webpack-stats.json')

    const pages = browser.keep(await servePages(join(app.dir, 'dist'), { base: '/app/' }))
    const { page, errors } = await browser.open(`${pages.origin}/app/`)
    await expect.poll(() => page.locator('body').textContent()).toContain('lazy')
    expect(errors).toEqual([])
    expect(pages.missed).toEqual([])
  })

  test('every URL of webpack-manifest-plugin is in the bucket, but those of pages', async () => {
    const manifest: Record<string, string> = JSON.parse(await read('manifest.json'))
    const { 'index.html': page, ...others } = manifest
    expect(Object.keys(others)).toEqual(expect.arrayContaining(['main.js', 'runtime.js']))
    for (const url of Object.values(others)) expect((await fetch(url)).status, url).toBe(200)
  })

  // A bundle's own files: in version 0 of both, the runtime is another bundle.
  const loaders = [
    ['django-webpack-loader 0.6 reads webpack-bundle-tracker 0.4', 'webpack_loader', '../stats-0', ['runtime', 'main']],
    ['django-webpack-loader 3 reads webpack-bundle-tracker 3', 'webpack_loader_3', '.', ['main']],
  ] as const
  for (const [name, library, folder, bundles] of loaders) {
    testBackEnd('django', `${name}: every URL in its tags is in the bucket`, async () => {
      const stats = await read(join(folder, 'webpack-stats.json'))
      const base = await makeFolder({ 'frontend/webpack-stats.json': stats })
      const settings = recipe('Django (django-webpack-loader)').code('python')
      const tags = bundles.map((bundle) => `{% render_bundle '${bundle}' 'js' %}`).join('')
      const html = await render('django_page.py', [base, settings, `{% load ${library} %}${tags}`])
      const names = [/^runtime\..*\.js$/, /^main\..*\.js$/]
      expect(await expectTagsAnswer(html, site.publicUrl)).toEqual(names.map((each) => expect.stringMatching(each)))
    })
  }
})
