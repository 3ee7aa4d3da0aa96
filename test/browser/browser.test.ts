import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launchBrowser, type OpenPage, type TestBrowser } from '../../fixtures/browser/index.js'
import { runCommand } from '../../fixtures/build/command.js'
import { deployEnv } from '../../fixtures/build/environment.js'
import { type App, type BuildResult, buildApp, type ViteVersion } from '../../fixtures/build/index.js'
import { type PageServer, type PageServerOptions, servePages } from '../../fixtures/pages/index.js'
import { type EmbeddedS3, startEmbedded } from '../../fixtures/s3/index.js'

// Every app is built with USE_S3, its files are in a bucket, and its pages come from another origin, which has nothing but pages.

interface Case {
  app: App
  vite?: ViteVersion
  args?: string[]
  config?: (config: string) => string
}

const workersAsModules = (config: string) => config.replace('build: {', "worker: { format: 'es' },\n  build: {")

const cases = {
  'Vite 5': { app: 'vanilla', vite: 'vite5' },
  'Vite 6': { app: 'vanilla', vite: 'vite6' },
  'Vite 7': { app: 'vanilla', vite: 'vite7' },
  'Vite 8': { app: 'vanilla' },
  'Vite 5, ES workers': { app: 'vanilla', vite: 'vite5', config: workersAsModules },
  'Vite 8, ES workers': { app: 'vanilla', config: workersAsModules },
  'create-vue': { app: 'create-vue' },
  'create-vue below /app/': { app: 'create-vue', args: ['--base', '/app/'] },
  react: { app: 'react' },
  pwa: { app: 'pwa' },
  legacy: { app: 'legacy' },
  webpack: { app: 'webpack' },
  rspack: { app: 'rspack' },
} satisfies Record<string, Case>

interface Deployed extends BuildResult {
  publicUrl: string
}

let browser: TestBrowser
let s3: EmbeddedS3
const deployed = new Map<string, Promise<Deployed>>()
const opened: (OpenPage | PageServer)[] = []

beforeAll(async () => {
  ;[browser, s3] = await Promise.all([launchBrowser(), startEmbedded()])
})

afterAll(async () => {
  await Promise.all(opened.map((thing) => thing.close()))
  await browser?.close()
  await s3?.close()
})

/** A case is built when a test first visits it: the tests may be run for some bundlers alone. */
async function deploy({ app, vite, args, config }: Case): Promise<Deployed> {
  const bucket = await s3.createBucket(undefined, { public: 'static', cors: '*' })
  const files = config && {
    'vite.config.ts': config(await readFile(`fixtures/apps/${app}/vite.config.ts`, 'utf8')),
  }
  const build = await buildApp(app, { vite, args, env: deployEnv(s3, bucket), files, minify: true })
  return { ...build, publicUrl: `${s3.endpoint}/${bucket}/static/` }
}

function deployedCase(name: keyof typeof cases): Promise<Deployed> {
  const known = deployed.get(name) ?? deploy(cases[name])
  deployed.set(name, known)
  return known
}

interface Visit extends OpenPage {
  pages: PageServer
  publicUrl: string
}

async function visit(name: keyof typeof cases, path = '/', options: PageServerOptions = {}): Promise<Visit> {
  const build = await deployedCase(name)
  if (build.code !== 0) throw new Error(`${name} did not build:\n${build.output}`)
  const pages = await servePages(build.outDir, options)
  const open = await browser.openPage(pages.origin + path)
  opened.push(pages, open)
  return { ...open, pages, publicUrl: build.publicUrl }
}

/** What the page found out about itself. Asked again and again from here: waiting inside a page needs `unsafe-eval`. */
async function checksOf({ page, errors }: Visit): Promise<Record<string, unknown>> {
  const read = () => page.evaluate(() => (window as unknown as { __checks?: Record<string, unknown> }).__checks ?? {})
  await expect
    .poll(async () => (await read()).done)
    .toBe(true)
    .catch((error: Error) => {
      throw new Error([error.message, ...errors].join('\n'))
    })
  return read()
}

/** No error anywhere, nothing but pages asked of their origin, and no third origin. */
function expectAllFromBucket({ errors, pages, requests, publicUrl }: Visit, sameOrigin: string[] = []): void {
  const assets = requests.filter(({ url, resourceType }) => url.startsWith('http') && resourceType !== 'document')
  expect.soft(errors).toEqual([])
  expect.soft(pages.missed).toEqual([])
  expect
    .soft(assets.map(({ url }) => url.replace(`${pages.origin}/`, '')).filter((url) => !url.startsWith(publicUrl)))
    .toEqual(sameOrigin)
  expect.soft(assets.length).toBeGreaterThan(0)
}

const picturesOf = ({ page }: Visit): Promise<boolean[]> =>
  page.evaluate(async () => {
    const images = Array.from(document.images)
    await Promise.all(images.map((image) => image.decode()))
    return images.map((image) => image.naturalWidth > 0)
  })

const picturesAt = ({ page }: Visit, urls: string[]): Promise<boolean[]> =>
  page.evaluate(
    (urls) =>
      Promise.all(
        urls.map((src) => {
          const image = Object.assign(new Image(), { src })
          return image.decode().then(
            () => image.naturalWidth > 0,
            () => false,
          )
        }),
      ),
    urls,
  )

const styleOf = ({ page }: Visit, selector: string, property: string): Promise<string> =>
  page.evaluate(
    ([selector, property]) => getComputedStyle(document.querySelector(selector) as Element).getPropertyValue(property),
    [selector, property] as const,
  )

const vanilla = ['Vite 5', 'Vite 6', 'Vite 7', 'Vite 8', 'Vite 5, ES workers', 'Vite 8, ES workers'] as const

describe.each(vanilla)('%s', (name) => {
  test('every kind of asset comes from the bucket and works', async () => {
    const visited = await visit(name)
    const pong = { answer: 'pong', wasm: 42 }
    expect(await checksOf(visited)).toEqual({
      baseUrl: '/',
      staticUrl: visited.publicUrl,
      css: true,
      cssImage: true,
      cssPublicFile: true,
      styleAttribute: true,
      oddPicture: true,
      oddHtmlPublicFile: true,
      oddCssPublicFile: true,
      font: true,
      image: true,
      htmlImage: true,
      htmlPublicFile: true,
      lazy: true,
      wasm: 42,
      wasmInit: 42,
      moduleWorker: { ...pong, name: 'helper' },
      classicWorker: pong,
      queryWorker: pong,
      sharedWorker: pong,
      publicFile: true,
      oddNames: {
        space: 'space',
        unicode: 'unicode',
        plus: 'plus',
        percent: 'percent',
        hash: 'hash',
        quote: 'quote',
        empty: '',
      },
      done: true,
    })
    expectAllFromBucket(visited)
  })

  test('a page in a folder', async () => {
    const visited = await visit(name, '/nested/page.html')
    expect(await checksOf(visited)).toEqual({
      css: true,
      cssImage: true,
      htmlImage: true,
      htmlPublicFile: true,
      lazy: true,
      done: true,
    })
    expectAllFromBucket(visited)
  })

  test('the web app manifest stays on the page origin', async () => {
    const { page, pages } = await visit(name)
    expect(await page.getAttribute('link[rel=manifest]', 'href')).toBe('/site.webmanifest')
    const devtools = await page.context().newCDPSession(page)
    const { url, errors } = await devtools.send('Page.getAppManifest')
    expect({ url, errors }).toEqual({ url: `${pages.origin}/site.webmanifest`, errors: [] })
    expect(pages.missed).toEqual([])
  })
})

describe('the Content-Security-Policy that static-s3 policy csp prints', () => {
  const violations = ({ errors }: Visit) => errors.filter((error) => error.includes('Content Security Policy'))
  const printed = async () => {
    const { outDir, publicUrl } = await deployedCase('Vite 8')
    const env = deployEnv(s3, publicUrl.split('/')[3] as string)
    const { stdout, stderr, code } = await runCommand(outDir, ['policy', 'csp', '.'], env)
    expect([code, stderr]).toEqual([0, expect.stringContaining('header')])
    return stdout.trim()
  }

  test('lets the page and its workers run', async () => {
    const visited = await visit('Vite 8', '/', { headers: { 'content-security-policy': await printed() } })
    const { moduleWorker, classicWorker, sharedWorker, lazy, wasm } = await checksOf(visited)
    const pong = { answer: 'pong', wasm: 42 }
    expect({ moduleWorker, classicWorker, sharedWorker, lazy, wasm }).toEqual({
      moduleWorker: { ...pong, name: 'helper' },
      classicWorker: pong,
      sharedWorker: pong,
      lazy: true,
      wasm: 42,
    })
    expect(violations(visited)).toEqual([])
  })

  test.each(['script', 'style', 'img', 'worker'])('without its %s-src, the browser refuses something', async (name) => {
    const policy = (await printed()).replace(new RegExp(`${name}-src [^;]+; `), '')
    expect(policy).not.toContain(`${name}-src`)
    const visited = await visit('Vite 8', '/', { headers: { 'content-security-policy': policy } })
    await expect.poll(() => violations(visited)).not.toEqual([])
  })
})

describe('create-vue', () => {
  test('pictures, font and worker on the first page', async () => {
    const visited = await visit('create-vue')
    await visited.page.waitForSelector('#climb')
    expect(await picturesOf(visited)).toEqual([true, true, true, true])
    expect(await visited.page.evaluate(() => document.fonts.check('20px "Dot Matrix"'))).toBe(true)
    expect(await styleOf(visited, '.hero', 'background-image')).toContain(visited.publicUrl)
    expectAllFromBucket(visited)
  })

  test.each([
    { name: 'create-vue', base: '/' },
    { name: 'create-vue below /app/', base: '/app/' },
  ] as const)('the router stays on the page origin below $base, by click and by deep link', async ({ name, base }) => {
    const visited = await visit(name, base, { base })
    const { page, pages } = visited
    const expectAbout = async () => {
      await page.waitForSelector('h1:text("About us")')
      expect(page.url()).toBe(`${pages.origin}${base}about`)
      await expect.poll(() => styleOf(visited, '.about', 'border-left-color')).toBe('rgb(244, 148, 120)')
      expect(await picturesOf(visited)).toEqual([true, true])
    }
    await page.click('text=About')
    await expectAbout()
    await page.reload()
    await expectAbout()
    await page.click('text=Tours')
    await page.waitForSelector('#climb')
    expect(page.url()).toBe(pages.origin + base)
    expectAllFromBucket(visited)
  })
})

test('react: state, lazy route with its style sheet, by click and by deep link', async () => {
  const visited = await visit('react')
  const { page, pages } = visited
  await page.click('#count')
  expect(await page.textContent('#count')).toBe('count is 1')
  expect(await picturesOf(visited)).toEqual([true, true])
  await page.click('#to-gallery')
  await page.waitForSelector('h1:text("Gallery")')
  expect(page.url()).toBe(`${pages.origin}/gallery`)
  await page.reload()
  await page.waitForSelector('h1:text("Gallery")')
  expect(await styleOf(visited, '.gallery', 'background-color')).toBe('rgb(27, 30, 68)')
  expect(await picturesOf(visited)).toEqual([true, true, true])
  expectAllFromBucket(visited)
})

test('pwa: the service worker installs on the page origin and serves the app offline', async () => {
  const visited = await visit('pwa')
  const { page, pages } = visited
  const controlled = () =>
    page.evaluate(async () => {
      const { active, scope } = await navigator.serviceWorker.ready
      if (active?.state === 'activating')
        await new Promise((resolve) => active.addEventListener('statechange', resolve))
      return { state: active?.state, script: active?.scriptURL, scope }
    })
  expect(await Promise.race([controlled(), failAfter(120_000, visited)])).toEqual({
    state: 'activated',
    script: `${pages.origin}/sw.js`,
    scope: `${pages.origin}/`,
  })
  const devtools = await page.context().newCDPSession(page)
  const manifest = await devtools.send('Page.getAppManifest')
  expect(manifest.url).toBe(`${pages.origin}/manifest.webmanifest`)
  expect(manifest.errors).toEqual([])
  // Without its icons an app can't be installed; a browser takes them from any origin.
  const { icons } = JSON.parse(manifest.data ?? '') as { icons: { src: string }[] }
  expect(
    await picturesAt(
      visited,
      icons.map(({ src }) => new URL(src, manifest.url).href),
    ),
  ).toEqual([true, true])
  expect(visited.errors).toEqual([])
  expect(pages.missed).toEqual([])

  await page.context().setOffline(true)
  await page.reload()
  await page.waitForSelector('text=Mild, with a light breeze')
  expect(await picturesOf(visited)).toEqual([true])
  expect(await styleOf(visited, '#lazy', 'color')).toBe('rgb(120, 72, 128)')
})

test.each([
  { format: 'modern', transform: (html: string) => html },
  { format: 'legacy', transform: asOldBrowsersReadIt },
])('legacy: the $format build', async ({ format, transform }) => {
  const visited = await visit('legacy', '/', { transform })
  await visited.page.waitForSelector('text=Loaded when it was needed')
  expect(await visited.page.textContent('#format')).toBe(format)
  expect(await picturesOf(visited)).toEqual([true])
  expect(await styleOf(visited, 'body', 'color')).toBe('rgb(27, 30, 68)')
  await expect.poll(() => styleOf(visited, '#lazy', 'color')).toBe('rgb(120, 72, 128)')
  expectAllFromBucket(visited)
})

describe.each(['webpack', 'rspack'] as const)('%s', (name) => {
  test('every kind of asset comes from the bucket and works', async () => {
    const visited = await visit(name)
    expect(await checksOf(visited)).toEqual({
      staticUrl: visited.publicUrl,
      css: true,
      cssImage: true,
      font: true,
      image: true,
      lazy: true,
      wasm: 42,
      worker: 'pong',
      namedWorker: { name: 'helper', wasm: 42 },
      publicFile: true,
      oddName: 'space',
      done: true,
    })
    expectAllFromBucket(visited)
  })
})

/** Without modules: scripts of that type are not run, and `nomodule` is not known. */
function asOldBrowsersReadIt(html: string): string {
  return html.replace(/<script\b[^>]*type="module"[^>]*>.*?<\/script>/gs, '').replace(/ nomodule/g, '')
}

async function failAfter(ms: number, { errors, pages }: Visit): Promise<never> {
  await new Promise((resolve) => setTimeout(resolve, ms))
  throw new Error(`Nothing after ${ms} ms. Errors: ${errors.join(', ')}. Not found: ${pages.missed.join(', ')}`)
}
