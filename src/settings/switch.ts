// Without imports: adapters load it even if static-s3 is off.

/** Facts about a build that its adapter knows before it begins. */
export interface Build {
  watch: boolean
  /** The bundler's own reason: `NODE_ENV is development`. Undefined for a production build. */
  whyNotProduction: string | undefined
  mode: string
}

export function notProduction(why: string): string {
  return `this is not a production build: ${why}`
}
