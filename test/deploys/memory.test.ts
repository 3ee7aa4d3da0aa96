import { execFile } from 'node:child_process'
import { mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { deployEnv } from '../../fixtures/build/environment.js'
import { withBucket } from '../../fixtures/s3/with-bucket.js'

const script = join(import.meta.dirname, '../../fixtures/build/publish-folder.mjs')
const count = Number(process.env.FILES ?? 20_000)
/** Megabytes that a deploy may take beyond what Node takes at its start. */
const most = count > 20_000 ? 450 : 100

/**
 * With plenty of memory, Node lets garbage grow to several times the memory in use. A small heap shows how much a deploy needs: megabytes for old
 * objects, and for half of the new ones.
 */
const little = [`--max-old-space-size=${count > 20_000 ? 320 : 64}`, '--max-semi-space-size=8']

describe(`a deploy of ${count.toLocaleString('en')} files`, () => {
  let s3: Parameters<Parameters<typeof withBucket>[0]>[0]['s3']
  let bucket: string
  withBucket((target) => {
    ;({ s3, bucket } = target)
  })

  let dir: string
  let paths: string[]
  const fileOf = (path: string) => join(dir, 'dist', path)

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'static-s3-memory-'))
    paths = Array.from({ length: count }, (_, i) => `assets/${i % 50}/chunk-${i}-aB3dE5fG.js`)
    for (let i = 0; i < 50; i++) mkdirSync(fileOf(`assets/${i}`), { recursive: true })
    for (const path of paths) writeFileSync(fileOf(path), `export default '${path}'`)
    writeFileSync(join(dir, 'fingerprinted.json'), JSON.stringify(paths))
  })
  afterAll(() => rm(dir, { recursive: true }))

  const deploy = async () => {
    const argv = [...little, script, join(dir, 'dist'), join(dir, 'fingerprinted.json')]
    const env = { ...process.env, NODE_ENV: 'production', ...deployEnv(s3, bucket) }
    const { stdout } = await promisify(execFile)(process.execPath, argv, { env })
    const [, figures = ''] = /^FIGURES (.*)$/m.exec(stdout) ?? []
    const { before, peak } = JSON.parse(figures) as { before: number; peak: number }
    const megabytes = Math.round((peak - before) / 1e6)
    expect(megabytes).toBeLessThan(most)
    return { stdout, megabytes }
  }

  test(`needs less than ${most} MB, whatever there is to do`, async () => {
    const first = await deploy()
    expect(s3.server.objects(bucket).size).toBeGreaterThanOrEqual(count)
    // All are read and hashed again, as where nothing changed, and a release is written besides.
    for (const path of paths) utimesSync(fileOf(path), new Date(), new Date())
    for (const path of paths.slice(0, 5)) {
      rmSync(fileOf(path))
      writeFileSync(fileOf(path.replace('.js', '-new.js')), path)
    }
    const changed = await deploy()
    expect(changed.stdout).toContain('release 2 live')
    console.log(
      `memory: ${count} files: ${first.megabytes} MB beyond the start, ${changed.megabytes} where five changed`,
    )
  })
})
