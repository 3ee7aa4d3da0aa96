import { cp } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchBrowser, type OpenPage, type TestBrowser } from '../../fixtures/browser/index.js'
import { runInProcess } from '../../fixtures/build/command-in-process.js'
import { deployTarget, makeApp, viteBuild, writeFiles } from '../../fixtures/build/in-process.js'
import { uploadedPaths } from '../../fixtures/build/site.js'
import { type PageServer, servePages } from '../../fixtures/pages/index.js'
import type { LoggedRequest } from '../../fixtures/s3/index.js'
import { staticS3 } from '../../src/vite.js'

// Somebody clicks through a site with lazy routes while releases go out, with pages from the bucket itself and with pages from another origin.

const releases = 10

/** What a deploy is at when it is refused, by release. */
const failures: Partial<Record<number, Phase>> = { 3: 'fingerprinted', 6: 'asset', 8: 'html' }

const phases = ['fingerprinted', 'asset', 'html', 'record'] as const
type Phase = (typeof phases)[number]

/** What a deploy is at with this request; undefined for what changes nothing for visitors. */
function phaseOf({ method, key = '' }: LoggedRequest): Phase | undefined {
  if (method !== 'PUT' || key.endsWith('.lock')) return undefined
  if (key.startsWith('.static-s3/')) return 'record'
  if (key.endsWith('/release.json')) return undefined
  return key.endsWith('.html') ? 'html' : key.includes('/assets/') ? 'fingerprinted' : 'asset'
}

/** One of them comes with release 4, another one goes with release 7. */
const routesOf = (release: number) => [
  'home',
  'search',
  'basket',
  ...(release >= 4 ? ['offers'] : []),
  ...(release < 7 ? ['guestbook'] : []),
]

/** What a route shows: the releases of its own chunk, of one that all have, of one that it loads itself, of its data and of its style. */
const textOf = (route: string, release: number) =>
  `${route}: ${[release, release, detailsOf(release), release, release].join(' ')}`

/** Not everything is new in each release. */
const detailsOf = (release: number) => Math.ceil(release / 3)

function siteOf(release: number): Record<string, string> {
  const page = `<!doctype html><html lang="en"><head><title>Release ${release}</title><link rel="icon" href="/logo.svg"></head>
<body><nav></nav><main></main><img src="/logo.svg" alt=""><script type="module" src="/src/main.js"></script></body></html>`
  const routes = routesOf(release).flatMap((name) => [
    [
      `src/routes/${name}.js`,
      `import './${name}.css'
import { library } from '../library.js'
import data from './${name}.json?url'

export async function render() {
  const [{ details }, answer] = await Promise.all([import('./${name}-details.js'), fetch(data)])
  const style = getComputedStyle(document.querySelector('main')).getPropertyValue('--${name}')
  return '${name}: ' + [${release}, library, details, (await answer.json()).release, style.trim()].join(' ')
}`,
    ],
    [`src/routes/${name}-details.js`, `export const details = ${detailsOf(release)}`],
    [`src/routes/${name}.json`, JSON.stringify({ name, release })],
    [`src/routes/${name}.css`, `main { --${name}: ${release} }`],
  ])
  return {
    'index.html': page,
    'about.html': page,
    'src/main.js': `import './style.css'
import { onNewRelease, reloadOnMissingChunk } from 'static-s3/client'
reloadOnMissingChunk()
document.body.dataset.calls = ''
onNewRelease(() => { document.body.dataset.calls += 'called' })
const routes = { ${routesOf(release).map((name) => `${name}: () => import('./routes/${name}.js')`)} }
for (const name of Object.keys(routes)) {
  const button = Object.assign(document.createElement('button'), { id: name, textContent: name })
  button.addEventListener('click', async () => {
    const { render } = await routes[name]()
    document.querySelector('main').textContent = await render()
  })
  document.querySelector('nav').append(button)
}
document.body.dataset.release = ${release}`,
    'src/library.js': `export const library = ${release}`,
    'src/style.css': `body { --style: ${release} }`,
    ...Object.fromEntries(routes),
    'public/logo.svg': `<svg xmlns="http://www.w3.org/2000/svg" width="${release}" height="1"/>`,
  }
}

const target = deployTarget({ public: 'static', cors: '*' })

let browser: TestBrowser
let pages: PageServer | undefined
const opened: OpenPage[] = []
const stored = () => uploadedPaths(target.s3, target.bucket)
const counted = { releases: 0, failed: 0, clicks: 0 }

beforeAll(async () => {
  browser = await launchBrowser()
})
afterAll(async () => {
  const { releases, failed, clicks } = counted
  console.log(`visitor: ${releases} releases, ${failed} failed, ${clicks} clicks, ${errors().length} errors`)
  await Promise.all([...opened, pages].map((each) => each?.close()))
  await browser?.close()
})

const errors = () => opened.flatMap((tab) => tab.errors)

async function openTab(url: string): Promise<OpenPage> {
  const tab = await browser.openPage(url)
  opened.push(tab)
  return tab
}

const releaseIn = ({ page }: OpenPage) => page.evaluate(() => Number(document.body.dataset.release))

/** Opens a route, and sees that all of it is of the release that the tab is from. */
async function click({ page, errors }: OpenPage, route: string, release: number): Promise<void> {
  counted.clicks++
  // Nothing here moves: it needn't be waited for.
  await page.click(`#${route}`, { force: true })
  await page.waitForSelector(`main:text-is("${textOf(route, release)}")`).catch(async (error: Error) => {
    throw new Error([error.message, `There is: ${await page.textContent('main')}`, ...errors].join('\n'))
  })
}

test('no click fails and no console has an error, in new tabs and in old ones, while ten releases go out, three of them fail, and a prune follows', async () => {
  const dir = await makeApp({})
  const live = await makeApp({})
  let lastGood = 0
  const deploy = async (release: number) => {
    counted.releases++
    await writeFiles(dir, siteOf(release))
    const input = ['index.html', 'about.html'].map((page) => join(dir, page))
    await viteBuild('vite', dir, {
      resolve: { alias: { 'static-s3/client': resolve('src/client.ts') } },
      build: { assetsInlineLimit: 0, minify: false, rollupOptions: { input } },
      plugins: [staticS3()],
    })
    // Who serves pages from elsewhere does so when their files are in the bucket.
    await cp(join(dir, 'dist/index.html'), join(live, 'index.html'))
    lastGood = release
  }

  await deploy(1)
  pages = await servePages(live)
  const urls = [`${target.publicUrl}index.html`, `${pages.origin}/`, `${target.publicUrl}about.html`]
  const tabs = await Promise.all(urls.map(openTab))
  const oldTabs = await Promise.all(urls.map(openTab))
  /** Of a release that the prune keeps. They load nothing before it. */
  const keptTabs: OpenPage[] = []

  let visits = 0
  /** A page, anew, and a route in it. */
  const visit = async (current: number) => {
    const tab = tabs[visits++ % tabs.length] as OpenPage
    await tab.page.reload({ waitUntil: 'load' })
    const release = await releaseIn(tab)
    // Of a release that failed at its pages some are there.
    expect(release).toBeGreaterThanOrEqual(lastGood)
    expect(release).toBeLessThanOrEqual(current)
    const routes = routesOf(release)
    await click(tab, routes[visits % routes.length] as string, release)
  }

  const problems: unknown[] = []
  let visiting: Promise<unknown> = Promise.resolve()
  for (let release = 2; release <= releases; release++) {
    const failing = failures[release]
    const met = new Set<Phase>()
    target.s3.server.intercept = async (request) => {
      const phase = phaseOf(request)
      if (!phase) return undefined
      if (!met.has(phase)) {
        met.add(phase)
        visiting = visiting.then(() => visit(release)).catch((error) => problems.push(error))
        await visiting
      }
      return phase === failing && !request.key?.endsWith('index.html')
        ? { status: 403, code: 'AccessDenied' }
        : undefined
    }
    const outcome = await deploy(release).then(
      () => undefined,
      ({ message }: Error) => message,
    )
    // A deploy that is refused doesn't wait for what it has sent besides.
    await visiting
    expect(problems).toEqual([])
    if (failing) {
      counted.failed++
      expect(outcome).toContain('AccessDenied')
    } else {
      expect(outcome).toBeUndefined()
      expect(met).toEqual(new Set(phases))
    }
    if (release === 5) keptTabs.push(...(await Promise.all(urls.slice(0, 2).map(openTab))))
  }
  target.s3.server.intercept = undefined

  expect(await Promise.all([...oldTabs, ...keptTabs].map(releaseIn))).toEqual([1, 1, 1, 5, 5])
  await Promise.all(
    oldTabs.map(async ({ page }) => {
      await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))
      await page.waitForSelector('body[data-calls="called"]')
    }),
  )
  const clickAll = async (tab: OpenPage, release: number) => {
    for (const route of routesOf(release)) await click(tab, route, release)
  }
  await Promise.all(oldTabs.map((tab) => clickAll(tab, 1)))
  const before = stored().length
  // Of 1 to 10, without the three that failed: 4, 5, 7, 9 and 10 stay.
  const pruned = await runInProcess('prune', '--keep-releases', '5', '--keep-days', '0', '--max-delete', '1000')
  expect(pruned.code, pruned.stderr).toBe(0)
  expect(stored().length).toBeLessThan(before - 10)
  await Promise.all(keptTabs.map((tab) => clickAll(tab, 5)))
  await Promise.all(tabs.map(({ page }) => page.reload({ waitUntil: 'load' })))
  expect(await Promise.all(tabs.map(releaseIn))).toEqual([releases, releases, releases])
  await Promise.all(tabs.map((tab) => clickAll(tab, releases)))
  expect(errors()).toEqual([])
  expect(pages.missed).toEqual([])
  expect(lastGood).toBe(releases)
})
