/** What an adapter knows of its build before it begins. */
export interface Build {
  watch: boolean
  /** What makes it no production build, by the bundler's own word: `NODE_ENV is development`. */
  whyNotProduction: string | undefined
  mode: string
}

/** Whether a build goes to S3. If it does not: the reason, with the setting or flag that would change it. */
export type Switch = { on: true } | { on: false; because: string }

/** @param enabled what the settings say, whatever the build is */
export function switchFor(build: Build, enabled: Switch): Switch {
  if (!enabled.on) return enabled
  if (build.watch) return { on: false, because: 'a watch build stays on disk; build without --watch' }
  if (build.whyNotProduction) return { on: false, because: notProduction(build.whyNotProduction) }
  return { on: true }
}

export function notProduction(why: string): string {
  return `this is not a production build: ${why}`
}
