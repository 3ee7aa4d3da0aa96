import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { deployEnv } from '../../fixtures/build/environment.js'
import { makeApp, removeApps } from '../../fixtures/build/in-process.js'
import { deploySettings } from '../../fixtures/build/settings.js'
import { startEmbedded } from '../../fixtures/s3/index.js'
import { startSlowLine } from '../../fixtures/s3/slow-line.js'
import { startEarlySurvey } from '../../src/deploy/early-survey.js'
import { publishInSteps } from '../../src/deploy/publish.js'

// Real time: a lock is lost 25 seconds after its last renewal was sent. All lines are tried at once.

afterAll(removeApps)

/** Deploys public files without a fingerprint over a line of its own. */
async function deploy(bitsPerSecond: number, sizes: readonly number[]) {
  const s3 = await startEmbedded()
  const line = await startSlowLine(s3.server.port, bitsPerSecond)
  try {
    const bucket = await s3.createBucket()
    const files = Object.fromEntries(sizes.map((size, i) => [`dist/${i}.bin`, randomBytes(size)]))
    const dir = join(await makeApp(files), 'dist')
    const shell = deployEnv({ ...s3, endpoint: `http://127.0.0.1:${line.port}` }, bucket)
    const settings = { ...(await deploySettings({}, shell)), credentials: s3.credentials }
    s3.server.reset()
    const steps = publishInSteps({
      settings,
      earlySurvey: startEarlySurvey(settings),
      outputs: [{ dir, emitted: new Set(sizes.map((_, i) => `${i}.bin`)), fingerprinted: new Set() }],
      before: new Map(),
      notOurs: [],
      base: '/',
      bundler: 'none 1.0.0',
      logger: { info: () => {}, warn: () => {} },
      terminal: undefined,
    })
    for await (const _step of steps);
    const puts = s3.server.requests.filter(({ method }) => method === 'PUT')
    return {
      uploaded: puts.filter(({ key, status }) => key?.endsWith('.bin') && status === 200).length,
      renewals: puts.filter(({ key, status }) => key?.endsWith('.lock') && status === 200).length - 1,
      dropped: line.dropped(),
    }
  } finally {
    await line.close()
    await s3.close()
  }
}

describe.concurrent('a deploy over a line that carries', () => {
  it.each([256_000, 400_000, 1_000_000])('%i bits a second gets through, and renews its lock', async (rate) => {
    const bytes = 40_000
    // 35 seconds: more than the lock lasts.
    const sizes = Array.from({ length: Math.ceil((rate * 35) / 8 / bytes) }, () => bytes)
    const { renewals, ...rest } = await deploy(rate, sizes)
    expect(rest).toEqual({ uploaded: sizes.length, dropped: 0 })
    expect(renewals).toBeGreaterThanOrEqual(3)
  })

  it('400,000 bits a second gets through with one file that takes longer than the lock lasts', async () => {
    const { renewals, ...rest } = await deploy(400_000, [1_750_000])
    expect(rest).toEqual({ uploaded: 1, dropped: 0 })
    expect(renewals).toBeGreaterThanOrEqual(3)
  })
})
