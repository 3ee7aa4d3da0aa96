import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { cases, patience } from '../../fixtures/fuzz/chance.js'
import { invalidationPaths } from '../../src/cloudfront/invalidation-paths.js'
import { encodePath } from '../../src/urls/paths.js'

const site = (location: string, customDomain?: string) => ({
  location,
  customDomain,
  publicUrl: `https://${customDomain ?? 'bucket.s3.eu-west-1.amazonaws.com'}/${location === '' ? '' : `${location}/`}`,
})
const numbered = (count: number, name: (i: number) => string) => Array.from({ length: count }, (_, i) => name(i))

test.each<[what: string, address: ReturnType<typeof site>, files: string[], paths: string[]]>([
  ['no file', site('static'), [], []],
  ['a file, with any query', site('static'), ['logo.png'], ['/static/logo.png*']],
  ["a file of the bucket's root", site(''), ['logo.png'], ['/logo.png*']],
  ['a file below the path of the domain', site('static', 'cdn.example.com/a/b'), ['x.js'], ['/a/b/static/x.js*']],
  ['the same file twice', site('static'), ['a.js', 'a.js'], ['/static/a.js*']],
  ['the default root object', site('', 'www.example.com'), ['index.html'], ['/', '/?*', '/index.html*']],
  [
    'the index of a folder, with and without its slash',
    site(''),
    ['docs/index.html'],
    ['/docs', '/docs/', '/docs/?*', '/docs/index.html*', '/docs?*'],
  ],
  [
    'the index of a location',
    site('static'),
    ['index.htm'],
    ['/static', '/static/', '/static/?*', '/static/index.htm*', '/static?*'],
  ],
  ['a name that only ends like an index', site(''), ['my-index.html'], ['/my-index.html*']],
  ['a special character', site('static'), ['docs/a b.pdf'], ['/static/docs/a*']],
  ['a tilde, which CloudFront refuses', site(''), ['runtime~main.js'], ['/runtime*']],
  ['a special character at the beginning', site(''), ['ü.pdf'], ['/*']],
  ['an index below a special character', site(''), ['a+b/index.html'], ['/a*']],
  ['a tilde in the location', site('~me'), ['a.js'], ['/*']],
  ['five wildcards', site('static'), numbered(5, (i) => `${i}.js`), numbered(5, (i) => `/static/${i}.js*`)],
  ['more of one folder', site('static'), numbered(6, (i) => `blog/${i}.html`), ['/static/blog/*']],
  ['more of several folders', site('static'), numbered(6, (i) => `b${i}/a.html`), ['/static/*']],
  ['more of the root', site(''), numbered(6, (i) => `b${i}/a.html`), ['/*']],
  [
    'more, with their index',
    site('static'),
    ['blog/index.html', ...numbered(6, (i) => `blog/${i}.html`)],
    ['/static/blog/*', '/static/blog', '/static/blog?*'],
  ],
  [
    'more, whose folder has a longer neighbour',
    site('static'),
    [...numbered(6, (i) => `a/${i}.js`), 'ab.js'],
    ['/static/*'],
  ],
])('%s', (_what, address, files, paths) => {
  expect(invalidationPaths(files, address)).toEqual(paths)
})

describe('paths of odd names', () => {
  const part = fc.oneof(
    fc.constantFrom(
      'index.html',
      'docs',
      'a',
      'b.js',
      '~x',
      'a b',
      'a+b',
      '100%',
      'what?.txt',
      '#',
      'é',
      '日本',
      "it's",
      '*',
    ),
    fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 8 })
      .filter((text) => !text.includes('/') && !/^\.\.?$/.test(text)),
  )
  const name = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'))
  const matches = (pattern: string, url: string) =>
    pattern.endsWith('*') ? url.startsWith(pattern.slice(0, -1)) : url === pattern

  it(
    'are invalidated by few paths, whose form CloudFront takes, at each of their URLs',
    () => {
      fc.assert(
        fc.property(
          fc.array(name, { minLength: 1, maxLength: 30 }),
          fc.constantFrom('', 'static', 'a/b'),
          (files, location) => {
            const paths = invalidationPaths(files, site(location))
            expect(paths.length).toBeLessThanOrEqual(8)
            expect(paths.filter((path) => path.endsWith('*')).length).toBeLessThanOrEqual(5)
            expect(paths.filter((path) => !/^\/[\w./-]*(\?\*|\*)?$/.test(path))).toEqual([])
            const root = location === '' ? '/' : `/${location}/`
            const missed = files
              .map((file) => root + encodePath(file))
              .flatMap((url) => {
                const folder = /^(.*\/)index\.html?$/.exec(url)?.[1]
                return [url, ...(folder === undefined ? [] : [folder, folder.replace(/(.)\/$/, '$1')])]
              })
              .flatMap((url) => [url, `${url}?v=1`])
              .filter((url) => !paths.some((path) => matches(path, url)))
            expect(missed).toEqual([])
          },
        ),
        cases(500),
      )
    },
    patience,
  )
})
