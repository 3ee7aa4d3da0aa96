import { resolve } from 'node:path'
import type { Deploy } from '../deploy/deploy.js'
import { loadSettings, urlBeforeBuild } from '../deploy/load-settings.js'
import type { Together } from '../deploy/publish-together.js'
import type { Output } from '../files/collect.js'
import type { Options } from '../settings/options.js'
import type { Settings } from '../settings/settings.js'
import {
  bundlerOf,
  type Compilation,
  type Compiler,
  isServerSide,
  isSilent,
  loggerOf,
  modeOf,
  pluginName,
  type Stats,
} from './compiler.js'
import { outputOf, warningsAbout } from './output.js'
import type { PageUrls } from './pages.js'
import type { PrecacheUrls } from './precache.js'
import { type Run, runOf } from './run.js'
import { BuiltUrls } from './urls.js'

/** The state of one compiler, with one method for each hook. A compiler may run several times. */
export class WebpackBuild {
  readonly #compiler: Compiler
  readonly #options: Options
  readonly #urls: BuiltUrls
  #settings: Settings | undefined
  #run: Run | undefined
  #deploy: Deploy | undefined
  #publishing: Promise<void> | undefined

  constructor(compiler: Compiler, options: Options) {
    this.#compiler = compiler
    this.#options = options
    this.#urls = new BuiltUrls(compiler)
  }

  /** For plugins that read the public path before a build begins. */
  announceUrl(): void {
    const { watch } = this.#compiler.options
    const publicUrl = watch ? undefined : urlBeforeBuild(this.#loadInput())
    if (publicUrl !== undefined) this.#urls.announce(publicUrl)
  }

  /** Decides whether the build goes to S3, and starts its deploy. */
  async start(): Promise<void> {
    this.#settings = undefined
    this.#deploy = undefined
    this.#run = runOf(this.#compiler)
    const resolved = await loadSettings(this.#loadInput())
    if (!resolved.on) {
      this.#compiler.getInfrastructureLogger(pluginName).info(`off: ${resolved.because}`)
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
    this.#run = undefined
    this.#urls.restore()
  }

  /** Undefined if pages have no URLs to the bucket, or if a server runs the bundle. */
  urlsOfPages(): PageUrls | undefined {
    if (!this.#settings?.rewrite || isServerSide(this.#compiler)) return undefined
    const { base, isRelative, isAuto } = this.#urls
    return { publicUrl: this.#settings.publicUrl, base, isRelative, isAuto }
  }

  /** Undefined if the precache list does not change. */
  urlsToPrecache(compilation: Compilation): PrecacheUrls | undefined {
    const urls = this.urlsOfPages()
    const deploy = this.#deploy
    if (!urls || !deploy) return undefined
    let publicUrl: ((path: string) => string | undefined) | undefined
    const isLeftOut = (path: string) => {
      // Not earlier: the compilation has no chunks yet.
      publicUrl ??= deploy.urlInBucket([outputOf(this.#compiler, compilation)])
      return publicUrl(path) === undefined
    }
    return { ...urls, isLeftOut }
  }

  /** The reason to end the build: the store's refusal. */
  whyEnd(): Error | undefined {
    return this.#deploy?.whyEnd()
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
      base: this.#urls.base,
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
