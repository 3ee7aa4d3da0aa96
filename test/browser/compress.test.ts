import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { GetObjectCommand, HeadObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import type { Plugin } from 'vite'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { withBrowser } from '../../fixtures/browser/with-browser.js'
import { deployEnv } from '../../fixtures/build/environment.js'
import { listeningLogger, makeApp, removeApps, viteBuild } from '../../fixtures/build/in-process.js'
import { servePages } from '../../fixtures/pages/index.js'
import { s3Servers, type TestS3 } from '../../fixtures/s3/index.js'
import { staticS3 } from '../../src/vite.js'

// A build with AWS_IS_GZIPPED in a bucket without a CDN, as the browser gets it.

const browser = withBrowser()
const rows = Array.from({ length: 200 }, (_, i) => `row ${i * 7919}`)
const app = {
  'index.html':
    '<!doctype html><link rel="icon" href="data:,"><div id="app"></div><script type="module" src="/main.js"></script>',
  'main.js': `import './style.css'
const rows = ${JSON.stringify(rows)}
import('./lazy.js').then(({ title }) => { document.title = title.slice(0, 3) + rows.length })`,
  'lazy.js': `export const title = ${JSON.stringify(rows.join())}`,
  'style.css': `${rows.map((_, i) => `.row-${i} { width: ${i}px }`).join('\n')}\n#app { width: 123px }`,
}

/** As vite-plugin-compression: writes a copy beside each script, and a stale one beside the stylesheet. */
const twins: Plugin = {
  name: 'twins',
  async writeBundle({ dir = '' }, bundle) {
    for (const [name, file] of Object.entries(bundle)) {
      const content = file.type === 'chunk' ? file.code : '.stale {}'
      if (/\.(js|css)$/.test(name)) await writeFile(join(dir, `${name}.gz`), gzipSync(content, { level: 1 }))
    }
  },
}

for (const { title, available, start } of s3Servers) {
  describe.skipIf(!available)(`AWS_IS_GZIPPED on ${title}`, () => {
    let s3: TestS3
    beforeAll(async () => {
      s3 = await start()
    })
    afterAll(async () => {
      vi.unstubAllEnvs()
      await removeApps()
      await s3?.close()
    })

    it('pages load what the bucket sends as gzip, twins and all, and a second deploy sends nothing', async () => {
      const bucket = await s3.createBucket(undefined, { public: 'static', cors: '*' })
      const env = {
        ...deployEnv(s3, bucket),
        AWS_IS_GZIPPED: '1',
        AWS_EC2_METADATA_DISABLED: 'true',
        NODE_ENV: 'production',
      }
      for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
      const dir = await makeApp(app)
      const build = async (...plugins: Plugin[]) => {
        const { said, customLogger } = listeningLogger()
        await viteBuild('vite', dir, {
          plugins: [...plugins, staticS3({ verify: 'fail' })],
          customLogger,
        })
        return said.join('\n')
      }
      const first = await build(twins)
      expect(first).toContain('release 1 live')
      expect(first).toMatch(
        /assets\/index-\S+\.css\.gz: not used, because it is not the file beside it as one gzip member/,
      )

      const client = s3.client()
      const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: 'static/' }))
      const keys = Contents.map(({ Key = '' }) => Key)
      expect(keys.filter((key) => key.endsWith('.gz'))).toEqual([])
      const script = keys.find((key) => /index-.*js$/.test(key)) as string
      const { Body, ContentEncoding } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: script }))
      const bytes = Buffer.from((await Body?.transformToByteArray()) as Uint8Array)
      expect(ContentEncoding).toBe('gzip')
      // The twin's bytes.
      expect(bytes.equals(gzipSync(gunzipSync(bytes), { level: 1 }))).toBe(true)
      const style = keys.find((key) => key.endsWith('.css')) as string
      const head = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: style }))
      expect(head).toMatchObject({ ContentEncoding: 'gzip', ContentType: 'text/css; charset=utf-8' })

      const pages = browser.keep(await servePages(join(dir, 'dist')))
      const { page, errors } = await browser.open(`${pages.origin}/`)
      const encodings = new Map<string, string | undefined>()
      page.on('response', (response) => encodings.set(response.url(), response.headers()['content-encoding']))
      await page.reload()
      await expect.poll(() => page.title()).toBe('row200')
      expect(await page.evaluate('getComputedStyle(document.querySelector("#app")).width')).toBe('123px')
      const ofBucket = [...encodings].filter(([url]) => url.startsWith(`${s3.endpoint}/${bucket}/static/`))
      expect(ofBucket.length).toBeGreaterThanOrEqual(3)
      expect(ofBucket.filter(([, encoding]) => encoding !== 'gzip')).toEqual([])
      expect(errors).toEqual([])

      expect(await build(twins)).toContain('nothing to upload')
      // Without the copies, zlib makes other bytes of the same content.
      expect(await build()).toContain('nothing to upload')
      vi.stubEnv('AWS_IS_GZIPPED', '0')
      expect(await build()).toContain('release 2 live')
      const plain = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: script }))
      expect(plain.ContentEncoding).toBeUndefined()
    })
  })
}
