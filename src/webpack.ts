import { resolve } from 'node:path'
import type { Asked } from './deploy/early-survey.js'
import type { Output, Snapshot } from './files/collect.js'
import { StaticS3Error } from './runtime/error.js'
import type { Options } from './settings/options.js'
import type { Settings } from './settings/settings.js'
import { dependOnPublicPath, separateCaches } from './webpack/cache.js'
import { type Asset, isFingerprinted, pathOf } from './webpack/fingerprints.js'
import { runWorkersFrom, type WorkerCompiler } from './webpack/workers.js'

export type { Options, Rule } from './settings/options.js'

/** The part of webpack's and Rspack's `Compiler` that is used here: the two types don't fit each other, and this one fits both. */
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

interface Compilation {
  errors: unknown[]
  getAssets(): readonly Asset[]
  chunks: Iterable<{ files: Iterable<string> }>
  /** Fills in a template such as `dist/[fullhash]`. */
  getPath(template: string, data: object): string
}

interface Stats {
  compilation: Compilation
  hasErrors(): boolean
}

const name = 'static-s3'

/** Where URLs point in a build that stays on disk: where they would without us. */
const ordinary = { publicUrl: undefined, rewrite: false } as const

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
    // One object may stand in several configurations, and one compiler may run several times: all state is the compiler's.
    let configured: { publicPath?: unknown; hashSalt?: unknown } | undefined
    let settings: Settings | undefined
    let before = new Map<string, Snapshot>()
    let asked: Asked | undefined
    let publishing: Promise<void> | undefined

    const definitions = { 'process.env.STATIC_URL': '' }
    let defined = false
    let builtFor: string | undefined
    const pointUrls = ({ publicUrl, rewrite }: Pick<Settings, 'publicUrl' | 'rewrite'> | typeof ordinary) => {
      const { output, optimization } = compiler.options
      // Not in `apply`: the bundler fills in its defaults after that.
      configured ??= { publicPath: output.publicPath, hashSalt: output.hashSalt }
      const { publicPath, hashSalt } = configured
      output.publicPath = rewrite ? publicUrl : publicPath
      // Without real content hashes, the URL gets into files after they were hashed: a new domain would come under an old name.
      const salts = rewrite && optimization?.realContentHash === false
      output.hashSalt = salts ? `${hashSalt ?? ''}${publicUrl}` : hashSalt
      const staticUrl = publicUrl ?? ordinaryBase(publicPath)
      definitions['process.env.STATIC_URL'] = JSON.stringify(staticUrl)
      builtFor ??= staticUrl
      // Its native half takes the options once, at the first run.
      if (isRspack(compiler) && builtFor !== staticUrl) {
        throw new StaticS3Error(
          `static-s3: this Rspack compiler was made for ${builtFor} and can't be for ${staticUrl}; make a new compiler for each build`,
        )
      }
      if (!defined) new compiler.webpack.DefinePlugin(definitions).apply(compiler)
      defined = true
    }

    if (isRspack(compiler)) separateCaches(compiler.options, this.#options)
    else dependOnPublicPath(compiler)
    runWorkersFrom(compiler as unknown as WorkerCompiler, () =>
      settings?.rewrite && !isServerSide(compiler)
        ? { publicUrl: settings.publicUrl, base: ordinaryBase(configured?.publicPath) }
        : undefined,
    )

    // Not called for a watch build or a dev server.
    compiler.hooks.beforeRun.tapPromise(name, async () => {
      settings = undefined
      asked = undefined
      const mode = modeOf(compiler.options)
      const { prepare } = await import('./deploy/load-settings.js')
      const resolved = await prepare({
        options: this.#options,
        build: { watch: false, whyNotProduction: mode === 'production' ? undefined : `mode is ${mode}`, mode },
        envDir: process.cwd(),
      })
      if (!resolved.on) {
        logger.info(`off: ${resolved.because}`)
        pointUrls(ordinary)
        return
      }
      settings = resolved.settings
      pointUrls(settings)
      const { ask, takeSnapshots } = await import('./deploy/before-build.js')
      if (!isServerSide(compiler)) {
        asked = ask(settings)
        // Loaded while the bundler is at work.
        void import('./deploy/after-build.js')
      }
      before = await takeSnapshots([resolve(compiler.outputPath)])
    })

    compiler.hooks.watchRun.tap(name, () => {
      settings = undefined
      pointUrls(ordinary)
    })

    compiler.hooks.failed.tap(name, () => asked?.stop())
    // With a cache on disk, webpack-cli closes the compiler on Ctrl-C, and then ends the process.
    compiler.hooks.shutdown.tapPromise(name, async () => {
      await publishing?.catch(() => {})
    })

    // Late, so that what other plugins write in this hook is on disk. In `done` an error still fails the build.
    compiler.hooks.done.tapPromise({ name, stage: 10_000 }, async (stats: Stats) => {
      if (!settings || !asked) return
      if (stats.hasErrors()) return asked.stop()
      const { compilation } = stats
      const assets = compilation.getAssets()
      const fingerprinted = new Set(assets.filter(isFingerprinted).map(pathOf))
      const output = {
        dir: resolve(compilation.getPath(compiler.outputPath, {})),
        emitted: new Set(assets.map(pathOf)),
        fingerprinted,
        namedDotfiles: new Set([...fingerprinted, ...scriptsAndStyles(compilation)].filter(hasDot)),
        emittedOnly: isOneOfSeveral(compiler),
      }
      if (output.emittedOnly) settings.warnings.push(...claim(settings, output))
      for (const path of [...output.emitted].filter((path) => path.includes('+'))) {
        settings.warnings.push(`${path}: S3 reads the + in its URL as a space; rename it`)
      }
      const { publish, terminalOf } = await import('./deploy/after-build.js')
      const terminal = terminalOf(process.stderr, isSilent(compiler.options))
      try {
        publishing = publish({
          settings,
          asked,
          outputs: [output],
          before,
          notOurs: [],
          base: ordinaryBase(configured?.publicPath),
          bundler: bundlerOf(compiler),
          logger,
          terminal,
        })
        await publishing
      } catch (error) {
        if (!(error instanceof StaticS3Error)) throw error
        const failure = new compiler.webpack.WebpackError(error.message)
        failure.stack = error.stack
        compilation.errors.push(failure)
      }
    })
  }
}

function scriptsAndStyles({ chunks }: Compilation): string[] {
  return [...chunks].flatMap(({ files }) => [...files].map((file) => pathOf({ name: file })))
}

function hasDot(path: string): boolean {
  return /(^|\/)\./.test(path)
}

type CompilerOptions = Compiler['options']

function modeOf({ mode }: CompilerOptions): string {
  // What webpack itself takes where none is given.
  return mode ?? 'production'
}

/** `auto` and functions have no value before the page runs. */
function ordinaryBase(publicPath: unknown): string {
  return typeof publicPath === 'string' && publicPath !== 'auto' ? publicPath : '/'
}

function isServerSide({ options, platform }: Compiler): boolean {
  // What the bundler made of `target`, browserslist included. Electron's renderer is both.
  if (platform) return platform.node === true && platform.web !== true
  return [options.target].flat().some((target) => /^(async-)?node|^electron-(main|preload)/.test(String(target)))
}

function bundlerOf({ webpack }: Compiler): string {
  return webpack.rspackVersion === undefined ? `webpack ${webpack.version}` : `rspack ${webpack.rspackVersion}`
}

function isRspack({ webpack }: Compiler): boolean {
  return webpack.rspackVersion !== undefined
}

/** In a configuration that is an array, where output folders may lie in each other and are written at the same time. */
function isOneOfSeveral({ hooks }: Compiler): boolean {
  return hooks.done.taps.some((tap: { name: string }) => tap.name === 'MultiCompiler')
}

/** Which output folder an object comes from, in this process. */
const writers = new Map<string, string>()

/** What another configuration's output folder has too, for the same place in the bucket: there only one of the two can be. */
function claim({ bucket, location }: Settings, { dir, emitted, fingerprinted }: Output): string[] {
  return [...emitted].flatMap((path) => {
    // The same name then means the same bytes.
    if (fingerprinted.has(path)) return []
    const object = `s3://${[bucket, location, path].filter(Boolean).join('/')}`
    const other = writers.get(object) ?? dir
    writers.set(object, dir)
    return other === dir ? [] : [`${object} comes from ${other} and from ${dir}: give the two another location`]
  })
}

function isSilent({ infrastructureLogging }: CompilerOptions): boolean {
  return ['none', 'error', 'warn'].includes(String(infrastructureLogging?.level))
}
