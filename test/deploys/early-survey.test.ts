import { existsSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { deployEnv } from '../../fixtures/build/environment.js'
import {
  type App,
  type BuildResult,
  buildRspack,
  buildVite,
  buildWebpack,
  copyApp,
  runScript,
  type ViteVersion,
} from '../../fixtures/build/index.js'
import { firstReads, operations, readsAlone } from '../../fixtures/build/site.js'
import { patience } from '../../fixtures/patience.js'
import { freePorts } from '../../fixtures/s3/free-ports.js'
import { type EmbeddedS3, type Fault, type LoggedRequest, startEmbedded } from '../../fixtures/s3/index.js'
import { startEarlySurvey } from '../../src/deploy/early-survey.js'
import { loadSettings } from '../../src/deploy/load-settings.js'
import type { Settings } from '../../src/settings/settings.js'

// The bucket is asked what it holds while the bundler is at work. Whatever becomes of the build then, no request and no process is left.

let s3: EmbeddedS3
let bucket: string
let env: Record<string, string>

// A server for each test: a process that should have ended doesn't get into the next one's log, and gets no further.
beforeEach(async () => {
  s3 = await startEmbedded()
  bucket = await s3.createBucket()
  env = deployEnv(s3, bucket)
  s3.server.reset()
})
afterEach(() => s3.close())

const releases = '.static-s3/static/releases/'
const prefixes = () => s3.server.requests.map(({ query }) => query.prefix)
/** Whoever asked has closed the connection, and got no answer. */
const isCut = ({ status, time }: LoggedRequest) => status === 0 && time > 0
const never = () => new Promise<never>(() => {})
/** A hook of another plugin, as the code of a function without parameters, by the name that its bundler has for it. */
type Hooks = Record<string, string>

interface Way {
  name: string
  app: App
  /** The application with another plugin beside ours. */
  files(hooks: Hooks): Record<string, string>
  build(dir: string, env: Record<string, string | undefined>): Promise<BuildResult>
  /** A script that builds once for each hook in `hooks`, breaks in it, and then has nothing more to do. Only JavaScript can build again. */
  failing?(hooks: readonly string[]): string
  /** The hooks in which a build can fail, in their order. */
  hooks: string[]
  /** The last hook before the bundler writes, and what is there once it has. */
  beforeWriting: string
  written: string
}

/** Waits for a file that the test writes, and not for a test that is over, whose application is gone. */
const until = `async (file) => {
  const { existsSync } = await import('node:fs')
  const app = process.cwd()
  while (!existsSync(file)) {
    if (!existsSync(app)) process.exit(1)
    await new Promise((next) => setTimeout(next, 10))
  }
}`

const viteFiles = (hooks: Hooks) => ({
  'vite.config.js': `import { writeFileSync } from 'node:fs'
import { staticS3 } from 'static-s3/vite'
const until = ${until}
const theirs = {
  name: 'theirs',
  ${Object.entries(hooks)
    .map(
      // In Vite 8, one hook comes after the other.
      ([hook, code]) => `${hook}: { order: '${hook === 'buildStart' ? 'post' : 'pre'}', async handler() { ${code} } },`,
    )
    .join('\n  ')}
}
export default { plugins: [staticS3(), theirs] }
`,
})

const bundlerFiles = (name: 'webpack' | 'rspack', hooks: Hooks) => ({
  'src/index.js': `document.title = 'small'`,
  'loader.cjs': `const hooks = require('./hooks.cjs')
module.exports = function (source) {
  const done = this.async()
  Promise.resolve(hooks.loader?.()).then(() => done(null, source), done)
}
`,
  'hooks.cjs': `const { writeFileSync } = require('node:fs')
const until = ${until}
module.exports = { ${Object.entries(hooks).map(([hook, code]) => `async ${hook}() { ${code} }`)} }
`,
  [`${name}.config.cjs`]: `const path = require('node:path')
const { StaticS3Plugin } = require('static-s3/${name}')
const { loader, processAssets, ...hooks } = require('./hooks.cjs')
const theirs = {
  apply(compiler) {
    for (const hook in hooks) compiler.hooks[hook].tapPromise('theirs', hooks[hook])
    if (processAssets) {
      compiler.hooks.thisCompilation.tap('theirs', (compilation) => {
        compilation.hooks.processAssets.tapPromise('theirs', processAssets)
      })
    }
  },
}
module.exports = {
  mode: 'production',
  context: __dirname,
  entry: './src/index.js',
  output: { path: path.resolve(__dirname, 'dist'), filename: '[name].[contenthash].js' },
  optimization: { minimize: false },
  module: { rules: [{ test: /\\.js$/, use: path.resolve(__dirname, 'loader.cjs') }] },
  plugins: [new StaticS3Plugin(), theirs],
}
`,
})

/** Breaks in one of them, by its name in BREAK_IN, as soon as the bucket has been asked. */
const breakInAny = (hooks: readonly string[]): Hooks =>
  Object.fromEntries(
    hooks.map((hook) => [
      hook,
      `if (process.env.BREAK_IN === '${hook}') { await until('asked'); throw new Error('broken in ${hook}') }`,
    ]),
  )

/** Each build has a survey of its own to wait for. */
const breakInEach = (hooks: readonly string[], build: string) => `import { rmSync } from 'node:fs'
process.exitCode = 1
for (const hook of ${JSON.stringify(hooks)}) {
  rmSync('asked', { force: true })
  process.env.BREAK_IN = hook
  ${build}
}`

const viteFails = (vite: ViteVersion) => (hooks: readonly string[]) =>
  `import { build } from '${vite}'
${breakInEach(hooks, 'await build().catch((error) => console.error(error.message))')}`

const bundlerFails = (name: 'webpack' | 'rspack') => (hooks: readonly string[]) =>
  `import { createRequire } from 'node:module'
const require = createRequire(process.cwd() + '/')
const bundler = require('${name === 'webpack' ? 'webpack' : '@rspack/core'}')
${breakInEach(
  hooks,
  `delete require.cache[require.resolve('./${name}.config.cjs')]
  await new Promise((done) => {
    const compiler = bundler(require('./${name}.config.cjs'))
    compiler.run((error, stats) => {
      console.error(error?.message ?? stats.toString())
      compiler.close(done)
    })
  })`,
)}`

const viteHooks = ['buildStart', 'transform', 'buildEnd', 'renderStart', 'generateBundle', 'writeBundle', 'closeBundle']
const bundlerHooks = ['beforeRun', 'loader', 'processAssets', 'emit', 'afterEmit', 'done']

/** A build whose process ends only when nothing holds it any more. */
const viteScript = (vite: ViteVersion) => `import { build } from '${vite}'
await build().catch((error) => {
  console.error(error.message)
  process.exitCode = 1
})`

const ways: Way[] = [
  ...(['vite5', 'vite6', 'vite7', 'vite'] as const).flatMap((vite): Way[] => {
    const app: App = 'legacy'
    const common = {
      app,
      files: viteFiles,
      // Vite 6 and 7 go the way of 8.
      hooks: /6|7/.test(vite) ? ['generateBundle', 'closeBundle'] : viteHooks,
      beforeWriting: 'generateBundle',
      written: 'dist/index.html',
    }
    return [
      {
        ...common,
        name: `${vite}, by JavaScript`,
        build: (dir, env) => runScript(dir, viteScript(vite), env),
        failing: viteFails(vite),
      },
      // A command ends its process itself: one version stands for all.
      ...(vite === 'vite'
        ? [
            {
              ...common,
              hooks: ['generateBundle', 'closeBundle'],
              name: `${vite}, by command`,
              build: (dir: string, env: Record<string, string>) => buildVite(dir, { vite, env }),
            },
          ]
        : []),
    ]
  }),
  ...(['webpack', 'rspack'] as const).flatMap((app): Way[] => {
    const build = app === 'webpack' ? buildWebpack : buildRspack
    const files = (hooks: Hooks) => bundlerFiles(app, hooks)
    const common = { app, files, hooks: bundlerHooks, beforeWriting: 'emit', written: 'dist' }
    return [
      { ...common, hooks: ['emit', 'done'], name: `${app}, by command`, build: (dir, env) => build(dir, { env }) },
      {
        ...common,
        name: `${app}, by JavaScript`,
        build: (dir, env) => build(dir, { env, api: true }),
        failing: bundlerFails(app),
      },
    ]
  }),
]
const named = (all: Way[]) => all.map((way) => [way.name, way] as const)
const only = (pattern: RegExp) => named(ways.filter(({ name }) => pattern.test(name)))

/** Runs until the hook comes, and then until the test writes a file of this name. */
const waitFor = (hook: string, file: string): Hooks => ({ [hook]: `await until('${file}')` })
const breakIn = (hook: string): Hooks => ({ [hook]: `await until('asked'); throw new Error('broken in ${hook}')` })

/** Records of other locations, above and inside. */
const around = ['.static-s3/releases/', '.static-s3/static/']

/** The prefixes that were listed before the first write, sorted, and how many records were read. */
function askedFirst(): { listed: (string | undefined)[]; read: number } {
  const { requests } = s3.server
  const first = requests.findIndex(({ method }) => method === 'PUT')
  const reads = first < 0 ? requests : requests.slice(0, first)
  const lists = reads.filter(({ operation }) => operation === 'ListObjectsV2')
  return { listed: lists.map(({ query }) => query.prefix).sort(), read: reads.length - lists.length }
}

/** One process builds for each hook, fails in it, and ends by itself. */
async function failInEach(
  way: Way,
  hooks: readonly string[],
  answer: (request: number) => Promise<Fault> | Fault,
  breaks = breakInAny(hooks),
) {
  const dir = await copyApp(way.app, { files: way.files(breaks) })
  let requests = 0
  s3.server.intercept = async (request) => {
    const fault = answer(requests++)
    // The process lives on, so a request that the previous build left open would stay open.
    const others = () => s3.server.requests.filter((each) => each !== request)
    if (answer === never) await vi.waitFor(() => expect(others().every(isCut)).toBe(true), patience)
    await writeFile(join(dir, 'asked'), '')
    return fault
  }
  const { code, output } = await runScript(dir, way.failing?.(hooks) ?? '', env)
  expect(code, output).toBe(1)
  const broken = output.match(/broken in \w+/g) ?? []
  expect(broken.filter((each, i) => each !== broken[i - 1])).toEqual(hooks.map((hook) => `broken in ${hook}`))
}

describe.each(only(/by JavaScript/))('%s', (_name, way) => {
  test('all that is asked of the bucket is asked before the bundler writes', async () => {
    const dir = await copyApp(way.app, { files: way.files(waitFor(way.beforeWriting, 'asked')) })
    for (const reads of [firstReads, readsAlone]) {
      await rm(join(dir, 'asked'), { force: true })
      await rm(join(dir, 'dist'), { recursive: true, force: true })
      s3.server.reset()
      const early: string[] = []
      s3.server.intercept = async ({ operation }) => {
        if (existsSync(join(dir, way.written))) return undefined
        early.push(operation)
        if (early.length === reads.length) await writeFile(join(dir, 'asked'), '')
        return undefined
      }
      const { code, output } = await way.build(dir, env)
      expect(code, output).toBe(0)
      expect(early.sort()).toEqual(reads)
    }
    // The second build changed nothing: when its files were there, no request was left to make.
    expect(operations(s3)).toEqual(readsAlone)
  })

  test(`builds that fail in ${way.hooks.join(', ')} end, and so does their process, though the bucket never answers`, async () => {
    await failInEach(way, way.hooks, never)
    // A build that waited for the time limit of a request would have sent it again.
    expect(prefixes()).toEqual(way.hooks.map(() => releases))
    await vi.waitFor(() => expect(s3.server.requests.every(isCut)).toBe(true), patience)
  })
})

describe.each(only(/by command/))('%s', (_name, way) => {
  test.each(way.hooks)('a build that fails in %s ends, though the bucket never answers', async (hook) => {
    const dir = await copyApp(way.app, { files: way.files(breakIn(hook)) })
    s3.server.intercept = async () => {
      await writeFile(join(dir, 'asked'), '')
      return never()
    }
    const { code, output } = await way.build(dir, env)
    expect(output).toMatch(`broken in ${hook}`)
    expect(code, output).not.toBe(0)
    expect(prefixes()).toEqual([releases])
    await vi.waitFor(() => expect(s3.server.requests.every(isCut)).toBe(true), patience)
  })
})

describe.skipIf(process.platform === 'win32').each(only(/by command/))('%s (no signals on Windows)', (_name, way) => {
  test.each(['SIGINT', 'SIGTERM'] as const)('%s in the middle of a build ends it at once', async (signal) => {
    const code = `writeFileSync('pid', String(process.pid)); await until('never')`
    const dir = await copyApp(way.app, { files: way.files({ [way.beforeWriting]: code }) })
    s3.server.intercept = never
    const building = way.build(dir, env)
    const pid = await vi.waitFor(async () => {
      expect(s3.server.requests.length).toBe(1)
      const written = Number(await readFile(join(dir, 'pid'), 'utf8'))
      // The file may be there before what is in it, and 0 would be all processes of the group.
      expect(written).toBeGreaterThan(0)
      return written
    }, patience)
    process.kill(pid, signal)
    expect((await building).code).toBe(null)
    await vi.waitFor(() => expect(s3.server.requests.map(isCut)).toEqual([true]), patience)
  })
})

test.each(only(/^(vite|webpack|rspack), by JavaScript/))(
  '%s: builds that fail end while the bucket asks to wait, answers after minutes, or cuts the connection halfway through the answer',
  async (_name, way) => {
    const faults: Fault[] = [
      { status: 503, code: 'SlowDown', headers: { 'retry-after': '20' } },
      { delayMs: 600_000 },
      { destroy: 'midBody' },
    ]
    // The last build's answers are cut, and it may have asked again.
    const fault = (request: number) => faults[Math.min(request, faults.length - 1)] as Fault
    const last = way.hooks.at(-1) as string
    const breaks = `if (process.env.BREAK_IN) { await until('asked'); throw new Error('broken in ' + process.env.BREAK_IN) }`
    await failInEach(way, ['one', 'two', 'three'], fault, { [last]: breaks })
    expect(new Set(prefixes())).toEqual(new Set([releases]))
  },
)

describe.each(only(/^vite, by command/))('what was asked in vain is asked again: %s', (_name, way) => {
  const refused = { status: 403, code: 'AccessDenied' }

  test.each<[what: string, faults: (Fault | undefined)[], listed: string[]]>([
    ['the records', [refused, undefined], [releases, 'static/', releases, 'static/', ...around]],
  ])('%s, where it was refused', async (_what, faults, listed) => {
    const dir = await copyApp(way.app, { files: way.files(waitFor(way.beforeWriting, 'asked')) })
    let count = 0
    s3.server.intercept = async () => {
      if (++count === faults.length) await writeFile(join(dir, 'asked'), '')
      return faults[count - 1]
    }
    const { code, output } = await way.build(dir, env)
    expect(code, output).toBe(0)
    expect(askedFirst()).toEqual({ listed: listed.sort(), read: 0 })
    expect(output).toMatch(/✓ release 1 live in/)
    expect(output).not.toMatch(/is not used/)
  })
})

describe.each(only(/^(vite5, by JavaScript|vite, by command)/))('%s', (_name, way) => {
  /** Time for an answer that is there to be read, however busy the machine is. */
  const answered = `await until('answered'); await new Promise((next) => setTimeout(next, 500))`
  const expectAnswered = async (dir: string, count: number) => {
    const answers = () => s3.server.requests.filter(({ time }) => time > 0)
    await vi.waitFor(() => expect(answers().length).toBeGreaterThanOrEqual(count), patience)
    await writeFile(join(dir, 'answered'), '')
  }

  test.each([
    ['a bucket that is not there', { status: 404, code: 'NoSuchBucket' }],
    ['a key that is not known', { status: 403, code: 'InvalidAccessKeyId' }],
    ['a bucket of somebody else', { status: 403, code: 'AccessDenied' }],
  ])('%s ends the build as soon as the store says so', async (_what, fault) => {
    const dir = await copyApp(way.app, {
      files: way.files({ transform: answered, renderChunk: `writeFileSync('rendered', '')` }),
    })
    s3.server.intercept = () => fault
    const building = way.build(dir, env)
    // Without the right to list the records, the location may still be listed.
    await expectAnswered(dir, fault.code === 'AccessDenied' ? 2 : 1)
    const { code, output } = await building
    expect(code, output).toBe(1)
    expect(output).toContain(fault.code)
    // Once, and without the bundler's stack.
    expect(output.split('The build was ended, and the site stands as it was.')).toHaveLength(2)
    expect(output).not.toMatch(/^\s+at /m)
    expect(existsSync(join(dir, 'rendered'))).toBe(false)
  })

  test('with onError: warn, a build goes on though the store refuses it', async () => {
    const files = way.files({ transform: answered })
    const config = String(files['vite.config.js']).replace('staticS3()', `staticS3({ onError: 'warn' })`)
    const dir = await copyApp(way.app, { files: { 'vite.config.js': config } })
    s3.server.intercept = () => ({ status: 404, code: 'NoSuchBucket' })
    const building = way.build(dir, env)
    await expectAnswered(dir, 1)
    const { code, output } = await building
    expect(code, output).toBe(0)
    expect(output).toContain('NoSuchBucket')
    expect(existsSync(join(dir, way.written))).toBe(true)
  })
})

describe('without an answer of the store', () => {
  /** Without a wait between attempts. */
  const survey = async (endpoint: string) => {
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const build = { watch: false, whyNotProduction: undefined, mode: 'production' }
    const loaded = await loadSettings({ options: { endpoint }, build, envDir: false })
    const early = startEarlySurvey((loaded as { settings: Settings }).settings)
    await expect(early.result()).rejects.toThrow()
    early.stop()
    return early.refusal
  }
  afterEach(() => {
    vi.restoreAllMocks()
    vi.unstubAllEnvs()
  })

  test('an unknown host ends the build', async () => {
    // No name server is asked: a label may have at most 63 characters.
    const refusal = await survey(`http://${'x'.repeat(64)}.example`)
    expect(refusal?.message).toMatch(/ENOTFOUND.*AWS_S3_ENDPOINT_URL/)
  })

  test('a refused connection does not: the store may start before the upload', async () => {
    expect(await survey('http://127.0.0.1:1')).toBeUndefined()
  })
})

describe('what was asked in vain is asked again', () => {
  const [, way] = only(/^vite, by command/)[0] as [string, Way]
  /** Without waits between attempts, which are by chance. */
  const atOnce = '--import "data:text/javascript,Math.random=()=>0"'

  test('where the bucket was in trouble for each attempt', async () => {
    const failures = 5
    const dir = await copyApp(way.app, { files: way.files(waitFor(way.beforeWriting, 'asked')) })
    let count = 0
    s3.server.intercept = async () => {
      if (++count === failures) await writeFile(join(dir, 'asked'), '')
      return count <= failures ? { status: 500, code: 'InternalError' } : undefined
    }
    const { code, output } = await way.build(dir, { ...env, NODE_OPTIONS: atOnce })
    expect(code, output).toBe(0)
    expect(output).toMatch(/✓ release 1 live in/)
    expect(output).not.toMatch(/is not used/)
  })

  test('all of it, where nobody was listening', async () => {
    const [port] = await freePorts(1)
    const dir = await copyApp(way.app, { files: way.files(waitFor(way.beforeWriting, 'asked')) })
    const witness = join(import.meta.dirname, '../../fixtures/build/witness.cjs')
    const seen = join(dir, 'seen')
    const building = way.build(dir, {
      ...env,
      AWS_S3_ENDPOINT_URL: `http://127.0.0.1:${port}`,
      NODE_OPTIONS: `--require "${witness}" ${atOnce}`,
      WITNESS_FILE: seen,
    })
    // Two attempts to list the records.
    await vi.waitFor(async () => {
      const lines = (await readFile(seen, 'utf8')).split('\n')
      expect(lines.filter((line) => line === `connect 127.0.0.1:${port}`)).toHaveLength(2)
    }, patience)
    const late = await startEmbedded({ port })
    try {
      await late.createBucket(bucket)
      late.server.reset()
      await writeFile(join(dir, 'asked'), '')
      const { code, output } = await building
      expect(code, output).toBe(0)
      expect(output).toMatch(/✓ release 1 live in/)
      expect(late.server.requests[0]?.query.prefix).toBe(releases)
    } finally {
      await late.close()
    }
  })
})

describe('asked once in all', () => {
  const once = { listed: [...around, releases, 'static/'].sort(), read: 0 }

  test.each(['vite6', 'vite7', 'vite'] as const)('for a browser’s and a server’s environment: %s', async (vite) => {
    const files = {
      'vite.config.js': `import { staticS3 } from 'static-s3/vite'
export default {
  plugins: [staticS3()],
  builder: {},
  environments: {
    client: { build: { outDir: 'dist' } },
    ssr: { build: { outDir: 'server', ssr: 'src/server.js' } },
  },
}
`,
      'src/server.js': 'export default 1',
    }
    const { code, output, dir } = await buildVite('legacy', { vite, env, files, args: ['--app'] })
    expect(code, output).toBe(0)
    expect(existsSync(join(dir, 'server/server.js'))).toBe(true)
    expect(askedFirst()).toEqual(once)
  })

  test.each(['vite5', 'vite'] as const)('for several outputs: %s', async (vite) => {
    const files = {
      'vite.config.js': `import { staticS3 } from 'static-s3/vite'
export default {
  plugins: [staticS3()],
  build: { rollupOptions: { output: [{ format: 'es' }, { format: 'es', dir: 'dist/second' }] } },
}
`,
    }
    const { code, output, outDir } = await buildVite('legacy', { vite, env, files })
    expect(code, output).toBe(0)
    expect(existsSync(join(outDir, 'second'))).toBe(true)
    expect(askedFirst()).toEqual(once)
  })

  test.each(['webpack', 'rspack'] as const)('for a browser’s and a server’s configuration: %s', async (name) => {
    const files = bundlerFiles(name, {})
    const config = `${name}.config.cjs` as const
    files[config] += `
const output = { path: path.resolve(__dirname, 'server'), filename: 'server.js' }
module.exports = [module.exports, { ...module.exports, name: 'server', target: 'node', output, plugins: [new StaticS3Plugin()] }]
`
    const build = name === 'webpack' ? buildWebpack : buildRspack
    const { code, output, dir } = await build(name, { env, files })
    expect(code, output).toBe(0)
    expect(existsSync(join(dir, 'server/server.js'))).toBe(true)
    expect(askedFirst()).toEqual(once)
  })
})
