import { createHash } from 'node:crypto'
import { decisiveValues } from '../deploy/load-settings.js'
import type { Options } from '../settings/options.js'
import { type Compilation, type Compiler, pluginName } from './compiler.js'

interface CachingOptions {
  mode?: string
  watch?: unknown
  cache?: unknown
  /** Rspack 1's persistent cache. */
  experiments?: { cache?: unknown }
}

/**
 * Keeps Rspack from reusing CSS of another public URL. Its persistent cache stores CSS with URLs, and plugins cannot add dependencies of modules.
 * Call it in `apply`, before the bundler opens the cache.
 *
 * @see https://rspack.rs/config/cache#cacheversion
 */
export function separateCaches(
  { mode = 'production', watch, cache, experiments }: CachingOptions,
  options: Options,
): void {
  const persistent = [cache, experiments?.cache].filter(isPersistent)
  if (persistent.length === 0) return
  const decisive = [watch, ...decisiveValues(options, mode, process.cwd())]
  const version = createHash('sha256').update(JSON.stringify(decisive)).digest('hex')
  for (const each of persistent) addToVersion(each, version)
}

function isPersistent(cache: unknown): cache is { version?: string } {
  const type = (cache as { type?: unknown } | null | undefined)?.type
  return type === 'persistent' || type === 'filesystem'
}

function addToVersion(cache: { version?: string }, version: string): void {
  cache.version = `${cache.version ?? ''}|static-s3 ${version}`
}

/**
 * Makes webpack rebuild modules of another public URL. Its caches, in memory and on disk, store CSS with URLs. DefinePlugin adds dependencies of
 * modules in the same way.
 *
 * Plugins store URLs in the cache on disk too (favicons-webpack-plugin), so another public URL that is known before the build gets another cache.
 */
export function dependOnPublicPath({ webpack, hooks, options }: Compiler, announced: string | undefined): void {
  if (announced !== undefined && isPersistent(options.cache)) addToVersion(options.cache, announced)
  hooks.compilation.tap(pluginName, (compilation: Compilation & { valueCacheVersions: Map<string, string> }) => {
    const version = String(options.output.publicPath)
    compilation.valueCacheVersions.set('static-s3', version)
    webpack.NormalModule.getCompilationHooks(compilation).loader.tap(
      pluginName,
      (_context: unknown, { buildInfo }: { buildInfo: { valueDependencies?: Map<string, string> } }) => {
        buildInfo.valueDependencies ??= new Map()
        buildInfo.valueDependencies.set('static-s3', version)
      },
    )
  })
}
