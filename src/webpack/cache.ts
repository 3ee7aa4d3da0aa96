import { createHash } from 'node:crypto'
import { readEnvironment } from '../core/environment.js'
import type { Options } from '../core/options.js'

interface CachingOptions {
  mode?: string
  watch?: unknown
  cache?: unknown
  /** Where Rspack 1 has its persistent cache. */
  experiments?: { cache?: unknown }
}

/**
 * Keeps a persistent cache from answering with what was built for another public URL: it has CSS with the URLs in it, and neither
 * webpack nor Rspack asks a plugin what its modules depend on. Call it in `apply`, before the cache is opened.
 *
 * @see https://webpack.js.org/configuration/cache/#cacheversion
 */
export function separateCaches(
  { mode = 'production', watch, cache, experiments }: CachingOptions,
  options: Options,
): void {
  const persistent = [cache, experiments?.cache].filter(isPersistent)
  if (persistent.length === 0) return
  const variables = readEnvironment(mode, process.cwd(), process.env).all
  const names = Object.keys(variables).filter((name) => /^(USE_S3|AWS_(?!.*(KEY|TOKEN)).*)$/.test(name))
  const enabled = typeof options.enabled === 'function' ? options.enabled(variables, mode) : options.enabled
  const decisive = [watch, { ...options, enabled }, names.sort().map((name) => [name, variables[name]])]
  const version = createHash('sha256').update(JSON.stringify(decisive)).digest('hex')
  for (const each of persistent) each.version = `${each.version ?? ''}|static-s3 ${version}`
}

function isPersistent(cache: unknown): cache is { version?: string } {
  if (typeof cache !== 'object' || cache === null) return false
  return ['filesystem', 'persistent'].includes(String((cache as { type?: unknown }).type))
}
