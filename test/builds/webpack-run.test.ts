import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { describe, expect, test, vi } from 'vitest'
import type { Compiler, Configuration } from 'webpack'
import {
  bundlerConfig,
  bundlers,
  closed,
  deployTarget,
  makeApp,
  runOnce,
  watchOnce,
} from '../../fixtures/build/in-process.js'
import { readTree } from '../../fixtures/build/index.js'
import { uploadedPaths, writes } from '../../fixtures/build/site.js'
import { StaticS3Plugin } from '../../src/webpack.js'

// When a build learns the public URL, when it ends, and what users see of its deploy, also where a framework runs the bundler.

const target = deployTarget()

const app = {
  'src/index.js': `import './style.css'
import('./lazy.js')`,
  'src/lazy.js': `document.body.append('lazy')`,
  'src/style.css': 'body { background: url("./photo.png") }',
  'src/photo.png': Buffer.alloc(6000, 7),
}

/** A plugin that has a copy of the public path, and one that reads it in `apply`. */
class EntryPointsPlugin {
  constructor(public publicPath: string) {}
  seen: unknown[] = []
  apply(compiler: Compiler): void {
    this.seen.push(compiler.options.output.publicPath)
    compiler.hooks.afterEmit.tap('EntryPointsPlugin', () => void this.seen.push(this.publicPath))
  }
}

/** Rsbuild, vue-cli and Encore say in such a tap whether the build has failed. */
class Framework {
  failed: boolean[] = []
  apply(compiler: Compiler): void {
    compiler.hooks.done.tap('framework', (stats) => void this.failed.push(stats.hasErrors()))
  }
}

describe.each(bundlers)('%s', (name, bundler) => {
  const printed = () => {
    const texts: string[] = []
    const stream = new Writable({ write: (text, _encoding, done) => done(void texts.push(String(text))) })
    return { stream, text: () => texts.join('') }
  }
  const configuration = (dir: string, config: Configuration): Configuration => {
    const configured = bundlerConfig(bundler, dir, config)
    // As vue-cli has it.
    for (const { use } of (configured.module?.rules ?? []) as { use?: unknown[] }[]) {
      use?.splice(0, 1, { loader: bundler.css.loader, options: { publicPath: '/app/' } })
    }
    return configured
  }

  test('plugins see the public URL in `apply`, and copies of the public path follow; users see the summary at any log level', async () => {
    const dir = await makeApp({ ...app, 'dist/robots.txt': 'User-agent: *' })
    const entryPoints = new EntryPointsPlugin('/app')
    const { stream, text } = printed()
    const config = configuration(dir, {
      output: { publicPath: '/app/' },
      infrastructureLogging: { level: 'error', stream },
      plugins: [new StaticS3Plugin(), entryPoints, new bundler.html()],
    })
    const compiler = bundler.create(config)
    await runOnce(compiler)
    await closed(compiler)
    expect(entryPoints.seen).toEqual([target.publicUrl, target.publicUrl])
    const files = await readTree(join(dir, 'dist'))
    const css = [...files].find(([path]) => path.endsWith('.css'))?.[1].toString()
    expect(css).toContain(`url(${target.publicUrl}photo.`)
    const html = files.get('index.html')?.toString()
    expect(html?.match(new RegExp(`<(script|link) crossorigin [^>]*"${target.publicUrl}`, 'g'))).toHaveLength(2)
    // The files that were copied to the output folder before the build too.
    expect(uploadedPaths(target.s3, target.bucket)).toEqual([...files.keys()])
    expect(files.has('robots.txt')).toBe(true)
    expect(text()).toMatch(/^<i> \[static-s3\] s3:.*\n(.*\n)*<i> .*release 1 live/)
  })

  test('a watch build in production mode is as without the plugin', async () => {
    const dir = await makeApp(app)
    const trees = []
    for (const plugins of [[new StaticS3Plugin()], []]) {
      const compiler = bundler.create(
        bundlerConfig(bundler, dir, { output: { clean: true }, plugins: [...plugins, new bundler.html()] }),
      )
      await watchOnce(compiler)
      await closed(compiler)
      trees.push(await readTree(join(dir, 'dist')))
    }
    expect(trees[0]).toEqual(trees[1])
    expect(target.s3.server.requests).toEqual([])
  })

  test("in Next's configuration, a build that is on fails with a pointer to its entry, and one that is off is left alone", async () => {
    const dir = await makeApp(app)
    const config = () =>
      bundlerConfig(bundler, dir, {
        resolve: { alias: { 'private-next-root-dir': dir } },
        plugins: [new StaticS3Plugin()],
      })
    const on = bundler.create(config())
    await expect(runOnce(on)).rejects.toThrow(/^static-s3: StaticS3Plugin .*'static-s3\/next'/)
    await closed(on)
    vi.stubEnv('USE_S3', 'off')
    const off = bundler.create(config())
    await runOnce(off)
    await closed(off)
    expect(target.s3.server.requests).toEqual([])
    expect(existsSync(join(dir, 'dist'))).toBe(true)
  })

  test('a deploy that fails at the end fails the build with its reason, though a framework has found no error', async () => {
    const dir = await makeApp(app)
    const framework = new Framework()
    const plugins = [framework, new StaticS3Plugin()]
    target.s3.server.intercept = ({ operation }) =>
      operation === 'PutObject' ? { status: 403, code: 'AccessDenied' } : undefined
    const compiler = bundler.create(bundlerConfig(bundler, dir, { plugins }))
    await expect(runOnce(compiler)).rejects.toThrow(/^static-s3: .*AccessDenied/)
    target.s3.server.intercept = undefined
    await closed(compiler)
    expect(framework.failed).toEqual([false])
  })

  test('a wrong key ends the build before it writes, as soon as the store has refused it', async () => {
    const modules = 40
    const chain = Object.fromEntries(
      Array.from({ length: modules }, (_, i) => [
        `src/slow-${i}.js`,
        i + 1 < modules ? `import './slow-${i + 1}.js'` : '',
      ]),
    )
    const dir = await makeApp({
      'src/index.js': `import './slow-0.js'`,
      ...chain,
      'slow.cjs': `module.exports = function (source) {
  globalThis.slowModules = (globalThis.slowModules ?? 0) + 1
  setTimeout(this.async(), 50, null, source)
}`,
    })
    const config = bundlerConfig(bundler, dir, { plugins: [new StaticS3Plugin()] })
    config.module?.rules?.push({ test: /slow-/, loader: join(dir, 'slow.cjs') })
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'wrong')
    vi.stubGlobal('slowModules', 0)
    const compiler = bundler.create(config)
    await expect(runOnce(compiler)).rejects.toThrow(
      /SignatureDoesNotMatch.*\n.*The build was ended, and the site stands/,
    )
    await closed(compiler)
    expect(writes(target.s3)).toEqual([])
    expect(existsSync(join(dir, 'dist'))).toBe(false)
    if (name === 'webpack') expect(Reflect.get(globalThis, 'slowModules')).toBeLessThan(modules)
    vi.unstubAllGlobals()
  })
})
