import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Locator } from 'playwright-core'
import { afterAll, describe, expect, test } from 'vitest'
import { missing } from '../../fixtures/back-ends/back-ends.js'
import type { OpenPage } from '../../fixtures/browser/index.js'
import { withBrowser } from '../../fixtures/browser/with-browser.js'
import { deployEnv } from '../../fixtures/build/environment.js'
import { removeFolders } from '../../fixtures/build/folders.js'
import { copyDjangoExample, type DjangoExample } from '../../fixtures/examples/django.js'
import { s3Servers } from '../../fixtures/s3/index.js'

// The README's own commands, in a copy of the example.

// Ceph if it is installed: boto3 writes to it, too.
const store = s3Servers.findLast(({ available }) => available)

const photo = join(import.meta.dirname, '../../examples/django/frontend/src/logo.png')

describe.skipIf(missing('django') !== '')(`examples/django${missing('django')}`, () => {
  const browser = withBrowser()
  afterAll(removeFolders)

  test('USE_S3 off: everything comes from Django', async () => {
    // Nothing listens on this port.
    const django = await copyDjangoExample({ USE_S3: '0', AWS_S3_ENDPOINT_URL: 'http://127.0.0.1:9' })
    browser.keep(await django.follow('On your laptop'))
    const opened = await browser.open(django.origin)

    const image = await addProduct(opened.page)
    expect(image).toBe(`${django.origin}/media/products/logo.png`)
    await expectUrlsInEmail(
      django,
      ['/static/assets/logo-', '/media/products/logo.png'].map((path) => django.origin + path),
    )
    await opened.page.goto(`${django.origin}/admin/`)
    expect(new Set(network(opened).map(({ origin }) => origin))).toEqual(new Set([django.origin]))
    await expectWholePage(opened, '/static/', '/static/')
  })

  test(`USE_S3 on: pages come from Django, everything else from the bucket (${store?.title})`, async () => {
    const s3 = browser.keep(await (store as NonNullable<typeof store>).start())
    const bucket = 'shop-of-the-example'
    const { STATIC_S3_VERIFY, ...env } = deployEnv(s3, bucket)
    const django = await copyDjangoExample({
      ...env,
      DEBUG: '0',
      AWS_S3_CUSTOM_DOMAIN: `${new URL(s3.endpoint).host}/${bucket}`,
      AWS_S3_URL_PROTOCOL: 'http:',
      AWS_REQUEST_CHECKSUM_CALCULATION: 'when_required',
    })
    browser.keep(await django.follow('With a bucket'))
    const opened = await browser.open(django.origin)

    const url = `${s3.endpoint}/${bucket}`
    expect(await addProduct(opened.page)).toBe(`${url}/media/products/logo.png`)
    await expectUrlsInEmail(django, [`${url}/static/assets/logo-`, `${url}/media/products/logo.png`])
    // A second upload with the same name does not replace the first.
    expect(await addProduct(opened.page)).toMatch(/media\/products\/logo_\w+\.png$/)

    await opened.page.goto(`${django.origin}/admin/`)
    const fromDjango = network(opened).filter(({ origin }) => origin === django.origin)
    expect(new Set(fromDjango.map(({ resourceType }) => resourceType))).toEqual(new Set(['document']))
    await expectWholePage(opened, `${url}/static/`, `${url}/django/`)
  })
})

/** Returns the URL of the new product's photo, which the page shows. */
async function addProduct(page: OpenPage['page']): Promise<string> {
  await page.getByLabel('Name').fill('A dot')
  await page.getByLabel('Photo').setInputFiles(photo)
  // In a chunk of its own.
  await expect.poll(() => widthOf(page.locator('.preview'))).toBe(48)
  await page.getByRole('button', { name: 'Add' }).click()
  await expect.poll(() => page.locator('.preview').count()).toBe(0)
  const newest = page.locator('.products img').first()
  await expect.poll(() => widthOf(newest)).toBe(48)
  return newest.evaluate((image: HTMLImageElement) => image.src)
}

/** 0 until the image is there. */
const widthOf = (image: Locator) => image.evaluate(({ naturalWidth }: HTMLImageElement) => naturalWidth)

async function expectUrlsInEmail({ dir }: DjangoExample, beginnings: string[]): Promise<void> {
  const [file = ''] = await readdir(join(dir, 'outbox'))
  const email = await readFile(join(dir, 'outbox', file), 'utf8')
  const sources = [...email.matchAll(/src="([^"]*)"/g)].map(([, source = '']) => source)
  expect(sources.map((source, i) => source.slice(0, beginnings[i]?.length))).toEqual(beginnings)
  expect(email).toContain(`A dot is new in the shop: ${sources[1]}`)
  for (const source of sources) expect((await fetch(source)).status, source).toBe(200)
}

/** The preview of a chosen file is a `blob:` URL of the page's origin. */
const network = ({ requests }: OpenPage) => requests.filter(({ url }) => !url.startsWith('blob:'))

/** The page's own files and the admin's came from these URLs, and the browser found no fault. */
async function expectWholePage(opened: OpenPage, ours: string, djangos: string): Promise<void> {
  const { page, errors } = opened
  await page.goBack()
  await expect.poll(() => page.locator('#static-url').textContent()).toBe(ours)
  await expect.poll(() => page.evaluate(() => document.fonts.check('16px "Dot Matrix"'))).toBe(true)
  const kindsFrom = (url: string) => {
    const { href } = new URL(url, page.url())
    return new Set(network(opened).flatMap((asked) => (asked.url.startsWith(href) ? [asked.resourceType] : [])))
  }
  expect([...kindsFrom(ours)]).toEqual(expect.arrayContaining(['script', 'stylesheet', 'font', 'image']))
  expect([...kindsFrom(`${djangos}admin/`)]).toContain('stylesheet')
  expect([...kindsFrom(`${djangos}shop/print`)]).toEqual(['stylesheet'])
  expect(errors).toEqual([])
}
