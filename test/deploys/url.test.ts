import { join, relative } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { runCommand } from '../../fixtures/build/command.js'
import { makeFolder, removeFolders } from '../../fixtures/build/folders.js'
import { settingsOf } from '../../src/cli/settings.js'
import { outputFolder, publicUrls } from '../../src/deploy/commands/url.js'
import { encodeFacts } from '../../src/folders/build-file.js'

afterAll(removeFolders)

const files = {
  'dist/.vite/manifest.json': JSON.stringify({
    'src/a b.png': { file: 'assets/a b-DOo1kgsP.png', src: 'src/a b.png' },
  }),
  'dist/favicon.ico': '',
  'dist/app.js.map': '{}',
}
const bucket = { bucket: 'my-bucket', region: 'eu-central-1' }
const url = 'https://my-bucket.s3.eu-central-1.amazonaws.com/static/'

const facts = {
  ...{ base: '/', bundler: 'vite 8', publicUrl: 'https://cdn.example.com/v/', options: {}, exposed: [], notOurs: [] },
  ...{ fingerprinted: {}, emitted: [], namedDotfiles: [], leftOut: { 'favicon.ico': 'excluded' } },
}

describe('static-s3 url', () => {
  test('prints a URL per line, or JSON, without credentials; a file without a URL is an error', async () => {
    const project = await makeFolder(files)
    const env = { AWS_STORAGE_BUCKET_NAME: 'my-bucket', AWS_S3_REGION_NAME: 'eu-central-1' }
    const [lines, json, missing] = await Promise.all([
      runCommand(project, ['url', 'src/a b.png', 'dist/favicon.ico'], env),
      runCommand(project, ['url', '--json', '--dir', 'dist', '--location', 'x', 'src/a b.png'], env),
      runCommand(project, ['url', 'favicon.ico', 'src/ab.png'], env),
    ])
    expect(lines).toEqual({ stdout: `${url}assets/a%20b-DOo1kgsP.png\n${url}favicon.ico\n`, stderr: '', code: 0 })
    expect(JSON.parse(json.stdout)).toEqual({ 'src/a b.png': `${url.replace('static', 'x')}assets/a%20b-DOo1kgsP.png` })
    const stderr = 'static-s3: src/ab.png is no file of dist: did you mean `src/a b.png`?\n'
    expect(missing).toEqual({ stdout: '', stderr, code: 1 })
  })

  test('a file that no deploy uploads has none', async () => {
    const dir = join(await makeFolder(files), 'dist')
    const settingsFor = () => settingsOf(bucket, { options: {}, exposed: [] })
    await expect(publicUrls({ dir, files: ['app.js.map'], settingsFor })).rejects.toThrow(
      'static-s3: app.js.map is left out of a deploy (source map), so it has no public URL',
    )
  })

  test("the build's own URL beats the settings, and a warning says so; then settings are not needed", async () => {
    const dir = join(await makeFolder({ ...files, 'dist/.static-s3.json': encodeFacts('0', [facts]) }), 'dist')
    const settled = await publicUrls({
      dir,
      files: ['src/a b.png'],
      settingsFor: () => settingsOf(bucket, { options: {}, exposed: [] }),
    })
    const built = 'https://cdn.example.com/v/assets/a%20b-DOo1kgsP.png'
    expect([...settled.urls.values()]).toEqual([built])
    const warning = `${relative('', dir)} was built for ${built}, but these settings lead to ${url}: the build's URL is printed`
    expect(settled.warnings).toEqual([warning])

    const none = () => Promise.reject(new Error('no bucket'))
    const { urls, warnings } = await publicUrls({ dir, files: ['src/a b.png'], settingsFor: none })
    expect({ urls: [...urls.values()], warnings }).toEqual({ urls: [built], warnings: [] })
    await expect(publicUrls({ dir, files: ['favicon.ico'], settingsFor: none })).rejects.toThrow('(excluded)')
  })

  test("Encore's manifest needs no settings; a path there needs them", async () => {
    const content = { 'build/a.js': 'https://cdn.example.com/build/a.1.js', 'build/b.js': '/build/b.js' }
    const dir = await makeFolder({ 'manifest.json': JSON.stringify(content), 'b.js': '' })
    const settingsFor = () => Promise.reject(new Error('no bucket'))
    const { urls } = await publicUrls({ dir, files: ['build/a.js'], settingsFor })
    expect([...urls.values()]).toEqual(['https://cdn.example.com/build/a.1.js'])
    await expect(publicUrls({ dir, files: ['build/b.js'], settingsFor })).rejects.toThrow('no bucket')
  })

  test('the output folder: the only one with a manifest, or the only one', async () => {
    const laravel = await makeFolder({ 'build/x.txt': '', 'public/build/manifest.json': '{}' })
    expect(relative(laravel, outputFolder(laravel))).toBe(join('public', 'build'))
    const alone = await makeFolder({ 'build/x.txt': '' })
    expect(relative(alone, outputFolder(alone))).toBe('build')
    const two = await makeFolder({ 'build/manifest.json': '{}', 'dist/manifest.json': '{}' })
    expect(() => outputFolder(two)).toThrow('static-s3: dist and build are output folders: name one with --dir')
    expect(() => outputFolder(join(two, 'dist'))).toThrow('none of dist, build, public/build, public/vite is here')
  })
})
