import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Rooms of `npm run test:quick`: their tests need no built package, bundler, browser or Ceph, and take no minute of random input. */
const quick = [
  'check',
  'client',
  'cloudfront',
  'files',
  'folders',
  'previews',
  'promote',
  'prove',
  'prune',
  'references',
  'release',
  'report',
  's3',
  'settings',
  'setup',
  'sync',
]

/** Tests that take the longest, or wait the longest for real time or a store: begun first, they have company to the end. */
const first = [
  'frameworks/docusaurus',
  'frameworks/sveltekit',
  'frameworks/nuxt',
  'frameworks/vue-cli',
  'frameworks/next',
  'deploys/slow-line',
  'deploys/frozen',
  'stores/ceph',
  'deploys/costs',
  'deploys/early-survey',
  'deploys/deploy',
  'package/package',
  'browser/browser',
  'deploys/stop',
  'builds/fingerprints',
  'builds/field',
  'deploys/failures',
  'stores/bucket',
  'deploys/faults',
  'stores/conformance',
]

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const at = first.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`))
      return at < 0 ? first.length : at
    }
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}

/** Test files that replace modules or all timers, or measure the memory of their process: each has a process of its own. */
const alone = readdirSync('test', { recursive: true, encoding: 'utf8' })
  .map((name) => `test/${name.replaceAll('\\', '/')}`)
  .filter(
    (file) =>
      file.endsWith('.test.ts') &&
      /\bvi\.mock\(|\bvi\.useFakeTimers\(\)|\bprocess\.memoryUsage\(/.test(readFileSync(file, 'utf8')),
  )

export default defineConfig(({ mode }) => {
  const rooms: Record<string, readonly string[]> = { quick, frameworks: ['frameworks'] }
  const all = rooms[mode]?.map((room) => `test/${room}/**/*.test.ts`) ?? ['test/**/*.test.ts']
  // They need packages that scripts/frameworks.sh installs.
  const without = mode === 'frameworks' ? [] : ['test/frameworks/**']
  return {
    test: {
      env: mode === 'quick' ? { CEPH: 'off', SCHEDULES: process.env.SCHEDULES ?? '20' } : {},
      // Time limits end what hangs. They measure nothing: a machine may have twenty other things to do.
      testTimeout: 300_000,
      hookTimeout: 300_000,
      expect: { poll: { timeout: 60_000 } },
      sequence: { sequencer: LongestFirst },
      // Many tests wait for timers and other processes: on two cores, three files at once leave none of them idle.
      maxWorkers: mode === 'quick' ? Math.max(2, availableParallelism()) : availableParallelism() + 1,
      projects: [
        {
          extends: true,
          // Bundlers, the SDK and the browser's driver take a second to load, and are as quick as they get only after some builds.
          test: { name: 'together', isolate: false, include: all, exclude: [...alone, ...without] },
        },
        {
          extends: true,
          test: { name: 'alone', include: alone.filter((file) => isIn(rooms[mode], file)) },
        },
      ],
    },
  }
})

function isIn(rooms: readonly string[] | undefined, file: string): boolean {
  return !rooms || rooms.some((room) => file.startsWith(`test/${room}/`))
}
