import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { makeFolder, removeFolders } from '../../fixtures/build/folders.js'
import { readManifests } from '../../src/folders/manifests.js'
import { readFolders } from '../../src/folders/read-folders.js'

afterAll(removeFolders)

const md5 = (text: string) => createHash('md5').update(text).digest('hex').slice(0, 12)
const sha = 'b4d0e1f2a3948576b4d0e1f2a3948576b4d0e1f2a3948576b4d0e1f2a3948576'

/** The fingerprinted names in a folder with this manifest and these files. */
async function named(manifest: string, content: unknown, files: string[], more: Record<string, string> = {}) {
  const empty = Object.fromEntries(files.map((path) => [path, '']))
  const dir = await makeFolder({ ...empty, ...more, [manifest]: JSON.stringify(content) })
  return [...(readManifests(dir)?.fingerprinted ?? [])].sort()
}

describe('a manifest names the fingerprinted files', () => {
  it.each<[tool: string, manifest: string, content: unknown, fingerprinted: string[]]>([
    [
      'Vite',
      '.vite/manifest.json',
      {
        '_shared-CPdiUi_T.js': { file: 'assets/shared-CPdiUi_T.js', name: 'shared' },
        'src/logo.png': { file: 'assets/logo-DOo1kgsP.png', src: 'src/logo.png' },
        'index.html': {
          file: 'assets/main-BxHz5lG9.js',
          name: 'main',
          src: 'index.html',
          css: ['assets/main-Cg3YHNQs.css'],
        },
      },
      ['assets/logo-DOo1kgsP.png', 'assets/main-BxHz5lG9.js', 'assets/main-Cg3YHNQs.css', 'assets/shared-CPdiUi_T.js'],
    ],
    [
      'webpack-manifest-plugin',
      'manifest.json',
      {
        'main.js': '/static/js/main.0a1b2c3d4e5f60718293.js',
        'a/logo.png': 'https://cdn.example.com/static/media/logo.77e1ab20.png',
      },
      ['js/main.0a1b2c3d4e5f60718293.js', 'media/logo.77e1ab20.png'],
    ],
    [
      'WebpackAssetsManifest',
      'assets-manifest.json',
      {
        'main.js': { src: 'main-0a1b2c3d.js', integrity: 'sha256-x' },
        entrypoints: { main: { assets: { js: ['main-0a1b2c3d.js'] } } },
      },
      ['main-0a1b2c3d.js'],
    ],
    [
      'assets-webpack-plugin',
      'assets.json',
      { main: { js: '/main.0a1b2c3d.js', css: ['/main.9f8e7d6c.css'] } },
      ['main.0a1b2c3d.js', 'main.9f8e7d6c.css'],
    ],
    [
      'Propshaft',
      '.manifest.json',
      { 'app.css': { digested_path: 'app-9f8e7d6c.css', integrity: null } },
      ['app-9f8e7d6c.css'],
    ],
    ['older Propshaft', '.manifest.json', { 'app.css': 'app-9f8e7d6c.css' }, ['app-9f8e7d6c.css']],
    [
      'Sprockets',
      '.sprockets-manifest-0ab1.json',
      { files: {}, assets: { 'a/app.js': `a/app-${sha}.js` } },
      [`a/app-${sha}.js`],
    ],
  ])('%s', async (_tool, manifest, content, fingerprinted) => {
    expect(await named(manifest, content, fingerprinted)).toEqual(fingerprinted)
    // A file that is not there is no file of the build.
    expect(await named(manifest, content, fingerprinted.slice(1))).toEqual(fingerprinted.slice(1))
  })

  it('Django: if the hash is that of the content', async () => {
    const paths = { 'css/base.css': `css/base.${md5('body {}')}.css`, 'app.js': `app.${md5('old()')}.js` }
    const files = { [paths['css/base.css']]: 'body {}', [paths['app.js']]: 'changed()', 'css/base.css': 'body {}' }
    const manifest = { paths, version: '1.1', hash: 'deb0b1c2a3d4' }
    expect(await named('staticfiles.json', manifest, [], files)).toEqual([paths['css/base.css']])
    // Django's admin has equal files under different names, and one without an ending.
    const equal = { 'LICENSE.md': `LICENSE.${md5('x')}.md`, LICENSE: `LICENSE.${md5('x')}`, 'L.md': `L.${md5('x')}.md` }
    const all = Object.values(equal)
    const same = Object.fromEntries(all.map((path) => [path, 'x']))
    expect(await named('staticfiles.json', { paths: equal }, [], same)).toEqual(all.sort())
  })

  it('Next: in its three folders, and not in the build’s own', async () => {
    const files = [
      'chunks/app/page-0a1b2c3d4e5f6071.js',
      'css/9f8e7d6c5b4a3921.css',
      'media/662e38f71b918a68-s.p.woff2',
    ]
    const others = ['chunks/main.js', '0a1b2c3d4e5f60718293/_buildManifest.js']
    const exported = await makeFolder(
      Object.fromEntries([...files, ...others].map((path) => [`_next/static/${path}`, ''])),
    )
    expect([...(readManifests(exported)?.fingerprinted ?? [])].sort()).toEqual(
      files.map((path) => `_next/static/${path}`),
    )
    const server = await makeFolder({
      'build-manifest.json': '{}',
      ...Object.fromEntries([...files, ...others].map((path) => [`static/${path}`, ''])),
    })
    expect([...(readManifests(join(server, 'static'))?.fingerprinted ?? [])].sort()).toEqual(files)
  })

  it("Next with Turbopack, whose hashes look like words: only beside Turbopack's own chunk", async () => {
    const files = ['chunks/3zp5iokpjpsq_.css', 'media/dots-s.p.1_ro1k4ntd4z0.woff2', 'media/hero-landing1.png']
    const runtime = 'chunks/turbopack-0v3xlozk8f9-k.js'
    const others = ['chunks/2z3sh82dl8glu.js.map', 'media/a.png', 'build_of_2026/_buildManifest.js']
    const namedWith = async (...more: string[]) => {
      const paths = [...files, ...others, ...more].map((path) => `_next/static/${path}`)
      const dir = await makeFolder(Object.fromEntries(paths.map((path) => [path, ''])))
      return [...(readManifests(dir)?.fingerprinted ?? [])].sort()
    }
    expect(await namedWith(runtime)).toEqual([...files, runtime].map((path) => `_next/static/${path}`).sort())
    expect(await namedWith()).toEqual([])
  })
})

describe('a name counts only if the manifest shows that a hash was added', () => {
  it.each<[what: string, manifest: unknown, files: string[]]>([
    ['no hash', { 'main.js': 'main.js' }, ['main.js']],
    ['a hash-like name of the source', { 'main-BxHz5lG9.js': 'main-BxHz5lG9.js' }, ['main-BxHz5lG9.js']],
    ['a word', { 'main.js': 'main-production.js' }, ['main-production.js']],
    ['a date', { 'main.js': 'main-20261128.js' }, ['main-20261128.js']],
    ['a legacy chunk without a hash', { 'main.js': 'main-legacy.js' }, ['main-legacy.js']],
    ['the same hash for all', { 'a.js': 'a.0a1b2c3d.js', 'b.js': 'b.0a1b2c3d.js' }, ['a.0a1b2c3d.js', 'b.0a1b2c3d.js']],
    ['a locale', { 'main.js': 'main.zh-Hans-CN.js' }, ['main.zh-Hans-CN.js']],
    ['words', { 'main.js': 'main-ProductionBuild.js' }, ['main-ProductionBuild.js']],
    ['a word and a date', { 'main.js': 'main-Build20261128.js' }, ['main-Build20261128.js']],
    ['a copied file', { [`${sha}.txt`]: `/${sha}.txt` }, [`${sha}.txt`]],
    ['no file name', { a: 'a'.repeat(300), b: 'a.js/b', c: 'a\0b', d: '' }, ['a.js']],
    ['a query', { '/app.js': '/app.js?id=0a1b2c3d4e5f' }, ['app.js']],
    ['another name', { 'main.js': 'bundle-BxHz5lG9.js' }, ['bundle-BxHz5lG9.js']],
    ['a path out of the folder', { 'a.js': '../a.0a1b2c3d.js' }, []],
    [
      'a web app manifest',
      { name: 'App', icons: [{ src: 'icon-BxHz5lG9.png' }], start_url: '/' },
      ['icon-BxHz5lG9.png'],
    ],
    ['no JSON object', [1], ['a']],
    ['null', null, ['a']],
  ])('%s', async (_what, manifest, files) => {
    expect(await named('manifest.json', manifest, files)).toEqual([])
  })
})

describe('a part of a framework’s build', () => {
  it('is refused if the build has collected all of its files in a folder beside it', async () => {
    const dir = await makeFolder({ 'static/chunks/a.js': '', 'static-s3/.static-s3.json': '{}' })
    await expect(readFolders([join(dir, 'static')])).rejects.toThrow(/deploy \S*static-s3, where the build has/)
  })

  it('is deployed without such a folder', async () => {
    const dir = await makeFolder({ 'static/chunks/a.js': '', 'static-s3/other.json': '{}' })
    expect(await readFolders([join(dir, 'static')])).toHaveLength(1)
  })
})
