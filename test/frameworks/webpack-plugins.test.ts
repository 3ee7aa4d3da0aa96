import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { withBrowser } from '../../fixtures/browser/with-browser.js'
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
})
