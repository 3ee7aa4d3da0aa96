import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { DeleteObjectsCommand } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import type { Compiler } from 'webpack'
import { bundlerConfig, bundlers, closed, deployTarget, makeApp, runOnce } from '../../fixtures/build/in-process.js'
import { operations, readsAlone, siteObjects, sitePuts } from '../../fixtures/build/site.js'
import { StaticS3Plugin } from '../../src/webpack.js'

// A build with `compress` by webpack and Rspack. test/browser/compress.test.ts has Vite, and a browser.

const target = deployTarget()

const rows = (of: string) => Array.from({ length: 300 }, (_, i) => `${of} ${i * 7919}`).join()
const app = {
  'src/index.js': `import './style.css'\nimport('./lazy.js')\nconsole.log('${rows('index')}')`,
  'src/lazy.js': `document.body.append('${rows('lazy')}', new URL('./photo.png', import.meta.url))`,
  'src/style.css': `body { content: '${rows('style')}' }`,
  'src/photo.png': Buffer.alloc(6000, 7),
}

/** As compression-webpack-plugin: adds a copy of each script and stylesheet, by another level than static-s3's. */
class Twins {
  apply({ webpack, hooks }: Compiler): void {
    const stage = webpack.Compilation.PROCESS_ASSETS_STAGE_OPTIMIZE_TRANSFER
    hooks.compilation.tap('twins', (compilation) => {
      compilation.hooks.processAssets.tap({ name: 'twins', stage }, (assets) => {
        for (const [name, asset] of Object.entries(assets)) {
          if (!/\.(js|css)$/.test(name)) continue
          const bytes = gzipSync(asset.buffer(), { level: 1 })
          compilation.emitAsset(`${name}.gz`, new webpack.sources.RawSource(bytes))
        }
      })
    })
  }
}

describe.each(bundlers)('compress with %s', (_name, bundler) => {
  test('stores scripts and stylesheets as gzip; a lost record costs requests, and nothing else', async () => {
    const dir = await makeApp(app)
    const build = async (...plugins: Twins[]) => {
      target.s3.server.reset()
      const config = bundlerConfig(bundler, dir, { plugins: [...plugins, new StaticS3Plugin({ compress: true })] })
      const compiler = bundler.create(config)
      const stats = await runOnce(compiler)
      await closed(compiler)
      expect(stats.toString({ colors: false })).not.toContain('static-s3: ')
    }
    /** Paths of the objects that are gzip, after a look at the content of all. */
    const gzipped = async () => {
      const paths: string[] = []
      for (const [key, { body, headers }] of siteObjects(target.s3, target.bucket)) {
        const path = key.replace('static/', '')
        const isGzip = headers['content-encoding'] === 'gzip'
        const content = isGzip ? gunzipSync(body) : body
        expect(content.equals(await readFile(join(dir, 'dist', path))), path).toBe(true)
        if (isGzip) paths.push(path)
      }
      return paths
    }
    const loseRecord = async () => {
      const records = [...target.s3.server.objects(target.bucket).keys()].filter((key) => /^\.static-s3\//.test(key))
      const Delete = { Objects: records.map((Key) => ({ Key })) }
      await target.s3.client().send(new DeleteObjectsCommand({ Bucket: target.bucket, Delete }))
    }

    await build(new Twins())
    const paths = await gzipped()
    expect(paths.map((path) => path.split('.').at(-1)).sort()).toEqual(['css', 'js', 'js'])
    expect(siteObjects(target.s3, target.bucket).size).toBe(paths.length + 1)

    await loseRecord()
    await build(new Twins())
    expect(sitePuts(target.s3)).toEqual([])
    await loseRecord()
    // Without the copies, gzip has other bytes, as by another zlib.
    await rm(join(dir, 'dist'), { recursive: true })
    await build()
    expect(sitePuts(target.s3)).toHaveLength(paths.length)
    expect(await gzipped()).toEqual(paths)
    await build(new Twins())
    expect(operations(target.s3)).toEqual(readsAlone)
  })
})
