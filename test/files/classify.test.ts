import { describe, expect, it } from 'vitest'
import type { LeftOut } from '../../src/files/built-file.js'
import { type BuiltFile, type Group, groups } from '../../src/files/built-file.js'
import { classify } from '../../src/files/classify.js'
import type { Settings } from '../../src/settings/settings.js'

type Policy = Parameters<typeof classify>[1]

const policy: Policy = {
  location: 'static',
  cacheControl: { fingerprinted: 'public, max-age=31536000, immutable', other: 'no-cache' },
  objectParameters: {},
  rules: [],
  include: [],
  exclude: [],
  sourceMaps: 'exclude',
  compress: false,
}

/** A path with a `*` in front is fingerprinted. */
const file = (path: string) => {
  const fingerprinted = path.startsWith('*')
  const plain = fingerprinted ? path.slice(1) : path
  return { path: plain, dir: '/dist', emitted: true, fingerprinted }
}

const classifyPaths = (paths: readonly string[], settings: Partial<Settings> = {}) => {
  const classified = classify({ files: paths.map(file), leftOut: [] }, { ...policy, ...settings })
  return { ...classified, files: [...classified.files] }
}

const only = (path: string, settings: Partial<Settings> = {}) => {
  const { files } = classifyPaths([path], settings)
  if (!files[0]) throw new Error(`${path} is left out`)
  return files[0]
}

const uploaded = (paths: readonly string[], settings: Partial<Settings> = {}) =>
  classifyPaths(paths, settings).files.map(({ path }) => path)

describe('Cache-Control', () => {
  it.each<[path: string, cacheControl: string]>([
    ['*assets/index-BxYz1234.js', 'public, max-age=31536000, immutable'],
    ['assets/index-BxYz1234.js', 'no-cache'],
    ['index.html', 'no-cache'],
    ['favicon.ico', 'no-cache'],
    ['sw.js', 'no-cache'],
    ['manifest.json', 'no-cache'],
    // A page's name is what others link to: its content changes under it, whatever the bundler says.
    ['*page-BxYz1234.html', 'no-cache'],
  ])('%s: %s', (path, cacheControl) => {
    expect(only(path).parameters.CacheControl).toBe(cacheControl)
  })

  it('comes from the settings', () => {
    const cacheControl = { fingerprinted: 'max-age=5', other: 'max-age=1' }
    expect(only('*a-1.js', { cacheControl }).parameters.CacheControl).toBe('max-age=5')
    expect(only('a.js', { cacheControl }).parameters.CacheControl).toBe('max-age=1')
  })
})

describe('Content-Type', () => {
  it.each<[path: string, contentType: string]>([
    ['a.js', 'text/javascript; charset=utf-8'],
    ['a.mjs', 'text/javascript; charset=utf-8'],
    ['a.cjs', 'text/javascript; charset=utf-8'],
    ['a.css', 'text/css; charset=utf-8'],
    ['a.html', 'text/html; charset=utf-8'],
    ['a.htm', 'text/html; charset=utf-8'],
    ['a.json', 'application/json; charset=utf-8'],
    ['a.js.map', 'application/json; charset=utf-8'],
    ['a.txt', 'text/plain; charset=utf-8'],
    ['a.md', 'text/markdown; charset=utf-8'],
    ['a.csv', 'text/csv; charset=utf-8'],
    ['a.webmanifest', 'application/manifest+json; charset=utf-8'],
    ['a.xml', 'application/xml'],
    ['a.svg', 'image/svg+xml'],
    ['a.wasm', 'application/wasm'],
    ['a.pdf', 'application/pdf'],
    ['a.ico', 'image/vnd.microsoft.icon'],
    ['a.png', 'image/png'],
    ['a.jpg', 'image/jpeg'],
    ['a.gif', 'image/gif'],
    ['a.webp', 'image/webp'],
    ['a.avif', 'image/avif'],
    ['a.woff', 'font/woff'],
    ['a.woff2', 'font/woff2'],
    ['a.ttf', 'font/ttf'],
    ['a.otf', 'font/otf'],
    ['a.mp4', 'video/mp4'],
    ['a.webm', 'video/webm'],
    ['a.mp3', 'audio/mpeg'],
    ['a.glb', 'model/gltf-binary'],
    ['a.min.js', 'text/javascript; charset=utf-8'],
    ['A.JPG', 'image/jpeg'],
    ['A.JS', 'text/javascript; charset=utf-8'],
    ['A.CJS', 'text/javascript; charset=utf-8'],
    ['v1.2/no-ending', 'application/octet-stream'],
    ['LICENSE', 'application/octet-stream'],
    ['a.unknown', 'application/octet-stream'],
    ['a.', 'application/octet-stream'],
    // Names that are types, and no endings.
    ['json', 'application/octet-stream'],
    ['html', 'application/octet-stream'],
    ['js/css', 'application/octet-stream'],
    ['constructor.constructor', 'application/octet-stream'],
    ['.well-known/apple-app-site-association', 'application/json; charset=utf-8'],
    ['apple-app-site-association', 'application/json; charset=utf-8'],
    ['.well-known/assetlinks.json', 'application/json; charset=utf-8'],
    ['.well-known/security.txt', 'text/plain; charset=utf-8'],
  ])('%s: %s', (path, contentType) => {
    expect(only(path, { sourceMaps: 'public' }).parameters.ContentType).toBe(contentType)
  })
})

describe('files that are left out', () => {
  it.each<[path: string, reason: string]>([
    ['.env', 'dotfile'],
    ['.env.production.local', 'dotfile'],
    ['.vite/manifest.json', 'dotfile'],
    ['.git/config', 'dotfile'],
    ['.htaccess', 'dotfile'],
    ['assets/.DS_Store', 'dotfile'],
    ['.well-known/.secret', 'dotfile'],
    ['.well-known-not/x', 'dotfile'],
    ['assets/a.js.map', 'source map'],
    ['*assets/a-BxYz1234.js.map', 'source map'],
    ['assets/a.css.map.gz', 'source map'],
    ['a.mjs.map.br', 'source map'],
    ['level1.map.gz', 'source map'],
    ['deep/a.d.ts.map', 'source map'],
    ['stats.json', 'bundle statistics'],
    ['webpack-stats.json', 'bundle statistics'],
    ['mf-stats.json', 'bundle statistics'],
  ])('%s: %s', (path, reason) => {
    // A glob that matches other files as well does not mean this one.
    for (const settings of [{}, { include: ['**'] }, { include: ['**/*.*', '*'] }]) {
      expect(classifyPaths([path], settings)).toMatchObject({
        files: [],
        leftOut: [{ path: file(path).path, reason }],
        problems: [],
        warnings: [],
      })
    }
  })

  it.each([
    '.well-known/assetlinks.json',
    'deep/.well-known/x',
    'dots.in.name.js',
    'a./b..c',
    'ca/root.pem',
    'slides.key',
    'id_rsa.pub',
    'level1.map',
    'key',
    'pem.txt',
    'sitemap.xml',
    'map.js',
    'roadmap',
    'data/stats.json',
    'stats.js',
  ])('but not %s', (path) => {
    expect(uploaded([path])).toEqual([path])
  })

  it.each<[path: string, facts: Partial<BuiltFile>, include: string, uploaded: boolean]>([
    ['report.html', { emitted: false }, 'report.html', true],
    ['report.html', { emitted: false }, 'report.*', true],
    ['report.html', { emitted: false }, '*.html', false],
    ['stats.json', {}, 'stats.json', true],
    ['stats.json', {}, '*.json', false],
    ['assets/a.js.map', {}, '*.map', true],
    ['assets/a.js.map', {}, 'assets/a.js.map', true],
    ['assets/a.js.map', {}, '*.*', false],
    ['assets/a.js.map', {}, 'assets/', false],
    ['maps/level1.map', { kind: 'source map' }, 'maps/level1.map', true],
    ['maps/level1.map', { kind: 'source map' }, 'maps/*', false],
    ['.htaccess', {}, '.htaccess', true],
    ['.htaccess', {}, '.*', true],
    ['.htaccess', {}, '*.*', false],
    ['.vite/manifest.json', {}, '.vite/', true],
    ['.vite/manifest.json', {}, '*.json', false],
    ['docs/demo.key', { kind: 'private key' }, 'demo.key', true],
    ['docs/demo.key', { kind: 'private key' }, '*.key', false],
    ['docs/demo.key', { kind: 'private key' }, 'docs/*.key', false],
    ['config.txt', { target: '.env' }, 'config.txt', false],
    ['config.txt', { target: '.env' }, '.env', true],
  ])('include names %s %j by %s: %s', (path, facts, include, isUploaded) => {
    const { files } = classify(
      { files: [{ ...file(path), ...facts }], leftOut: [] },
      { ...policy, include: ['**', include] },
    )
    expect(files.length).toBe(isUploaded ? 1 : 0)
  })

  it.each<[target: string, reason: string]>([
    ['.env', 'dotfile'],
    ['.git/config', 'dotfile'],
    ['a.js.map', 'source map'],
    ['stats.json', 'bundle statistics'],
  ])('a link to %s: %s', (target, reason) => {
    const link = { ...file('notes.txt'), target }
    expect(classify({ files: [link], leftOut: [] }, policy).leftOut).toEqual([{ path: 'notes.txt', reason }])
  })

  it('the summary names those that the bundler did not make and the user did not exclude', () => {
    const named = ['.htaccess', 'a.js', 'b.js.map', 'report.html'].map((path) => ({ ...file(path), emitted: false }))
    const files = [...named, file('c.js.map')]
    expect(classify({ files, leftOut: [] }, { ...policy, exclude: ['a.js'], include: [] }).leftOut).toEqual([
      { path: '.htaccess', reason: 'dotfile', byName: true },
      { path: 'a.js', reason: 'excluded' },
      { path: 'b.js.map', reason: 'source map', byName: true },
      { path: 'report.html', reason: 'bundle statistics', byName: true },
      { path: 'c.js.map', reason: 'source map' },
    ])
  })

  it('public source maps are uploaded', () => {
    expect(uploaded(['a.js.map', '*b-1.css.map', 'c.js.map.gz'], { sourceMaps: 'public' })).toHaveLength(3)
  })

  it('files that collect left out come first in the list', () => {
    const leftOut: LeftOut[] = [{ path: 'old.js', reason: 'left over from an earlier build' }]
    expect(classify({ files: [file('.env')], leftOut }, policy).leftOut).toEqual([
      ...leftOut,
      { path: '.env', reason: 'dotfile' },
    ])
    expect(leftOut).toHaveLength(1)
  })
})

describe('globs', () => {
  const all = ['a.js', 'b.css', 'fonts/a.js', 'fonts/deep/x.woff2', 'index.html', '.well-known/y.js', 'ü & (1).js']

  it.each<[glob: string | string[], matched: string[]]>([
    ['*.js', ['a.js', 'fonts/a.js', '.well-known/y.js', 'ü & (1).js']],
    ['a.js', ['a.js', 'fonts/a.js']],
    ['/a.js', ['a.js']],
    ['./a.js', ['a.js']],
    ['/*.js', ['a.js', 'ü & (1).js']],
    ['fonts', ['fonts/a.js', 'fonts/deep/x.woff2']],
    ['fonts/', ['fonts/a.js', 'fonts/deep/x.woff2']],
    ['/fonts', ['fonts/a.js', 'fonts/deep/x.woff2']],
    ['fonts/*', ['fonts/a.js', 'fonts/deep/x.woff2']],
    ['fonts/**', ['fonts/a.js', 'fonts/deep/x.woff2']],
    ['deep', ['fonts/deep/x.woff2']],
    ['deep/', ['fonts/deep/x.woff2']],
    ['/deep', []],
    ['fonts/deep/', ['fonts/deep/x.woff2']],
    ['a.js/', []],
    ['fonts/!(*.js)', []],
    ['fonts/**/!(*.js)', ['fonts/deep/x.woff2']],
    ['**/*.js', ['a.js', 'fonts/a.js', '.well-known/y.js', 'ü & (1).js']],
    ['**', all],
    ['*', all],
    ['*.{css,html}', ['b.css', 'index.html']],
    ['{fonts,other}/**/*.woff2', ['fonts/deep/x.woff2']],
    ['[ab].*', ['a.js', 'b.css', 'fonts/a.js']],
    ['?.js', ['a.js', 'fonts/a.js', '.well-known/y.js']],
    [
      ['*.css', 'fonts/deep/**'],
      ['b.css', 'fonts/deep/x.woff2'],
    ],
    ['!(*.js)', ['b.css', 'fonts/deep/x.woff2', 'index.html']],
    ['nothing', []],
    ['A.JS', []],
  ])('%j', (glob, matched) => {
    const match = [glob].flat()
    expect(uploaded(all, { include: match })).toEqual(matched)
    expect(uploaded(all, { exclude: match })).toEqual(all.filter((path) => !matched.includes(path)))
    const { files } = classifyPaths(all, { rules: [{ match, parameters: { Hit: true } }] })
    expect(files.filter(({ parameters }) => parameters.Hit).map(({ path }) => path)).toEqual(matched)
  })

  it('that match no file are a warning, with a likely fix', () => {
    const warned = (settings: Partial<Settings>) =>
      classifyPaths(all, settings).warnings.filter((warning) => warning.startsWith('no file'))
    const rules = [
      { match: ['*.js'], parameters: {} },
      { match: ['*.css', '*.pdf'], parameters: {} },
    ]
    expect(
      warned({ exclude: ['dist/fonts/**', 'old', 'b.css', 'public/x.txt'], include: ['*', 'none/'], rules }),
    ).toEqual([
      'no file matches include "none/", exclude "dist/fonts/**" (a glob begins inside the output folder: try "fonts/**"), exclude "old", ' +
        'exclude "public/x.txt" (a glob begins inside the output folder), rules[1].match "*.pdf"',
    ])
    expect(warned({ exclude: ['fonts'], include: ['**'], rules: rules.slice(0, 1) })).toEqual([])
  })

  it('match files that were left out already', () => {
    const leftOut: LeftOut[] = [{ path: 'old/a.js', reason: 'left over from an earlier build' }]
    const { warnings } = classify(
      { files: [file('a.js'), file('.env')], leftOut },
      { ...policy, exclude: ['old', '.env'] },
    )
    expect(warnings).toEqual([])
  })

  it.each<[settings: Partial<Settings>, problem: string]>([
    [
      { exclude: ['*'], include: ['*.js'] },
      'include ["*.js"] and exclude ["*"] leave nothing to upload: exclude beats include, so name fewer files',
    ],
    [{ exclude: ['**'] }, 'exclude ["**"] leaves nothing to upload: name fewer files'],
    [
      { include: ['dist/fonts/**'] },
      'include ["dist/fonts/**"] leaves nothing to upload: no file matches include "dist/fonts/**" (a glob begins inside the output folder: ' +
        'try "fonts/**")',
    ],
  ])('%j stops the deploy', (settings, problem) => {
    expect(classifyPaths(all, settings)).toMatchObject({ files: [], problems: [problem], warnings: [] })
  })

  it.each<Partial<Settings>>([
    { exclude: ['**'] },
    { include: ['other.js'] },
    { exclude: ['other.js'], rules: [{ match: ['*.pdf'], parameters: {} }] },
  ])('%j in one of several builds may be meant for the files of another', (settings) => {
    const files = { files: [file('a.js')], leftOut: [] }
    const { problems, warnings } = classify(files, { ...policy, ...settings }, [{ emittedOnly: true }])
    expect([...problems, ...warnings]).toEqual([])
  })

  it('exclude beats include, and each gives its reason', () => {
    const { files, leftOut } = classifyPaths(['a.js', 'b.js', 'c.css'], { include: ['*.js'], exclude: ['b.*'] })
    expect(files.map(({ path }) => path)).toEqual(['a.js'])
    expect(leftOut).toEqual([
      { path: 'b.js', reason: 'excluded' },
      { path: 'c.css', reason: 'not included' },
    ])
  })
})

describe('with `compress`', () => {
  const compress = true
  const isCompressed = (path: string, settings: Partial<Settings> = {}) =>
    only(path, { compress, ...settings }).compress

  it.each(['*a-1.css', 'a.js', 'a.mjs', 'a.cjs', 'logo.svg', 'a.wasm', 'sw.js'])('%s is stored as gzip', (path) => {
    expect(isCompressed(path)).toBe(true)
    expect(isCompressed(path, { compress: false })).toBe(false)
  })

  it.each([
    ...['index.html', 'a.json', 'manifest.webmanifest', 'sitemap.xml', 'robots.txt', '.well-known/assetlinks.json'],
    ...['a.png', 'a.woff2', 'a.js.br', 'logo.svgz'],
  ])('%s is not', (path) => expect(isCompressed(path)).toBe(false))

  it('a rule or objectParameters decide by another type, or an encoding of their own', () => {
    const rule = (parameters: object) => ({ rules: [{ match: ['a.*'], parameters: { ...parameters } }] })
    expect(isCompressed('a.js', rule({ ContentEncoding: 'br' }))).toBe(false)
    expect(isCompressed('a.js', rule({ ContentEncoding: 'identity' }))).toBe(false)
    expect(isCompressed('a.js', { objectParameters: { ContentEncoding: 'gzip' } })).toBe(false)
    expect(isCompressed('a.js', rule({ ContentType: 'text/plain' }))).toBe(false)
    expect(isCompressed('a.bin', rule({ ContentType: 'Text/CSS' }))).toBe(true)
  })

  it('the build’s own gzip is left out with its original, unless include names it', () => {
    const paths = ['a.js', 'a.js.gz', 'a.js.br', 'a.html', 'a.html.gz', 'b.js.gz']
    const { files, leftOut } = classifyPaths(paths, { compress })
    expect(files.map(({ path }) => path)).toEqual(['a.js', 'a.js.br', 'a.html', 'a.html.gz', 'b.js.gz'])
    expect(leftOut).toEqual([{ path: 'a.js.gz', reason: 'compressed copy' }])
    expect(uploaded(paths)).toEqual(paths)
    expect(uploaded(paths, { compress, include: ['**'] })).not.toContain('a.js.gz')
    expect(uploaded(paths, { compress, include: ['**', '*.gz'] })).toEqual(paths)
    expect(uploaded(paths, { compress, exclude: ['*.js'] })).toContain('a.js.gz')
    const encoded = { rules: [{ match: ['a.js'], parameters: { ContentEncoding: 'identity' } }] }
    expect(uploaded(paths, { compress, ...encoded })).toEqual(paths)
  })
})

describe('compressed files', () => {
  const svg = { ContentType: 'image/svg+xml', ContentEncoding: 'gzip' }
  const script = 'text/javascript; charset=utf-8'

  it.each<[paths: string[], ContentType: string, ContentEncoding: string | undefined]>([
    // As compression plugins emit them.
    [['a.js.gz', 'a.js'], script, 'gzip'],
    [['a.js.br', 'a.js'], script, 'br'],
    [['a.js.zst', 'a.js'], script, 'zstd'],
    [['index.html.br', 'index.html'], 'text/html; charset=utf-8', 'br'],
    // Without an original, they are downloads.
    [['a.js.gz'], 'application/gzip', undefined],
    [['site.tar.gz'], 'application/gzip', undefined],
    [['a.data.br'], 'application/octet-stream', undefined],
    [['logo.svgz'], svg.ContentType, svg.ContentEncoding],
    [['LOGO.SVGZ'], svg.ContentType, svg.ContentEncoding],
  ])('%j', (paths, ContentType, ContentEncoding) => {
    const [first] = classifyPaths(paths).files
    expect(first?.parameters).toEqual({
      CacheControl: 'no-cache',
      ContentType,
      ...(ContentEncoding && { ContentEncoding }),
    })
  })

  it.each<[path: string, parameters: object, ContentType: string]>([
    ['a.js.gz', { ContentEncoding: 'gzip' }, script],
    ['game.wasm.br', { ContentEncoding: 'br' }, 'application/wasm'],
    ['site.tar.gz', { ContentEncoding: 'gzip' }, 'application/x-tar'],
    // Compressed in place.
    ['a.js', { ContentEncoding: 'gzip' }, script],
    ['a.js.gz', { ContentEncoding: 'br' }, 'application/gzip'],
    ['a.js.gz', { ContentEncoding: 'gzip', ContentType: 'x/y' }, 'x/y'],
  ])('%s with %j is %s', (path, parameters, ContentType) => {
    const settings = [
      { rules: [{ match: ['*'], parameters: { ...parameters } }] },
      { objectParameters: { ...parameters } },
    ]
    for (const each of settings) expect(only(path, each).parameters).toMatchObject({ ...parameters, ContentType })
  })

  it('a rule sets another encoding', () => {
    const rules = [{ match: ['*.gz'], parameters: { ContentEncoding: 'identity' } }]
    expect(classifyPaths(['a.js.gz', 'a.js'], { rules }).files[0]?.parameters.ContentEncoding).toBe('identity')
  })
})

describe('headers by file', () => {
  const rule = (match: string, parameters: Record<string, unknown>) => ({ match: [match], parameters })

  it('objectParameters beat the defaults, rules beat objectParameters, and later rules beat earlier ones', () => {
    const settings = {
      objectParameters: { StorageClass: 'STANDARD_IA', ContentLanguage: 'de', ContentType: 'x/all', ACL: 'private' },
      rules: [
        rule('*.js', { ContentLanguage: 'en', CacheControl: 'max-age=1' }),
        rule('a.*', { CacheControl: 'max-age=2' }),
        rule('*.css', { CacheControl: 'max-age=3' }),
      ],
    }
    expect(only('a.js', settings).parameters).toEqual({
      CacheControl: 'max-age=2',
      ContentType: 'x/all',
      StorageClass: 'STANDARD_IA',
      ContentLanguage: 'en',
      ACL: 'private',
    })
    expect(only('*b-1.js', settings).parameters).toMatchObject({ CacheControl: 'max-age=1', ContentLanguage: 'en' })
    expect(only('c.txt', settings).parameters).toMatchObject({ CacheControl: 'no-cache', ContentLanguage: 'de' })
  })

  it('the settings do not change', () => {
    const settings = Object.freeze({ objectParameters: Object.freeze({ ACL: 'private' }), rules: [] })
    expect(only('a.js', settings).parameters).not.toBe(settings.objectParameters)
    expect(settings.objectParameters).toEqual({ ACL: 'private' })
  })

  describe('a CacheControl for all objects', () => {
    it.each<[cacheControl: string, forOther: 'used' | 'not used']>([
      ['max-age=86400', 'not used'],
      ['public, max-age=31536000, immutable', 'not used'],
      ['max-age=60, s-maxage=86400', 'not used'],
      ['Max-Age = "86400"', 'not used'],
      ['max-age=3601', 'not used'],
      ['max-age=3600', 'used'],
      ['max-age=0', 'used'],
      ['no-store', 'used'],
      ['no-cache, max-age=86400', 'used'],
      // Without a lifetime, a browser guesses one.
      ['public', 'not used'],
      ['public, max-age=31536000, no-cache="Set-Cookie"', 'not used'],
      ['max-age=60, stale-while-revalidate=31536000', 'not used'],
    ])('%s is %s for files without a fingerprint', (CacheControl, forOther) => {
      const settings = { objectParameters: { CacheControl } }
      const { files, warnings } = classifyPaths(['*a-1.js', 'b.js', 'index.html'], settings)
      const other = forOther === 'used' ? CacheControl : 'no-cache'
      expect(files.map(({ parameters }) => parameters.CacheControl)).toEqual([CacheControl, other, other])
      expect(warnings).toHaveLength(forOther === 'used' ? 0 : 1)
    })

    const objectParameters = { CacheControl: 'max-age=86400' }

    it('one warning names a file and the number of others', () => {
      expect(classifyPaths(['*a-1.js', 'b.js', 'index.html'], { objectParameters }).warnings).toEqual([
        'CacheControl "max-age=86400" is not used for b.js and 1 more, whose names are not fingerprinted: browsers would keep old files that long. A rule can change that.',
      ])
      expect(classifyPaths(['*a-1.js', 'b.js'], { objectParameters }).warnings).toEqual([
        expect.stringMatching(/ is not used for (1 file|b\.js)\b(?!.*…)/),
      ])
      expect(classifyPaths(['*a-1.js'], { objectParameters }).warnings).toEqual([])
    })

    it.each<[what: string, settings: Parameters<typeof classifyPaths>[1], warned: boolean]>([
      ['by a rule for everything', { rules: [rule('**', { CacheControl: 'public, max-age=31536000' })] }, true],
      ['by cacheControl.other', { cacheControl: { fingerprinted: 'x', other: 'max-age=31536000' } }, true],
      ['by a rule for other files', { rules: [rule('*.js', { CacheControl: 'max-age=31536000' })] }, false],
      ['for an hour', { rules: [rule('**', { CacheControl: 'max-age=3600' })] }, false],
      ['by default', {}, false],
    ])('a page that caches keep %s', (_what, settings, warned) => {
      expect(classifyPaths(['b.js', 'index.html'], settings).warnings).toEqual(
        warned
          ? [expect.stringMatching(/^index\.html: caches may show this page for more than a day after a deploy/)]
          : [],
      )
    })

    it('a rule beats it', () => {
      const rules = [rule('*.pdf', { CacheControl: 'max-age=604800' })]
      expect(only('a.pdf', { objectParameters, rules }).parameters.CacheControl).toBe('max-age=604800')
    })

    it('no warning for a file with its own rule', () => {
      const rules = [rule('*.pdf', { CacheControl: 'max-age=604800' })]
      expect(classifyPaths(['a.pdf'], { objectParameters, rules }).warnings).toEqual([])
    })
  })
})

describe('keys', () => {
  it.each<[location: string, path: string, key: string]>([
    ['static', 'index.html', 'static/index.html'],
    ['', 'index.html', 'index.html'],
    ['a/b', 'c/d.js', 'a/b/c/d.js'],
    ['my files', 'ü/a+b %20#.js', 'my files/ü/a+b %20#.js'],
    ['static', 'back\\slash.js', 'static/back\\slash.js'],
  ])('%j and %j: %j', (location, path, key) => {
    expect(only(path, { location }).key).toBe(key)
  })

  it.each<[what: string, path: string, bytes: string | undefined]>([
    ['1,024 bytes', 'a'.repeat(1024 - 'static/'.length), undefined],
    ['1,025 bytes', 'a'.repeat(1025 - 'static/'.length), '1025'],
    ['few characters, many bytes', '日'.repeat(400), '1207'],
  ])('of %s', (_what, path, bytes) => {
    const { problems } = classifyPaths([path, 'short.js'])
    expect(problems).toEqual(
      bytes === undefined ? [] : [`${path}: its key has ${bytes} bytes, and S3 takes 1,024 at most`],
    )
  })

  it('of files that are left out may be too long', () => {
    expect(classifyPaths(['b.js', 'a'.repeat(2000)], { exclude: ['a*'] }).problems).toEqual([])
  })
})

describe('groups', () => {
  it('are uploaded in this order', () => {
    expect(groups).toEqual(['fingerprinted', 'asset', 'manifest', 'html', 'service worker', 'release file'])
  })

  it.each<[path: string, group: Group]>([
    ['*assets/index-BxYz1234.js', 'fingerprinted'],
    ['*assets/logo-BxYz1234.png', 'fingerprinted'],
    ['release.json', 'release file'],
    ['news/release.json', 'asset'],
    // Swahili, not a service worker: the bundler made its name.
    ['*assets/sw-BxYz1234.js', 'fingerprinted'],
    ['*assets/manifest-BxYz1234.json', 'fingerprinted'],
    ['favicon.ico', 'asset'],
    ['robots.txt', 'asset'],
    ['sitemap.xml', 'asset'],
    ['data.json', 'asset'],
    ['assets/index-BxYz1234.js', 'asset'],
    ['swim.js', 'asset'],
    ['answer.js', 'asset'],
    ['html', 'asset'],
    ['a.html.js', 'asset'],
    // What a service worker imports has to be there before it.
    ['workbox-0a1b2c3d.js', 'asset'],
    ['sw.js', 'service worker'],
    ['sw.mjs', 'service worker'],
    ['deep/service-worker.js', 'service worker'],
    ['serviceWorker.js', 'service worker'],
    ['service_worker.js', 'service worker'],
    ['firebase-messaging-sw.js', 'service worker'],
    ['ngsw-worker.js', 'service worker'],
    ['registerSW.js', 'manifest'],
    ['manifest.json', 'manifest'],
    ['asset-manifest.json', 'manifest'],
    ['build/ssr-manifest.json', 'manifest'],
    ['site.webmanifest', 'manifest'],
    ['manifest.webmanifest', 'manifest'],
    ['index.html', 'html'],
    ['deep/page.htm', 'html'],
    ['page.xhtml', 'html'],
    ['INDEX.HTML', 'html'],
    ['*page-BxYz1234.html', 'html'],
    // A twin is the page itself for those whose server hands it out.
    ['index.html.br', 'html'],
    ['index.html.gz', 'html'],
    ['sw.js.br', 'service worker'],
  ])('%s: %s', (path, group) => {
    expect(only(path).group).toBe(group)
  })
})

describe.each(['stats.html', 'report.html'])('%s', (path) => {
  const left = (emitted: boolean) =>
    classify({ files: [{ path, dir: '/dist', emitted, fingerprinted: false }], leftOut: [] }, policy).leftOut

  it('is a page when the bundler emitted it', () => expect(left(true)).toEqual([]))
  it('is statistics when another tool wrote it', () =>
    expect(left(false)).toEqual([{ path, reason: 'bundle statistics', byName: true }]))
})

describe('a name that leads out of the location', () => {
  it.each([
    '%2e%2e/admin.js',
    'a/%2E%2e/%2E%2E/admin.js',
    'a/%2e./admin.js',
    'a/%2e/admin.js',
    'a/b%5c..%5cadmin\\..\\admin.js',
    'a\\..\\..\\admin.js',
    'a//admin.js',
    '/admin.js',
    '\\\\host\\admin.js',
    'a/%2e%2e',
  ])('%j stops the deploy', (path) => {
    expect(classifyPaths([path]).problems).toEqual([`${path}: its name leads out of the location on some servers`])
  })

  it.each(['../admin.js', 'a/../admin.js', '..', './a.js', '..\\admin.js'])('%j is left out', (path) => {
    const { files, problems } = classifyPaths([path])
    expect({ files, problems }).toEqual({ files: [], problems: [] })
  })

  it.each(['%2e%2e/admin.js', 'a/..%2e/b.js', 'a//b.js'])('%j may be excluded', (path) => {
    expect(classifyPaths(['b.js', path], { exclude: ['*/**'] }).problems).toEqual([])
  })

  it.each(['a..b/c.js', '%2e%2e.txt', 'a%2e.js', 'a/b...', 'back\\slash.js', '100%.txt', '%2fadmin.js'])(
    '%j is none',
    (path) => {
      expect(only(path).key).toBe(`static/${path}`)
      expect(classifyPaths([path]).problems).toEqual([])
    },
  )
})
