import { createHash } from 'node:crypto'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { runCommand } from '../../fixtures/build/command.js'
import { deployEnv } from '../../fixtures/build/environment.js'
import { buildViteHere, makeApp, removeApps } from '../../fixtures/build/in-process.js'
import { buildWebpack, readTree, runScript } from '../../fixtures/build/index.js'
import { siteObjects, sitePuts, uploadedPaths, writes } from '../../fixtures/build/site.js'
import type { EmbeddedS3 } from '../../fixtures/s3/index.js'
import { withBucket } from '../../fixtures/s3/with-bucket.js'
import { decodeRecord } from '../../src/release/records/format.js'

// A build without upload, and the command that deploys it later, in another process.

let s3: EmbeddedS3
let bucket: string
withBucket((target) => ({ s3, bucket } = target))
afterAll(removeApps)

// The same public URL for every bucket.
const publicUrl = 'https://cdn.example.com/static/'
const deploying = (into = bucket) => ({ ...deployEnv(s3, into), AWS_S3_CUSTOM_DOMAIN: 'cdn.example.com' })
/** The address alone: no keys, and an endpoint that no test server listens at. */
const building = () => ({
  USE_S3: '1',
  STATIC_S3_UPLOAD: '0',
  AWS_STORAGE_BUCKET_NAME: 'a-bucket',
  AWS_S3_REGION_NAME: s3.region,
  AWS_S3_ENDPOINT_URL: s3.endpoint,
  AWS_S3_CUSTOM_DOMAIN: 'cdn.example.com',
})

const options = `{ rules: [{ match: '*.svg', cacheControl: 'max-age=60' }], exclude: 'robots.txt' }`

const vite = (env: Record<string, string>, dir = 'vanilla') =>
  buildViteHere(dir, {
    env,
    files: {
      'vite.config.ts': `import { staticS3 } from 'static-s3/vite'
export default {
  plugins: [staticS3(${options})],
  build: { rollupOptions: { input: ['index.html', 'nested/page.html'] } },
}`,
      'public/robots.txt': 'User-agent: *',
    },
  })
const webpack = (env: Record<string, string>, dir = 'webpack') => buildWebpack(dir, { env })

// Hashes: Vitest takes minutes for the difference of two long buffers.
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
const objectsOf = (name: string) =>
  [...siteObjects(s3, name)]
    .map(([key, { body, headers, metadata }]) => ({ key, sha256: sha256(body), headers, metadata }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
const hashesIn = async (dir: string) => [...(await readTree(dir))].map(([path, bytes]) => [path, sha256(bytes)])

async function recordOf(name: string) {
  const [, object] = [...s3.server.objects(name)].find(([key]) => /^\.static-s3\/.*\.json\.gz$/.test(key)) ?? []
  const { objects, bundler, project, release } = await decodeRecord('static', object?.body ?? Buffer.alloc(0))
  return { files: [...objects].map(([path, { writtenAt, ...rest }]) => ({ path, ...rest })), bundler, project, release }
}

describe.each([
  ['Vite 8', vite],
  ['webpack', webpack],
])('%s', (_name, build) => {
  test('a build without upload sends nothing and has the same bytes everywhere; its deploy equals a direct one', async () => {
    const [one, two] = [await build(building()), await build(building())]
    expect(one.code, one.output).toBe(0)
    expect(s3.server.requests).toEqual([])
    expect(one.output).toMatch(
      /upload is off: static-s3 deploy \S+ brings \d+ files to https:\/\/cdn\.example\.com\/static\//,
    )
    const tree = await readTree(one.outDir)
    expect(await hashesIn(one.outDir)).toEqual(await hashesIn(two.outDir))
    const [facts] = JSON.parse(String(tree.get('.static-s3.json'))).builds
    expect(facts).toMatchObject({ publicUrl, bundler: expect.stringMatching(/^(vite|webpack) \d/) })
    expect(String(tree.get('.static-s3.json'))).not.toContain(one.dir)

    const planned = await runCommand(one.dir, ['plan', 'dist', '--json'], deploying())
    const deployed = await runCommand(one.dir, ['deploy', 'dist', '--json'], deploying())
    expect(deployed.code, deployed.stderr).toBe(0)
    const direct = await s3.createBucket()
    const directly = await build(deploying(direct))
    expect(directly.code, directly.output).toBe(0)
    expect(objectsOf(bucket)).toEqual(objectsOf(direct))
    expect(await recordOf(bucket)).toEqual(await recordOf(direct))
    expect(uploadedPaths(s3, bucket)).not.toContain('.static-s3.json')

    const result = JSON.parse(deployed.stdout)
    expect(result).toMatchObject({ status: 'live', release: 1, bucket, location: 'static', publicUrl, updated: [] })
    expect(result.uploaded.sort()).toEqual(uploadedPaths(s3, bucket))
    const { files } = JSON.parse(planned.stdout)
    expect(files.map(({ path }: { path: string }) => path).sort()).toEqual(uploadedPaths(s3, bucket))
    const year = [...siteObjects(s3, bucket)].filter(([, { headers }]) =>
      /immutable/.test(String(headers['cache-control'])),
    )
    expect(year.map(([key]) => key.replace('static/', '')).sort()).toEqual(Object.keys(facts.fingerprinted).sort())

    s3.server.reset()
    const again = await runCommand(two.dir, ['deploy', 'dist'], deploying())
    expect(again, again.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining('✓ nothing to upload') })
    expect(writes(s3)).toEqual([])

    // Somebody has changed a fingerprinted file since, and added one with a name like it.
    const [changed = ''] = Object.keys(facts.fingerprinted).filter((path) => path.endsWith('.js'))
    await writeFile(join(two.outDir, changed), `${tree.get(changed)}\n// changed`)
    await writeFile(join(two.outDir, 'other-BxHz5lG9.js'), 'other()')
    const third = await runCommand(two.dir, ['deploy', 'dist'], deploying())
    expect(third.stderr).toContain(`${changed}: the content has changed since the build`)
    const puts = sitePuts(s3).map(({ key }) => key)
    expect(puts.sort()).toEqual([`static/${changed}`, 'static/other-BxHz5lG9.js'].sort())
    for (const key of puts) expect(siteObjects(s3, bucket).get(key)?.headers['cache-control'], key).toBe('no-cache')
  })
})

describe('static-s3 deploy', () => {
  const facts = { bundler: 'vite 8.0.0', publicUrl, base: '/', options: {}, exposed: [], fingerprinted: {} }
  const described = (more: object = {}) =>
    JSON.stringify({
      format: 1,
      builds: [{ ...facts, emitted: [], namedDotfiles: [], notOurs: [], leftOut: {}, ...more }],
    })

  test('uploads nothing but the folder, whatever names the file has', async () => {
    const hashes = Object.fromEntries(
      ['../key.js', '/etc/passwd', 'a.js/b', 'a\0b', 'n'.repeat(300), '__proto__'].map((path) => [path, 'hash']),
    )
    const dir = await makeApp({
      'dist/.static-s3.json': described({ fingerprinted: hashes, emitted: ['../key.js', 'a\0b', 'n'.repeat(300)] }),
      'dist/a.js': 'a()',
      'dist/inner/.static-s3.json': described(),
      'key.js': 'key()',
    })
    const words = ['deploy', 'dist', '--include', '**', '--include', '**/.static-s3.json']
    const { code, stderr } = await runCommand(dir, words, deploying())
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringContaining('key.js') })
    expect(uploadedPaths(s3, bucket)).toEqual(['a.js'])
  })

  test('leaves out files that the build found to be an earlier one’s, and takes no address from the file', async () => {
    const options = { bucket: 'another-bucket', location: 'elsewhere', cacheControl: { other: 'max-age=5' } }
    const dir = await makeApp({
      'dist/.static-s3.json': described({ options, leftOut: { 'old.js': 'left over from an earlier build' } }),
      'dist/old.js': 'old()',
      'dist/.name.js': 'named()',
      'dist/new.js': 'added()',
    })
    const { code, stderr, stdout } = await runCommand(dir, ['deploy', 'dist'], deploying())
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('left over from an earlier build')
    expect(uploadedPaths(s3, bucket)).toEqual(['new.js'])
    expect(siteObjects(s3, bucket).get('static/new.js')?.headers['cache-control']).toBe('max-age=5')
  })

  test.each<[what: string, code: number, words: string[], problem: RegExp]>([
    ['no folder', 2, ['deploy'], /deploy needs a folder/],
    ['a missing folder', 2, ['deploy', 'dist', 'nowhere'], /nowhere is not a folder/],
    ['a path below a file', 2, ['deploy', 'dist/index.html/x'], /dist\/index\.html\/x is not a folder/],
    ['an empty bucket', 1, ['deploy', 'dist', '--bucket', ''], /--bucket is empty/],
    ['a folder in place of the file', 1, ['deploy', 'folder'], /folder\S+static-s3\.json: EISDIR/],
    ['an unknown flag', 2, ['deploy', 'dist', '--jsno'], /--jsno/],
    [
      'another public URL',
      1,
      ['deploy', 'dist', '--location', 'other'],
      /dist was built for https:\/\/cdn\.example\.com\/static\/, and these settings lead to https:\/\/cdn\.example\.com\/other\//,
    ],
    ['a bucket that is not there', 1, ['deploy', 'dist', '--bucket', 'no-such-bucket'], /NoSuchBucket/],
    ['a wrong setting', 1, ['deploy', 'dist', '--concurrency', '1000'], /--concurrency is 1000: use a whole number/],
    ['a damaged file', 1, ['deploy', 'damaged'], /damaged\S+static-s3\.json is damaged: build again/],
    ['a file of another version', 1, ['deploy', 'later'], /format 9, and this version of static-s3 reads format 1/],
    ['the folder of a Next server', 1, ['deploy', '.next'], /deploy \.next\/static to the location/],
    [
      'a second folder with a secret',
      1,
      ['deploy', 'dist', 'leaky'],
      /key\.js contains the value of API_TOKEN, which stands in a \.env file/,
    ],
    ['a second folder with a missing file', 1, ['deploy', 'dist', 'broken'], /https:\S+static\/gone\.js names no file/],
  ])('%s: exit code %i, one message, and nothing is live', async (_what, code, words, problem) => {
    const dir = await makeApp({
      '.env': 'API_TOKEN=s3cr3t-v4lu3-0f-th3-t0k3n\n',
      'dist/.static-s3.json': described(),
      'dist/index.html': '<!doctype html>',
      '.next/build-manifest.json': '{}',
      '.next/server/page.js': 'secret()',
      'damaged/.static-s3.json': '{"format":1,"builds":[{}]}',
      'later/.static-s3.json': '{"format":9}',
      'folder/.static-s3.json/a': '',
      'leaky/key.js': `send('s3cr3t-v4lu3-0f-th3-t0k3n')`,
      'broken/page.html': `<script src="${publicUrl}gone.js"></script>`,
    })
    const { stdout, stderr, ...ended } = await runCommand(dir, words, deploying())
    expect(ended.code, stderr).toBe(code)
    expect(stderr).toMatch(problem)
    expect(stderr).not.toMatch(/^ {4}at |s3cr3t/m)
    expect(stdout).not.toContain('live')
    expect(writes(s3)).toEqual([])
  })

  test('several folders refer to each other and are one release, with a report and a job summary', async () => {
    const dir = await makeApp({
      'a/.static-s3.json': described(),
      'a/index.html': `<script src="${publicUrl}b.js"></script>`,
      'c/.static-s3.json': described(),
      'c/b.js': 'b()',
      'summary.md': 'before\n',
    })
    const words = ['deploy', 'a', 'c', '--report', 'out.json']
    const env = { ...deploying(), GITHUB_STEP_SUMMARY: join(dir, 'summary.md') }
    expect(await runCommand(dir, words, env)).toMatchObject({ code: 0, stderr: '' })
    expect(sitePuts(s3).map(({ key }) => key)).toEqual(['static/b.js', 'static/index.html'])
    const result = JSON.parse(await readFile(join(dir, 'out.json'), 'utf8'))
    expect(result).toMatchObject({ status: 'live', release: 1, uploaded: ['b.js', 'index.html'] })
    const summary = await readFile(join(dir, 'summary.md'), 'utf8')
    expect(summary).toMatch(/^before\n### static-s3: release 1 live\n/)
    expect(summary).toContain('| uploaded | 2 |')

    // The results of an earlier deploy do not stay when a later one fails.
    await writeFile(join(dir, 'a/other.html'), `<script src="${publicUrl}gone.js"></script>`)
    const failed = await runCommand(dir, [...words, '--json'], env)
    expect(failed.code).toBe(1)
    const failure = { status: 'failed', error: expect.stringMatching(/^nothing was uploaded\n.*gone\.js/) }
    expect(JSON.parse(failed.stdout)).toEqual(failure)
    expect(JSON.parse(await readFile(join(dir, 'out.json'), 'utf8'))).toEqual(failure)
    const more = (await readFile(join(dir, 'summary.md'), 'utf8')).slice(summary.length)
    expect(more).toMatch(/^### static-s3: failed\n\n {4}nothing was uploaded\n {4} {2}- /)
    await rm(join(dir, 'a/other.html'))

    await mkdir(join(dir, 'empty'))
    const dry = await runCommand(
      dir,
      ['deploy', 'a', '--dry-run', '--force', '--json', '--allow-missing', '*'],
      deploying(),
    )
    expect(JSON.parse(dry.stdout)).toMatchObject({ status: 'dry run', release: null, updated: ['index.html'] })
    await rm(join(dir, 'a/index.html'))
    const empty = await runCommand(dir, ['deploy', 'a'], deploying())
    expect(empty).toMatchObject({ code: 1, stderr: expect.stringContaining('a is empty: build first') })
  })

  test('without .static-s3.json, a manifest names the fingerprinted files', async () => {
    const dir = await makeApp({
      'dist/.vite/manifest.json': JSON.stringify({ 'a.ts': { file: 'a-BxHz5lG9.js', name: 'a' } }),
      'dist/a-BxHz5lG9.js': 'a()',
      'dist/b-BxHz5lG9.js': 'b()',
    })
    const { stdout } = await runCommand(dir, ['deploy', 'dist'], deploying())
    expect(stdout).toContain('dist has no .static-s3.json: .vite/manifest.json says which names are fingerprinted')
    const cached = (path: string) => siteObjects(s3, bucket).get(`static/${path}`)?.headers['cache-control']
    expect([cached('a-BxHz5lG9.js'), cached('b-BxHz5lG9.js')]).toEqual([
      'public, max-age=31536000, immutable',
      'no-cache',
    ])
  })
})

test.each<[runner: string, more: Record<string, string>, warns: boolean]>([
  ['Turborepo', { TURBO_HASH: '0a1b2c3d' }, true],
  ['Nx', { NX_TASK_TARGET_PROJECT: 'shop' }, true],
  ['Turborepo', { TURBO_HASH: '0a1b2c3d', STATIC_S3_UPLOAD: '0' }, false],
])('a build by %s with %j: warns %s, since the runner may replay it', async (runner, more, warns) => {
  const dir = await makeApp({ 'index.html': '<!doctype html><p>hello</p>' })
  // A process of its own, because the warning comes once.
  const script = `import { staticS3 } from 'static-s3/vite'
await (await import('vite')).build({ root: ${JSON.stringify(dir)}, envDir: false, plugins: [staticS3()] })`
  const { output } = await runScript(process.cwd(), script, { ...deploying(), ...more })
  expect(output.includes(`${runner} skips a build that it has cached`), output).toBe(warns)
})

test('the commands of the recipes run', async () => {
  const page = (name: string) => readFile(join(import.meta.dirname, `../../docs/${name}.md`), 'utf8')
  const pages = (await page('separate-deploy')) + (await page('from-django'))
  const commands = new Set(
    [...pages.matchAll(/npx static-s3 ((?:deploy|sync) [^\n#`"]+)/g)].map(([, words = '']) => words.trim()),
  )
  expect(commands.size).toBe(5)
  const dir = await makeApp({
    'dist/index.html': '<!doctype html>',
    'staticfiles/staticfiles.json': '{"paths":{},"version":"1.1"}',
    'media/photo.jpg': 'photo',
    'public/assets/.manifest.json': '{"a.css":"a-9f8e7d6c.css"}',
    'public/assets/a-9f8e7d6c.css': 'a {}',
    '.next/build-manifest.json': '{}',
    '.next/static/chunks/main-0a1b2c3d4e5f6071.js': 'main()',
  })
  for (const command of commands) {
    const { code, stderr } = await runCommand(dir, command.split(' '), deploying())
    expect({ command, code, stderr }).toEqual({ command, code: 0, stderr: '' })
  }
  const year = [...siteObjects(s3, bucket)].filter(([, { headers }]) =>
    /immutable/.test(String(headers['cache-control'])),
  )
  expect(year.map(([key]) => key).sort()).toEqual([
    'static/_next/static/chunks/main-0a1b2c3d4e5f6071.js',
    'static/assets/a-9f8e7d6c.css',
  ])
})
