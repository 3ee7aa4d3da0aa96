/** What an adapter knows of its build before it begins. */
export interface Build {
  watch: boolean
  /** What makes it no production build, by the bundler's own word: `NODE_ENV is development`. */
  whyNotProduction: string | undefined
  mode: string
}

/** Whether static-s3 is switched on, and the setting that says so: `USE_S3 is not set`. */
export interface Switch {
  on: boolean
  because: string
}

export type Gate = { open: true } | { open: false; because: string }

/** Whether a build may go to S3; where not, the reason and what would change it. */
export function gate(build: Build, { on, because }: Switch): Gate {
  if (!on) return { open: false, because }
  if (build.watch) return { open: false, because: 'a watch build stays on disk; build without --watch' }
  if (build.whyNotProduction) return { open: false, because: notProduction(build.whyNotProduction) }
  return { open: true }
}

export function notProduction(why: string): string {
  return `this is not a production build: ${why}`
}
