import type { Variables } from '../settings/environment.js'

/** Task runners that replay a cached build instead of running it, by the variables that they set. */
const runners: [name: string, isRunning: (environment: Variables) => boolean][] = [
  ['Turborepo', ({ TURBO_HASH }) => Boolean(TURBO_HASH)],
  ['Nx', ({ NX_TASK_TARGET_PROJECT, NX_TASK_HASH }) => Boolean(NX_TASK_TARGET_PROJECT ?? NX_TASK_HASH)],
  ['vite_ruby', (environment) => Object.keys(environment).some((name) => name.startsWith('VITE_RUBY_'))],
]

let hasWarned = false

/** A warning, once in a process, that a replayed build deploys nothing. */
export function taskRunnerWarning(environment: Variables): string | undefined {
  const runner = runners.find(([, isRunning]) => isRunning(environment))
  if (!runner || hasWarned) return undefined
  hasWarned = true
  return (
    `${runner[0]} skips a build that it has cached, and then nothing is deployed: build with STATIC_S3_UPLOAD=0, ` +
    'and run static-s3 deploy in a task without a cache (docs/separate-deploy.md), or set upload: true'
  )
}
