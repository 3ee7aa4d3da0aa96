import { describe, expect, test } from 'vitest'
import { completePage } from '../../src/vite/pages.js'

// Pages as other plugins leave them, and what becomes of them.

const publicUrl = 'https://cdn.example.com/static/'
const emitted = ['assets/a-1.js', 'assets/a b-1.js', 'assets/lazy-1.js', 'assets/f-1.woff2', 'assets/i-1.png']
const complete = (html: string, base = '/', page = 'index.html') =>
  completePage(html, {
    page,
    base,
    publicUrl,
    emittedUrl: (path) => (emitted.includes(path) ? publicUrl + encodeURI(path) : undefined),
  })

describe('a page', () => {
  test.each([
    [
      'an integrity plugin’s script',
      '<script integrity="x" src="/assets/a-1.js"></script>',
      `<script integrity="x" src="${publicUrl}assets/a-1.js"></script>`,
    ],
    [
      'a query',
      `<script src='/assets/a-1.js?x&amp;y'></script>`,
      `<script src="${publicUrl}assets/a-1.js?x&amp;y"></script>`,
    ],
    [
      'an encoded name',
      '<script src="/assets/a%20b-1.js"></script>',
      `<script src="${publicUrl}assets/a%20b-1.js"></script>`,
    ],
    [
      'another plugin’s preload',
      '<link rel=modulepreload href=/assets/a-1.js>',
      `<link crossorigin rel=modulepreload href="${publicUrl}assets/a-1.js">`,
    ],
    [
      'a font',
      '<link rel="preload" as="font" crossorigin href="/assets/f-1.woff2">',
      `<link rel="preload" as="font" crossorigin href="${publicUrl}assets/f-1.woff2">`,
    ],
    [
      'a prefetch',
      `<link rel="prefetch" href="${publicUrl}lazy.js">`,
      `<link crossorigin rel="prefetch" href="${publicUrl}lazy.js">`,
    ],
    [
      'a sprite',
      `<use href="${publicUrl}i.svg#a" xlink:href="${publicUrl}i.svg#a"/>`,
      '<use href="/i.svg#a" xlink:href="/i.svg#a"/>',
    ],
  ])('%s', (_what, before, after) => expect(complete(before)).toBe(after))

  test.each([
    ['a file that the bundler does not know', '<script src="/other.js"></script><link rel="icon" href="/icon.png">'],
    [
      'another origin',
      '<link rel="preload" as="script" href="https://example.com/assets/a-1.js"><script src="//x/assets/a-1.js"></script>',
    ],
    ['an image, which is requested without CORS', `<link rel="preload" as="image" href="${publicUrl}i.png">`],
    [
      'a script that is requested without CORS',
      `<link rel="preload" as="script" href="${publicUrl}a.js"><script src="${publicUrl}a.js"></script>`,
    ],
    [
      'text, comments and strings',
      '<!-- <script src="/assets/a-1.js"> --><textarea><script src="/assets/a-1.js"></textarea><script>"/assets/a-1.js"</script>',
    ],
    ['<use> of an own symbol', '<use href="#a"/>'],
  ])('is left as it is: %s', (_what, html) => expect(complete(html)).toBe(html))

  test.each([
    ['./', 'nested/page.html', '../assets/a-1.js', '../i.svg'],
    ['./', 'index.html', './assets/a-1.js', './i.svg'],
    ['', 'index.html', 'assets/a-1.js', './i.svg'],
    ['/app/', 'nested/page.html', '/app/assets/a-1.js', '/app/i.svg'],
  ])('base %j, page %s', (base, page, url, sprite) => {
    const html = `<script src="${url}"></script><use href="${publicUrl}i.svg"/>`
    expect(complete(html, base, page)).toBe(`<script src="${publicUrl}assets/a-1.js"></script><use href="${sprite}"/>`)
  })
})

describe('an import map', () => {
  const inPage = (map: unknown) => `<script type="importmap">${JSON.stringify(map)}</script>`
  test.each(['/', '/app/', './'])('of chunks points to the bucket on both sides: base %s', (base) => {
    const map = {
      imports: { [`${base}assets/KEY.js`]: `${base}assets/lazy-1.js` },
      integrity: { [`${base}assets/a-1.js`]: 'x' },
    }
    expect(complete(inPage(map), base)).toBe(
      inPage({
        imports: { [`${publicUrl}assets/KEY.js`]: `${publicUrl}assets/lazy-1.js` },
        integrity: { [`${publicUrl}assets/a-1.js`]: 'x' },
      }),
    )
  })

  test('of the user keeps its names and the files that the bundler does not know', () => {
    const map = {
      imports: { vue: '/vendor/vue.js', lit: 'https://example.com/lit.js' },
      scopes: { '/a/': { b: '/c' } },
    }
    expect(complete(inPage(map))).toBe(inPage(map))
    expect(complete(inPage({ imports: { lazy: '/assets/lazy-1.js' } }))).toBe(
      inPage({ imports: { lazy: `${publicUrl}assets/lazy-1.js` } }),
    )
    expect(complete('<script type="importmap">{ no JSON</script>')).toBe('<script type="importmap">{ no JSON</script>')
  })
})
