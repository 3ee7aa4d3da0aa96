import { createHash } from 'node:crypto'
import { rmSync } from 'node:fs'
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { deployEnv } from '../fixtures/build/environment.js'
import { type App, buildAgain, copyApp } from '../fixtures/build/index.js'
import { siteObjects } from '../fixtures/build/site.js'
import type { EmbeddedS3 } from '../fixtures/s3/index.js'
import { withBucket } from '../fixtures/s3/with-bucket.js'
import { digestLarge, type LargeFile } from '../src/core/digest-threads.js'

/** Of each thread that was started: whether it has ended, and what it was asked. */
const threads = vi.hoisted(() => [] as { ended: Promise<unknown>; files: string[] }[])
/** What the next ones are started with instead. */
const broken = vi.hoisted(() => ({ source: undefined as string | undefined, forbidden: false }))

vi.mock('node:worker_threads', async (original) => {
  const { Worker } = await original<typeof import('node:worker_threads')>()
  class Watched extends Worker {
    readonly #files: string[] = []
    constructor(source: string, options: object) {
      if (broken.forbidden)
        throw Object.assign(new Error('Access to this API has been restricted'), { code: 'ERR_ACCESS_DENIED' })
      super(broken.source ?? source, options)
      threads.push({ ended: new Promise((ended) => this.on('exit', ended)), files: this.#files })
    }
    override postMessage(message: string) {
      this.#files.push(message)
      super.postMessage(message)
    }
  }
  return { Worker: Watched }
})

const piece = 256 * 1024
const secret = Buffer.from('wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY')
const keyId = Buffer.from('AKIAIOSFODNN7EXAMPLE')

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'static-s3-'))
  threads.length = 0
  Object.assign(broken, { source: undefined, forbidden: false })
})
afterEach(() => rm(dir, { recursive: true }))

async function write(name: string, content: Buffer): Promise<LargeFile> {
  const file = join(dir, name)
  await writeFile(file, content)
  return { file, size: content.length }
}

/** As many zeros, of which nothing lies on the disk. */
async function hollow(name: string, size: number): Promise<LargeFile> {
  const { file } = await write(name, Buffer.alloc(0))
  await truncate(file, size)
  return { file, size }
}

const digestOf = (content: Buffer, found: number[] = []) => ({
  digest: { size: content.length, sha256: createHash('sha256').update(content).digest('hex'), found },
})

const contents = [
  Buffer.alloc(3 * piece + 5, 'one'),
  Buffer.concat([Buffer.alloc(piece - 20), secret, keyId]),
  Buffer.concat([Buffer.alloc(2 * piece - 1), keyId]),
  Buffer.alloc(0),
  Buffer.concat([Buffer.alloc(9 * piece), secret.subarray(1)]),
  Buffer.concat([Buffer.alloc(9 * piece), secret]),
]
const digests = [[], [0, 1], [1], [], [], [0]].map((found, i) => digestOf(contents[i] as Buffer, found))
const writeAll = () => Promise.all(contents.map((content, i) => write(`${i}.bin`, content)))

it.each([0, 1, 3])('size, SHA-256 and what is found, in the order of the files, by %i threads', async (count) => {
  expect(await digestLarge(await writeAll(), [secret, keyId], undefined, count)).toEqual(digests)
  expect(threads).toHaveLength(count)
  for (const { files } of threads) expect(files).not.toEqual([])
  await Promise.all(threads.map(({ ended }) => ended))
})

it.each([0, 2])('a file that can’t be read is told with its code, by %i threads', async (count) => {
  const [first, second] = (await writeAll()) as [LargeFile, LargeFile]
  rmSync(first.file)
  const folder = { file: dir, size: 1 }
  expect(await digestLarge([first, second, folder], [secret, keyId], undefined, count)).toEqual([
    { error: expect.objectContaining({ code: 'ENOENT' }) },
    digests[1],
    { error: expect.objectContaining({ code: 'EISDIR' }) },
  ])
})

it('a file that has changed since it was looked at is told as it was read', async () => {
  const file = await write('file', Buffer.alloc(piece))
  const now = Buffer.alloc(3 * piece, 'now')
  await writeFile(file.file, now)
  const other = { ...(await hollow('other', piece)), size: 5 * piece }
  expect(await digestLarge([file, other], [], undefined, 2)).toEqual([digestOf(now), digestOf(Buffer.alloc(piece))])
})

describe('what threads fail at is done without them', () => {
  it.each<[what: string, broken: { source?: string; forbidden?: boolean }]>([
    ['may not be started', { forbidden: true }],
    ['don’t start', { source: 'syntax error' }],
    ['die at once', { source: 'process.exit()' }],
    [
      'die of an error',
      { source: "require('node:worker_threads').parentPort.on('message', () => { throw new Error('x') })" },
    ],
    ['die at a file', { source: "require('node:worker_threads').parentPort.on('message', () => process.exit())" }],
  ])('where they %s', async (_what, how) => {
    Object.assign(broken, how)
    expect(await digestLarge(await writeAll(), [secret, keyId], undefined, 2)).toEqual(digests)
    await Promise.all(threads.map(({ ended }) => ended))
  })
})

it.each([0, 2])('a stop ends it with its reason, and %i threads', async (count) => {
  const stop = new AbortController()
  const files = await Promise.all(['a', 'b', 'c'].map((name) => hollow(name, 20_000_000_000)))
  const digesting = digestLarge(files, [secret], stop.signal, count)
  setImmediate(() => stop.abort(new Error('enough')))
  await expect(digesting).rejects.toThrow('enough')
  expect(threads).toHaveLength(count)
  await Promise.all(threads.map(({ ended }) => ended))
})

describe('threads are started', () => {
  const MB = 1024 ** 2
  const many = availableParallelism() > 1

  it.each<[when: string, sizes: number[], count: number]>([
    ['for nothing', [], 0],
    ['for many small files', Array.from({ length: 60 }, () => MB), 0],
    ['for a single large one', [200 * MB], 0],
    ['one less than large files: this one is at work, too', [32 * MB, 32 * MB], 1],
  ])('%s', async (_when, sizes, count) => {
    const files = await Promise.all(sizes.map((size, i) => hollow(`${i}`, size)))
    expect(await digestLarge(files, [])).toHaveLength(sizes.length)
    expect(threads).toHaveLength(many ? count : 0)
  })
})

it('nothing of what the process was told reaches a thread: no loader, and no secret in the environment', async () => {
  broken.source = `
    const { parentPort } = require('node:worker_threads')
    const told = JSON.stringify([process.execArgv, process.env])
    parentPort.on('message', () => parentPort.postMessage({ digest: { size: 0, sha256: told, found: [] } }))`
  expect(await digestLarge(await writeAll(), [], undefined, 1)).toContainEqual({
    digest: { size: 0, sha256: '[[],{}]', found: [] },
  })
})

describe.skipIf(availableParallelism() === 1)('as it is published', () => {
  let s3: EmbeddedS3
  let bucket: string
  withBucket((target) => {
    ;({ s3, bucket } = target)
  })

  /** Tells of each thread what it answers. */
  const witness = `
    const threads = require('node:worker_threads')
    threads.Worker = class extends threads.Worker {
      constructor(...args) {
        super(...args)
        this.on('message', ({ digest }) => digest && console.log('a thread answered'))
      }
    }
    require('node:module').syncBuiltinESMExports()`

  it.each<[format: string, app: App]>([
    ['ES modules', 'legacy'],
    ['CommonJS', 'webpack'],
  ])('in %s, threads start and answer', async (_format, app) => {
    const dir = await copyApp(app, { files: { 'witness.cjs': witness } })
    for (const name of ['a.bin', 'b.bin']) {
      await writeFile(join(dir, 'public', name), '')
      await truncate(join(dir, 'public', name), 33 * 1024 ** 2)
    }
    const env = { ...deployEnv(s3, bucket), NODE_OPTIONS: '--require=./witness.cjs' }
    const { code, output } = await buildAgain(app, dir, { env })
    expect(code, output).toBe(0)
    expect(output.match(/a thread answered/g)).toHaveLength(1)
    for (const name of ['a.bin', 'b.bin'])
      expect(siteObjects(s3, bucket).get(`static/${name}`)?.body).toHaveLength(33 * 1024 ** 2)
  })
})
