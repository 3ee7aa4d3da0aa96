import { type Environment, readEnvironment } from '../settings/environment.js'
import type { Options } from '../settings/options.js'

/**
 * The variables that settings come from: the process's own and those of `.env` files.
 *
 * @param dir the folder of the `.env` files, or false for none
 */
export function environmentFor(mode: string, dir: string | false): Environment {
  return readEnvironment(mode, dir, process.env)
}

/** Everything that settings come from, as JSON values and without credentials: two builds with equal values have the same URLs. */
export function settingSources(options: Options, mode: string, dir: string): unknown[] {
  const variables = environmentFor(mode, dir).all
  const names = Object.keys(variables).filter((name) => /^(USE_S3|AWS_(?!.*(KEY|TOKEN)).*)$/.test(name))
  const enabled = typeof options.enabled === 'function' ? options.enabled(variables, mode) : options.enabled
  return [{ ...options, enabled }, names.sort().map((name) => [name, variables[name]])]
}
