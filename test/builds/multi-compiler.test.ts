import { join } from 'node:path'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import type { Compiler, Configuration } from 'webpack'
import { runCommand } from '../../fixtures/build/command.js'
import { deployEnv } from '../../fixtures/build/environment.js'
import {
  type Bundler,
  bundlerConfig,
  bundlers,
  closed,
  deployTarget,
  makeApp,
  runOnce,
  writeFiles,
} from '../../fixtures/build/in-process.js'
import { readTree } from '../../fixtures/build/index.js'
import { siteObjects, sitePuts, uploadedPaths, writes } from '../../fixtures/build/site.js'
import type { Options } from '../../src/settings/options.js'
import { StaticS3Plugin } from '../../src/webpack.js'

// A configuration that is an array, as server-side rendering and applications with two bundles have it.

const target = deployTarget()

const app = {
  'src/index.js': `import photo from './photo.png'
import './style.css'
document.title = photo
import('./lazy.js')`,
  'src/admin.js': `import photo from './photo.png'
document.body.append('admin', photo)`,
  'src/server.js': `import photo from './photo.png'
export const page = () => '<img src="' + photo + '">'`,
  'src/worker.js': `self.onmessage = () => {}`,
  'src/lazy.js': `document.body.append('lazy')`,
  'src/style.css': 'body { color: green }',
  'src/photo.png': Buffer.alloc(6000, 7),
  'public/robots.txt': 'User-agent: *',
}

const puts = () => sitePuts(target.s3).map(({ key }) => key.replace('static/', ''))
const tree = async (dir: string, folder = 'dist') => [...(await readTree(join(dir, folder))).keys()]
const uploaded = () => uploadedPaths(target.s3, target.bucket)

async function build(bundler: Bundler, configs: Configuration[]): Promise<void> {
  const compiler = bundler.create(configs)
  try {
    await runOnce(compiler)
  } finally {
    await closed(compiler)
  }
}

describe.each(bundlers)('several configurations: %s', (_name, bundler) => {
  let dir: string
  let common: Configuration
  const web = (config: Configuration = {}): Configuration => ({
    ...common,
    name: 'web',
    ...config,
    output: { ...common.output, ...config.output },
    plugins: [
      ...(common.plugins ?? []),
      new bundler.copy({ patterns: [{ from: 'public' }] }),
      ...(config.plugins ?? []),
    ],
  })
  const server = (config: Configuration = {}): Configuration => ({
    ...common,
    name: 'server',
    target: 'node',
    entry: './src/server.js',
    ...config,
    output: { ...common.output, filename: 'server.js', library: { type: 'commonjs2' }, ...config.output },
  })

  beforeEach(async () => {
    dir = await makeApp(app)
    common = bundlerConfig(bundler, dir)
  })

  const orders: [order: string, arrange: (web: Configuration, server: Configuration) => Configuration[]][] = [
    ['web first', (web, server) => [web, server]],
    ['server first', (web, server) => [server, web]],
    ['web waits for server', (web, server) => [{ ...web, dependencies: ['server'] }, server]],
    ['server waits for web', (web, server) => [web, { ...server, dependencies: ['web'] }]],
  ]

  test.each(orders)(
    'a server bundle in the same folder stays home, the plugin being in the web one only: %s',
    async (_order, arrange) => {
      await build(bundler, arrange(web({ plugins: [new StaticS3Plugin()] }), server()))
      const files = await tree(dir)
      expect(files).toContain('server.js')
      expect(uploaded()).toEqual(files.filter((path) => path !== 'server.js'))
      expect(puts().length).toBe(new Set(puts()).size)
    },
  )

  test.each(orders)('a plugin object in both uploads what is for browsers: %s', async (_order, arrange) => {
    const plugins = [new StaticS3Plugin()]
    await build(bundler, arrange(web({ plugins }), server({ plugins, output: { path: join(dir, 'dist/server') } })))
    const files = await tree(dir)
    expect(files).toContain('server/server.js')
    expect(uploaded()).toEqual(files.filter((path) => !path.startsWith('server/')))
    expect(puts().length).toBe(new Set(puts()).size)
    // Pages that it renders need the same URLs as the browser.
    const code = (await readTree(join(dir, 'dist/server'))).get('server.js')?.toString()
    expect(code).toContain(`${target.s3.endpoint}/${target.bucket}/static/`)
  })

  test('two bundles for browsers in one folder: all is there, and each file of one bundle goes up once', async () => {
    const plugins = [new StaticS3Plugin()]
    await build(bundler, [
      web({ plugins }),
      {
        ...common,
        plugins: [...(common.plugins ?? []), ...plugins],
        name: 'admin',
        entry: { admin: './src/admin.js' },
      },
    ])
    expect(uploaded()).toEqual(await tree(dir))
    expect(puts().filter((path) => !path.endsWith('.png')).length).toBe((await tree(dir)).length - 1)
    const immutable = target.s3.server.requests.filter(({ headers }) => headers['cache-control']?.includes('immutable'))
    expect(new Set(immutable.map(({ key }) => key)).size).toBe((await tree(dir)).length - 1)
  })

  test('two bundles in one location are restored together, and neither is staged alone', async () => {
    const run = async (version: string, options: Options = {}) => {
      await writeFiles(dir, { 'public/robots.txt': version, 'public-admin/admin.txt': version })
      const plugins = [new StaticS3Plugin(options)]
      const admin = new bundler.copy({ patterns: [{ from: 'public-admin' }] })
      await build(bundler, [
        web({ plugins }),
        {
          ...common,
          output: { ...common.output, path: join(dir, 'dist-admin') },
          plugins: [...(common.plugins ?? []), admin, ...plugins],
          name: 'admin',
          entry: { admin: './src/admin.js' },
        },
      ])
    }
    const texts = () => {
      const objects = siteObjects(target.s3, target.bucket)
      return ['static/robots.txt', 'static/admin.txt'].map((key) => `${objects.get(key)?.body}`)
    }
    for (const version of ['one', 'two', 'three']) await run(version)
    for (const dryRun of [true, false]) {
      const staged = run('staged', { activate: false, dryRun })
      await expect(staged).rejects.toThrow(/several builds of this run share this location/)
    }
    expect(texts()).toEqual(['three', 'three'])
    const rollback = () => runCommand('/', ['rollback'], deployEnv(target.s3, target.bucket))
    for (const version of ['two', 'one']) {
      const { code, stderr } = await rollback()
      expect(code, stderr).toBe(0)
      expect(texts()).toEqual([version, version])
    }
    expect((await rollback()).stderr).toContain('has no release before')
  })

  test('two bundles for browsers in folders of their own, under a location each', async () => {
    await build(bundler, [
      web({ plugins: [new StaticS3Plugin({ location: 'one' })] }),
      {
        ...web({ plugins: [new StaticS3Plugin({ location: 'two' })] }),
        name: 'two',
        output: { ...common.output, path: join(dir, 'dist-two') },
      },
    ])
    const keys = [...siteObjects(target.s3, target.bucket).keys()]
    expect(
      keys
        .filter((key) => key.startsWith('one/'))
        .map((key) => key.slice(4))
        .sort(),
    ).toEqual(await tree(dir))
    expect(
      keys
        .filter((key) => key.startsWith('two/'))
        .map((key) => key.slice(4))
        .sort(),
    ).toEqual(await tree(dir, 'dist-two'))
  })

  test('if the second one’s upload fails, the message says that the first one is live', async () => {
    const at = (location: string, name?: string) => ({
      ...web({ plugins: [new StaticS3Plugin({ location })] }),
      ...(name ? { name } : {}),
      output: { ...common.output, path: join(dir, location) },
    })
    target.s3.server.intercept = ({ operation, key = '' }) =>
      operation === 'PutObject' && key.startsWith('two/') ? { status: 403, code: 'AccessDenied' } : undefined
    const configs = Object.assign([at('one', 'shop'), at('two', 'admin'), at('three', 'blog')], { parallelism: 1 })
    await expect(build(bundler, configs)).rejects.toThrow(
      /AccessDenied.*\nThe site stands as it was\..*\nThis is the state of admin\. Live already: shop\. Not begun: blog\. The next run/,
    )
    target.s3.server.intercept = undefined
    const locations = new Set([...siteObjects(target.s3, target.bucket).keys()].map((key) => key.split('/')[0]))
    expect(locations).toEqual(new Set(['one']))
  })

  test('a plugin object in both leaves out the only file of one', async () => {
    const plugins = [new StaticS3Plugin({ exclude: ['sw.js'] })]
    const worker = { ...common, target: 'webworker', output: { ...common.output, filename: 'sw.js' }, plugins }
    await build(bundler, [web({ plugins }), { ...worker, name: 'worker', entry: './src/worker.js' }])
    const files = await tree(dir)
    expect(files).toContain('sw.js')
    expect(uploaded()).toEqual(files.filter((path) => path !== 'sw.js'))
  })

  test('one may refer to a file of another', async () => {
    await writeFiles(dir, { 'src/index.js': `new Worker(process.env.STATIC_URL + 'worker.js')` })
    const plugins = [new StaticS3Plugin()]
    const worker = { ...common, target: 'webworker', output: { ...common.output, filename: 'worker.js' }, plugins }
    await build(bundler, [web({ plugins }), { ...worker, name: 'worker', entry: './src/worker.js' }])
    expect(uploaded()).toEqual(await tree(dir))
    expect(uploaded()).toContain('worker.js')
  })

  test.each(['first', 'last'])('nothing goes live if the files of the %s one fail a check', async (position) => {
    const plugins = [new StaticS3Plugin()]
    const leaking = { ...common, plugins: [...(common.plugins ?? []), ...plugins], name: 'leaking' }
    await writeFiles(dir, { 'src/leak.js': `document.title = '${process.env.AWS_SECRET_ACCESS_KEY}'` })
    const configs = [web({ plugins }), { ...leaking, entry: { leak: './src/leak.js' } }]
    const listeners = process.listenerCount('SIGINT')
    await expect(build(bundler, position === 'last' ? configs : configs.reverse())).rejects.toThrow(
      /nothing was uploaded\n.*the secret access key in use/,
    )
    expect(writes(target.s3)).toEqual([])
    expect(process.listenerCount('SIGINT')).toBe(listeners)
  })

  const broken = (config: Configuration = {}): Configuration => ({
    ...common,
    name: 'broken',
    entry: './src/not-there.js',
    ...config,
  })
  const throws = {
    apply: (compiler: Compiler) =>
      compiler.hooks.run.tap('throws', () => {
        throw new Error('not-there')
      }),
  }
  const failing: [how: string, arrange: (plugin: StaticS3Plugin) => Configuration[], parallelism?: number][] = [
    ['last, with the plugin', (plugin) => [web({ plugins: [plugin] }), broken({ plugins: [plugin] })]],
    [
      'last, with a plugin of its own',
      (plugin) => [web({ plugins: [plugin] }), broken({ plugins: [new StaticS3Plugin()] })],
    ],
    ['first, without the plugin', (plugin) => [broken(), web({ plugins: [plugin] })]],
    ['after the others are done', (plugin) => [web({ plugins: [plugin] }), broken()], 1],
    ['that waits for the others', (plugin) => [web({ plugins: [plugin] }), broken({ dependencies: ['web'] })]],
    ['by an exception', (plugin) => [web({ plugins: [plugin] }), server({ plugins: [throws], dependencies: ['web'] })]],
  ]
  test.each(failing)('nothing goes live if one configuration fails: %s', async (_how, arrange, parallelism) => {
    const configs = Object.assign(arrange(new StaticS3Plugin()), parallelism === undefined ? {} : { parallelism })
    await expect(build(bundler, configs)).rejects.toThrow(/not-there/)
    expect(writes(target.s3)).toEqual([])
  })

  test('nothing goes live before the last configuration is done; if the upload then fails, so does the build, with the reason', async () => {
    const seen: number[] = []
    const witness = {
      apply: (compiler: Compiler) => compiler.hooks.done.tap('witness', () => void seen.push(writes(target.s3).length)),
    }
    const configs = () => [
      web({ plugins: [new StaticS3Plugin()] }),
      server({ plugins: [witness], dependencies: ['web'] }),
    ]
    await build(bundler, configs())
    expect(seen).toEqual([0])
    expect(uploaded()).toContain('robots.txt')
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'wrong')
    await expect(build(bundler, configs())).rejects.toThrow(/SignatureDoesNotMatch/)
  })
})
