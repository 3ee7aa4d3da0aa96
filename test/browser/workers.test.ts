import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { runInNewContext } from 'node:vm'
import { rspack } from '@rspack/core'
import { parseAst, type build as vite8 } from 'vite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import webpack from 'webpack'
import { collect } from '../../src/files/collect.js'
import { editable } from '../../src/files/rewrite-file.js'
import { workerBlobUrl, workerBlobUrlInModule } from '../../src/urls/worker-url.js'
import { precacheFrom } from '../../src/vite/pwa.js'
import { watchWorkerBuilds } from '../../src/vite/workers.js'
import type { Compiler } from '../../src/webpack/compiler.js'
import { runWorkersFrom } from '../../src/webpack/workers.js'

const cdn = 'https://cdn.example/static/'

let dir: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'static-s3-workers-'))
})

afterEach(() => rm(dir, { recursive: true }))

async function write(files: Record<string, string>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(dir, path)), { recursive: true })
    await writeFile(join(dir, path), content)
  }
}

async function read(folder: string): Promise<Record<string, string>> {
  const paths = (await readdir(join(dir, folder))).sort()
  return Object.fromEntries(
    await Promise.all(paths.map(async (p) => [p, await readFile(join(dir, folder, p), 'utf8')])),
  )
}

describe.each([
  ['in a classic script', (script: string) => workerBlobUrl(JSON.stringify(script))],
  ['in a module', (script: string) => workerBlobUrlInModule(JSON.stringify(script))],
])('the URL to construct a worker from, %s', (_where, expression) => {
  const blobs: Blob[] = []

  class PageURL extends URL {
    static override createObjectURL(blob: Blob) {
      return `blob:${blobs.push(blob)}`
    }
  }

  const page = () => {
    blobs.length = 0
    const self = { URL: PageURL, Blob, location: new URL('https://page.example/shop/') }
    return (script: string): string => runInNewContext(expression(script), { self })
  }

  test('on the page’s own origin it is the script’s', () => {
    expect(page()('https://page.example/static/w.js')).toBe('https://page.example/static/w.js')
  })

  test('from another it is a Blob’s, the same one every time: two SharedWorkers of one script are one', () => {
    const urlOf = page()
    expect([urlOf(`${cdn}a.js`), urlOf(`${cdn}b.js`), urlOf(`${cdn}a.js`)]).toEqual(['blob:1', 'blob:2', 'blob:1'])
  })

  test('in a classic worker the Blob imports the script, and finds what the script names by relative URLs', async () => {
    const script = `${cdn}it's "w" \u2028 <ü>.js`
    page()(script)
    const asked: unknown[] = []
    const self = {
      fetch: (url: unknown) => asked.push(url),
      importScripts: (...urls: string[]) => asked.push(...urls),
      XMLHttpRequest: { prototype: { open: (_method: string, url: string) => asked.push(url) } },
      Request: class {
        constructor(url: string) {
          asked.push(url)
        }
      },
    }
    const worker = { self, location: new URL('https://page.example/'), URL, Proxy, Reflect }
    runInNewContext(await (blobs[0] as Blob).text(), worker)
    self.fetch('/api/')
    self.fetch('https://other.example/')
    self.importScripts('./lib.js')
    self.XMLHttpRequest.prototype.open('GET', '/api/')
    new self.Request('data.json')
    expect(asked).toEqual([
      script,
      'https://page.example/api/',
      'https://other.example/',
      `${cdn}lib.js`,
      'https://page.example/api/',
      `${cdn}data.json`,
    ])
  })
})

describe.each(['vite5', 'vite6', 'vite7', 'vite'])('%s', (version) => {
  test('knows a worker’s script before it asks for its URL; a worklet and an inline worker are none', async () => {
    const { build }: { build: typeof vite8 } = await import(version)
    await write({
      'main.js': `
        import Query from './query.js?worker'
        import Inline from './inline.js?worker&inline'
        import worklet from './worklet.js?worker&url'
        import url from './text.txt'
        console.log(Query, Inline, worklet, url, new Worker(new URL('./outer.js', import.meta.url)))`,
      'query.js': 'postMessage(1)',
      'inline.js': 'postMessage(2)',
      'worklet.js': 'registerProcessor("p", class extends AudioWorkletProcessor {})',
      'outer.js': 'new Worker(new URL("./nested.js", import.meta.url), { type: "module" })',
      'nested.js': 'postMessage(3)',
      'text.txt': 'text',
    })
    const asked = new Map<string, boolean>()
    const workers = watchWorkerBuilds()
    await build({
      root: dir,
      configFile: false,
      logLevel: 'error',
      worker: { plugins: workers.plugins },
      build: { assetsInlineLimit: 0, rollupOptions: { input: join(dir, 'main.js') } },
      experimental: {
        renderBuiltUrl(path) {
          asked.set(path.replace(/^assets\/(\w+)-.*(\..*)/, '$1$2'), workers.isWorkerEntry(path))
          return undefined
        },
      },
    })
    expect(Object.fromEntries(asked)).toEqual({
      'query.js': true,
      'outer.js': true,
      'nested.js': true,
      'worklet.js': false,
      'text.txt': false,
    })
    expect(workers.fingerprinted.size).toBe(5)
  })
})

describe.each([
  ['webpack', webpack],
  ['Rspack', rspack as unknown as typeof webpack],
])('%s', (_name, bundler) => {
  const build = (entry: string, publicPath: string, withWorkers: boolean) =>
    new Promise<Record<string, string>>((resolve, reject) => {
      const compiler = bundler({
        context: dir,
        mode: 'production',
        entry,
        output: { path: join(dir, 'dist'), filename: '[name].[contenthash].js', publicPath, clean: true },
        optimization: { realContentHash: false },
      })
      if (withWorkers)
        runWorkersFrom(compiler as unknown as Compiler, () => ({
          publicUrl: publicPath,
          base: '/',
          isRelative: false,
        }))
      compiler.run((error) => compiler.close(() => (error ? reject(error) : resolve(read('dist')))))
    })

  beforeEach(() =>
    write({
      'plain.js': 'console.log(1); import("./lazy.js")',
      'lazy.js': 'console.log(2)',
      'with.js': 'new Worker(new URL("./worker.js", import.meta.url))',
      'worker.js': 'postMessage(1)',
    }),
  )

  test('a build without workers is left as it is', async () => {
    expect(await build('./plain.js', cdn, true)).toEqual(await build('./plain.js', cdn, false))
  })

  test('one with workers constructs them from a Blob, and another public URL means other names', async () => {
    const one = await build('./with.js', cdn, true)
    const other = await build('./with.js', 'https://other.example/', true)
    expect(Object.values(one).join()).toContain('createObjectURL')
    expect(Object.keys(one).filter((path) => path.startsWith('main') && path in other)).toEqual([])
  })
})

describe('the precache list', () => {
  const list = JSON.stringify([
    { revision: null, url: 'assets/app-1.js' },
    { revision: 'a1', url: '/app/grün & x.svg' },
    { revision: 'a5', url: '100%.svg' },
    { revision: 'a2', url: 'index.html' },
    { revision: 'a6', url: 'not-ours.js' },
    { revision: 'a3', url: 'manifest.webmanifest' },
    { revision: 'a4', url: 'https://other.example/x.js' },
    { revision: null, url: 'assets/left-out.js' },
  ])
  const precache = async (base: string, emitted: string[] = [], plugins = [{ name: 'vite-plugin-pwa' }]) => {
    const output = { dir: join(dir, 'dist'), emitted: new Set(emitted), fingerprinted: new Set<string>() }
    return precacheFrom({
      plugins,
      ...editable((await collect([output], new Map(), [])).files),
      base,
      publicUrl: (path) => (path.includes('left-out') ? undefined : cdn + encodeURI(path)),
      parse: parseAst,
    })
  }

  test('points at the bucket, but for what the page’s origin has to have', async () => {
    const code = `define(['./workbox-12'], (w) => { const name = 'ünïcode 😀'; w.precacheAndRoute(${list}); w.x('assets/app-1.js') })`
    await write({
      'dist/sw.js': code,
      'dist/assets/app-1.js': `[{ url: 'workbox-12.js', revision: null }]`,
      'dist/workbox-12.js': '',
      'dist/grün & x.svg': '',
      'dist/100%.svg': '',
      'dist/index.html': '',
      'dist/manifest.webmanifest': '',
      'dist/assets/left-out.js': '',
    })
    expect(await precache('/app/', ['assets/app-1.js'])).toEqual(['sw.js'])
    expect(await readFile(join(dir, 'dist/sw.js'), 'utf8')).toBe(
      code
        .replace(`'./workbox-12'`, `"${cdn}workbox-12"`)
        .replace('"assets/app-1.js"', `"${cdn}assets/app-1.js"`)
        .replace('"/app/grün & x.svg"', `"${cdn}gr%C3%BCn%20&%20x.svg"`)
        .replace('"100%.svg"', `"${cdn}100%25.svg"`),
    )
    expect(await precache('/app/', ['assets/app-1.js']), 'a second time').toEqual([])
  })

  test('is left alone without vite-plugin-pwa, and in what the bundler emitted', async () => {
    await write({ 'dist/sw.js': `precacheAndRoute(${list})`, 'dist/100%.svg': '' })
    expect(await precache('/', [], [{ name: 'vite:css' }])).toEqual([])
    expect(await precache('/', ['sw.js'])).toEqual([])
  })
})
