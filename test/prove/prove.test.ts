import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { BuiltFile } from '../../src/files/built-file.js'
import { classify } from '../../src/files/classify.js'
import { hashFiles } from '../../src/files/hash.js'
import { type Conclusion, startProof } from '../../src/prove/prove.js'

const publicUrl = 'https://cdn.example.com/static/'

let dir: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'static-s3-'))
})
afterEach(() => rm(dir, { recursive: true }))

interface Case {
  listed?: string[]
  allowMissing?: string[]
  exclude?: string[]
  rewrite?: 'urls' | false
  base?: string
  emitted?: string[]
  fingerprinted?: string[]
  /** Files of other builds. */
  coming?: Record<string, string>
}

async function prove(contents: Record<string, string | Buffer>, given: Case = {}): Promise<Conclusion> {
  const { listed = [], allowMissing = [], exclude = [], rewrite = 'urls', base = '/' } = given
  const { emitted = [], fingerprinted = [], coming: others = {} } = given
  const files: BuiltFile[] = []
  for (const [path, content] of Object.entries(contents)) {
    await mkdir(dirname(join(dir, path)), { recursive: true })
    await writeFile(join(dir, path), content)
    const isFingerprinted = fingerprinted.includes(path)
    files.push({ path, dir, emitted: isFingerprinted || emitted.includes(path), fingerprinted: isFingerprinted })
  }
  const settings = {
    ...{ publicUrl, location: 'static', allowMissing, rewrite },
    ...{ include: [], exclude, sourceMaps: 'exclude' as const, compress: false, rules: [], objectParameters: {} },
    cacheControl: { fingerprinted: 'immutable', other: 'no-cache' },
  }
  const found = classify({ files, leftOut: [] }, settings)
  const listing = new Map(listed.map((path) => [`static/${path}`, {}]))
  const coming = new Map<string, string>()
  for (const [path, content] of Object.entries(others)) {
    const file = join(dir, `other-${coming.size}`)
    await writeFile(file, content)
    coming.set(`static/${path}`, file)
  }
  const { lookFor, conclude } = startProof({ found, settings, listing, coming, base })
  const hashed = await hashFiles(found.files, [], () => false, { lookFor })
  expect(hashed.problems).toEqual([])
  return conclude(hashed.files)
}

const img = (path: string) => `<img src="${publicUrl}${path}">`
const ending = (path: string) =>
  `If something else puts these files there, list them, or globs of them: allowMissing: ['${path}']`

describe('a URL that names no file', () => {
  it('is a problem, with the files that have it and a remedy', async () => {
    const { problems } = await prove({ 'a.html': img('x.png'), 'b.html': img('x.png'), 'c.js': 'x = 1' })
    expect(problems).toEqual([`a.html and 1 more: ${publicUrl}x.png names no file`, ending('x.png')])
  })

  it.each<[what: string, path: string, there: string, why: string]>([
    ['similar', 'logo.png', 'logos.png', 'names no file: did you mean logos.png?'],
    [
      'of another case',
      'logo.png',
      'Logo.png',
      'names no file: the file is Logo.png, and upper and lower case differ in S3',
    ],
    [
      'of another Unicode form',
      'caf%C3%A9.png',
      'cafe\u0301.png',
      'names no file: the name of cafe\u0301.png has the same letters in another Unicode form (NFC, NFD); rename the file',
    ],
    [
      'left out by default',
      '.hidden.png',
      '.hidden.png',
      "is left out (dotfile): include: ['**', '.hidden.png'] uploads it",
    ],
    ['left out by the user', 'draft.png', 'draft.png', 'is left out (excluded): take it out of `exclude`'],
    ['quite another', 'logo.png', 'photo-of-the-team.png', 'names no file'],
  ])('tells of a file that is %s', async (_what, path, there, why) => {
    const { problems } = await prove({ 'index.html': img(path), [there]: 'x' }, { exclude: ['draft.*'] })
    expect(problems[0]).toBe(`index.html: ${publicUrl}${path} ${why}`)
  })

  it('is none if the release, the bucket or allowMissing has it', async () => {
    const urls = ['new.png', 'old-1234.png', 'videos/a.mp4', 'dir/', ''].map(img).join('')
    const given = { listed: ['old-1234.png'], allowMissing: ['videos/'] }
    expect(
      (await prove({ 'index.html': urls, 'new.png': 'x' }, { ...given, allowMissing: ['videos/**'] })).problems,
    ).toEqual([])
  })

  it.each<[what: string, path: string, there: string]>([
    ['a folder', 'vendor/pdf.js', 'vendor/pdf.js/build/pdf.js'],
    ['a folder with a slash', 'vendor/pdf.js/', 'vendor/pdf.js/build/pdf.js'],
    ['a page without its ending', 'guide/package.json', 'guide/package.json.html'],
    ["a folder's page", 'c/booking.com', 'c/booking.com/index.html'],
  ])('is none if it names %s', async (_what, path, there) => {
    expect((await prove({ 'index.html': img(path), [there]: '' })).problems).toEqual([])
    expect((await prove({ 'index.html': img(path) }, { listed: [there] })).problems).toEqual([])
    const { problems } = await prove({ 'index.html': img('vendor/pdf.js/gone.js'), [there]: '' })
    expect(problems[0]).toContain('gone.js names no file')
    expect((await prove({ 'index.html': img('x.png') }, { allowMissing: ['*.html'] })).problems).toHaveLength(2)
  })

  it('is none in a comment, nor in a file that is no text for browsers', async () => {
    const url = `"${publicUrl}gone.png"`
    const { problems } = await prove({
      'a.js': `// ${url}\n`,
      'b.css': `/* ${url} */`,
      'c.txt': url,
      'd.html': `<!-- ${url} -->`,
    })
    expect(problems).toEqual([])
  })

  it('may be a source map, and the name of a file that a list of the build has', async () => {
    const list = JSON.stringify({ a: `${publicUrl}a.js.map`, b: `${publicUrl}b.txt` })
    const { problems } = await prove(
      { 'manifest.json': list, 'a.js.map': '{}', 'b.txt': 'x' },
      { exclude: ['b.txt'], emitted: ['a.js.map', 'b.txt'] },
    )
    expect(problems).toEqual([])
  })

  it('may be a name that an import map has for another file', async () => {
    const map = JSON.stringify({ imports: { [`${publicUrl}lazy.js`]: `${publicUrl}lazy-1234.js` } })
    const site = {
      'index.html': `<script type="importmap">${map}</script>`,
      'app.js': `import("${publicUrl}lazy.js")`,
      'lazy-1234.js': '',
    }
    expect((await prove(site)).problems).toEqual([])
    const { 'lazy-1234.js': _, ...broken } = site
    expect((await prove(broken)).problems[0]).toContain('lazy-1234.js names no file')
  })

  it('is found in a script on one line, large enough to be read in pieces', async () => {
    // Pieces are 256 kB: each of their seams cuts a URL at another place.
    const url = `"${publicUrl}gone.png",`
    const script = Buffer.alloc(8 * 1024 * 1024 + 100, `${'x'.repeat(998)}; `)
    for (let i = 1; i < 30; i++) script.write(`"${publicUrl}there.png",`, i * 256 * 1024 - 2 * i)
    const given = { 'app.js': script, 'there.png': '', 'index.html': '' }
    expect((await prove(given)).problems).toEqual([])
    script.write(url, 25 * 256 * 1024 - 50)
    expect((await prove(given)).problems).toHaveLength(2)
  })

  it('is found among bytes that are no UTF-8', async () => {
    const css = Buffer.concat([Buffer.from([0xff, 0xfe, 0xe9]), Buffer.from(`a{background:url(${publicUrl}gone.png)}`)])
    expect((await prove({ 'a.css': css })).problems).toHaveLength(2)
    const name = Buffer.concat([
      Buffer.from(`a{background:url(${publicUrl}caf`),
      Buffer.from([0xe9]),
      Buffer.from('.png)}'),
    ])
    expect((await prove({ 'a.css': name })).problems).toEqual([])
  })
})

describe('integrity', () => {
  const script = 'alert(1)'
  const hash = (algorithm: string, content = script) =>
    `${algorithm}-${createHash(algorithm).update(content).digest('base64')}`
  const wrong = hash('sha384', 'alert(2)')

  it.each<[what: string, integrity: string, isRight: boolean]>([
    ['sha256', hash('sha256'), true],
    ['sha384', hash('sha384'), true],
    ['sha512', hash('sha512'), true],
    ['another', wrong, false],
    ['one of two', `${wrong} ${hash('sha384')}`, true],
    ['only the weaker', `${wrong} ${hash('sha256')}`, false],
    ['only the stronger', `sha256-AAAA ${hash('sha512')}`, true],
    ['with an option', `${hash('sha256')}?ct=text/javascript`, true],
    ['none that browsers know', 'md5-AAAA', true],
  ])('%s', async (_what, integrity, isRight) => {
    const url = `${publicUrl}app.js`
    const pages = [
      `<script src="${url}" integrity="${integrity}"></script>`,
      `<link integrity='${integrity}' rel=modulepreload crossorigin href=${url}>`,
      `<script type="importmap">${JSON.stringify({ integrity: { [url]: integrity } })}</script>`,
    ]
    for (const page of pages) {
      const { problems } = await prove({ 'index.html': page, 'app.js': script })
      const expected = isRight
        ? []
        : [expect.stringContaining(`index.html: the integrity of ${url} is ${integrity}, but the file has sha`)]
      expect(problems, page).toEqual(expected)
    }
  })
})

describe('integrity beside a URL that does not begin with the public URL', () => {
  const site = (url: string, integrity = 'sha256-AAAA', head = '') => ({
    'demo/index.html': `${head}<script src="${url}" integrity="${integrity}"></script>`,
    'demo/app one.js': '1',
    'app one.js': '2',
  })
  const hashOf = (content: string) => `sha256-${createHash('sha256').update(content).digest('base64')}`

  it.each([
    ['app%20one.js', '1'],
    ['./app one.js', '1'],
    ['../app%20one.js?x#y', '2'],
    ['//cdn.example.com/static/app%20one.js', '2'],
  ])('is compared with the file that the page requests: %s', async (url, content) => {
    expect((await prove(site(url, hashOf(content)))).problems).toEqual([])
    const { problems } = await prove(site(url))
    expect(problems).toEqual([expect.stringContaining(`but the file has ${hashOf(content)}`)])
  })

  it.each<[url: string, head?: string]>([
    ['/static/app%20one.js'],
    ['/app%20one.js'],
    ['https://other.example.com/static/app%20one.js'],
    ['gone.js'],
    ['http://['],
    ['app%20one.js', '<base href="/app/">'],
  ])('is not compared if another server may have the file: %s %s', async (url, head) => {
    expect((await prove(site(url, undefined, head))).problems).toEqual([])
  })

  it('is compared with a file of another build of the same run', async () => {
    const page = (content: string) => ({
      'index.html': `<script src="${publicUrl}other/app.js" integrity="${hashOf(content)}"></script>`,
    })
    const given = { coming: { 'other/app.js': '3' } }
    expect((await prove(page('3'), given)).problems).toEqual([])
    expect((await prove(page('4'), given)).problems).toEqual([
      expect.stringContaining(`index.html: the integrity of ${publicUrl}other/app.js is`),
    ])
  })
})

it('a text of more than 64 MB is not parsed, and a warning says so', async () => {
  const text = Buffer.alloc(64 * 1024 * 1024 + 1, ' ')
  text.write(`["${publicUrl}gone.png"]`)
  expect(await prove({ 'data.json': text, 'a.js': '' })).toMatchObject({
    problems: [],
    warnings: ['data.json: its URLs are not checked, because it is larger than 64 MB'],
  })
})

describe("the bundler's files that are left out", () => {
  const names = ['ca-1234.png', 'app.js.map', '.vite/manifest.json', '.hidden.png']

  it('are a problem if a script names one by its fingerprint', async () => {
    const site = { 'app.js': 'x.exports = r.p + "ca-1234.png"', 'ca-1234.png': 'x' }
    const given = { exclude: ['*.png'], fingerprinted: ['ca-1234.png'] }
    expect((await prove(site, given)).problems).toEqual(['app.js refers to ca-1234.png, which is left out (excluded)'])
    expect((await prove(site, { ...given, allowMissing: ['*.png'] })).problems).toEqual([])
    expect((await prove(site, { ...given, listed: ['ca-1234.png'] })).problems).toEqual([])
  })

  it('are a warning if a URL leads to them on the page’s own server', async () => {
    const site = { 'app.js': 'x = "/ca-1234.png"', 'ca-1234.png': 'x' }
    expect(await prove(site, { exclude: ['*.png'], fingerprinted: ['ca-1234.png'] })).toMatchObject({
      problems: [],
      warnings: ['ca-1234.png is left out (excluded): your own server has to serve it for app.js'],
    })
  })

  it('are a warning if a service worker precaches them from its own origin', async () => {
    const site = { 'sw.js': 'precache([{url:"assets/big-1234.wasm",revision:null}])', 'assets/big-1234.wasm': 'x' }
    expect(await prove(site, { exclude: ['**/*.wasm'], fingerprinted: ['assets/big-1234.wasm'] })).toMatchObject({
      problems: [],
      warnings: ['assets/big-1234.wasm is left out (excluded): your own server has to serve it for sw.js'],
    })
  })

  it('are a warning if nobody expects it', async () => {
    const site = Object.fromEntries([
      ['app.js', '//# sourceMappingURL=app.js.map'],
      ...names.map((name) => [name, 'x']),
    ])
    const { problems, warnings } = await prove(site, {
      exclude: ['ca-*'],
      emitted: names,
      fingerprinted: ['ca-1234.png', 'app.js.map'],
    })
    expect(problems).toEqual([])
    expect(warnings).toEqual([
      ".hidden.png (dotfile): left out, though the bundler made it; to upload it, add its name to include: ['**', …]",
    ])
  })
})

describe("a plain string from the page's root", () => {
  const site = {
    'app.js':
      'fetch("/data.json"); register("/sw.js"); icon(`/favicon.ico`); draw("/icons.svg#a"); load("/x/icons.svg")',
    'index.html': '<a href="/team/x.pdf">',
    ...{ 'data.json': '{}', 'sw.js': '', 'favicon.ico': '', 'team/x.pdf': '' },
    ...{ 'icons.svg': '', 'x/icons.svg': '<svg><symbol id="a"/></svg>' },
  }

  it('gets one hint', async () => {
    expect((await prove(site)).hints).toEqual([
      "/data.json in app.js and 1 more: plain strings stay on the page's origin. " +
        "To use the bucket, write STATIC_URL + 'data.json'; to stay, leave the file out with `exclude`",
    ])
  })

  it.each<Case>([{ rewrite: false }, { base: '/app/' }, { exclude: ['data.json', '*.pdf'] }])(
    'gets none with %j',
    async (given) => {
      expect((await prove(site, given)).hints).toEqual([])
    },
  )
})

describe("a URL from the root in a stylesheet, which leads to the root of the bucket's host", () => {
  const css = `/* url(/old.png) */ @import '/more.css'; a { background: url( "/img/b\\67 .png" ) } b::before { content: "/" }
    i { background: url(/static/here.png), url(//x.example/y.png), url(./z.png), url(${publicUrl}here.png) }`
  const site = { 'theme.css': css, 'here.png': '' }

  it('gets one hint', async () => {
    expect((await prove(site)).hints).toEqual([
      "/more.css in theme.css and 1 more: such a URL leads to the root of the stylesheet's own host, " +
        'here to https://cdn.example.com/more.css. ' +
        'To use another file of the build, name it relative to the stylesheet; otherwise write the whole URL',
    ])
  })

  it.each<Case>([{ rewrite: false }, { exclude: ['*.css'] }])('gets none with %j', async (given) => {
    expect((await prove(site, given)).hints).toEqual([])
  })

  it('gets none in a page, whose own origin it names', async () => {
    expect((await prove({ 'a.html': `<style>${css}</style>`, 'here.png': '' })).hints).toEqual([])
  })
})
