import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer, type InlineConfig } from 'vite'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Configuration } from 'webpack'
import { deployEnv } from '../../fixtures/build/environment.js'
import {
  bundlerConfig,
  bundlers,
  closed,
  deployTarget,
  makeApp,
  runOnce,
  viteBuild,
  viteWatchOnce,
  watchOnce,
} from '../../fixtures/build/in-process.js'
import { type App, type BuildResult, buildApp, readTree, type ViteOptions } from '../../fixtures/build/index.js'
import { type EmbeddedS3, startEmbedded } from '../../fixtures/s3/index.js'
import { staticS3 } from '../../src/vite.js'
import { StaticS3Plugin } from '../../src/webpack.js'

const builds: [name: string, app: App, options: ViteOptions][] = [
  ['Vite 5', 'plain', { vite: 'vite5' }],
  ['Vite 6', 'plain', { vite: 'vite6' }],
  ['Vite 7', 'plain', { vite: 'vite7' }],
  ['Vite 8', 'plain', { vite: 'vite' }],
  ['webpack', 'webpack', {}],
  ['Rspack', 'rspack', {}],
]

/** The one thing that the plugin does when it is off is to define STATIC_URL: the app of the Vite builds doesn't use it. */
function configs({ vite }: ViteOptions): { without: ViteOptions; off: ViteOptions } {
  if (vite === undefined) return { without: { plugin: false }, off: {} }
  const files = (plugins: string) => ({
    'vite.config.js': `${plugins ? "import { staticS3 } from 'static-s3/vite'" : ''}
export default {
  plugins: [${plugins}],
  // Vite 8 prints them where a machine is busy.
  build: { rolldownOptions: { checks: { pluginTimings: false } } },
}
`,
  })
  return { without: { vite, files: files('') }, off: { vite, files: files('staticS3()') } }
}

const witness = join(import.meta.dirname, '../../fixtures/build/witness.cjs')

/** Builds, and tells what the process connected to and loaded. */
async function watched(app: App, options: ViteOptions): Promise<BuildResult & { seen: string[] }> {
  const file = join(await mkdtemp(join(tmpdir(), 'static-s3-witness-')), 'seen')
  const env = { ...options.env, NODE_OPTIONS: `--require "${witness}"`, WITNESS_FILE: file }
  const build = await buildApp(app, { ...options, env })
  expect(build.code, build.output).toBe(0)
  const lines = (await readFile(file, 'utf8')).trim().split('\n')
  expect(lines).toContain('exit')
  return { ...build, seen: lines.filter((line) => line !== 'exit') }
}

describe.each(builds)('USE_S3 not set: %s', (_name, app, options) => {
  let without: BuildResult
  let off: BuildResult & { seen: string[] }

  beforeAll(async () => {
    const config = configs(options)
    without = await buildApp(app, config.without)
    off = await watched(app, config.off)
  })

  test('the output is byte for byte that of a build without the plugin', async () => {
    expect(without.code, without.output).toBe(0)
    const [expected, actual] = await Promise.all([readTree(without.outDir), readTree(off.outDir)])
    expect(expected.size).toBeGreaterThan(4)
    expect([...actual.keys()]).toEqual([...expected.keys()])
    for (const [path, bytes] of expected) expect(actual.get(path)?.equals(bytes), path).toBe(true)
  })

  test('no SDK is loaded, and nothing is connected to', () => expect(off.seen).toEqual([]))

  test('one line is printed', () => {
    const lines = off.output.split('\n').filter((line) => line.includes('static-s3'))
    expect(lines).toEqual([expect.stringMatching(/off: USE_S3 is not set, in the shell or in .env files of /)])
    expect(lineCount(off)).toBe(lineCount(without) + 1)
  })
})

function lineCount({ output }: BuildResult): number {
  return output.trim().split('\n').length
}

describe('USE_S3 set', () => {
  let s3: EmbeddedS3
  beforeAll(async () => {
    s3 = await startEmbedded()
  })
  afterAll(() => s3.close())

  test('the SDK is loaded and the bucket connected to: what the tests above look for can be seen', async () => {
    const bucket = await s3.createBucket()
    const env = deployEnv(s3, bucket)
    const { seen, dir } = await watched('react', { env })
    expect(new Set(seen.filter((line) => line.startsWith('connect ')))).toEqual(
      new Set([`connect ${new URL(s3.endpoint).host}`]),
    )
    const unchanged = await watched(dir as App, { env })
    expect(unchanged.output).toMatch(/nothing to upload/)
    // The SDK is for credentials that need its chain, and not for copies.
    const keys = join(await mkdtemp(join(tmpdir(), 'static-s3-keys-')), 'credentials')
    const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, ...others } = env
    await writeFile(keys, `[default]\naws_access_key_id = ${id}\naws_secret_access_key = ${secret}\n`)
    const tagged = {
      ...others,
      AWS_SHARED_CREDENTIALS_FILE: keys,
      AWS_S3_OBJECT_PARAMETERS: '{"Metadata":{"built-by":"ci"}}',
    }
    const copied = await watched(dir as App, { env: tagged })
    expect(copied.output).toMatch(/ headers +9 /)
    for (const each of [seen, unchanged.seen]) expect(each.filter((line) => line.startsWith('sdk '))).toEqual([])
    expect(copied.seen).toContain('sdk @aws-sdk/credential-provider-node')
    expect(copied.seen).not.toContain('sdk @aws-sdk/client-s3')
  })

  test('NODE_ENV=development in a .env file makes it a development build: nothing leaves, no URL points to the bucket', async () => {
    const bucket = await s3.createBucket()
    s3.server.reset()
    const files = { '.env': 'NODE_ENV=development\n' }
    const { code, output, outDir } = await buildApp('react', { files, env: deployEnv(s3, bucket) })
    expect(code, output).toBe(0)
    expect(output).toMatch(/off: this is not a production build: NODE_ENV is development/)
    expect(s3.server.requests).toEqual([])
    for (const [path, bytes] of await readTree(outDir)) expect(bytes.includes(s3.endpoint), path).toBe(false)
  })
})

describe('USE_S3 set, and a build that is for no visitor: nothing is uploaded', () => {
  const target = deployTarget()
  afterEach(() => expect(target.s3.server.requests).toEqual([]))

  const app = {
    'index.html': '<!doctype html><script type="module" src="/src/index.js"></script>',
    'src/index.js': "export const title = 'title'",
  }
  const build = async (config: InlineConfig) =>
    viteBuild('vite', await makeApp(app), { plugins: [staticS3()], ...config })

  test('a watch build (Vite)', async () => viteWatchOnce('vite', await makeApp(app), { plugins: [staticS3()] }))

  test('a dev server (Vite)', async () => {
    const config: InlineConfig = { configFile: false, plugins: [staticS3()], logLevel: 'silent' }
    const server = await createServer({ ...config, root: await makeApp(app), server: { port: 0, host: '127.0.0.1' } })
    try {
      await server.listen()
      expect((await server.transformRequest('/src/index.js'))?.code).toContain('title')
    } finally {
      await server.close()
    }
  })

  test('a development build (Vite)', async () => {
    vi.stubEnv('NODE_ENV', 'development')
    await build({})
  })
  test('a server-side bundle (Vite)', () => build({ build: { ssr: 'src/index.js' } }))
  test('a build that writes nothing (Vite)', () => build({ build: { write: false } }))

  describe.each(bundlers)('%s', (_name, bundler) => {
    const compilerFor = async (config: Configuration) =>
      bundler.create(bundlerConfig(bundler, await makeApp(app), { ...config, plugins: [new StaticS3Plugin()] }))

    test('a watch build', async () => watchOnce(await compilerFor({})))

    test.each<[what: string, config: Configuration]>([
      ['a development build', { mode: 'development' }],
      ['a server-side bundle', { target: 'node' }],
      ['a server-side bundle by browserslist', { target: 'browserslist:node 20' }],
    ])('%s', async (_what, config) => {
      const compiler = await compilerFor(config)
      await runOnce(compiler).finally(() => closed(compiler))
    })
  })

  test('but the same build for visitors is', async () => {
    await build({})
    expect(target.s3.server.requests).not.toEqual([])
    target.s3.server.reset()
  })
})
