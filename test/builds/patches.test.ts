import type { Plugin, ResolvedConfig } from 'vite'
import { describe, expect, test } from 'vitest'
import type { Patches } from '../../src/vite/frameworks/patches.js'
import { qwikPatches } from '../../src/vite/frameworks/qwik.js'
import { vitePressPatches } from '../../src/vite/frameworks/vitepress-client.js'
import { VitePressBuild } from '../../src/vite/vitepress.js'

const url = 'https://cdn.example.com/$&/'

/** The module after the patches. */
const patched = (patches: Patches, id: string, code: string): string => {
  const plugins: Plugin[] = []
  patches.addTo({ plugins } as unknown as ResolvedConfig)
  const transform = plugins[0]?.transform as (code: string, id: string) => { code: string } | undefined
  return transform(code, id)?.code ?? code
}

describe('VitePress', () => {
  const client = (file: string) => `/app/node_modules/vitepress/dist/client/app/${file}`

  test.each([
    ['utils.js', `p = \`\${base}\${__ASSETS_DIR__}/x\``, `p = \`${url}\${__ASSETS_DIR__}/x\``],
    ['utils.js', `p = \`\${__ASSETS_BASE__ || base}\${__ASSETS_DIR__}/x\``, `p = \`${url}\${__ASSETS_DIR__}/x\``],
    ['composables/preFetch.js', 'link.rel = `prefetch`;', "link.rel = `prefetch`; link.crossOrigin = '';"],
    ['router.js', "fetch(siteDataRef.value.base + 'hashmap.json')", `fetch("${url}hashmap.json")`],
    ['router.js', 'fetch(runtimeBase() + "hashmap.json")', `fetch("${url}hashmap.json")`],
  ])('%s: %s', (file, before, after) => {
    expect(patched(vitePressPatches(url, []), client(file), before)).toBe(after)
    expect(patched(vitePressPatches(url, []), '/app/src/router.js', before)).toBe(before)
  })

  test('withBase gives the URL of a public picture, and a path of anything else', () => {
    const before = 'function withBase(path) {\n  return "/docs" + path\n}'
    const code = patched(vitePressPatches(url, ['logo.svg']), client('utils.js'), before)
    const withBase = new Function(`${code}; return withBase`)()
    expect(withBase('/logo.svg')).toBe(`${url}logo.svg`)
    expect(withBase('/guide')).toBe('/docs/guide')
  })

  test('a place that is not there: a warning names the requests', () => {
    const patches = vitePressPatches(url, [])
    patched(patches, client('utils.js'), `\${base}\${__ASSETS_DIR__} function withBase(path) {`)
    patched(patches, client('router.js'), 'fetch(hashMapUrl)')
    expect(patches.warnings).toEqual([
      expect.stringMatching(/^this version of VitePress .*: the scripts of pages that are prefetched come from/),
      expect.stringMatching(/^this version of VitePress .*: hashmap\.json, .* come from the page's origin/),
    ])
  })

  test('a hook that is not there: an error, because nothing would be uploaded', () => {
    const site = { outDir: '', assetsDir: '', mpa: false, site: { base: '/' }, transformHtml: undefined }
    expect(() => new VitePressBuild(site as never, {})).toThrow('has no buildEnd')
  })
})

describe('Qwik', () => {
  const patches = () => qwikPatches(url, '/app/')

  test.each([
    ['/qwik/dist/server.mjs', 'function getBuildBase(opts) {', `function getBuildBase(opts) { return "${url}build/";`],
    [
      '/qwik/dist/server.mjs',
      '(import.meta.env.BASE_URL || "/") + resolvedManifest?.manifest.bundleGraphAsset',
      `"${url}" + resolvedManifest?.manifest.bundleGraphAsset`,
    ],
    ['/app/@qwik-client-manifest', '{"href":"/app/assets/a.css"}', `{"href":"${url}assets/a.css"}`],
    ['/app/@qwik-client-manifest', '{"href":"https://fonts.example/a"}', '{"href":"https://fonts.example/a"}'],
  ])('%s: %s', (id, before, after) => expect(patched(patches(), id, before)).toBe(after))

  test('a place that is not there: a warning', () => {
    expect(patches().warnings).toHaveLength(3)
  })
})
