import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { deployEnv } from '../../fixtures/build/environment.js'
import { type EmbeddedS3, startEmbedded } from '../../fixtures/s3/index.js'

// A suspended laptop: a deploy that holds the lock is frozen, another deploy takes over and ends, and the first one wakes up.

beforeEach(({ skip }) => skip(process.platform === 'win32', 'Windows has no SIGSTOP'))

const script = join(import.meta.dirname, '../../fixtures/build/publish-folder.mjs')

/** After this time, a holder may no longer count on its lock: milliseconds. */
const lockIsLost = 25_500

let s3: EmbeddedS3
let dir: string
/** Milliseconds by which the server's clock is ahead: the next deploy need not wait for the lock's end. */
let ahead = 0

beforeAll(async () => {
  s3 = await startEmbedded({ now: () => new Date(Date.now() + ahead) })
  dir = await mkdtemp(join(tmpdir(), 'static-s3-frozen-'))
  writeFileSync(join(dir, 'fingerprinted.json'), '[]')
})
afterAll(async () => {
  await s3.close()
  await rm(dir, { recursive: true })
})

interface Case {
  pages: number
  /** Bytes of each page. */
  size: number
  /** The page's request at which the deploy is frozen, and milliseconds after that. */
  request: number
  delay: number
}

const cases: Case[] = [
  { pages: 2, size: 2000, request: 1, delay: 0 },
  { pages: 40, size: 2000, request: 1, delay: 0 },
  { pages: 40, size: 2000, request: 2, delay: 3 },
  { pages: 200, size: 2000, request: 70, delay: 10 },
  { pages: 40, size: 200_000, request: 1, delay: 0 },
  { pages: 40, size: 200_000, request: 3, delay: 20 },
  { pages: 8, size: 6_000_000, request: 1, delay: 0 },
  { pages: 8, size: 6_000_000, request: 2, delay: 20 },
]

function folderOf({ pages, size }: Case, name: string): string {
  const folder = join(dir, name)
  mkdirSync(folder, { recursive: true })
  for (let i = 0; i < pages; i++) writeFileSync(join(folder, `page-${i}.html`), `<p>${name} ${i}`.padEnd(size, '.'))
  return folder
}

function deploy(
  bucket: string,
  folder: string,
): { child: ChildProcess; end: Promise<{ code: number; output: string }> } {
  const env = { ...process.env, ...deployEnv(s3, bucket), NODE_ENV: 'production' }
  const child = spawn(process.execPath, [script, folder, join(dir, 'fingerprinted.json')], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const code = new Promise<number>((resolve) => child.on('close', resolve))
  const end = Promise.all([code, text(child.stdout), text(child.stderr)])
  return { child, end: end.then(([code, stdout, stderr]) => ({ code, output: stdout + stderr })) }
}

it(`a deploy that wakes up after another one took over sends nothing more, but for a request frozen within its write (${cases.length} moments of freezing)`, async () => {
  const buckets = await Promise.all(cases.map(() => s3.createBucket()))
  const frozen = cases.map((each, i) => {
    const bucket = buckets[i] as string
    return { each, bucket, ...deploy(bucket, folderOf(each, `frozen-${i}`)), isFrozen: false, seen: 0 }
  })
  const isPage = (key = '') => key.endsWith('.html')
  s3.server.intercept = async ({ bucket, key, method }) => {
    const one = frozen.find((each) => each.bucket === bucket)
    if (one && !one.isFrozen && method === 'PUT' && isPage(key) && ++one.seen === one.each.request) {
      one.isFrozen = true
      await sleep(one.each.delay)
      one.child.kill('SIGSTOP')
    }
    return undefined
  }
  while (frozen.some(({ isFrozen }) => !isFrozen)) await sleep(20)
  const frozenAt = Date.now()
  s3.server.intercept = undefined

  ahead = 31_000
  for (const [i, { each, bucket }] of frozen.entries()) {
    const next = await deploy(bucket, folderOf(each, `next-${i}`)).end
    expect(next.output).toContain('live')
  }
  await sleep(frozenAt + lockIsLost - Date.now())
  const requests = s3.server.requests.length
  for (const { child } of frozen) child.kill('SIGCONT')
  const all: (string | undefined)[] = []
  for (const [i, { each, bucket, end }] of frozen.entries()) {
    const { code, output } = await end
    // If all pages were sent before, only the record is missing.
    expect({ code, output }).toEqual({
      code: expect.any(Number),
      output: expect.stringMatching(code === 0 ? /its record could not be written/ : /could not be renewed/),
    })
    const pages = [...s3.server.objects(bucket)].filter(([key]) => isPage(key))
    expect(pages.length).toBe(each.pages)
    const stale = pages.filter(([, { body }]) => !body.toString('latin1', 0, 20).startsWith(`<p>next-${i}`))
    const sent = s3.server.requests
      .slice(requests)
      .filter((request) => request.bucket === bucket && isPage(request.key))
    const keys = [...new Set([...stale.map(([key]) => key), ...sent.map(({ key }) => key)])]
    // Between the check and the write are some microseconds, in which a process may be frozen as well.
    expect(keys.length, `${JSON.stringify(each)} ${keys}`).toBeLessThanOrEqual(1)
    all.push(...keys)
  }
  expect(all.length, `${all}`).toBeLessThanOrEqual(1)
}, 300_000)
