import { defineConfig } from 'vitest/config'

// Most tests run real bundlers, S3 servers and a browser: the time-outs are there to end what hangs, not to measure.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 180_000,
  },
})
