import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launchBrowser, type TestBrowser } from '../../fixtures/browser/index.js'
import { deployEnv } from '../../fixtures/build/environment.js'
import { buildVite } from '../../fixtures/build/index.js'
import { servePages } from '../../fixtures/pages/index.js'
import { type EmbeddedS3, startEmbedded } from '../../fixtures/s3/index.js'

// The newest templates, which scripts/newest-templates.sh brings.
const folder = resolve(process.env.BUNDLERS ?? '.')
const areThere = existsSync(join(folder, 'react-ts/package.json'))

const templates = ['react-ts', 'vue-ts', 'svelte-ts', 'lit-ts', 'solid-ts', 'preact-ts', 'vanilla-ts'] as const

describe.skipIf(!areThere)(`newest templates${areThere ? '' : ' (need scripts/newest-templates.sh)'}`, () => {
  let browser: TestBrowser
  let s3: EmbeddedS3

  beforeAll(async () => {
    ;[browser, s3] = await Promise.all([launchBrowser(), startEmbedded()])
  })

  afterAll(async () => {
    await browser?.close()
    await s3?.close()
  })

  /** Builds a template with one more plugin and opens its page, whose origin has nothing else but `also`. */
  async function expectToWork(template: string, also: string[], use: (page: Page) => Promise<void>): Promise<void> {
    const bucket = await s3.createBucket(undefined, { public: 'static', cors: '*' })
    const { code, output, outDir } = await buildVite(join(folder, template), {
      files: { 'with-static-s3.config.ts': await withStaticS3(template) },
      args: ['--config', 'with-static-s3.config.ts'],
      env: { ...deployEnv(s3, bucket), STATIC_S3_VERIFY: 'fail' },
    })
    expect(code, output).toBe(0)

    const pages = await servePages(outDir, { also })
    const { page, errors, requests, close } = await browser.openPage(pages.origin)
    try {
      await use(page)
      await expect.poll(() => page.locator('img').evaluateAll(allDecoded)).toBe(true)
      await expect.poll(() => page.locator('use').evaluateAll(allDrawn)).toBe(true)
      expect(errors).toEqual([])
      expect(pages.missed).toEqual([])
      const elsewhere = requests.filter(({ url }) => !url.startsWith(`${s3.endpoint}/${bucket}/static/`))
      expect(new Set(elsewhere.map(({ url }) => url.replace(pages.origin, '')))).toEqual(
        new Set(['/', ...also.map((name) => `/${name}`)]),
      )
      const kinds = requests.filter((asked) => !elsewhere.includes(asked)).map(({ resourceType }) => resourceType)
      expect(kinds).toEqual(expect.arrayContaining(['script', 'stylesheet']))
    } finally {
      await close()
      await pages.close()
    }
  }

  test.each(templates)('create-vite’s %s comes from the bucket; its sprite comes from the page’s origin', (template) =>
    expectToWork(template, ['icons.svg'], async (page) => {
      const counter = page.getByRole('button')
      await counter.click()
      await expect.poll(() => counter.textContent()).toMatch(/count is 1/i)
      expect(await page.locator('img').count()).toBeGreaterThan(1)
      expect(await page.locator('use').count()).toBeGreaterThan(1)
    }),
  )

  test('create-vue comes from the bucket, with the chunk of its second page', () =>
    expectToWork('create-vue', [], async (page) => {
      await page.getByRole('link', { name: 'About' }).click()
      await expect.poll(() => page.locator('.about').textContent()).toMatch(/about page/)
    }))

  async function withStaticS3(template: string): Promise<string> {
    const own = join(folder, template, 'vite.config.ts')
    const config = existsSync(own) ? await readFile(own, 'utf8') : 'export default { plugins: [] }'
    return `import { staticS3 } from 'static-s3/vite'\n${config.replace('plugins: [', 'plugins: [staticS3(), ')}`
  }
})

// These two run in the page. Playwright's locators also find elements in shadow roots.

function allDecoded(images: Element[]): boolean {
  return images.every((image) => (image as HTMLImageElement).naturalWidth > 0)
}

function allDrawn(icons: Element[]): boolean {
  return icons.every((icon) => (icon as SVGUseElement).getBBox().width > 0)
}
