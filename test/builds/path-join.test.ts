import { expect, test } from 'vitest'
import { deployEnv } from '../../fixtures/build/environment.js'
import { buildVite } from '../../fixtures/build/index.js'
import { siteObjects } from '../../fixtures/build/site.js'
import type { EmbeddedS3 } from '../../fixtures/s3/index.js'
import { withBucket } from '../../fixtures/s3/with-bucket.js'

let s3: EmbeddedS3
let bucket: string
withBucket((target) => {
  ;({ s3, bucket } = target)
})

const config = `
import { join } from 'node:path'
import { staticS3 } from 'static-s3/vite'

const output = {
  entryFileNames: join('static', 'js', '[name]-[hash].js'),
  chunkFileNames: join('static', 'js', '[name]-[hash].js'),
  assetFileNames: join('static', 'media', '[name]-[hash][extname]'),
}
export default {
  plugins: [
    staticS3(),
    { name: 'data', generateBundle() { this.emitFile({ type: 'asset', fileName: join('static', 'data.json'), source: '{}' }) } },
  ],
  build: { rollupOptions: { output } },
  worker: { rollupOptions: { output } },
}`

test('names by `path.join`, with backslashes on Windows: every URL leads to a file, and fingerprinted ones are kept for a year', async () => {
  const { code, output } = await buildVite('vanilla', {
    files: { 'vite.config.ts': config },
    env: deployEnv(s3, bucket),
  })
  expect(code, output).toBe(0)
  const objects = siteObjects(s3, bucket)
  const kept = [...objects].filter(([, { headers }]) => headers['cache-control']?.includes('immutable'))
  const named = [...objects.keys()].filter((key) => /^static\/static\/(js|media)\//.test(key))
  expect(named.length).toBeGreaterThan(8)
  expect(kept.map(([key]) => key).sort()).toEqual(named.sort())
  expect(objects.has('static/static/data.json')).toBe(true)

  const url = new RegExp(`${s3.endpoint}/${bucket}/(static/static[^"'\`\\s)?#]*)`, 'g')
  const texts = [...objects].filter(([key]) => /\.(html|js|css)$/.test(key))
  const keys = texts.flatMap(([, { body }]) => [...body.toString().matchAll(url)].map(([, key = '']) => decodeURI(key)))
  expect(keys.length).toBeGreaterThan(10)
  expect(keys.filter((key) => !objects.has(key))).toEqual([])
})
