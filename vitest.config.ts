import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

// Most tests run real bundlers, S3 servers and a browser: the time-outs are there to end what hangs, not to measure.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 180_000,
    // Tests wait for other processes much of the time: two files at once are faster on two cores, too.
    maxWorkers: Math.max(2, availableParallelism() - 1),
  },
})
