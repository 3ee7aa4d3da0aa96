import type { Logger } from '../deploy/logger.js'
import type { Asset } from './fingerprints.js'

/** The name under which the plugin taps into hooks. */
export const pluginName = 'static-s3'

/** After other plugins, so that the files that they write in the same hook are on disk. */
export const lastStage = 10_000

/** The part of webpack's and Rspack's `Compiler` that is used here. Neither type fits the other; this one fits both. */
export interface Compiler {
  options: {
    name?: string
    mode?: string
    output: { publicPath?: unknown; hashSalt?: unknown; crossOriginLoading?: unknown }
    optimization?: { realContentHash?: boolean }
    resolve?: { alias?: unknown }
    target?: unknown
    watch?: unknown
    cache?: unknown
    experiments?: object
    infrastructureLogging?: { level?: unknown; stream?: { write(text: string): unknown } }
    plugins?: readonly unknown[]
    module?: { rules?: readonly unknown[] }
  }
  outputPath: string
  platform?: { node?: boolean | null; web?: boolean | null }
  // biome-ignore lint/suspicious/noExplicitAny: each bundler types these in its own way
  hooks: any
  // biome-ignore lint/suspicious/noExplicitAny: the same
  webpack: any
  getInfrastructureLogger(name: string): Logger
}

export interface Compilation {
  // biome-ignore lint/suspicious/noExplicitAny: each bundler types these in its own way
  hooks: any
  getAssets(): readonly (Asset & { source: { source(): string | Buffer } })[]
  updateAsset(name: string, source: unknown): void
  chunks: Iterable<{ files: Iterable<string>; auxiliaryFiles: Iterable<string> }>
  hash?: string | null | undefined
  /** Fills in a template such as `dist/[fullhash]`. */
  getPath(template: string, data: object): string
}

export interface Stats {
  compilation: Compilation
  hasErrors(): boolean
}

export function modeOf({ options }: Compiler): string {
  // webpack's own default.
  return options.mode ?? 'production'
}

/** Whether a server runs the bundle, by what the bundler made of `target`, browserslist included. */
export function isServerSide({ options, platform }: Compiler): boolean {
  // Electron's renderer is both.
  if (platform) return platform.node === true && platform.web !== true
  return [options.target].flat().some((target) => /^(async-)?node|^electron-(main|preload)/.test(String(target)))
}

/** With its version. */
export function bundlerOf({ webpack }: Compiler): string {
  return webpack.rspackVersion === undefined ? `webpack ${webpack.version}` : `rspack ${webpack.rspackVersion}`
}

export function isRspack({ webpack }: Compiler): boolean {
  return webpack.rspackVersion !== undefined
}

/** Whether the configuration is an array: output folders may then lie in each other and are written at the same time. */
export function isOneOfSeveral({ hooks }: Compiler): boolean {
  return hooks.done.taps.some((tap: { name: string }) => tap.name === 'MultiCompiler')
}

/**
 * The bundler's log for static-s3. It shows the summary and warnings at any log level: Rsbuild's level would hide them, and users need the
 * summary.
 */
export function loggerOf(compiler: Compiler): Logger {
  const log = compiler.getInfrastructureLogger(pluginName)
  if (!isSilent(compiler)) return log
  const stream = compiler.options.infrastructureLogging?.stream ?? process.stderr
  const print = (mark: string, message: string) => {
    const lines = message.split('\n').map((line) => `<${mark}> [${pluginName}] ${line}\n`)
    stream.write(lines.join(''))
  }
  return { info: (message) => print('i', message), warn: (message) => print('w', message) }
}

export function isSilent({ options }: Compiler): boolean {
  return ['none', 'error', 'warn'].includes(String(options.infrastructureLogging?.level))
}

/**
 * The part of a build by vue-cli that this process does; undefined if there is one part only. For browsers without modules, vue-cli builds
 * twice, each time in a process of its own and into the same folder. The page of the second pass has the files of both.
 */
export function passOfVueCli(env: Record<string, string | undefined>): 'for old browsers' | 'last' | undefined {
  if (!env.VUE_CLI_MODERN_MODE) return undefined
  return env.VUE_CLI_MODERN_BUILD ? 'last' : 'for old browsers'
}
