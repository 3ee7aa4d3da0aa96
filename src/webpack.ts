import { resolve } from 'node:path'
import { type Snapshot, takeSnapshots } from './core/collect.js'
import { readEnvironment } from './core/environment.js'
import { StaticS3Error } from './core/error.js'
import type { Options } from './core/options.js'
import { prepare } from './core/prepare.js'
import { terminalOf } from './core/progress.js'
import { publish } from './core/publish.js'
import type { Settings } from './core/settings.js'
import { separateCaches } from './webpack/cache.js'
import { type Asset, isFingerprinted, pathOf } from './webpack/fingerprints.js'
import { runWorkersFrom, type WorkerCompiler } from './webpack/workers.js'

export type { Options, Rule } from './core/options.js'

/** The part of webpack's and Rspack's `Compiler` that is used here: the two types don't fit each other, and this one fits both. */
export interface Compiler {
  options: {
    mode?: string
    output: { publicPath?: unknown; hashSalt?: unknown }
    optimization?: { realContentHash?: boolean }
    target?: unknown
    watch?: unknown
    cache?: unknown
  }
  context: string
  outputPath: string
  // biome-ignore lint/suspicious/noExplicitAny: each bundler types these in its own way
  hooks: any
  // biome-ignore lint/suspicious/noExplicitAny: the same
  webpack: any
  isChild(): boolean
  getInfrastructureLogger(name: string): { info(message: string): void; warn(message: string): void }
}

interface Compilation {
  errors: unknown[]
  compiler: Compiler
  getAssets(): readonly Asset[]
}

interface Stats {
  compilation: Compilation
  hasErrors(): boolean
}

const name = 'static-s3'

/**
 * Puts the files of a production build into S3 and makes the build's URLs point there, where the environment says so (`USE_S3`).
 * For webpack 5 and Rspack.
 */
export class StaticS3Plugin {
  readonly #options: Options

  /** @param options beat the environment; all can be left out */
  constructor(options: Options = {}) {
    this.#options = options
  }

  /** Called by the bundler. */
  apply(compiler: Compiler): void {
    const logger = compiler.getInfrastructureLogger(name)
    let settings: Settings | undefined
    let before = new Map<string, Snapshot>()
    let defined = false

    // One object may stand in several configurations, and one compiler may run several times: all state is the compiler's.
    const defineStaticUrl = (url: string) => {
      if (defined) return
      defined = true
      new compiler.webpack.DefinePlugin({ 'process.env.STATIC_URL': JSON.stringify(url) }).apply(compiler)
    }

    separateCaches(
      compiler.options,
      this.#options,
      readEnvironment(modeOf(compiler), compiler.context, process.env).all,
    )
    runWorkersFrom(compiler as unknown as WorkerCompiler, () =>
      settings?.rewrite && !isServerSide(compiler) ? settings.publicUrl : undefined,
    )

    // Not called for a watch build or a dev server.
    compiler.hooks.beforeRun.tapPromise(name, async () => {
      const mode = modeOf(compiler)
      const resolved = await prepare({
        options: this.#options,
        build: { watch: false, production: () => mode === 'production', mode },
        envDir: compiler.context,
      })
      if (!resolved.on) {
        logger.info(`off: ${resolved.because}`)
        defineStaticUrl(ordinaryBase(compiler))
        return
      }
      settings = resolved.settings
      if (settings.rewrite !== false) rewriteUrls(compiler, settings.publicUrl)
      defineStaticUrl(settings.publicUrl)
      before = await takeSnapshots([compiler.outputPath])
    })

    compiler.hooks.watchRun.tap(name, () => defineStaticUrl(ordinaryBase(compiler)))

    // Late, so that what other plugins write in this hook is on disk. In `done` an error still fails the build.
    compiler.hooks.done.tapPromise({ name, stage: 10_000 }, async (stats: Stats) => {
      if (!settings || stats.hasErrors() || isServerSide(compiler)) return
      const assets = stats.compilation.getAssets()
      try {
        await publish({
          settings,
          outputs: [
            {
              dir: resolve(compiler.outputPath),
              emitted: new Set(assets.map(pathOf)),
              fingerprinted: new Set(assets.filter(isFingerprinted).map(pathOf)),
            },
          ],
          before,
          notOurs: [],
          logger,
          terminal: terminalOf(process.stderr, false),
        })
      } catch (error) {
        if (!(error instanceof StaticS3Error)) throw error
        const failure = new compiler.webpack.WebpackError(error.message)
        failure.stack = error.stack
        stats.compilation.errors.push(failure)
      }
    })
  }
}

function modeOf({ options }: Compiler): string {
  // What webpack itself takes where none is given.
  return options.mode ?? 'production'
}

function rewriteUrls({ options: { output, optimization } }: Compiler, publicUrl: string): void {
  output.publicPath = publicUrl
  // Without real content hashes, the URL gets into files after they were hashed: a new domain would come under an old name.
  if (optimization?.realContentHash === false) output.hashSalt = `${output.hashSalt ?? ''}${publicUrl}`
}

/** `auto` and functions have no value before the page runs. */
function ordinaryBase({ options }: Compiler): string {
  const { publicPath } = options.output
  return typeof publicPath === 'string' && publicPath !== 'auto' ? publicPath : '/'
}

function isServerSide({ options }: Compiler): boolean {
  return [options.target].flat().some((target) => /^(async-)?node|^electron-(main|preload)/.test(String(target)))
}
