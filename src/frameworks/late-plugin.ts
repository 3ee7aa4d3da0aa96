import type { Plugin, ResolvedConfig, UserConfig } from 'vite'

/** Adds a plugin to a complete configuration. Vite has already called the hooks of all others that come before the build. */
export function addLate(config: ResolvedConfig, plugin: Plugin): void {
  const { config: hook, configResolved } = plugin as {
    config?: (user: UserConfig) => UserConfig
    configResolved?: (config: ResolvedConfig) => void
  }
  const { define, worker } = hook?.({}) ?? {}
  defineLate(config, { ...define })
  if (worker?.plugins) addWorkerPlugins(config, worker.plugins)
  ;(config.plugins as Plugin[]).push(plugin)
  configResolved?.(config)
}

/** From Vite 6 on, each environment has definitions of its own. */
export function defineLate(config: ResolvedConfig, define: Record<string, unknown>): void {
  for (const each of [config, ...Object.values(config.environments ?? {})]) {
    Object.assign(each, { define: { ...each.define, ...define } })
  }
}

/** Vite makes a worker's configuration when it meets the worker: in Vite 5 a list of plugins, later a configuration with several. */
function addWorkerPlugins({ worker }: ResolvedConfig, added: () => unknown): void {
  const { plugins } = worker
  worker.plugins = async (bundleChain) => {
    const made: unknown = await plugins(bundleChain)
    const { plugins: all, environments } = Object(made)
    for (const list of [made, all, environments?.client?.plugins]) {
      if (Array.isArray(list)) list.push(...(added() as unknown[]))
    }
    return made as never
  }
}
