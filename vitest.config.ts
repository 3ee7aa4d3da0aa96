import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

/** Rooms of `npm run test:quick`: their tests need no built package, bundler, browser or Ceph, and take no minute of random input. */
const quick = ['files', 'release', 'report', 's3', 'settings']

export default defineConfig(({ mode }) => ({
  test: {
    include: mode === 'quick' ? quick.map((room) => `test/${room}/**/*.test.ts`) : ['test/**/*.test.ts'],
    env: mode === 'quick' ? { CEPH: 'off', SCHEDULES: process.env.SCHEDULES ?? '20' } : {},
    // Time limits end what hangs. They measure nothing: a machine may have twenty other things to do.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 60_000 } },
    // Tests wait for other processes much of the time: two files at once are faster on two cores, too.
    maxWorkers: Math.max(2, availableParallelism() - 1),
  },
}))
