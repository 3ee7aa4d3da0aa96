import { win32 } from 'node:path'
import { describe, expect, test } from 'vitest'
import { pathOf } from '../../src/webpack/fingerprints.js'
import { preparePage } from '../../src/webpack/pages.js'
import { precacheEntry } from '../../src/webpack/precache.js'
import { publicPathCopies } from '../../src/webpack/public-path-copies.js'

const publicUrl = 'https://cdn.example/s/'
const urls = { publicUrl, base: '/app/', isRelative: false }

describe('a tag of a page', () => {
  test.each<[tag: string, prepared: string]>([
    ['<script defer src="https://cdn.example/s/a.js">', '<script crossorigin defer src="https://cdn.example/s/a.js">'],
    ['<SCRIPT\nsrc=https://cdn.example/s/a.js>', '<SCRIPT crossorigin\nsrc=https://cdn.example/s/a.js>'],
    [
      "<link href='https://cdn.example/s/a.css' rel=stylesheet>",
      "<link crossorigin href='https://cdn.example/s/a.css' rel=stylesheet>",
    ],
    [
      '<link rel="modulepreload" href="https://cdn.example/s/a.js">',
      '<link crossorigin rel="modulepreload" href="https://cdn.example/s/a.js">',
    ],
    [
      '<link rel="preload" as="font" href="https://cdn.example/s/a">',
      '<link crossorigin rel="preload" as="font" href="https://cdn.example/s/a">',
    ],
    [
      '<link rel="prefetch" href="https://cdn.example/s/a.mjs">',
      '<link crossorigin rel="prefetch" href="https://cdn.example/s/a.mjs">',
    ],
    ['<link rel="manifest" href="https://cdn.example/s/m.json" />', '<link rel="manifest" href="/app/m.json" />'],
    [
      '<link crossorigin rel=manifest href=https://cdn.example/s/m.json>',
      '<link crossorigin rel=manifest href=/app/m.json>',
    ],
  ])('%s', (tag, prepared) => {
    expect(preparePage(`<p>${tag}<p>`, 'index.html', urls)).toBe(`<p>${prepared}<p>`)
  })

  test.each([
    '<script crossorigin="use-credentials" src="https://cdn.example/s/a.js">',
    '<script src="https://cdn.example/s/a.js" crossorigin>',
    '<script src="https://cdn.example/other/a.js">',
    '<script src="/app/a.js">',
    '<script>const tag = "<b>"</script>',
    '<scripts src="https://cdn.example/s/a.js">',
    '<link rel="icon" href="https://cdn.example/s/a.png">',
    '<link rel="preload" as="image" href="https://cdn.example/s/a.png">',
    '<link rel="prefetch" href="https://cdn.example/s/a.png">',
    '<img src="https://cdn.example/s/a.png">',
    '<script data-src="https://cdn.example/s/a.js">',
  ])('stays as it is: %s', (tag) => {
    expect(preparePage(tag, 'index.html', urls)).toBe(tag)
  })

  test.each<[page: string, base: string, href: string]>([
    ['index.html', '/', './m.json'],
    ['docs/x.html', '', '../m.json'],
    ['docs/a/x.html', './', '../../m.json'],
    ['../index.html', '/', '/m.json'],
  ])('in %s, with a relative public path: the manifest', (page, base, href) => {
    const link = (url: string) => `<link rel="manifest" href="${url}">`
    const prepared = preparePage(link(`${publicUrl}m.json`), page, { publicUrl, base, isRelative: true })
    expect(prepared).toBe(link(href))
  })
})

test.each<[name: string, path: string]>([
  ['js\\main.js', 'js/main.js'],
  ['..\\index.html', '../index.html'],
  ['sub\\..\\index.html?v=a\\b', 'index.html'],
  ['.\\js/main.js', 'js/main.js'],
  ['/sw.js', 'sw.js'],
])('a name on Windows is a path with slashes: %s', (name, path) => {
  expect(pathOf({ name }, win32.sep)).toBe(path)
})

test('elsewhere, a backslash is a character of a name', () => {
  expect(pathOf({ name: './a\\b.js' }, '/')).toBe('a\\b.js')
})

test.each<[url: string, revision: string | null, there: string, thereRevision: string | null]>([
  ['a.1.js', null, `${publicUrl}a.1.js`, null],
  ['a.1.png', null, `${publicUrl}a.1.png`, `${publicUrl}a.1.png`],
  ['a.png', '1', `${publicUrl}a.png`, '1'],
  ['index.html', '1', '/app/index.html', '1'],
  ['site.webmanifest', '1', '/app/site.webmanifest', '1'],
  ['left-out.js', '1', '/app/left-out.js', '1'],
])('a precached %s with revision %s', (path, revision, url, thereRevision) => {
  const isLeftOut = (each: string) => each === 'left-out.js'
  expect(precacheEntry({ url: publicUrl + path, revision }, { ...urls, isLeftOut })).toEqual({
    url,
    revision: thereRevision,
  })
  expect(precacheEntry({ url: `/x/${path}`, revision }, { ...urls, isLeftOut })).toEqual({
    url: `/x/${path}`,
    revision,
  })
})

test.each(['index.html', 'site.webmanifest', 'left-out.js'])(
  'a precached %s is relative to the service worker, as the public path is',
  (path) => {
    const isLeftOut = (each: string) => each === 'left-out.js'
    const relative = { publicUrl, base: '/', isRelative: true, isLeftOut }
    expect(precacheEntry({ url: publicUrl + path, revision: '1' }, relative).url).toBe(`./${path}`)
  },
)

test('copies of the public path are in the options of loaders and in plugins', () => {
  const copies = [1, 2, 3, 4].map(() => ({ publicPath: '/app/' }))
  const [use, options, oneOf, plugin] = copies
  const module = {
    rules: [
      '...',
      { use: ['style-loader', { loader: 'x', options: use }] },
      { oneOf: [{ rules: [{ loader: 'x', options: oneOf }] }], options: { publicPath: '/other/' } },
      { loader: 'x', options },
      { use: () => [] },
    ],
  }
  const plugins = [plugin, { publicPath: () => '/app/' }, null, { options: { publicPath: '/app/' } }]
  expect(new Set(publicPathCopies('/app', { module, plugins }))).toEqual(new Set(copies))
  for (const path of ['', 'auto', undefined, () => '/app/'])
    expect(publicPathCopies(path, { module, plugins })).toEqual([])
})
