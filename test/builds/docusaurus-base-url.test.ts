import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeFolder, removeFolders } from '../../fixtures/build/folders.js'
import { baseUrlModule } from '../../src/frameworks/docusaurus-base-url.js'

type WithBaseUrl = (url: string | undefined, options?: { absolute?: boolean }) => string | undefined

let dir: string

beforeAll(async () => {
  dir = await makeFolder({
    'img/logo.png': 'logo',
    'img/left out.png': 'left out',
    'img/photo+1.png': 'photo',
    'icons.svg': '<svg><symbol id="a"/></svg>',
    'drawing.svg': '<svg><path/></svg>',
    'data.json': '{}',
  })
})
afterAll(removeFolders)

/** Runs the module, with a stand-in for Docusaurus' own. */
function load(original: WithBaseUrl): { withBaseUrl: WithBaseUrl; again: WithBaseUrl } {
  const code = baseUrlModule({
    original: 'static-s3-original-base-url',
    dirs: [dir, join(dir, 'missing')],
    isUploaded: (path) => path !== 'img/left out.png',
    baseUrl: '/docs/',
    publicUrl: 'https://cdn.example.com/static/',
  })
  const body = code.replace(/^(import|export \*) .*$/gm, '').replaceAll(/^export (default )?/gm, '')
  const use = new Function('useOriginal', `${body}\nreturn useBaseUrlUtils`)(() => ({ withBaseUrl: original }))
  return { withBaseUrl: use().withBaseUrl, again: use().withBaseUrl }
}

describe('the module in place of useBaseUrl', () => {
  const original: WithBaseUrl = (url, { absolute } = {}) =>
    url && `${absolute ? 'https://docs.example.com' : ''}/docs/${url.replace(/^\/(docs\/)?/, '')}`

  test.each([
    ['/img/logo.png', 'https://cdn.example.com/static/img/logo.png'],
    ['img/logo.png?v=1#a', 'https://cdn.example.com/static/img/logo.png?v=1#a'],
    ['/docs/img/logo.png', 'https://cdn.example.com/static/img/logo.png'],
    ['/img/photo+1.png', 'https://cdn.example.com/static/img/photo%2B1.png'],
    ['/drawing.svg', 'https://cdn.example.com/static/drawing.svg'],
    // A file that is left out, a sprite, data, a page, a page with a dot.
    ['/img/left out.png', '/docs/img/left out.png'],
    ['/img/left%20out.png', '/docs/img/left%20out.png'],
    ['/icons.svg#a', '/docs/icons.svg#a'],
    ['/data.json', '/docs/data.json'],
    ['/guide', '/docs/guide'],
    ['/v1.0', '/docs/v1.0'],
    ['/100%', '/docs/100%'],
    [undefined, undefined],
  ])('%s', (url, expected) => expect(load(original).withBaseUrl(url)).toBe(expected))

  test('an absolute URL, as social cards need it', () => {
    const { withBaseUrl } = load(original)
    expect(withBaseUrl('/img/logo.png', { absolute: true })).toBe('https://cdn.example.com/static/img/logo.png')
    expect(withBaseUrl('/guide', { absolute: true })).toBe('https://docs.example.com/docs/guide')
  })

  test('the hash router', () => {
    const { withBaseUrl } = load((url) => `.${url}`)
    expect(withBaseUrl('/img/logo.png')).toBe('https://cdn.example.com/static/img/logo.png')
    expect(withBaseUrl('/guide')).toBe('./guide')
  })

  test('gives the same function each time, so that React does not render again', () => {
    const { withBaseUrl, again } = load(original)
    expect(again).toBe(withBaseUrl)
  })
})
