import type { Environment } from './environment.js'

/** What an adapter knows of its build before it begins. */
export interface Build {
  watch: boolean
  /** Whether it is built for production, by the bundler's own word. */
  production: (environment: Environment) => boolean
  mode: string
}

/** Whether static-s3 is switched on, and the setting that says so: `USE_S3 is not set`. */
export interface Switch {
  on: boolean
  because: string
}

export type Gate = { open: true } | { open: false; because: string }

/** Whether a build may go to S3; where not, the reason and what would change it. */
export function gate(build: Build, environment: Environment, { on, because }: Switch): Gate {
  if (!on) return { open: false, because }
  if (build.watch) return { open: false, because: 'a watch build stays on disk; build without --watch' }
  if (!build.production(environment)) {
    return { open: false, because: `this is not a production build (mode ${build.mode}); build with mode production` }
  }
  return { open: true }
}
