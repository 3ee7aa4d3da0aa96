import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { deployEnv } from '../../fixtures/build/environment.js'
import { buildVite, copyApp, readTree } from '../../fixtures/build/index.js'
import { siteObjects, uploadedPaths, writes } from '../../fixtures/build/site.js'
import { type EmbeddedS3, startEmbedded } from '../../fixtures/s3/index.js'

// Builds of several environments: a client and a server.

let s3: EmbeddedS3
beforeAll(async () => {
  s3 = await startEmbedded()
})
afterAll(() => s3.close())

/** A plugin after ours, as frameworks have them: it notes each written part, and moves a picture of the server's to the client. */
const config = (builder: string) => `import { appendFileSync, existsSync, renameSync } from 'node:fs'
import { staticS3 } from 'static-s3/vite'
const parts = []
const theirs = {
  name: 'theirs',
  enforce: 'post',
  async writeBundle(_options, bundle) {
    const { name } = this.environment
    parts.push(name)
    if (process.env.SHARED && parts[0] !== 'client') throw new Error('not shared: ' + parts)
    const stamp = Object.keys(bundle).find((path) => path.includes('stamp'))
    if (name === 'ssr' && existsSync('dist/client')) renameSync('dist/server/' + stamp, 'dist/client/' + stamp)
    if (name === 'ssr') await new Promise((resolve) => setTimeout(resolve, 300))
    appendFileSync('parts.txt', name + ' ')
    if (process.env.BROKEN === name) throw new Error('broken ' + name)
  },
}
export default {
  plugins: [staticS3(), theirs],
  publicDir: false,
  build: { assetsInlineLimit: 0 },
  environments: {
    client: { build: { outDir: 'dist/client' } },
    ssr: { build: { outDir: 'dist/server', emitAssets: true, rollupOptions: { input: 'server.js' } } },
  },
  builder: ${builder},
}
`
const files = (builder: string) => ({
  'vite.config.ts': config(builder),
  'server.js': `import photo from './photo.png'
import stamp from './stamp.png'
export default [photo, stamp]`,
  'photo.png': Buffer.alloc(6000, 7),
  'stamp.png': Buffer.alloc(6000, 8),
  'main.js': `import photo from './photo.png'
document.title = photo
new Worker(new URL('./worker.js', import.meta.url))`,
  'worker.js': `postMessage('from the worker')`,
  'index.html': '<!doctype html><script type="module" src="/main.js"></script>',
})

const serverFirst = `{ async buildApp(builder) {
  await builder.build(builder.environments.ssr)
  await builder.build(builder.environments.client)
} }`
const swallowing = `{ async buildApp(builder) {
  await builder.build(builder.environments.client)
  await builder.build(builder.environments.ssr).catch(() => {})
} }`

// Vite 7 has the hooks of Vite 8, and Vite 6 has the order of both.
describe.each(['vite6', 'vite'] as const)('%s', (vite) => {
  const orders = [
    ['every environment', '{}', 'client ssr '],
    ['shared plugins', '{ sharedPlugins: true }', 'client ssr '],
    ['a shared configuration', '{ sharedConfigBuild: true }', 'client ssr '],
    ['an order of its own', serverFirst, 'ssr client '],
  ] as const
  test.each(vite === 'vite' ? orders : orders.slice(0, 2))(
    'goes live when the last part is written: %s',
    async (_what, builder, order) => {
      const bucket = await s3.createBucket()
      const env = { ...deployEnv(s3, bucket), ...(builder.includes('shared') ? { SHARED: '1' } : {}) }
      const publicUrl = `${s3.endpoint}/${bucket}/static/`
      const dir = await copyApp('vanilla', { files: files(builder) })
      const early: string[] = []
      s3.server.reset()
      s3.server.intercept = async ({ method }) => {
        const parts = existsSync(join(dir, 'parts.txt')) ? await readFile(join(dir, 'parts.txt'), 'utf8') : ''
        if (method === 'PUT' && parts !== order) early.push(parts)
        return undefined
      }
      const { code, output } = await buildVite(dir, { vite, env })
      s3.server.intercept = undefined
      expect(code, output).toBe(0)
      expect(early).toEqual([])
      expect(output.match(/release 1 live/g)).toHaveLength(1)
      const client = await readTree(join(dir, 'dist/client'))
      expect(uploadedPaths(s3, bucket)).toEqual([...client.keys()].sort())
      const ofServer = [...siteObjects(s3, bucket)].filter(([key]) => key.includes('/stamp-'))
      const lifetimes = ofServer.map(([, { headers }]) => headers['cache-control'])
      expect(lifetimes).toEqual(order === 'client ssr ' ? ['public, max-age=31536000, immutable'] : [])
      const server = await readTree(join(dir, 'dist/server'))
      for (const tree of [client, server]) {
        const scripts = [...tree].filter(([path]) => path.endsWith('.js')).map(([, bytes]) => bytes.toString())
        expect(scripts.join()).toContain(`${publicUrl}assets/photo-`)
      }
      // The worker's script is in the bucket, so a script on the page's origin starts it.
      const script = [...client].find(([path]) => /index-.*\.js$/.test(path))?.[1].toString()
      expect(script).toMatch(/__staticS3Workers/)
    },
  )

  const failures = [
    ['ssr', swallowing],
    ['client', '{}'],
    ['ssr', '{ sharedPlugins: true }'],
  ] as const
  test.each(vite === 'vite' ? failures : failures.slice(0, 1))(
    'uploads nothing if one part fails: %s of %s',
    async (part, builder) => {
      const bucket = await s3.createBucket()
      const dir = await copyApp('vanilla', { files: files(builder) })
      s3.server.reset()
      const { code, output } = await buildVite(dir, { vite, env: { ...deployEnv(s3, bucket), BROKEN: part } })
      if (builder !== swallowing) {
        expect(code, output).toBe(1)
        expect(output).toContain(`broken ${part}`)
      }
      expect(writes(s3)).toEqual([])
      expect(siteObjects(s3, bucket).size).toBe(0)
    },
  )
})
