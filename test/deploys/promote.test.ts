import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { InlineConfig } from 'vite'
import { expect, test } from 'vitest'
import { runCommand } from '../../fixtures/build/command.js'
import { deployEnv } from '../../fixtures/build/environment.js'
import { deployTarget, makeApp, viteBuild, writeFiles } from '../../fixtures/build/in-process.js'
import { sitePuts, writes } from '../../fixtures/build/site.js'
import { decodeRecord } from '../../src/release/records/format.js'
import type { Options } from '../../src/settings/options.js'
import { staticS3 } from '../../src/vite.js'

// The command that copies a release from one location to another.

const target = deployTarget()

const app = {
  'index.html': `<!doctype html><link rel="icon" href="/icon.svg"><script type="module" src="/src/main.js"></script>
<script>const json = {"logo": "\\/"}</script>`,
  'about.html': '<!doctype html><p>%STATIC_URL%logo.txt</p>',
  'src/main.js': `import './style.css'\nimport photo from './photo.png'
import('./lazy.js').then(({ title }) => { document.title = title + photo + import.meta.env.STATIC_URL })`,
  'src/lazy.js': 'export const title = "first"',
  'src/style.css': 'body { background: url(./photo.png) }',
  'src/photo.png': Buffer.from([0x89, 0x50, 0x4e, 0x47, 0xff]),
  'public/icon.svg': '<svg xmlns="http://www.w3.org/2000/svg"><path/></svg>',
  'public/logo.txt': 'logo',
}

const build = (dir: string, options: Options = {}, config: InlineConfig = {}) =>
  viteBuild('vite', dir, {
    plugins: [staticS3({ location: 'staging', rewrite: 'relative', ...options })],
    ...config,
    build: {
      assetsInlineLimit: 0,
      rollupOptions: { input: [join(dir, 'index.html'), join(dir, 'about.html')] },
      ...config.build,
    },
  })

async function promote(...words: string[]) {
  const { s3, bucket } = target
  s3.server.reset()
  const { code, stdout, stderr } = await runCommand('/', ['promote', ...words], deployEnv(s3, bucket))
  return { code, stderr, result: stdout.startsWith('{') ? JSON.parse(stdout) : stdout }
}

/** The objects of a location, by path. */
function objectsIn(location: string) {
  const prefix = `${location}/`
  const objects = [...target.s3.server.objects(target.bucket)].filter(([key]) => key.startsWith(prefix))
  return new Map(objects.map(([key, object]) => [key.slice(prefix.length), object]))
}

const isPage = (path: string) => path.endsWith('.html')
const urlOf = (location: string) => `${target.s3.endpoint}/${target.bucket}/${location}/`

test('copies on the server, sends only pages, and keeps bytes, names and headers', async () => {
  const dir = await makeApp(app)
  await build(dir, { rules: [{ match: 'logo.txt', cacheControl: 'max-age=60', metadata: { of: 'logo' } }] })
  const dry = await promote('staging', 'static', '--json', '--dry-run')
  expect(dry, dry.stderr).toMatchObject({ code: 0, result: { status: 'dry run' } })
  expect(writes(target.s3)).toEqual([])

  const first = await promote('staging', 'static', '--json')
  expect(first, first.stderr).toMatchObject({ code: 0, result: { status: 'live', release: 1, location: 'static' } })
  const [staging, live] = [objectsIn('staging'), objectsIn('static')]
  expect([...live.keys()].sort()).toEqual([...staging.keys()].sort())
  expect(live.size).toBeGreaterThan(7)
  for (const [path, { body, headers, metadata }] of live) {
    const there = staging.get(path)
    expect({ headers, metadata }, path).toEqual({ headers: there?.headers, metadata: there?.metadata })
    const expected = isPage(path) ? String(there?.body).replaceAll(urlOf('staging'), urlOf('static')) : there?.body
    expect(body.equals(Buffer.from(expected as string)), path).toBe(true)
  }
  expect(String(live.get('about.html')?.body)).toContain(`<p>${urlOf('static')}logo.txt</p>`)
  const puts = sitePuts(target.s3)
  const sent = puts.filter(({ headers }) => headers['x-amz-copy-source'] === undefined).map(({ key }) => key)
  expect(sent.sort()).toEqual(['static/about.html', 'static/index.html'])
  expect(first.result.bytes).toBe(puts.reduce((sum, { size }) => sum + size, 0))
  // A page comes after the files that it refers to.
  expect(
    puts
      .slice(-2)
      .map(({ key }) => key)
      .sort(),
  ).toEqual(sent)
  const [, record] =
    [...target.s3.server.objects(target.bucket)].find(([key]) => /static\/releases.*gz$/.test(key)) ?? []
  const { by, objects } = await decodeRecord('static', record?.body ?? Buffer.alloc(0))
  expect(by).toMatch(/, from release 1 of staging$/)
  expect(objects.size).toBe(live.size)

  const again = await promote('staging', 'static', '--json')
  expect(again, again.stderr).toMatchObject({ code: 0, result: { status: 'unchanged', release: null } })
  expect(writes(target.s3)).toEqual([])

  await writeFiles(dir, { 'public/logo.txt': 'new logo' })
  await build(dir)
  const second = await promote('staging', 'static', '--json')
  expect(second.result, second.stderr).toMatchObject({ release: 2, uploaded: [], updated: ['logo.txt'], bytes: 0 })
})

test('files that are stored as gzip stay so, and their URLs change', async () => {
  const dir = await makeApp(app)
  const rows = Array.from({ length: 200 }, (_, i) => `// ${i * 7919}\n`).join('')
  await writeFiles(dir, {
    'public/photos.js': `${rows}const photos = ["${urlOf('staging')}logo.txt"]`,
    'public/plain.js': `${rows}const photos = []`,
    'src/main.js': `${rows}import './style.css'\nconsole.log(${JSON.stringify(rows)})`,
  })
  await build(dir, { compress: true })
  const first = await promote('staging', 'static', '--json')
  expect(first, first.stderr).toMatchObject({ code: 0, result: { status: 'live' } })
  const [staging, live] = [objectsIn('staging'), objectsIn('static')]
  const encoded = [...live].filter(([, { headers }]) => headers['content-encoding'] === 'gzip').map(([path]) => path)
  expect(encoded).toEqual(
    expect.arrayContaining(['photos.js', 'plain.js', expect.stringMatching(/assets\/index-.*js$/)]),
  )
  for (const path of encoded) {
    const [before, after] = [staging, live].map((objects) => objects.get(path))
    expect(after?.headers).toEqual(before?.headers)
    const content = gunzipSync(before?.body as Buffer).toString()
    expect(gunzipSync(after?.body as Buffer).toString()).toBe(content.replaceAll(urlOf('staging'), urlOf('static')))
  }
  expect(gunzipSync(live.get('photos.js')?.body as Buffer).toString()).toContain(`${urlOf('static')}logo.txt`)
  const sent = sitePuts(target.s3).filter(({ headers }) => headers['x-amz-copy-source'] === undefined)
  expect(sent.map(({ key }) => key).sort()).toEqual(['static/about.html', 'static/index.html', 'static/photos.js'])
  const again = await promote('staging', 'static', '--json')
  expect(again.result, again.stderr).toMatchObject({ status: 'unchanged' })
  expect(writes(target.s3)).toEqual([])
  // A deploy finds the promoted objects unchanged, though it has not compressed them.
  await build(dir, { compress: true, location: 'static' })
  const puts = sitePuts(target.s3).map(({ key }) => key)
  expect(puts.filter((key) => !key.endsWith('.html') && key !== 'static/photos.js')).toEqual([])
})

test('pages get the domain of the new location, whatever their own was', async () => {
  await build(await makeApp(app), { customDomain: 'staging.example.com' })
  const { code, stderr } = await promote('staging', 'live/shop', '--custom-domain', 'cdn.example.com')
  expect(code, stderr).toBe(0)
  const page = String(objectsIn('live/shop').get('index.html')?.body)
  expect(page).toMatch(/src="https:\/\/cdn\.example\.com\/live\/shop\/assets\/index-/)
  expect(page).not.toContain('staging')
})

test.each<[what: string, words: string[], code: number, message: RegExp, prepare: (dir: string) => Promise<unknown>]>([
  [
    'a fingerprinted file contains the URL of the old location',
    ['staging', 'static'],
    1,
    /assets\/index-\S+\.js contains the URL of the location that it comes from: build with rewrite: 'relative'/,
    (dir) => build(dir, { rewrite: 'urls' }),
  ],
  [
    'a page refers to a file that is not part of the release',
    ['staging', 'static'],
    1,
    /about\.html: http\S+\/static\/video\.mp4 names no file/,
    async (dir) => {
      await writeFiles(dir, { 'about.html': '<!doctype html><video src="%STATIC_URL%video.mp4">' })
      await build(dir, { allowMissing: 'video.mp4' })
    },
  ],
  [
    'a compressed copy of a page',
    ['staging', 'static'],
    1,
    /about\.html\.gz is a compressed copy of a file that gets other URLs/,
    async (dir) => {
      await writeFiles(dir, { 'public/about.html.gz': 'gz' })
      await build(dir)
    },
  ],
  [
    'an object changed after the release',
    ['staging', 'static'],
    1,
    /staging: logo\.txt changed after release 1: deploy it again, then promote/,
    async (dir) => {
      await build(dir)
      const object = target.s3.server.objects(target.bucket).get('staging/logo.txt')
      Object.assign(object as object, { etag: '"0123456789abcdef0123456789abcdef"' })
    },
  ],
  ['no release', ['staging', 'static'], 1, /staging has no release to promote: deploy it first/, async () => {}],
  ['one location', ['staging'], 2, /promote needs two locations/, async () => {}],
  ['the same location', ['staging', '/staging/'], 2, /FROM and TO are the same location/, async () => {}],
])('%s: refused, and nothing is written', async (_what, words, code, message, prepare) => {
  await prepare(await makeApp(app))
  const promoted = await promote(...words)
  expect(promoted.stderr).toMatch(message)
  expect(promoted.code).toBe(code)
  expect(writes(target.s3)).toEqual([])
  expect(objectsIn('static').size).toBe(0)
})

test('an object that changes during the promotion stops it before a page changes', async () => {
  await build(await makeApp(app))
  target.s3.server.intercept = ({ operation, key }) =>
    operation === 'CopyObject' && key?.endsWith('.png') ? { status: 412, code: 'PreconditionFailed' } : undefined
  const { code, stderr } = await promote('staging', 'static')
  expect(stderr).toMatch(/staging\/assets\/photo-\S+\.png changed meanwhile: run it again/)
  expect(code).toBe(1)
  expect([...objectsIn('static').keys()].filter(isPage)).toEqual([])
})
