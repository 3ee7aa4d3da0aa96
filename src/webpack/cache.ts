import { createHash } from 'node:crypto'
import { type Compilation, type Compiler, isRspack, pluginName } from './compiler.js'

/**
 * Keeps a bundler's caches from giving CSS of another public URL to this build. Call it in `apply`, before the bundler opens its cache.
 *
 * @param decisive returns everything that the public URL depends on, as JSON values; nothing if the build has the URLs that it has without static-s3
 */
export function separateCaches(compiler: Compiler, decisive: () => unknown[]): void {
  if (isRspack(compiler)) separateVersions(compiler.options, decisive)
  else dependOnPublicPath(compiler)
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
  for (const each of persistent) each.version = `${each.version ?? ''}|static-s3 ${version}`
}

function isPersistent(cache: unknown): cache is { version?: string } {
  return typeof cache === 'object' && cache !== null && (cache as { type?: unknown }).type === 'persistent'
}

/** webpack's caches, in memory and on disk, store CSS with URLs. DefinePlugin adds dependencies of modules in the same way. */
function dependOnPublicPath({ webpack, hooks, options }: Compiler): void {
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
