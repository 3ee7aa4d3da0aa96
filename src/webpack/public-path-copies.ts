import type { Compiler } from './compiler.js'

/** An object of a configuration that has a copy of its public path. */
export interface Copy {
  publicPath: string
}

/**
 * The copies of a configuration's public path, which keep the old value when it changes: vue-cli gives a copy to the loader of stylesheets, and
 * Symfony Encore gives one to the plugin that writes `entrypoints.json`.
 */
export function publicPathCopies(
  publicPath: unknown,
  { module, plugins = [] }: Pick<Compiler['options'], 'module' | 'plugins'>,
): Copy[] {
  if (typeof publicPath !== 'string' || publicPath === '' || publicPath === 'auto') return []
  const isCopy = (value: unknown): value is Copy =>
    isObject(value) && typeof value.publicPath === 'string' && withSlash(value.publicPath) === withSlash(publicPath)
  return [...plugins, ...(module?.rules ?? []).flatMap(loaderOptions)].filter(isCopy)
}

/** The options of HtmlWebpackPlugin that leave the URLs in pages to `output.publicPath`. */
export function pageOptions(plugins: readonly unknown[] = []): Copy[] {
  const isPageWriter = (plugin: unknown): plugin is { options: Copy } =>
    isObject(plugin) && plugin.constructor.name === 'HtmlWebpackPlugin' && isObject(plugin.options)
  return plugins.filter(isPageWriter).flatMap(({ options }) => (options.publicPath === 'auto' ? [options] : []))
}

function loaderOptions(rule: unknown): unknown[] {
  if (!isObject(rule)) return []
  const inner = [rule.use, rule.oneOf, rule.rules].flat()
  return [rule.options, ...inner.flatMap(loaderOptions)]
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function withSlash(path: string): string {
  return path.endsWith('/') ? path : `${path}/`
}
