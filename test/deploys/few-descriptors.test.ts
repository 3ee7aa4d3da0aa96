import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { deployEnv } from '../../fixtures/build/environment.js'
import { type EmbeddedS3, startEmbedded } from '../../fixtures/s3/index.js'

const script = join(import.meta.dirname, '../../fixtures/build/publish-folder.mjs')
const isWindows = process.platform === 'win32'

let s3: EmbeddedS3
let dir: string
beforeAll(async () => {
  s3 = await startEmbedded()
  dir = await mkdtemp(join(tmpdir(), 'static-s3-few-'))
})
afterAll(async () => {
  await s3.close()
  await rm(dir, { recursive: true })
})

it.skipIf(isWindows)(
  'a process that may open 64 files uploads 400, large ones among them (needs ulimit, which Windows lacks)',
  async () => {
    const files = Array.from({ length: 400 }, (_, i) => ({ name: `file-${i}.js`, size: i % 10 === 0 ? 300_000 : 2000 }))
    mkdirSync(join(dir, 'site'), { recursive: true })
    for (const { name, size } of files) writeFileSync(join(dir, 'site', name), `/* ${name} */`.padEnd(size, ' '))
    writeFileSync(join(dir, 'fingerprinted.json'), JSON.stringify(files.map(({ name }) => name)))
    const bucket = await s3.createBucket()
    s3.server.intercept = async () => {
      await sleep(20)
      return undefined
    }
    const command = 'ulimit -n 64 && exec "$@"'
    const args = [process.execPath, script, join(dir, 'site'), join(dir, 'fingerprinted.json')]
    const env = { ...process.env, ...deployEnv(s3, bucket), NODE_ENV: 'production' }
    const { stdout } = await promisify(execFile)('sh', ['-c', command, 'sh', ...args], { env })
    expect(stdout).toContain('live')
    expect(s3.server.objects(bucket).size).toBeGreaterThanOrEqual(400)
  },
)
