import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { deployEnv } from '../../fixtures/build/environment.js'
import { type BuildResult, buildAgain, buildApp, everyBundler, readTree } from '../../fixtures/build/index.js'
import { s3Servers, type TestS3 } from '../../fixtures/s3/index.js'

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

  describe.skipIf(!server.available).each(everyBundler)('%s', (name, app, options) => {
    let bucket: string
    let built: BuildResult

    beforeAll(async () => {
      bucket = await s3.createBucket()
      built = await buildApp(app, { ...options, env: deployEnv(s3, bucket) })
    })

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

    test('a second build uploads nothing, and one with a changed file what changed', async () => {
      const before = await objectsOf(s3, bucket)
      const again = await buildAgain(app, built.dir, { ...options, env: deployEnv(s3, bucket) })
      expect(again.code, again.output).toBe(0)
      expect(again.output).toMatch(/✓ nothing to upload in/)
      const after = await objectsOf(s3, bucket)
      expect(times(after)).toEqual(times(before))

      await writeFile(join(built.dir, 'public/added.txt'), 'added')
      const changed = await buildAgain(app, built.dir, { ...options, env: deployEnv(s3, bucket) })
      expect(changed.output).toMatch(/uploaded +1 {2}/)
      expect([...(await objectsOf(s3, bucket)).keys()].filter((key) => !after.has(key))).toEqual(['static/added.txt'])
    })
  })
})

function times(objects: Awaited<ReturnType<typeof objectsOf>>): unknown {
  return [...objects].map(([key, { LastModified }]) => [key, LastModified])
}
