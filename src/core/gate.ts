import type { Switch } from './settings.js'

/** What an adapter knows of its build before it begins. */
export interface Build {
  watch: boolean
  /** Built for production by the bundler's own word. */
  production: boolean
  mode: string
}

export type Gate = { open: true } | { open: false; because: string }

/** Whether a build may go to S3; where not, the reason and what would change it. */
export function gate(build: Build, { on, because }: Switch): Gate {
  if (!on) return { open: false, because }
  if (build.watch) return { open: false, because: 'a watch build stays on disk; build without --watch' }
  if (!build.production) {
    return { open: false, because: `this is not a production build (mode ${build.mode}); build with mode production` }
  }
  return { open: true }
}
