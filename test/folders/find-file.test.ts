import { symlink } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { makeFolder, removeFolders } from '../../fixtures/build/folders.js'
import { findFile } from '../../src/folders/find-file.js'

afterAll(removeFolders)

const cdn = 'https://cdn.example.com/static/'
const vite = {
  'index.html': { file: 'assets/main-BxHz5lG9.js', name: 'main', src: 'index.html', isEntry: true },
  'src/app.ts': { file: 'assets/app-CPdiUi_T.js', name: 'app', src: 'src/app.ts', css: ['assets/app-Cg3YHNQs.css'] },
  'src/logo.png': { file: 'assets/logo-DOo1kgsP.png', src: 'src/logo.png' },
}

/** A folder with a manifest and empty files. */
function folder(manifest: string, content: unknown, files: readonly string[] = []): Promise<string> {
  return makeFolder({ ...Object.fromEntries(files.map((path) => [path, ''])), [manifest]: JSON.stringify(content) })
}

describe('the file of a name', () => {
  it.each<[tool: string, manifest: string, content: unknown, files: string[], name: string, place: string]>([
    ['Vite', '.vite/manifest.json', vite, ['assets/app-CPdiUi_T.js'], 'src/app.ts', 'assets/app-CPdiUi_T.js'],
    ['Vite, as Laravel has it', 'manifest.json', vite, [], './src/logo.png', 'assets/logo-DOo1kgsP.png'],
    ['Vite: a built file', '.vite/manifest.json', vite, ['favicon.ico'], '/favicon.ico', 'favicon.ico'],
    ['Vite: a page is not its script', '.vite/manifest.json', vite, ['index.html'], 'index.html', 'index.html'],
    ['Vite: an entry whose page is gone', '.vite/manifest.json', vite, [], 'index.html', 'assets/main-BxHz5lG9.js'],
    [
      'vite_ruby',
      '.vite/manifest-assets.json',
      { 'images/logo.png': { file: 'assets/logo-DOo1kgsP.png', src: 'images/logo.png' } },
      [],
      'images/logo.png',
      'assets/logo-DOo1kgsP.png',
    ],
    [
      'webpack-manifest-plugin',
      'manifest.json',
      { 'main.js': `${cdn}main.0a1b2c3d.js` },
      ['main.0a1b2c3d.js'],
      'main.js',
      `${cdn}main.0a1b2c3d.js`,
    ],
    [
      'webpack-manifest-plugin: a built file',
      'manifest.json',
      { 'main.js': `${cdn}js/main.0a1b2c3d.js` },
      ['js/main.0a1b2c3d.js', 'main.0a1b2c3d.js'],
      'js/main.0a1b2c3d.js',
      `${cdn}js/main.0a1b2c3d.js`,
    ],
    [
      'webpack-manifest-plugin: a name to encode',
      'manifest.json',
      { 'a b+ü.png': `//cdn.example.com/static/a b+ü.77e1ab20.png` },
      ['a b+ü.77e1ab20.png'],
      'a b+ü.png',
      `${cdn}a%20b%2B%C3%BC.77e1ab20.png`,
    ],
    ['Encore, without the files', 'manifest.json', { 'build/a.js': `${cdn}a.1.js` }, [], 'build/a.js', `${cdn}a.1.js`],
    [
      'a path on the page’s origin',
      'manifest.json',
      { 'a.js': '/app/js/a.0a1b2c3d.js' },
      ['js/a.0a1b2c3d.js'],
      'a.js',
      'js/a.0a1b2c3d.js',
    ],
    [
      'WebpackAssetsManifest with integrity first',
      'assets-manifest.json',
      { 'main.js': { integrity: 'sha256-x.y', src: 'main-0a1b2c3d.js' } },
      ['main-0a1b2c3d.js'],
      'main.js',
      'main-0a1b2c3d.js',
    ],
    [
      'Django, where both are there',
      'staticfiles.json',
      { paths: { 'css/a.css': 'css/a.0a1b2c3d4e5f.css' }, version: '1.1' },
      ['css/a.css', 'css/a.0a1b2c3d4e5f.css'],
      'css/a.css',
      'css/a.0a1b2c3d4e5f.css',
    ],
  ])('%s', async (_tool, manifest, content, files, name, place) => {
    const found = findFile(await folder(manifest, content, files), name)
    expect('url' in found ? found.url : found.path).toBe(place)
  })

  it('as the shell completes it', async () => {
    const dir = await folder('.vite/manifest.json', vite, ['assets/logo-DOo1kgsP.png'])
    expect(findFile(dir, join(dir, 'assets/logo-DOo1kgsP.png'))).toEqual({
      path: 'assets/logo-DOo1kgsP.png',
      isInManifest: true,
    })
  })

  it('a link is one only if it leads to another file of the folder', async () => {
    const dir = await folder('.vite/manifest.json', vite, ['a.txt'])
    await symlink(join(dir, 'a.txt'), join(dir, 'in.txt'))
    await symlink(join(dir, '.vite'), join(dir, 'vite'))
    await symlink(import.meta.filename, join(dir, 'out.txt'))
    await symlink('..', join(dir, 'above'))
    expect(findFile(dir, 'in.txt')).toEqual({ path: 'in.txt', isInManifest: false })
    for (const name of ['out.txt', `above/${basename(dir)}-other/x`, '']) {
      expect(() => findFile(dir, name), name).toThrow(`${name || '""'} is no file of`)
    }
  })

  it.each<[name: string, ending: string]>([
    ['frontend/src/logo.png', ': did you mean `src/logo.png`?'],
    ['src/lgo.png', ': did you mean `src/logo.png`?'],
    ['a/icon.svg', ': did you mean `x/icon.svg` or `y/icon.svg`?'],
    ['nothing/like/that.woff2', ''],
    ['version', ''],
    ['../secret.png', ''],
    [
      'package.json',
      ': no manifest there names it. Vite writes one with `build: { manifest: true }`; bundlers put small files into other files',
    ],
  ])('%s is none', async (name, ending) => {
    const content = { ...vite, version: '1.1' }
    const dir = await folder('.vite/manifest.json', content, ['x/icon.svg', 'y/icon.svg', 'version.txt.gz'])
    const message = `static-s3: ${name} is no file of ${relative('', dir)}${ending}`
    expect(() => findFile(dir, name)).toThrow(expect.objectContaining({ message }))
  })
})
