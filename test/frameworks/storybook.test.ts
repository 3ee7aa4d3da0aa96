import { join } from 'node:path'
import { expect, test } from 'vitest'
import { withBrowser } from '../../fixtures/browser/with-browser.js'
import { readTree } from '../../fixtures/build/index.js'
import type { Env } from '../../fixtures/build/run-process.js'
import { sitePuts } from '../../fixtures/build/site.js'
import { describeFramework } from '../../fixtures/frameworks/app.js'
import { buildFor, expectOff, expectRefused, siteBucket } from '../../fixtures/frameworks/expectations.js'
import { servePages } from '../../fixtures/pages/index.js'

describeFramework('storybook', (app) => {
  const site = siteBucket()
  const browser = withBrowser()
  const build = (env: Env) => app.run(['storybook', 'build'], env)
  const dist = join(app.dir, 'storybook-static')

  test('off: nothing is sent', () => expectOff(site, build))

  test("stories come from the bucket, Storybook's own interface from the page's origin", async () => {
    const { output } = await buildFor(site, () => build(site.env))
    expect(output).not.toContain('plain')
    const tree = await readTree(dist)
    const paths = [...site.objects().keys()].sort()
    expect(paths).toEqual([...tree.keys()].sort())
    expect(site.objects().get('index.json')?.body.toString()).toBe(tree.get('index.json')?.toString())
    expect(site.immutable()).toEqual(paths.filter((path) => path.startsWith('assets/')))

    const ofStories = /^(assets\/|public\.svg)/
    const pages = browser.keep(await servePages(dist, { also: paths.filter((path) => !ofStories.test(path)) }))
    const { page, errors, requests } = await browser.open(`${pages.origin}/?path=/story/counter--five`)
    const story = page.frameLocator('#storybook-preview-iframe')
    await story.getByRole('button', { name: 'Count 5' }).click()
    await story.getByText('Count 6').waitFor()
    await expect.poll(() => story.locator('img').evaluateAll(allDecoded)).toBe(true)
    await page.locator('[data-item-id="late--late"] a').click()
    await expect.poll(() => story.getByAltText('late').evaluateAll(allDecoded)).toBe(true)
    expect(pages.missed).toEqual([])
    expect(errors).toEqual([])
    const fromBucket = requests
      .filter(({ url }) => url.startsWith(site.publicUrl))
      .map(({ resourceType }) => resourceType)
    expect(fromBucket).toEqual(expect.arrayContaining(['script', 'stylesheet', 'image', 'font']))
  })

  test("once more: nothing but Storybook's note of the build is sent", async () => {
    const { output } = await buildFor(site, () => build(site.env))
    expect(output).toMatch(/unchanged +\d/)
    expect(sitePuts(site.s3).map(({ key }) => key)).toEqual(['static/project.json'])
  })

  test('keys that S3 refuses: the build fails and nothing is live', () => expectRefused(site, build))
})

function allDecoded(images: Element[]): boolean {
  return images.length > 0 && images.every((image) => (image as HTMLImageElement).naturalWidth > 0)
}
