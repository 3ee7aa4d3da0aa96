import type { Asset } from './fingerprints.js'

/** The name under which the plugin taps into hooks. */
export const pluginName = 'static-s3'

/** The part of webpack's and Rspack's `Compiler` that is used here. Neither type fits the other; this one fits both. */
export interface Compiler {
  options: {
    mode?: string
    output: { publicPath?: unknown; hashSalt?: unknown }
    optimization?: { realContentHash?: boolean }
    target?: unknown
    watch?: unknown
    cache?: unknown
    experiments?: object
    infrastructureLogging?: { level?: unknown }
  }
  outputPath: string
  platform?: { node?: boolean | null; web?: boolean | null }
  // biome-ignore lint/suspicious/noExplicitAny: each bundler types these in its own way
  hooks: any
  // biome-ignore lint/suspicious/noExplicitAny: the same
  webpack: any
  getInfrastructureLogger(name: string): { info(message: string): void; warn(message: string): void }
}

export interface Compilation {
  errors: unknown[]
  getAssets(): readonly Asset[]
  chunks: Iterable<{ files: Iterable<string> }>
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

export function isSilent({ options }: Compiler): boolean {
  return ['none', 'error', 'warn'].includes(String(options.infrastructureLogging?.level))
}
