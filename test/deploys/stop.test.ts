import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { deployEnv } from '../../fixtures/build/environment.js'
import { writeFiles } from '../../fixtures/build/in-process.js'
import { type App, buildAgain, copyApp, packageFile } from '../../fixtures/build/index.js'
import { siteObjects } from '../../fixtures/build/site.js'
import { patience } from '../../fixtures/patience.js'
import type { EmbeddedS3, LoggedRequest } from '../../fixtures/s3/index.js'
import { withBucket } from '../../fixtures/s3/with-bucket.js'

// Ctrl-C and SIGTERM while a deploy is at work.

beforeEach(({ skip }) => skip(process.platform === 'win32', 'Windows has neither signals nor sh'))

let s3: EmbeddedS3
let bucket: string

withBucket((target) => {
  ;({ s3, bucket } = target)
})
afterEach(() => {
  for (const { child } of started.splice(0)) child.kill('SIGKILL')
})

const releases = '.static-s3/static/releases/'
/** Milliseconds. Whoever waits for an answer waits longer. */
const hang = 25_000
const commands = {
  plain: [packageFile('vite/bin/vite.js'), 'build'],
  webpack: [packageFile('webpack-cli/bin/cli.js'), 'build', '--no-optimization-minimize'],
  rspack: [packageFile('@rspack/cli/bin/rspack.js'), 'build'],
  script: ['build.mjs'],
} as const
type Stopped = keyof typeof commands

interface Started {
  child: ChildProcess
  output(): string
  send(signal: NodeJS.Signals): void
  /** Sends the signal, and returns how many milliseconds it took to end. */
  stop(signal: NodeJS.Signals): Promise<number>
}

const started: Started[] = []

/** Starts a build as a shell does, which tells how it ended. */
function start(app: Stopped, dir: string): Started {
  const [script, ...args] = commands[app]
  const command = 'node "$@" & echo "pid $!"; wait $!; echo "exit code $?"'
  const child = spawn('sh', ['-c', command, 'sh', script, ...args], {
    cwd: dir,
    env: { PATH: process.env.PATH, HOME: dir, NO_COLOR: '1', NODE_ENV: 'production', ...deployEnv(s3, bucket) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text))
  const ended = new Promise<string>((resolve) => child.once('close', () => resolve(output)))
  const send = (signal: NodeJS.Signals) => process.kill(Number(/^pid (\d+)$/m.exec(output)?.[1]), signal)
  const stop = async (signal: NodeJS.Signals) => {
    const sent = performance.now()
    send(signal)
    await ended
    return performance.now() - sent
  }
  const build = { child, send, stop, output: () => output }
  started.push(build)
  return build
}

const lock = () => s3.server.objects(bucket).get(`${releases}99999998.lock`)
const ourLines = (output: string) =>
  output.split('\n').filter((line) => line.includes('static-s3') && !line.includes('(dotfile)'))

/** Requests of one kind are held, and answered so many milliseconds after they were let go. */
function hold(isHeld: (request: LoggedRequest) => boolean) {
  let letGo = () => {}
  const gate = new Promise<void>((resolve) => {
    letGo = resolve
  })
  let held = 0
  s3.server.intercept = async (request) => {
    if (!isHeld(request)) return undefined
    held++
    await gate
    return undefined
  }
  return { letGo, arrived: () => vi.waitFor(() => expect(held).toBeGreaterThan(0), patience) }
}

const isPutOf = (name: RegExp) => (request: LoggedRequest) => request.method === 'PUT' && name.test(request.key ?? '')

/** The lock is left to expire, given up, or over with its record. */
const lockState = () => {
  if (s3.server.objects(bucket).has(`${releases}99999998.json.gz`)) return 'over'
  const there = lock()
  return there === undefined ? 'none' : there.body.length > 0 ? 'left' : 'given up'
}

interface Moment {
  isHeld: (request: LoggedRequest) => boolean
  /** Whether what is held is answered in the end. */
  answered: boolean
  says: RegExp
  lock: ReturnType<typeof lockState>
}

const carriesOn = /\d+ of \d+ files are up, and the next run carries on from there\./.source
const pagesAnswered: Moment = {
  isHeld: isPutOf(/\.html$/),
  answered: true,
  says: new RegExp(`stopped by SIG\\w+\\. 1 page is new, and everything that it needs is there\\. ${carriesOn}`),
  lock: 'given up',
}
const moments: Record<string, Moment> = {
  'while the lock is requested': {
    isHeld: isPutOf(/\.lock$/),
    answered: true,
    says: new RegExp(`stopped by SIG\\w+\\. The site stands as it was\\. ${carriesOn}`),
    lock: 'given up',
  },
  'while fingerprinted files go up': {
    isHeld: isPutOf(/^static\/assets\//),
    answered: false,
    says: new RegExp(`stopped by SIG\\w+\\. The site stands as it was\\. ${carriesOn}`),
    lock: 'given up',
  },
  'while pages go up': pagesAnswered,
  'while pages go up and nobody answers': {
    isHeld: isPutOf(/\.html$/),
    answered: false,
    says: new RegExp(`stopped by SIG\\w+\\. 1 page may be new, and everything that it needs is there\\. ${carriesOn}`),
    lock: 'left',
  },
  'while the record is written': {
    isHeld: isPutOf(/\/\d{8}\.json\.gz$/),
    answered: true,
    says: /^static-s3 s3:\/\/\S+ → http/,
    lock: 'over',
  },
}

const apps: App[] = ['plain', 'webpack', 'rspack']
describe.each(apps)('%s', (app) => {
  let dir: string
  beforeAll(async () => {
    dir = await copyApp(app)
  })

  /** What it says, and how long it took to end. */
  const stopAt = async ({ isHeld, answered }: Moment, signal: NodeJS.Signals) => {
    const { arrived, letGo } = hold(isHeld)
    const build = start(app as Stopped, dir)
    await arrived()
    const stopped = build.stop(signal)
    if (answered) setTimeout(letGo, 200)
    const milliseconds = await stopped
    letGo()
    return { output: build.output(), milliseconds }
  }

  const cases = Object.entries(app === 'plain' ? moments : { 'while pages go up': pagesAnswered })
  test.each(
    cases.flatMap(([what, moment], i) => {
      const [signal, code] = i % 2 === 0 ? (['SIGINT', 130] as const) : (['SIGTERM', 143] as const)
      return [[signal, what, code, moment] as const]
    }),
  )('%s %s: it ends at once, by the signal, and says what is live', async (signal, _what, code, moment) => {
    const { output, milliseconds } = await stopAt(moment, signal)
    expect(output).toMatch(new RegExp(`^exit code ${code}$`, 'm'))
    expect(ourLines(output)).toEqual([expect.stringMatching(moment.says)])
    expect(lockState()).toBe(moment.lock)
    expect(milliseconds).toBeLessThan(hang)

    // The next one carries on, and waits for nobody but a lock that had to be left.
    if (moment.lock === 'left') return
    s3.server.intercept = undefined
    const pages = [...siteObjects(s3, bucket)].filter(([key]) => key.endsWith('.html'))
    const next = await buildAgain(app, dir, { env: deployEnv(s3, bucket) })
    expect(next.code, next.output).toBe(0)
    expect(next.output).not.toMatch(/waiting/)
    expect(next.output).toMatch(pages.length > 0 && moment.lock === 'over' ? /nothing to upload/ : /release \d live/)
  })
})

test('while webpack-cli, which closes the compiler itself, keeps a cache on disk: the lock is given up', async () => {
  const dir = await copyApp('webpack')
  const config = await readFile(join(dir, 'webpack.config.cjs'), 'utf8')
  await writeFiles(dir, { 'webpack.config.cjs': `${config}\nmodule.exports.cache = { type: 'filesystem' }\n` })
  const { arrived, letGo } = hold(isPutOf(/\.html$/))
  const build = start('webpack', dir)
  await arrived()
  const stopped = build.stop('SIGINT')
  setTimeout(letGo, 200)
  await stopped
  expect(build.output()).toMatch(/stopped by SIGINT\. 1 page is new/)
  expect(lockState()).toBe('given up')
})

test('with several compilers in one process: it ends, and the configuration after this one stays at home', async () => {
  const dir = await copyApp('webpack')
  const config = (await readFile(join(dir, 'webpack.config.cjs'), 'utf8')).replace('module.exports =', 'const one =')
  await writeFiles(dir, {
    'webpack.config.cjs': `${config}
const { StaticS3Plugin: Plugin } = require('static-s3/webpack')
const withLocation = (location) => ({
  ...one,
  output: { ...one.output, path: require('node:path').resolve(__dirname, location) },
  plugins: [...one.plugins.filter((plugin) => !(plugin instanceof Plugin)), new Plugin({ location })],
})
module.exports = [withLocation('one'), withLocation('two')]
module.exports.parallelism = 2
`,
  })
  let held = 0
  let letGo = () => {}
  const gate = new Promise<void>((resolve) => {
    letGo = resolve
  })
  s3.server.intercept = async (request) => {
    if (!isPutOf(/\.(html|js)$/)(request)) return undefined
    held++
    await gate
    return undefined
  }
  const build = start('webpack', dir)
  await vi.waitFor(() => expect(held).toBeGreaterThan(1), patience)
  const stopped = build.stop('SIGINT')
  setTimeout(letGo, 200)
  await stopped
  expect(build.output()).toMatch(/^exit code 130$/m)
  expect(build.output().match(/stopped by SIGINT/g)).toHaveLength(1)
  const written = s3.server.requests.flatMap(({ method, key = '' }) => (method === 'PUT' ? [key] : []))
  expect(new Set(written.flatMap((key) => /^(one|two)\//.exec(key)?.[1] ?? [])).size).toBe(1)
})

test('while large files are hashed: it ends at once', async () => {
  const dir = await copyApp('plain')
  await writeFiles(dir, {
    'build.mjs': `import fs, { truncateSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { build } from 'vite'
const { openSync } = fs
fs.openSync = (file, flags, ...others) => {
  if (/[.]bin$/.test(file) && flags === 'r') console.log('at work on ' + file)
  return openSync(file, flags, ...others)
}
syncBuiltinESMExports()
const large = {
  name: 'large',
  // Nothing of them lies on the disk.
  writeBundle() {
    for (const file of ['dist/a.bin', 'dist/b.bin', 'dist/c.bin']) {
      writeFileSync(file, '')
      truncateSync(file, 20e9)
    }
  },
}
await build({ plugins: [large] })`,
  })
  const build = start('script', dir)
  await vi.waitFor(() => expect(build.output()).toMatch(/at work on .*\.bin/), patience)
  const milliseconds = await build.stop('SIGINT')
  expect(build.output()).toMatch(/^exit code 130$/m)
  expect(ourLines(build.output())).toEqual([expect.stringMatching(/stopped by SIGINT\. The site stands as it was\.$/)])
  expect(milliseconds).toBeLessThan(hang)
})

test('in the middle of the wait for another deploy: the other’s lock stands', async () => {
  const dir = await copyApp('plain')
  const Body = JSON.stringify({ id: 'other', by: 'somebody else', start: new Date().toISOString() })
  await s3.client().send(new PutObjectCommand({ Bucket: bucket, Key: `${releases}99999998.lock`, Body }))
  const build = start('plain', dir)
  await vi.waitFor(() => expect(build.output()).toMatch(/waiting for somebody else/), patience)
  await build.stop('SIGINT')
  expect(build.output()).toMatch(/^exit code 130$/m)
  expect(build.output()).toMatch(/stopped by SIGINT\. The site stands as it was\./)
  expect(lock()?.body.toString()).toBe(Body)
})

test('where somebody else listens to the signal, the build fails, and the process is theirs', async () => {
  const dir = await copyApp('plain')
  await writeFiles(dir, {
    'build.mjs': `import { build } from 'vite'
process.on('SIGINT', () => console.log('theirs'))
await build().catch((error) => {
  console.log('failed: ' + error.message)
  process.exitCode = 7
})`,
  })
  const { arrived, letGo } = hold(isPutOf(/\.html$/))
  const build = start('script', dir)
  await arrived()
  await build.stop('SIGINT')
  letGo()
  expect(build.output()).toMatch(/^theirs$/m)
  expect(build.output()).toMatch(/failed: .*stopped by SIGINT/)
  expect(build.output()).toMatch(/^exit code 7$/m)
})

/** Tools that send a signal to their own process again, as Vite's command line does from 8.4 on. */
const resending = {
  'listened before us': 'listen()',
  'listened after us': `process.on('newListener', (name) => {
  if (name === 'SIGINT' && process.listenerCount(name) === 0) setImmediate(listen)
})`,
  'keeps the process busy in between': `process.once('SIGINT', () => {
  const until = Date.now() + 400
  while (Date.now() < until);
})
listen()`,
}
test.each(Object.entries(resending))(
  'a tool that sends SIGINT again and %s: the lock is given up',
  async (_how, tool) => {
    const dir = await copyApp('plain')
    await writeFiles(dir, {
      'build.mjs': `import { build } from 'vite'
const listen = () => process.once('SIGINT', () => {
  console.log('again')
  process.kill(process.pid, 'SIGINT')
})
${tool}
await build()`,
    })
    const { arrived, letGo } = hold(isPutOf(/\.html$/))
    const build = start('script', dir)
    await arrived()
    const stopped = build.stop('SIGINT')
    setTimeout(letGo, 200)
    await stopped
    expect(build.output()).toMatch(/^again$/m)
    expect(build.output()).toMatch(/^exit code 130$/m)
    expect(build.output()).toMatch(/stopped by SIGINT\. 1 page is new/)
    expect(lockState()).toBe('given up')
  },
)

describe('a second SIGINT', () => {
  /** The process sends both signals to itself: on a busy machine, signals from another process would arrive at any distance. */
  const stopTwice = async (milliseconds: number, answered: boolean) => {
    const dir = await copyApp('plain')
    await writeFiles(dir, {
      'build.mjs': `import { build } from 'vite'
process.once('SIGINT', () => setTimeout(() => process.kill(process.pid, 'SIGINT'), ${milliseconds}))
await build()`,
    })
    const { arrived, letGo } = hold(isPutOf(/\.html$/))
    const build = start('script', dir)
    await arrived()
    const stopped = build.stop('SIGINT')
    if (answered) setTimeout(letGo, 200)
    await stopped
    letGo()
    expect(build.output()).toMatch(/^exit code 130$/m)
    return build.output()
  }

  test('that npm passes on: the lock is given up', async () => {
    expect(await stopTwice(50, true)).toMatch(/stopped by SIGINT\. 1 page is new/)
    expect(lockState()).toBe('given up')
  })

  test('by the user ends the process at once', async () => {
    expect(await stopTwice(450, false)).not.toMatch(/stopped by/)
    expect(lockState()).toBe('left')
  })
})
