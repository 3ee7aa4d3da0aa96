import { resolve } from 'node:path'
import type { Deploy } from '../deploy/deploy.js'
import { decisiveValues, loadSettings, urlsBeforeBuild } from '../deploy/load-settings.js'
import type { Together } from '../deploy/publish-together.js'
import type { Output } from '../files/collect.js'
import type { Options } from '../settings/options.js'
import { BucketCompiler } from './bucket-compiler.js'
import { separateCaches } from './cache.js'
import {
  bundlerOf,
  type Compiler,
  isServerSide,
  isSilent,
  loggerOf,
  modeOf,
  passOfVueCli,
  pluginName,
  type Stats,
} from './compiler.js'
import { refuseFramework } from './frameworks.js'
import { outputOf, warningsAbout } from './output.js'
import { type Run, runOf } from './run.js'

/** The state of one compiler, with one method for each hook. A compiler may run several times. */
export class WebpackBuild {
  readonly #compiler: Compiler
  readonly #options: Options
  readonly #files: BucketCompiler
  #run: Run | undefined
  #deploy: Deploy | undefined
  #publishing: Promise<void> | undefined

  constructor(compiler: Compiler, options: Options) {
    this.#compiler = compiler
    this.#options = options
    this.#files = new BucketCompiler(compiler)
  }

  /** Call it in `apply`. */
  prepare(): void {
    const { watch } = this.#compiler.options
    const mode = modeOf(this.#compiler)
    const urls = watch ? undefined : urlsBeforeBuild(this.#loadInput())
    const announced = urls?.rewrite ? urls.publicUrl : undefined
    separateCaches(this.#compiler, () => [watch, ...decisiveValues(this.#options, mode, process.cwd())], announced)
    this.#files.prepare(announced)
  }

  /**
   * Decides whether the build goes to S3, and starts its deploy.
   *
   * @throws StaticS3Error in the configuration of a framework with an entry of its own
   */
  async start(): Promise<void> {
    this.#deploy = undefined
    this.#run = runOf(this.#compiler)
    const resolved = await loadSettings(this.#loadInput())
    if (!resolved.on) {
      this.#compiler.getInfrastructureLogger(pluginName).info(`off: ${resolved.because}`)
      this.#files.restore()
      return
    }
    refuseFramework(this.#compiler)
    this.#files.pointTo(resolved.settings)
    const vueCli = passOfVueCli(process.env)
    if (isServerSide(this.#compiler) || vueCli === 'for old browsers') return
    const { startDeploy } = await import('../deploy/deploy.js')
    this.#deploy = startDeploy(resolved.settings)
    this.#files.deploy = this.#deploy
    // A file that stands there before the build is a left-over, except for those of vue-cli's first pass.
    if (!vueCli) await this.#deploy.snapshot([resolve(this.#compiler.outputPath)])
  }

  stayOnDisk(): void {
    this.#deploy = undefined
    this.#run = undefined
    this.#files.restore()
  }

  fail(): void {
    this.#deploy?.stop()
    void this.#run?.fail()
  }

  /** Waits for the deploy: with a cache on disk, webpack-cli closes the compiler on Ctrl-C and then ends the process. */
  async shutDown(): Promise<void> {
    await this.#publishing?.catch(() => {})
  }

  /**
   * Ends the compiler's part of its run, which publishes the files of all compilers after the last one.
   *
   * @throws StaticS3Error, because the bundler then fails. Frameworks ignore an error that this hook adds to the compilation
   */
  async finish(stats: Stats): Promise<void> {
    const deploy = this.#deploy
    const run = this.#run
    if (!run) return
    if (deploy) {
      const output = outputOf(this.#compiler, stats.compilation)
      const { bucket, location } = deploy.settings
      const name = this.#compiler.options.name ?? `s3://${bucket}/${location}`
      run.add({ name, stop: deploy.stop, steps: this.#publishInSteps(deploy, output, run.together) })
    }
    this.#publishing = run.finish(this.#compiler, stats)
    await this.#publishing
  }

  async *#publishInSteps(
    deploy: Deploy,
    output: Output,
    together: Together | undefined,
  ): AsyncGenerator<void, boolean> {
    deploy.settings.warnings.push(...warningsAbout(deploy.settings, output))
    return yield* deploy.publishInSteps({
      together,
      outputs: [output],
      notOurs: [],
      base: this.#files.base,
      bundler: bundlerOf(this.#compiler),
      logger: loggerOf(this.#compiler),
      terminal: isSilent(this.#compiler) ? undefined : process.stderr,
    })
  }

  #loadInput() {
    const mode = modeOf(this.#compiler)
    return {
      options: this.#options,
      build: { watch: false, whyNotProduction: mode === 'production' ? undefined : `mode is ${mode}`, mode },
      envDir: process.cwd(),
    }
  }
}
