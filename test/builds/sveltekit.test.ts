import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { makeFolder, removeFolders } from '../../fixtures/build/folders.js'
import { withStaticS3 } from '../../src/sveltekit.js'

// `npm run test:frameworks` builds real apps. These are the cases that need none.

const url = 'https://cdn.example.com/static'
const env = { NODE_ENV: 'production', USE_S3: '1', AWS_STORAGE_BUCKET_NAME: 'my-bucket', STATIC_S3_UPLOAD: '0' }

// biome-ignore lint/suspicious/noExplicitAny: SvelteKit passes objects of many types
type Any = any

let root: string

beforeEach(async () => {
  root = await makeFolder({ 'src/app.html': '' })
  for (const [name, value] of Object.entries({ ...env, AWS_S3_CUSTOM_DOMAIN: 'cdn.example.com' }))
    vi.stubEnv(name, value)
})
afterEach(() => void vi.unstubAllEnvs())
afterAll(removeFolders)

const adapter = () => ({ name: 'adapter', adapt: vi.fn() })

describe('SvelteKit 2, which reads its options before any hook', () => {
  test.each(['kit', undefined])('gets the URL and keeps the other options (in %s)', (key) => {
    const given = { adapter: adapter(), paths: { base: '/shop' }, version: { name: '7', pollInterval: 1 } }
    const config: Any = withStaticS3<object>(key ? { kit: given, extensions: ['.svelte'] } : given)
    const { paths, version, adapter: wrapped } = key ? config.kit : config
    expect(paths).toEqual({ base: '/shop', assets: url })
    expect(version).toEqual({ name: '7', pollInterval: 1 })
    expect(wrapped.name).toBe('adapter')
    if (key) expect(config.extensions).toEqual(['.svelte'])
  })

  test.each([
    ['off', { USE_S3: '' }],
    ['in development', { NODE_ENV: 'development' }],
    ['where a setting is wrong, which the build reports', { AWS_STORAGE_BUCKET_NAME: '' }],
  ])('keeps its options %s', (_when, variables) => {
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value)
    const config: Any = withStaticS3({ kit: { adapter: adapter() } })
    expect(config.kit.paths).toEqual({ assets: '' })
    expect(config.kit.version).toBeUndefined()
  })

  test('uploads without Vite’s hooks too, and says what is missing', async () => {
    const log = { info: vi.fn(), warn: vi.fn() }
    const own = adapter()
    const config: Any = withStaticS3({ kit: { adapter: own } })
    const out = join(root, '.svelte-kit')
    const builder = {
      log,
      config: { kit: { appDir: '_app', paths: { base: '' } } },
      getBuildDirectory: (name: string) => join(out, name),
      rimraf: vi.fn(),
      writeClient: vi.fn(),
      writePrerendered: vi.fn(),
      generateFallback: vi.fn(),
    }
    await mkdir(join(out, 'static-s3/_app/immutable'), { recursive: true })
    await writeFile(join(out, 'static-s3/_app/immutable/a.BZwFXJg4.js'), '1')
    await config.kit.adapter.adapt(builder)
    expect(own.adapt).toHaveBeenCalledOnce()
    expect(log.warn.mock.calls.join()).toContain('workers do not run from the bucket')
    expect(log.info.mock.calls.join()).toContain('upload is off')
    const { builds } = JSON.parse(await readFile(join(out, 'static-s3/.static-s3.json'), 'utf8'))
    expect(Object.keys(builds[0].fingerprinted)).toEqual(['_app/immutable/a.BZwFXJg4.js'])
  })

  test('without an adapter: an error', () => {
    expect(() => withStaticS3({ kit: {} })).toThrow('static-s3: adapter is not set')
  })
})

describe('SvelteKit 3, whose adapters have plugins for Vite', () => {
  const begin = async (given: object, validated: Any = { paths: {}, version: {} }) => {
    const config: Any = withStaticS3({ adapter: adapter(), ...given })
    const [first] = config.adapter.vite({ config: validated }).plugins.pre
    await first.config.handler({ root }, { command: 'build', mode: 'production' })
    return validated
  }

  test('gets the URL from the hook', async () => {
    expect(await begin({ version: { name: '7' } })).toEqual({ paths: { assets: url }, version: { name: '7' } })
  })

  test('paths.assets that leads elsewhere is an error, without rewriting it is not', async () => {
    const paths = { assets: 'https://other.example.com' }
    await expect(begin({ paths })).rejects.toThrow(
      `static-s3: paths.assets is "https://other.example.com": remove it, because static-s3 sets it to ${url}`,
    )
    const config: Any = withStaticS3({ adapter: adapter(), paths }, { rewrite: false })
    expect(config.paths).toEqual(paths)
  })

  test('a service worker is an error, without rewriting it is not', async () => {
    await writeFile(join(root, 'src/service-worker.ts'), '')
    await expect(begin({})).rejects.toThrow(/^static-s3: src.service-worker\.ts: SvelteKit builds no service worker/)
    await rm(join(root, 'src/service-worker.ts'))
  })

  test('keeps the adapter’s own plugins', () => {
    const [pre, post] = [{ name: 'pre' }, { name: 'post' }]
    for (const plugins of [[pre], { pre: [pre], post: [post] }]) {
      for (const vite of [{ plugins, getRequest: 1 }, () => ({ plugins, getRequest: 1 })]) {
        const config: Any = withStaticS3({ adapter: { ...adapter(), vite } })
        const result = config.adapter.vite({ config: {} })
        expect(result.getRequest).toBe(1)
        expect(result.plugins.pre.at(-1)).toBe(pre)
        expect(result.plugins.post).toEqual(Array.isArray(plugins) ? [] : [post])
      }
    }
  })
})
