import { describe, expect, test } from 'vitest'
import { publicUrlsIn, urlRewriter } from '../../src/promote/rewrite-urls.js'

const staging = 'https://cdn.example.com/my%20app/staging/'
const live = 'http://live.example.com:8080/static/'

describe('urlRewriter', () => {
  const rewrite = urlRewriter([staging], live)

  test.each([
    [`<script src="${staging}a.js">`, `<script src="${live}a.js">`],
    [`url(//cdn.example.com/my%20app/staging/a.png)`, 'url(//live.example.com:8080/static/a.png)'],
    [staging.replaceAll('/', '\\/'), live.replaceAll('/', '\\/')],
    [
      'next=https%3A%2F%2Fcdn.example.com%2Fmy%20app%2Fstaging%2Fa.js',
      'next=http%3A%2F%2Flive.example.com:8080%2Fstatic%2Fa.js',
    ],
    [staging.replaceAll('/', '\\u002F'), live.replaceAll('/', '\\u002F')],
    [staging.replaceAll('/', '\\\\x2f'), live.replaceAll('/', '\\\\x2f')],
    [staging.replaceAll('/', '&#x2F;'), live.replaceAll('/', '&#x2F;')],
    ['HTTPS://CDN.example.com/my%20app/staging/a.js', 'http://live.example.com:8080/static/a.js'],
    [`${staging}a ${staging}b`, `${live}a ${live}b`],
  ])('%s', (before, after) => {
    expect(rewrite(before)).toBe(after)
  })

  test.each([
    'https://cdn.example.com/my%20app/staging-2/a.js',
    'https://cdn.example.com/my%20app/Staging/a.js',
    'https://www.example.com/my%20app/staging/a.js',
    './a.js',
  ])('leaves %s', (text) => {
    expect(rewrite(text)).toBe(text)
  })

  test('one location may lie in the other', () => {
    const root = 'https://cdn.example.com/'
    expect(urlRewriter([root], `${root}static/`)(`${root}a.js`)).toBe(`${root}static/a.js`)
    expect(urlRewriter([`${root}static/`], root)(`${root}static/a.js`)).toBe(`${root}a.js`)
    expect(urlRewriter([root], root)(`${root}a.js`)).toBe(`${root}a.js`)
  })

  test('each URL changes once, by the longest beginning', () => {
    const root = 'https://cdn.example.com/'
    const toStatic = urlRewriter([root, `${root}staging/`], `${root}static/`)
    expect(toStatic(`${root}staging/a.js ${root}b.js`)).toBe(`${root}static/a.js ${root}static/b.js`)
    const builtForTo = urlRewriter([root, `${root}static/`], `${root}static/`)
    expect(builtForTo(`${root}static/a.js ${root}b.js`)).toBe(`${root}static/a.js ${root}static/b.js`)
  })
})

test('publicUrlsIn finds the URLs before fingerprinted names', () => {
  const names = new Set(['assets/index-BxYz1234.js', 'assets/größe-BxYz1234.js'])
  const page = `
    <script src="https://a.example.com/staging/assets/index-BxYz1234.js?x"></script>
    <script src='https://b.example.com/assets/gr%C3%B6%C3%9Fe-BxYz1234.js'></script>
    <script src="/assets/index-BxYz1234.js"></script> <a href="https://c.example.com/index-BxYz1234.js">
    <img src="https://d.example.com/assets/photo.png"> import(\`https://e.example.com/x/assets/index-BxYz1234.js\`)`
  expect(publicUrlsIn(page, (path) => names.has(path))).toEqual([
    'https://a.example.com/staging/',
    'https://b.example.com/',
    'https://e.example.com/x/',
  ])
})
