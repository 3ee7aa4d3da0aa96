import { createHash } from 'node:crypto'
import type { Variables } from '../core/environment.js'
import type { Options } from '../core/options.js'

interface CachingOptions {
  cache?: unknown
  watch?: unknown
}

/**
 * Keeps a persistent cache from answering with what was built for another public URL: it has CSS with the URLs in it, and neither
 * webpack nor Rspack asks a plugin what its modules depend on. Call it in `apply`, before the cache is opened.
 *
 * @see https://webpack.js.org/configuration/cache/#cacheversion
 */
export function separateCaches({ cache, watch }: CachingOptions, options: Options, variables: Variables): void {
  if (typeof cache !== 'object' || cache === null || (cache as { type?: unknown }).type === 'memory') return
  const names = Object.keys(variables).filter((name) => /^(USE_S3|AWS_(?!.*(KEY|TOKEN)).*)$/.test(name))
  const decisive = JSON.stringify([watch, options, names.sort().map((name) => [name, variables[name]])])
  const versioned = cache as { version?: string }
  versioned.version = `${versioned.version ?? ''}|static-s3 ${createHash('sha256').update(decisive).digest('hex')}`
}
