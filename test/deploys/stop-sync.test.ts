import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { runCommand } from '../../fixtures/build/command.js'
import { deployEnv } from '../../fixtures/build/environment.js'
import { makeFolder, removeFolders } from '../../fixtures/build/folders.js'
import { startProcess } from '../../fixtures/build/run-process.js'
import { siteObjects, writes } from '../../fixtures/build/site.js'
import { patience } from '../../fixtures/patience.js'
import { type EmbeddedS3, startEmbedded } from '../../fixtures/s3/index.js'
import { decodeRecord } from '../../src/release/records/format.js'

// Ctrl-C while `static-s3 sync --delete` deletes.

beforeEach(({ skip }) => skip(process.platform === 'win32', 'Windows has no signals'))

let s3: EmbeddedS3
/** Milliseconds by which the server's clock is ahead. */
let ahead = 0

beforeAll(async () => {
  s3 = await startEmbedded({ now: () => new Date(Date.now() + ahead) })
})
afterAll(async () => {
  await s3.close()
  await removeFolders()
})

const numbered = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => `${from + n}.jpg`)
const cli = join(import.meta.dirname, '../../dist/cli.js')

test.each([
  ['that the store answers', true],
  ['that the store carries out without an answer in time', false],
])('Ctrl-C during deletions %s: the next sync deletes the rest, and nothing else', async (_what, isAnswered) => {
  const bucket = await s3.createBucket()
  const env = deployEnv(s3, bucket)
  const dir = await makeFolder(Object.fromEntries(numbered(0, 30).map((name) => [name, name])))
  const words = ['sync', dir, 'media', '--delete', '--max-delete', '20', '--concurrency', '2', '--json']
  const sync = async () => {
    s3.server.reset()
    const { stdout, stderr, code } = await runCommand(dir, words, env)
    expect(code, stderr).toBe(0)
    return JSON.parse(stdout)
  }
  const there = () => [...siteObjects(s3, bucket).keys()].map((key) => key.replace('media/', ''))
  const deleteRequests = () =>
    s3.server.requests.flatMap(({ operation, key = '' }) => (operation === 'DeleteObject' ? [key] : []))
  const records = () => [...s3.server.objects(bucket).keys()].filter((key) => key.endsWith('.json.gz'))
  await sync()
  ahead += 5000
  for (const name of numbered(0, 20)) await rm(join(dir, name))

  s3.server.reset()
  let letGo = () => {}
  const gate = new Promise<void>((resolve) => {
    letGo = resolve
  })
  let held = 0
  s3.server.intercept = async ({ operation }) => {
    if (operation !== 'DeleteObject' || deleteRequests().length <= 5) return undefined
    held++
    await gate
    return undefined
  }
  const child = startProcess([process.execPath, cli, ...words], dir, env)
  const ended = once(child, 'close')
  await vi.waitFor(() => expect(held).toBe(2), patience)
  child.kill('SIGINT')
  // Requests under the lock have 0.6 seconds for their answers.
  if (isAnswered) await sleep(200).then(letGo)
  expect(await ended).toEqual([null, 'SIGINT'])
  letGo()
  await vi.waitFor(() => expect(there()).toHaveLength(30 - 7), patience)
  s3.server.intercept = undefined
  expect(deleteRequests()).toHaveLength(7)
  const [newest = ''] = records().sort()
  expect(records()).toHaveLength(isAnswered ? 2 : 1)
  const { objects } = await decodeRecord('media', s3.server.objects(bucket).get(newest)?.body as Buffer)
  if (isAnswered) expect([...objects.keys()].sort()).toEqual(there().sort())

  // The lock of a sync without an answer expires.
  ahead += 31_000
  // Another tool uploads one of them again.
  const [again = ''] = numbered(0, 20).filter((name) => !there().includes(name))
  await s3.client().send(new PutObjectCommand({ Bucket: bucket, Key: `media/${again}`, Body: again }))
  const gone = there().filter((name) => numbered(0, 20).includes(name) && name !== again)
  expect(gone).toHaveLength(13)
  const rest = await sync()
  expect(rest.deleted.sort()).toEqual(gone.map((name) => `media/${name}`).sort())
  expect(deleteRequests().sort()).toEqual(rest.deleted)
  expect(rest.kept).toBe(1)
  expect(there().sort()).toEqual([again, ...numbered(20, 30)].sort())
  expect(await sync()).toMatchObject({ status: 'unchanged', deleted: [], kept: 1 })
  expect(writes(s3)).toEqual([])
})
