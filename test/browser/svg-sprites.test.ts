import { createRequire } from 'node:module'
import { join } from 'node:path'
import vue from '@vitejs/plugin-vue'
import { VitePWA } from 'vite-plugin-pwa'
import { describe, expect, test } from 'vitest'
import { withBrowser } from '../../fixtures/browser/with-browser.js'
import {
  bundlerConfig,
  bundlers,
  closed,
  deployTarget,
  makeApp,
  runOnce,
  viteBuild,
} from '../../fixtures/build/in-process.js'
import { readTree } from '../../fixtures/build/index.js'
import { servePages } from '../../fixtures/pages/index.js'
import { isSvgSprite } from '../../src/urls/svg-sprite.js'
import { staticS3 } from '../../src/vite.js'
import { StaticS3Plugin } from '../../src/webpack.js'

// Browsers draw `<use href="icons.svg#id">` from the page's own origin only.

const svg = (content: string) => `<svg xmlns="http://www.w3.org/2000/svg">${content}</svg>`
const dot = '<symbol id="dot" viewBox="0 0 8 8"><g clip-path="url(#c)"><path d="M0 0h8v8H0z"/></g></symbol>'

describe('an SVG file is a sprite', () => {
  test.each([
    ['of symbols', svg(dot + dot)],
    ['of symbols in defs', svg(`<defs>${dot}</defs>`)],
    [
      'with what draws nothing',
      svg(`<title>Icons</title><defs><clipPath id="c"><path d="M0 0"/></clipPath></defs>${dot}`),
    ],
    ['with style and hidden root', svg(dot).replace('<svg', '<svg style="display:none" hidden')],
    [
      'with prolog, comments and a doctype',
      `\uFEFF<?xml version="1.0"?>\n<!DOCTYPE svg PUBLIC "a" "b" [<!ENTITY x "<g>">]>\n<!-- <path> -->${svg(`<!-- <path/> -->${dot}`)}`,
    ],
    [
      'with CDATA and > in attributes',
      svg(`<style><![CDATA[ a > b <path> ]]></style>${dot.replace('id="dot"', 'id="dot" data-x="a > <path>"')}`),
    ],
    ['with an editor’s notes', svg(`<sodipodi:namedview id="n"><inkscape:grid/></sodipodi:namedview>${dot}`)],
    ['under a prefix', `<svg:svg xmlns:svg="http://www.w3.org/2000/svg"><svg:symbol id="a"/></svg:svg>`],
  ])('%s', (_what, text) => expect(isSvgSprite(text)).toBe(true))

  test.each([
    ['a picture', svg('<path d="M0 0"/>')],
    ['a picture that uses its symbols itself', svg(`${dot}<use href="#dot"/>`)],
    ['a picture with symbols in a drawn group', svg(`<g>${dot}</g>`)],
    ['a picture with gradients', svg('<defs><linearGradient id="a"/></defs><rect fill="url(#a)"/>')],
    ['gradients alone', svg('<defs><linearGradient id="a"/></defs>')],
    ['symbols in a comment', svg(`<!-- ${dot} -->`)],
    ['an empty one', svg('')],
    ['another kind of file', `<html>${svg(dot)}</html>`],
    ['nothing', ''],
  ])('but not %s', (_what, text) => expect(isSvgSprite(text)).toBe(false))
})

const alias = { vue: createRequire(import.meta.url).resolve('vue/dist/vue.runtime.esm-bundler.js') }

const target = deployTarget({ public: 'static', cors: '*' })
const browser = withBrowser()

describe.each(['vite5', 'vite'] as const)('%s', (version) => {
  test.each(['/', '/app/', './'])('draws the icons of public and imported sprites: base %s', async (base) => {
    const dir = await makeApp({
      'index.html': `<!doctype html><link rel="icon" href="data:,">
<svg><use href="/icons.svg#dot" /></svg><div id="app"></div><div id="mask"></div>
<script type="module" src="/src/main.js"></script>`,
      'src/main.js': `import { createApp } from 'vue'
import App from './App.vue'
import './style.css'
createApp(App).mount('#app')`,
      'src/App.vue': `<script setup>
import large from './large.svg?url'
</script>
<template>
  <svg><use href="/icons.svg#dot" /></svg>
  <svg><use href="/nested/more icons.svg#dot" /></svg>
  <svg><use :href="large + '#dot'" /></svg>
  <img src="/picture.svg">
</template>`,
      'src/style.css': '#mask { background: url(/icons.svg#dot) }',
      'src/large.svg': svg(dot.repeat(40)),
      'public/icons.svg': svg(dot),
      'public/nested/more icons.svg': svg(dot),
      'public/picture.svg': svg('<path d="M0 0h8v8H0z"/>'),
    })
    await viteBuild(version, dir, {
      base,
      plugins: [vue(), staticS3()],
      resolve: { alias },
      build: { assetsInlineLimit: 0 },
    })
    const files = await readTree(join(dir, 'dist'))

    const served = base === './' ? '/' : base
    const pages = browser.keep(await servePages(join(dir, 'dist'), { base: served, everything: true }))
    const open = await browser.open(pages.origin + served)
    const widths = () =>
      open.page.evaluate(() => Array.from(document.querySelectorAll('use'), (use) => use.getBBox().width > 0))
    await expect.poll(widths).toEqual([true, true, true, true])
    expect(open.errors).toEqual([])

    const large = [...files.keys()].find((path) => /large/.test(path)) as string
    expect(new Set(pages.served)).toEqual(
      new Set(['', 'icons.svg', 'nested/more%20icons.svg', large].map((path) => served + path)),
    )
    for (const path of ['icons.svg', 'nested/more icons.svg', large]) {
      expect(target.s3.server.objects(target.bucket).get(`static/${path}`)?.body, path).toEqual(files.get(path))
    }
    const style = [...files].find(([path]) => path.endsWith('.css'))?.[1].toString()
    expect(style).toContain(`${target.publicUrl}icons.svg#dot`)
    expect(open.requests.map(({ url }) => url)).toContain(`${target.publicUrl}picture.svg`)
  })
})

test('vite-plugin-pwa precaches a sprite from where the page asks for it', async () => {
  const dir = await makeApp({
    'index.html': '<!doctype html><head></head><svg><use href="/icons.svg#dot" /></svg><img src="/picture.svg">',
    'public/icons.svg': svg(dot),
    'public/picture.svg': svg('<path d="M0 0h8v8H0z"/>'),
  })
  const pwa = VitePWA({ manifest: false, workbox: { globPatterns: ['**/*.{html,svg}'] } })
  await viteBuild('vite', dir, { plugins: [pwa, staticS3()] })
  const serviceWorker = (await readTree(join(dir, 'dist'))).get('sw.js')?.toString()
  expect(serviceWorker).toContain(`"${target.publicUrl}picture.svg"`)
  expect(serviceWorker).toMatch(/["']icons\.svg["']/)
})

test.each(bundlers)('%s leaves a sprite on the page’s origin where its rule says so', async (_name, bundler) => {
  const dir = await makeApp({
    'src/index.js': `import icons from './icons.svg'
document.body.innerHTML = '<svg><use href="' + icons + '#dot" /></svg>'`,
    'src/icons.svg': svg(dot),
  })
  const config = bundlerConfig(bundler, dir, { plugins: [new bundler.html(), new StaticS3Plugin()] })
  config.module?.rules?.push({ test: /icons\.svg$/, type: 'asset/resource', generator: { publicPath: '/' } })
  const compiler = bundler.create(config)
  await runOnce(compiler)
  await closed(compiler)
  const files = await readTree(join(dir, 'dist'))
  const icons = [...files.keys()].find((path) => path.endsWith('.svg')) as string
  const script = [...files].find(([path]) => path.endsWith('.js'))?.[1].toString()
  expect(script).not.toContain(`${target.publicUrl}${icons}`)
  expect(target.s3.server.objects(target.bucket).has(`static/${icons}`)).toBe(true)
  const pages = browser.keep(await servePages(join(dir, 'dist'), { everything: true }))
  const { page } = await browser.open(pages.origin)
  await expect.poll(() => page.evaluate(() => document.querySelector('use')?.getBBox().width)).toBeGreaterThan(0)
})
