import { createHash } from 'node:crypto'
import { type Compilation, type Compiler, isRspack, pluginName } from './compiler.js'

/**
 * Keeps a bundler's caches from giving CSS of another public URL to this build. Call it in `apply`, before the bundler opens its cache.
 *
 * @param decisive returns everything that the public URL depends on, as JSON values; nothing if the build has the URLs that it has without static-s3
 * @param announced the public URL, if it is known before the build
 */
export function separateCaches(compiler: Compiler, decisive: () => unknown[], announced: string | undefined): void {
  if (isRspack(compiler)) separateVersions(compiler.options, decisive)
  else dependOnPublicPath(compiler, announced)
}

/**
 * Rspack's persistent cache stores CSS with URLs, and plugins cannot add dependencies of modules.
 *
 * @see https://rspack.rs/config/cache#cacheversion
 */
function separateVersions({ cache, experiments }: Compiler['options'], decisive: () => unknown[]): void {
  // `experiments.cache` is Rspack 1's.
  const persistent = [cache, (experiments as { cache?: unknown } | undefined)?.cache].filter(isPersistent)
  const values = persistent.length > 0 ? decisive() : []
  if (values.length === 0) return
  const version = createHash('sha256').update(JSON.stringify(values)).digest('hex')
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
 * webpack's caches, in memory and on disk, store CSS with URLs. DefinePlugin adds dependencies of modules in the same way.
 *
 * The cache on disk also stores what `resolve.alias` made of a name, and plugins store URLs in it (favicons-webpack-plugin). So another public URL
 * that is known before the build gets another cache.
 */
function dependOnPublicPath({ webpack, hooks, options }: Compiler, announced: string | undefined): void {
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
