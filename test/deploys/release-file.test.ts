import { expect, test } from 'vitest'
import { runCommand } from '../../fixtures/build/command.js'
import { deployEnv } from '../../fixtures/build/environment.js'
import { deployTarget, makeApp, viteBuild, writeFiles } from '../../fixtures/build/in-process.js'
import { deploySettings } from '../../fixtures/build/settings.js'
import { releaseFileOf } from '../../src/deploy/release-file.js'
import { classify } from '../../src/files/classify.js'
import type { HashedFile } from '../../src/files/hash.js'
import type { Options } from '../../src/settings/options.js'
import { staticS3 } from '../../src/vite.js'

const target = deployTarget()
const watching = "new URL('release.json#static-s3', url)"

/** What a build with these files makes of the release file. */
async function releaseFileIn(files: Record<string, string>, options: Options = {}, coming = new Map<string, string>()) {
  const settings = await deploySettings({ enabled: true, bucket: 'bucket', ...options })
  const built = Object.keys(files).map((path) => ({ path, dir: '/dist', emitted: true, fingerprinted: false }))
  const found = classify({ files: built, leftOut: [] }, settings)
  const { lookFor, addTo } = releaseFileOf(found, { settings, outputs: [] }, coming)
  const hashed = found.files.map((file): HashedFile => {
    const content = files[file.path] ?? ''
    lookFor(file)?.(Buffer.from(content))
    return { ...file, size: content.length, sha256: content }
  })
  const all = addTo(hashed)
  const added = all.files.filter((file) => !hashed.includes(file as HashedFile))
  return { added, content: added[0]?.content?.toString(), hints: all.hints }
}

test('it goes up with the pages of a build that asks for it, after everything else, with the headers of a page', async () => {
  const { added, hints } = await releaseFileIn({ 'index.html': '', 'app.js': watching })
  expect(hints).toEqual([])
  expect(added).toMatchObject([{ key: 'static/release.json', group: 'release file' }])
  expect(added[0]?.parameters).toEqual({ CacheControl: 'no-cache', ContentType: 'application/json; charset=utf-8' })
  expect((await releaseFileIn({ 'index.html': watching }, { location: '' })).added[0]?.key).toBe('release.json')
})

test('its content tells the files apart, not their order', async () => {
  const { content } = await releaseFileIn({ 'index.html': 'a', 'app.js': watching })
  expect((await releaseFileIn({ 'app.js': watching, 'index.html': 'a' })).content).toBe(content)
  expect((await releaseFileIn({ 'index.html': 'b', 'app.js': watching })).content).not.toBe(content)
  expect((await releaseFileIn({ 'index.html': 'a', 'app.js': watching, 'b.txt': '' })).content).not.toBe(content)
})

test.each<[what: string, files: Record<string, string>, options: Options, hint: string | undefined]>([
  ['asks for it', { 'index.html': '', 'app.js': "fetch('/release.json')", 'a.txt': watching }, {}, undefined],
  ['has no page', { 'app.js': watching }, {}, 'this build has none'],
  ['leaves it out', { 'index.html': watching }, { exclude: ['*.json'] }, 'include or exclude leaves it out'],
  ['has its own', { 'index.html': watching, 'release.json': '{}' }, {}, 'static/release.json: another file'],
])('a build that %s gets none (or keeps its own), and says so', async (_what, files, options, hint) => {
  const { added, hints } = await releaseFileIn(files, options)
  expect(added).toEqual([])
  expect(hints).toEqual(hint === undefined ? [] : [expect.stringContaining(hint)])
})

test('two builds of one run do not overwrite each other’s', async () => {
  const coming = new Map<string, string>()
  expect((await releaseFileIn({ 'index.html': watching }, {}, coming)).added).toHaveLength(1)
  expect((await releaseFileIn({ 'index.html': watching }, {}, coming)).added).toEqual([])
})

test('a rollback restores the earlier one, and a promotion takes it along', async () => {
  const dir = await makeApp({})
  const env = deployEnv(target.s3, target.bucket)
  const deploy = async (version: string) => {
    await writeFiles(dir, {
      'index.html': `<!doctype html><title>${version}</title><script type="module" src="/main.js"></script>`,
      'main.js': `globalThis.watch = (url) => ${watching}`,
    })
    await viteBuild('vite', dir, { plugins: [staticS3({ rewrite: 'relative' })] })
  }
  const content = (location: string) =>
    target.s3.server.objects(target.bucket).get(`${location}/release.json`)?.body.toString()
  await deploy('one')
  const one = content('static')
  expect(one).toContain('"release"')
  await deploy('two')
  expect(content('static')).not.toBe(one)
  const rolled = await runCommand('/', ['rollback'], env)
  expect(rolled.code, rolled.stderr).toBe(0)
  expect(content('static')).toBe(one)
  const promoted = await runCommand('/', ['promote', 'static', 'live'], env)
  expect(promoted.code, promoted.stderr).toBe(0)
  expect(content('live')).toBe(one)
})
