import { resolve } from 'node:path'
import type { Deploy } from '../deploy/deploy.js'
import { StaticS3Error } from '../runtime/error.js'
import type { Options } from '../settings/options.js'
import type { Settings } from '../settings/settings.js'
import { bundlerOf, type Compiler, isServerSide, isSilent, modeOf, pluginName, type Stats } from './compiler.js'
import { outputOf, warningsAbout } from './output.js'
import { BuiltUrls } from './urls.js'
import type { Origins } from './workers.js'

/** The state of one compiler, with one method for each hook. A compiler may run several times. */
export class WebpackBuild {
  readonly #compiler: Compiler
  readonly #options: Options
  readonly #logger: ReturnType<Compiler['getInfrastructureLogger']>
  readonly #urls: BuiltUrls
  #settings: Settings | undefined
  #deploy: Deploy | undefined
  #publishing: Promise<void> | undefined

  constructor(compiler: Compiler, options: Options) {
    this.#compiler = compiler
    this.#options = options
    this.#logger = compiler.getInfrastructureLogger(pluginName)
    this.#urls = new BuiltUrls(compiler)
  }

  /** Decides whether the build goes to S3, and starts its deploy. */
  async start(): Promise<void> {
    this.#settings = undefined
    this.#deploy = undefined
    const mode = modeOf(this.#compiler)
    const { loadSettings } = await import('../deploy/load-settings.js')
    const resolved = await loadSettings({
      options: this.#options,
      build: { watch: false, whyNotProduction: mode === 'production' ? undefined : `mode is ${mode}`, mode },
      envDir: process.cwd(),
    })
    if (!resolved.on) {
      this.#logger.info(`off: ${resolved.because}`)
      this.#urls.restore()
      return
    }
    this.#settings = resolved.settings
    this.#urls.pointTo(resolved.settings)
    if (isServerSide(this.#compiler)) return
    const { startDeploy } = await import('../deploy/deploy.js')
    this.#deploy = startDeploy(resolved.settings)
    await this.#deploy.snapshot([resolve(this.#compiler.outputPath)])
  }

  stayOnDisk(): void {
    this.#settings = undefined
    this.#deploy = undefined
    this.#urls.restore()
  }

  /** Undefined if workers run from the page's own origin. */
  workerOrigins(): Origins | undefined {
    if (!this.#settings?.rewrite || isServerSide(this.#compiler)) return undefined
    return { publicUrl: this.#settings.publicUrl, base: this.#urls.base }
  }

  fail(): void {
    this.#deploy?.stop()
  }

  /** Waits for the deploy: with a cache on disk, webpack-cli closes the compiler on Ctrl-C and then ends the process. */
  async shutDown(): Promise<void> {
    await this.#publishing?.catch(() => {})
  }

  /** Publishes a build that has no errors. If that fails, the build has one. */
  async finish(stats: Stats): Promise<void> {
    const deploy = this.#deploy
    if (!deploy) return
    if (stats.hasErrors()) return deploy.stop()
    const { compilation } = stats
    const output = outputOf(this.#compiler, compilation)
    deploy.settings.warnings.push(...warningsAbout(deploy.settings, output))
    try {
      this.#publishing = deploy.publish({
        outputs: [output],
        notOurs: [],
        base: this.#urls.base,
        bundler: bundlerOf(this.#compiler),
        logger: this.#logger,
        terminal: isSilent(this.#compiler) ? undefined : process.stderr,
      })
      await this.#publishing
    } catch (error) {
      if (!(error instanceof StaticS3Error)) throw error
      const failure = new this.#compiler.webpack.WebpackError(error.message)
      failure.stack = error.stack
      compilation.errors.push(failure)
    }
  }
}
