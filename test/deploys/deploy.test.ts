import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { deployEnv } from '../../fixtures/build/environment.js'
import { type BuildResult, buildAgain, buildApp, everyBundler, readTree } from '../../fixtures/build/index.js'
import { siteObjects, sitePuts, writes } from '../../fixtures/build/site.js'
import { type EmbeddedS3, s3Servers, type TestS3 } from '../../fixtures/s3/index.js'

// One project for each bundler: its first deploy, the same again, an upload that fails, the run after it, and a build that fails.

/** All of them send the same requests: one tells whether Ceph takes those. */
const bundlersOn = (server: TestS3['name']) =>
  server === 'ceph' ? everyBundler.filter(([name]) => name === 'Vite 8') : everyBundler

/**
 * Their first deploy and their failure are enough: by JavaScript, only the way out of the process differs from the command's, and Vite 6 and 7
 * call the same hooks as Vite 8. test/deploys/early-survey.test.ts has their builds that fail by themselves.
 */
const isLikeAnother = /^Vite [67]$|JavaScript API/

const year = 'public, max-age=31536000, immutable'

/** Every object of the location with its bytes and headers. */
async function objectsOf(s3: TestS3, bucket: string) {
  const client = s3.client()
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: 'static/' }))
  const objects = await Promise.all(
    Contents.map(async ({ Key }) => {
      const { Body, ...object } = await client.send(new GetObjectCommand({ Bucket: bucket, Key }))
      return [Key as string, { ...object, bytes: Buffer.from((await Body?.transformToByteArray()) ?? []) }] as const
    }),
  )
  return new Map(objects)
}

describe.each(s3Servers.map((server) => [server.title, server] as const))('%s', (_title, server) => {
  let s3: TestS3
  beforeAll(async () => {
    if (server.available) s3 = await server.start()
  })
  afterAll(() => s3?.close())

  describe.skipIf(!server.available).each(bundlersOn(server.name))('%s', (name, app, options) => {
    let bucket: string
    let built: BuildResult

    beforeAll(async () => {
      bucket = await s3.createBucket()
      built = await buildApp(app, { ...options, env: deployEnv(s3, bucket) })
    })
    const again = (into = bucket) => buildAgain(app, built.dir, { ...options, env: deployEnv(s3, into) })

    test('all files of the output folder are in the bucket as they are on disk, and none of the others', async () => {
      expect(built.code, built.output).toBe(0)
      const [files, objects] = await Promise.all([readTree(built.outDir), objectsOf(s3, bucket)])
      const home = [...files.keys()].filter((path) => /(^|\/)\.(?!well-known)/.test(path) || path.endsWith('.map'))
      expect(home.length).toBeGreaterThan(0)
      expect([...objects.keys()].sort()).toEqual(
        [...files.keys()]
          .filter((path) => !home.includes(path))
          .map((path) => `static/${path}`)
          .sort(),
      )
      for (const [key, { bytes }] of objects) expect(bytes.equals(files.get(key.slice(7)) as Buffer), key).toBe(true)
    })

    test('a year of caching for fingerprinted names, none for all others', async () => {
      for (const [key, { CacheControl }] of await objectsOf(s3, bucket)) {
        // What the apps' templates say: everything else is copied from public/ or is a page.
        const fingerprinted = /^static\/(assets|js|css|media)\/.*[-.][\w-]{8,}\.\w+$|^static\/[0-9a-f]{16,20}\.\w*wasm$/
        expect({ key, CacheControl }).toEqual({ key, CacheControl: fingerprinted.test(key) ? year : 'no-cache' })
      }
    })

    test('types', async () => {
      const types: [ending: RegExp, type: string][] = [
        [/\.html$/, 'text/html; charset=utf-8'],
        [/\.js$/, 'text/javascript; charset=utf-8'],
        [/\.css$/, 'text/css; charset=utf-8'],
        [/\.txt$/, 'text/plain; charset=utf-8'],
        [/\.svg$/, 'image/svg+xml'],
        [/\.png$/, 'image/png'],
        [/\.wasm$/, 'application/wasm'],
        [/\.woff2$/, 'font/woff2'],
        [/\.ttf$/, 'font/ttf'],
        [/\.webmanifest$/, 'application/manifest+json; charset=utf-8'],
      ]
      for (const [key, { ContentType }] of await objectsOf(s3, bucket)) {
        expect({ key, ContentType }).toEqual({ key, ContentType: types.find(([ending]) => ending.test(key))?.[1] })
      }
    })

    test('what is printed', () => {
      const lines = built.output.split('\n').map((line) => line.replace(/^<i> (\[static-s3\] )?|^static-s3 /, ''))
      const from = lines.findIndex((line) => line.startsWith('s3://'))
      const to = lines.findIndex((line) => line.startsWith('✓ release 1 live in'))
      expect(lines.slice(from, to)).toEqual([
        `s3://${bucket}/static → ${s3.endpoint}/${bucket}/static/`,
        expect.stringMatching(/^ {2}uploaded +\d+ {2}[\d.]+ [kM]B$/),
        expect.stringMatching(/^ {2}left out +\d+ {2}.*dotfile/),
      ])
      expect(built.output, name).not.toContain(s3.credentials.secretAccessKey)
    })

    const runsAgain = !isLikeAnother.test(name)
    if (runsAgain) {
      test('a second build uploads nothing', async () => {
        const before = await objectsOf(s3, bucket)
        const { code, output } = await again()
        expect(code, output).toBe(0)
        expect(output).toMatch(/✓ nothing to upload in/)
        expect(times(await objectsOf(s3, bucket))).toEqual(times(before))
      })
    }

    if (server.name !== 'embedded') return

    test('an upload that fails fails the build in one message, and the old site stands; the next run carries on', async () => {
      const { server } = s3 as EmbeddedS3
      const edit = async (path: string, change: (content: string) => string) =>
        writeFile(join(built.dir, path), change(await readFile(join(built.dir, path), 'utf8')))
      await edit(app === 'vanilla' ? 'src/main.ts' : 'src/index.js', (code) => `${code}\nconsole.log('second')`)
      await edit(app === 'vanilla' ? 'index.html' : 'src/index.html', (page) => page.replace('<title>', '$&Second '))
      await writeFile(join(built.dir, 'public/added.txt'), 'added')
      const before = [...server.objects(bucket)].map(([key, { etag }]) => [key, etag] as const)

      server.reset()
      server.intercept = ({ method, key }) =>
        method === 'PUT' && /(main|index)[-.][\w-]+\.js$/.test(key as string)
          ? { status: 403, code: 'AccessDenied' }
          : undefined
      const failed = await again()
      // webpack-cli and rspack-cli end with 2 if a hook fails.
      expect(failed.code, failed.output).toBe(/^(webpack|Rspack)$/.test(name) ? 2 : 1)
      const message = failed.output.slice(failed.output.indexOf('static-s3: PUT'))
      expect(message).toMatch(/AccessDenied/)
      expect(message).toMatch(/s3:PutObject/)
      expect(message).toMatch(/The site stands as it was/)
      expect(failed.output).not.toMatch(/^\s+at .*(static-s3|aws-sdk|smithy)/m)
      for (const [key, etag] of before) expect(server.objects(bucket).get(key)?.etag, key).toBe(etag)

      server.intercept = undefined
      if (!runsAgain) return
      const up = siteObjects({ server }, bucket)
      server.reset()
      const next = await again()
      expect(next.code, next.output).toBe(0)
      const sent = sitePuts({ server }).map(({ key }) => key)
      expect(sent).toEqual(expect.arrayContaining(['static/added.txt', 'static/index.html']))
      for (const key of sent) expect(up.has(key) && !key.endsWith('.html'), key).toBe(false)
    })

    if (!runsAgain) return

    test('a build that fails uploads nothing of the earlier output that still lies there', async () => {
      await writeFile(join(built.dir, app === 'vanilla' ? 'src/main.ts' : 'src/index.js'), `import './not-there.js'`)
      const { server } = s3 as EmbeddedS3
      const empty = await s3.createBucket()
      server.reset()
      const { code, output } = await again(empty)
      expect(code).toBe(1)
      expect(output).toMatch(/not-there/)
      expect((await readTree(built.outDir)).size).toBeGreaterThan(4)
      expect(writes({ server })).toEqual([])
    })
  })
})

function times(objects: Awaited<ReturnType<typeof objectsOf>>): unknown {
  return [...objects].map(([key, { LastModified }]) => [key, LastModified])
}
