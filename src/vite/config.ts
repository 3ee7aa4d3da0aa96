import { resolve } from 'node:path'
import type { Plugin, ResolvedConfig, UserConfig } from 'vite'
import { type Logger, namedLogger } from '../deploy/logger.js'
import type { ViteBuild } from './build.js'
import { rootPlaceholder } from './output-root.js'

/** The URL of the built files, for application code. */
export function defineStaticUrl(url: string): { define: Record<string, string> } {
  return { define: { 'import.meta.env.STATIC_URL': url === rootPlaceholder ? url : JSON.stringify(url) } }
}

/** Vite's `base` as Vite resolves it. */
export function ordinaryBase({ base = '/' }: UserConfig): string {
  return base.endsWith('/') || base === '' ? base : `${base}/`
}

/** The folder of the `.env` files, or false for none. */
export function envDirOf({ root = '.', envDir }: UserConfig): string | false {
  if (envDir === false) return false
  return resolve(root, envDir ?? '.')
}

/** Undefined for a production build, as far as can be known before Vite reads `.env` files. */
export function whyNotProduction({ NODE_ENV }: { NODE_ENV?: string | undefined } = process.env): string | undefined {
  return NODE_ENV === 'production' ? undefined : `NODE_ENV is ${NODE_ENV}`
}

/** Frameworks such as VitePress lower the log level, which hides `info`. The summary then uses a level that is shown. */
export function loggerOf({ logger, logLevel = 'info' }: ResolvedConfig): Logger {
  const info = logLevel === 'silent' ? 'info' : logLevel
  const warn = logLevel === 'error' ? 'error' : 'warn'
  return namedLogger({ info: (message) => logger[info](message), warn: (message) => logger[warn](message) })
}

/** An error for Vite to print: Rollup and Rolldown print the message, and then the stack without this beginning. */
export function withoutStack(error: Error): Error {
  error.stack = `${error.name}: ${error.message}\n`
  return error
}

export function outputFolders(root: string, build: ResolvedConfig['build']): string[] {
  const output = build.rollupOptions.output ?? []
  const dirs = (Array.isArray(output) ? output : [output]).flatMap(({ dir }) => dir ?? [])
  return [build.outDir, ...dirs].map((dir) => resolve(root, dir))
}

/** Matches the names of plugins that hash scripts and stylesheets by the URLs in pages (`integrity`). */
export const hashingPlugin = /\bsri|integrity|csp-guard/

/** The file with the import map of the chunks; undefined without `build.chunkImportMap`, an option of Vite 8. */
export function chunkImportMapOf(build: ResolvedConfig['build']): string | undefined {
  if (!build.chunkImportMap) return undefined
  const map = build.rolldownOptions.experimental?.chunkImportMap
  return (typeof map === 'object' && map.fileName) || 'importmap.json'
}

/**
 * Tells when Vite begins to build several environments. The end is the plugin's own hook, which runs last.
 *
 * Vite 6 has no such hooks, only the configuration's function.
 */
export function watchBuildApp(config: ResolvedConfig, build: Pick<ViteBuild, 'beginApp' | 'endApp'>): void {
  const plugins = config.plugins as Plugin[]
  let hasHooks = false
  const handler = async () => {
    hasHooks = true
    build.beginApp()
  }
  plugins.unshift({ name: 'static-s3:build-app', buildApp: { order: 'pre', handler } })
  const { builder } = config
  if (!builder) return
  const { buildApp } = builder
  builder.buildApp = async (app) => {
    build.beginApp()
    await buildApp(app)
    if (!hasHooks) await build.endApp(Object.keys(app.environments))
  }
}
