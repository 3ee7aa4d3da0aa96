import { execFile } from 'node:child_process'
import { readFile, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { deployEnv } from '../../fixtures/build/environment.js'
import { buildViteHere } from '../../fixtures/build/in-process.js'
import { type App, buildApp, buildVite, copyApp, readTree } from '../../fixtures/build/index.js'
import { firstReads, operations, readsAlone, siteObjects, sitePuts, writes } from '../../fixtures/build/site.js'
import { type EmbeddedS3, type LoggedRequest, startEmbedded } from '../../fixtures/s3/index.js'

// What other tools for this job get wrong, one test each; test/deploys/failures.test.ts has those that end in an error.

let s3: EmbeddedS3
let bucket: string
let env: Record<string, string>

beforeAll(async () => {
  s3 = await startEmbedded()
})
beforeEach(async () => {
  bucket = await s3.createBucket()
  env = deployEnv(s3, bucket)
  s3.server.reset()
})
afterEach(() => {
  s3.server.intercept = undefined
  s3.server.latencyMs = 0
})
afterAll(() => s3.close())

const puts = () => sitePuts(s3)
const apps: App[] = ['vanilla', 'webpack', 'rspack']

const plainConfig = (options = '', more = '') => ({
  'vite.config.js': `import { staticS3 } from 'static-s3/vite'
export default { ${more} plugins: [staticS3(${options})] }
`,
})

test.each(apps)(
  'order: fingerprinted files, other assets, manifests, HTML, each after the one before is there: %s',
  async (app) => {
    s3.server.latencyMs = 20
    const { code, output } = await buildApp(app, { env })
    expect(code, output).toBe(0)
    const groupOf = ({ key, headers }: LoggedRequest) => {
      if (key?.endsWith('.html')) return 3
      if (headers['cache-control']?.includes('immutable')) return 0
      return key?.endsWith('.webmanifest') ? 2 : 1
    }
    const spans = [0, 1, 2, 3].map((group) => puts().filter((request) => groupOf(request) === group))
    expect(spans.map(({ length }) => length > 0)).toEqual([true, true, app === 'vanilla', true])
    const ends = (group: LoggedRequest[]) => Math.max(...group.map(({ began, time }) => began + time))
    const begins = (group: LoggedRequest[]) => Math.min(...group.map(({ began }) => began))
    const there = spans.filter(({ length }) => length > 0)
    for (const [before, group] of there.slice(1).entries()) {
      expect(begins(group)).toBeGreaterThan(ends(there[before] as LoggedRequest[]))
    }
  },
)

test('one transient 503, one reset and one lost answer do not end the deploy, and everything arrives whole', async () => {
  const faults = [
    { status: 503, code: 'SlowDown' },
    { destroy: 'midBody' as const },
    { status: 500, code: 'InternalError' },
    { destroy: 'afterWrite' as const },
    { status: 429, code: 'TooManyRequests' },
  ]
  s3.server.intercept = ({ method, key }) => (method === 'PUT' && key?.startsWith('static/') ? faults.pop() : undefined)
  const { code, output, outDir } = await buildViteHere('vanilla', {
    env,
    files: { 'public/video.bin': Buffer.alloc(5_000_000, 7) },
  })
  expect(code, output).toBe(0)
  expect(faults).toEqual([])
  const files = await readTree(outDir)
  for (const [key, { body }] of siteObjects(s3, bucket)) expect(files.get(key.slice(7))?.equals(body), key).toBe(true)
})

test('HTML, service worker and public files are never cached for a year; what the bundler hashed is', async () => {
  await buildViteHere('pwa', { env })
  const policies = new Map(puts().map(({ key, headers }) => [key, headers['cache-control']]))
  for (const key of ['index.html', 'sw.js', 'manifest.webmanifest', 'favicon.svg', 'icon-192.png']) {
    expect(policies.get(`static/${key}`), key).toBe('no-cache')
  }
  const hashed = [...policies].filter(([key]) => key?.startsWith('static/assets/'))
  expect(hashed.length).toBeGreaterThan(2)
  for (const [key, policy] of hashed) expect(policy, key).toBe('public, max-age=31536000, immutable')
})

test('source maps, dotfiles, .vite/manifest.json and private keys stay home; source maps may be made public', async () => {
  const files = {
    'public/server.pem': '-----BEGIN PRIVATE KEY-----\n',
    'public/.env': 'SECRET=1',
    'public/.well-known/x.txt': 'x',
  }
  const more = 'build: { sourcemap: true, manifest: true },'
  const dir = await copyApp('legacy', { files: { ...files, ...plainConfig('', more) } })
  const { outDir, output } = await buildViteHere(dir, { env })
  const onDisk = [...(await readTree(outDir)).keys()]
  expect(onDisk).toEqual(expect.arrayContaining(['.env', '.vite/manifest.json', 'server.pem']))
  expect(onDisk.some((path) => path.endsWith('.map'))).toBe(true)
  const up = () => [...siteObjects(s3, bucket).keys()]
  expect(up().filter((key) => /\.map$|\/\.(?!well-known)|\.pem$/.test(key))).toEqual([])
  expect(up()).toContain('static/.well-known/x.txt')
  expect(output).toMatch(/left out .*source map/)

  await buildViteHere(dir, { env, files: plainConfig("{ sourceMaps: 'public' }", more) })
  expect(up().some((key) => key.endsWith('.js.map'))).toBe(true)
})

test('no ACL, no checksum trailer, no aws-chunked body, also for a large file: stores that refuse them take everything', async () => {
  const strict = await startEmbedded({ awsChunked: 'refuse' })
  try {
    const name = await strict.createBucket()
    const files = { 'public/video.bin': Buffer.alloc(9_000_000, 1), 'public/empty.txt': '' }
    const { code, output } = await buildViteHere('vanilla', { env: deployEnv(strict, name), files })
    expect(code, output).toBe(0)
    for (const { method, headers } of strict.server.requests.filter(({ operation }) => operation === 'PutObject')) {
      const names = Object.keys(headers).filter((header) =>
        /acl|checksum|trailer|sdk-checksum|transfer-encoding/.test(header),
      )
      expect({ method, names, encoding: headers['content-encoding'] }).toEqual({
        method,
        names: [],
        encoding: undefined,
      })
      expect(headers['content-length']).toMatch(/^\d+$/)
      expect(headers['x-amz-content-sha256']).toMatch(/^[0-9a-f]{64}$/)
      expect(headers['content-md5'] !== undefined).toBe(Number(headers['content-length']) <= 256 * 1024)
    }
  } finally {
    await strict.close()
  }
})

test('a clean rebuild with new modification times writes nothing, and asks for the record and the listing', async () => {
  const { dir } = await buildViteHere('vanilla', { env })
  s3.server.reset()
  for (const path of (await readTree(join(dir, 'public'))).keys()) await utimes(join(dir, 'public', path), 1, 1)
  const { output } = await buildViteHere(dir, { env })
  expect(output).toMatch(/nothing to upload/)
  expect(operations(s3)).toEqual(readsAlone)
})

test('only the location and its records are listed, each with its slash, and no file is ever deleted', async () => {
  const client = s3.client()
  for (const Key of ['static-admin/a.js', 'static', 'other.txt', 'static/old.js']) {
    await client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: 'kept' }))
  }
  s3.server.reset()
  await buildViteHere('vanilla', { env })
  const listings = s3.server.requests.filter(({ operation }) => operation === 'ListObjectsV2')
  expect(new Set(listings.map(({ query }) => query.prefix))).toEqual(
    new Set(['static/', '.static-s3/static/releases/', '.static-s3/static/', '.static-s3/releases/']),
  )
  for (const key of ['static-admin/a.js', 'static', 'other.txt', 'static/old.js']) {
    expect(s3.server.objects(bucket).get(key)?.body.toString(), key).toBe('kept')
  }
})

test('an ETag that is no MD5 is not taken for one: everything arrives once, and no alarm is raised', async () => {
  const opaque = await startEmbedded({ etag: 'opaque' })
  try {
    const name = await opaque.createBucket()
    const { dir } = await buildViteHere('vanilla', { env: deployEnv(opaque, name) })
    opaque.server.reset()
    const { code, output } = await buildViteHere(dir, { env: deployEnv(opaque, name) })
    expect(code, output).toBe(0)
    expect(output).not.toMatch(/other bytes/)
    expect(operations(opaque)).toEqual(readsAlone)
  } finally {
    await opaque.close()
  }
})

test.skipIf(process.platform === 'win32')('600 files with 256 file handles (no ulimit on Windows)', async () => {
  const dir = await copyApp('legacy', { files: plainConfig() })
  const files = Array.from({ length: 600 }, (_, i) => [`public/many/${i % 50}/${i}.txt`, `file ${i}`] as const)
  const { mkdir } = await import('node:fs/promises')
  for (let i = 0; i < 50; i++) await mkdir(join(dir, `public/many/${i}`), { recursive: true })
  for (const [path, content] of files) await writeFile(join(dir, path), content)
  const vite = join(import.meta.dirname, '../../node_modules/vite/bin/vite.js')
  // The limit is a child's own: the test's server has many sockets.
  const { stdout } = await promisify(execFile)(
    'sh',
    ['-c', `ulimit -n 256 && exec "${process.execPath}" "${vite}" build`],
    {
      cwd: dir,
      env: { PATH: process.env.PATH, HOME: dir, NO_COLOR: '1', ...env },
    },
  )
  expect(stdout).toMatch(/✓ release 1 live in/)
  expect(siteObjects(s3, bucket).size).toBeGreaterThan(600)
})

describe('fingerprinted names that come with other bytes', () => {
  const config = (options: string, banner: string) => ({
    'vite.config.js': `import { staticS3 } from 'static-s3/vite'
export default { plugins: [{ name: 'banner', enforce: 'post', writeBundle: { order: 'pre', async handler({ dir }, bundle) {
  const { appendFileSync } = await import('node:fs')
  for (const file of Object.keys(bundle)) if (file.endsWith('.js')) appendFileSync(dir + '/' + file, '${banner}')
} } }, staticS3(${options})] }
`,
  })

  test('are uploaded with a warning, or refused before anything is written when fileOverwrite is off', async () => {
    const dir = await copyApp('legacy', { files: config('', '/* 1 */') })
    await buildViteHere(dir, { env })
    s3.server.reset()
    const refused = await buildViteHere(dir, {
      env: { ...env, AWS_S3_FILE_OVERWRITE: 'False' },
      files: config('', '/* 2 */'),
    })
    expect(refused.code).toBe(1)
    expect(refused.output).toMatch(/other bytes under the same fingerprinted name/)
    expect(writes(s3)).toEqual([])
    const warned = await buildViteHere(dir, { env, files: config('', '/* 2 */') })
    expect(warned.code, warned.output).toBe(0)
    expect(warned.output).toMatch(/other bytes under the same fingerprinted name/)
    expect(puts().length).toBe(2)
  })
})

describe('settings that a build shows', () => {
  test('dryRun prints each decision with its reason and writes nothing', async () => {
    const { code, output } = await buildViteHere('legacy', { env, files: plainConfig('{ dryRun: true }') })
    expect(code, output).toBe(0)
    expect(output).toMatch(/^ {2}index\.html \(new\)$/m)
    expect(output).toMatch(/dry run: nothing was written/)
    expect(operations(s3)).toEqual(firstReads)
  })

  test('logLevel silent prints nothing, and uploads all the same', async () => {
    const { code, output } = await buildVite('legacy', { env, files: plainConfig(), args: ['--logLevel', 'silent'] })
    expect(code).toBe(0)
    expect(output).toBe('')
    expect(puts().length).toBeGreaterThan(4)
  })

  test('force uploads unchanged files too', async () => {
    const { dir } = await buildViteHere('legacy', { env, files: plainConfig() })
    const all = puts().length
    s3.server.reset()
    await buildViteHere(dir, { env, files: plainConfig('{ force: true }') })
    expect(puts().length).toBe(all)
  })

  test('objectParameters, rules, include and exclude', async () => {
    await buildViteHere('legacy', {
      env: { ...env, AWS_S3_OBJECT_PARAMETERS: '{"Metadata":{"by":"ci"},"CacheControl":"max-age=86400"}' },
      files: {
        ...plainConfig(`{
          rules: [{ match: '*.svg', cacheControl: 'max-age=60' }, { match: 'favicon.svg', contentDisposition: 'inline' }],
          exclude: 'private/**',
        }`),
        'public/private/notes.txt': 'x',
      },
    })
    const headersOf = (ending: string) => puts().find(({ key }) => key?.endsWith(ending))?.headers
    expect(headersOf('favicon.svg')).toMatchObject({
      'cache-control': 'max-age=60',
      'content-disposition': 'inline',
      'x-amz-meta-by': 'ci',
    })
    expect(headersOf('index.html')).toMatchObject({ 'cache-control': 'no-cache', 'x-amz-meta-by': 'ci' })
    expect(headersOf('.css')).toMatchObject({ 'cache-control': 'max-age=86400' })
    expect(headersOf('notes.txt')).toBeUndefined()
  })

  test('what is excluded keeps its URL on the page’s origin, and a warning names it', async () => {
    const { output, outDir } = await buildViteHere('legacy', { env, files: plainConfig("{ exclude: '*.png' }") })
    const files = await readTree(outDir)
    const [script] = [...files].filter(([path]) => /index-.*\.js$/.test(path))
    expect(script?.[1].toString()).toMatch(/["`']\/assets\/photo-[\w-]+\.png/)
    expect(output).toMatch(/photo-[\w-]+\.png is left out \(excluded\): your own server has to serve it/)
    expect(puts().some(({ key }) => key?.endsWith('.png'))).toBe(false)
  })

  test('an empty location is the bucket’s root, and a custom domain is where URLs point', async () => {
    const { outDir } = await buildViteHere('legacy', {
      env: { ...env, AWS_LOCATION: '', AWS_S3_CUSTOM_DOMAIN: 'cdn.example.com' },
      files: plainConfig(),
    })
    expect([...siteObjects(s3, bucket).keys()]).toContain('index.html')
    expect(await readFile(join(outDir, 'index.html'), 'utf8')).toMatch('src="https://cdn.example.com/assets/')
  })

  test('keys that stand only in a .env file are used', async () => {
    const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, ...rest } = env
    const { code, output } = await buildViteHere('legacy', {
      env: rest,
      files: {
        ...plainConfig(),
        '.env': `AWS_ACCESS_KEY_ID=${AWS_ACCESS_KEY_ID}\nAWS_SECRET_ACCESS_KEY=${AWS_SECRET_ACCESS_KEY}\n`,
      },
    })
    expect(code, output).toBe(0)
    expect(output).toMatch(/✓ release 1 live in/)
  })

  test('rewrite: base sets the base itself; false rewrites nothing and uploads all the same', async () => {
    const base = await buildViteHere('legacy', { env, files: plainConfig("{ rewrite: 'base' }") })
    expect(await readFile(join(base.outDir, 'index.html'), 'utf8')).toMatch(
      `src="${s3.endpoint}/${bucket}/static/assets/`,
    )
    s3.server.reset()
    const none = await buildViteHere('legacy', { env, files: plainConfig('{ rewrite: false, force: true }') })
    expect(await readFile(join(none.outDir, 'index.html'), 'utf8')).toMatch('src="/assets/')
    expect(puts().length).toBeGreaterThan(3)
  })

  test('rewrite: base where another plugin sets the base after ours is told of', async () => {
    const files = plainConfig("{ rewrite: 'base' }")
    const theirs = "{ name: 'theirs', enforce: 'post', config: () => ({ base: '/theirs/' }) }"
    files['vite.config.js'] = files['vite.config.js'].replace(')] }', `), ${theirs}] }`)
    const { output } = await buildViteHere('legacy', { env, files })
    expect(output).toMatch(/Vite's base is \/theirs\/, which another plugin has set/)
  })

  test('who owns renderBuiltUrl already is left alone, and told what to set', async () => {
    const more = "experimental: { renderBuiltUrl: (file) => 'https://theirs.example.com/' + file },"
    const { outDir, output } = await buildViteHere('legacy', { env, files: plainConfig('', more) })
    expect(await readFile(join(outDir, 'index.html'), 'utf8')).toMatch('src="https://theirs.example.com/assets/')
    expect(output).toMatch(/URLs are left to experimental\.renderBuiltUrl, files are uploaded/)
    expect(puts().length).toBeGreaterThan(3)
  })
})

test('files that other plugins write in their last hook are uploaded, and those of several outputs once each', async () => {
  const files = {
    'vite.config.js': `import { writeFileSync } from 'node:fs'
import { staticS3 } from 'static-s3/vite'
export default {
  plugins: [staticS3(), { name: 'late', enforce: 'post', closeBundle() { writeFileSync('dist/late.txt', 'late') } }],
  build: { rollupOptions: { output: [{ format: 'es' }, { format: 'es', dir: 'dist/second', entryFileNames: 'again/[name]-[hash].js' }] } },
}
`,
  }
  const { code, output, outDir } = await buildVite('legacy', { env, files })
  expect(code, output).toBe(0)
  expect((await readTree(outDir)).size).toBeGreaterThan(6)
  const keys = puts().map(({ key }) => key)
  expect(keys).toContain('static/late.txt')
  expect(keys.some((key) => /^static\/again\//.test(key))).toBe(true)
  expect(new Set(keys).size).toBe(keys.length)
})

test('a server environment beside the client: its bundle stays home, and nothing is uploaded twice', async () => {
  const files = {
    'vite.config.js': `import { staticS3 } from 'static-s3/vite'
export default {
  plugins: [staticS3()],
  builder: {},
  environments: {
    client: { build: { outDir: 'dist' } },
    ssr: { build: { outDir: 'dist/server', ssr: 'src/server.js' } },
  },
}
`,
    'src/server.js': `import photo from './photo.png'
export default photo`,
  }
  for (const vite of ['vite6', 'vite7', 'vite'] as const) {
    const name = await s3.createBucket()
    s3.server.reset()
    const { code, output, outDir } = await buildVite('legacy', {
      vite,
      env: deployEnv(s3, name),
      files,
      args: ['--app'],
    })
    expect(code, output).toBe(0)
    expect([...(await readTree(outDir)).keys()]).toContain('server/server.js')
    const keys = puts().map(({ key }) => key)
    expect(keys.length).toBeGreaterThan(3)
    expect(keys.filter((key) => key.includes('server'))).toEqual([])
    expect(new Set(keys).size).toBe(keys.length)
    // Server-rendered pages need the same URLs as the browser.
    expect(await readFile(join(outDir, 'server/server.js'), 'utf8')).toMatch(
      `${s3.endpoint}/${name}/static/assets/photo-`,
    )
  }
})
