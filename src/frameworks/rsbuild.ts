import { join } from 'node:path'
import type { Deploy } from '../deploy/deploy.js'
import { loadSettings } from '../deploy/load-settings.js'
import { type Logger, namedLogger } from '../deploy/logger.js'
import type { Output } from '../files/collect.js'
import { StaticS3Error } from '../runtime/error.js'
import type { Options } from '../settings/options.js'
import { frameworkPlugin } from '../webpack/framework-plugin.js'

type Handler<T extends unknown[]> = (...args: T) => void | Promise<void>

interface EnvironmentConfig {
  mode?: string
  output?: { assetPrefix?: string }
  source?: { define?: Record<string, unknown> }
}

interface RspackUtils {
  environment: { name: string }
  // biome-ignore lint/suspicious/noExplicitAny: Rspack's own type of a plugin
  appendPlugins(plugins: any): void
}

interface BuildFacts {
  isWatch: boolean
  stats?: { hasErrors(): boolean }
  environments: Record<string, { distPath: string }>
}

/** The part of Rsbuild's plugin API that is used here. */
export interface RsbuildApi {
  context: { rootPath: string; version: string; action?: string }
  logger?: { level?: string; info(message: string): void; warn(message: string): void }
  modifyEnvironmentConfig(handler: Handler<[config: EnvironmentConfig, utils: { name: string }]>): void
  modifyRspackConfig(handler: Handler<[config: { output?: { publicPath?: unknown } }, utils: RspackUtils]>): void
  onBeforeBuild(hook: { order: 'pre'; handler: Handler<[Omit<BuildFacts, 'stats'>]> }): void
  onAfterBuild(hook: { order: 'post'; handler: Handler<[Omit<BuildFacts, 'environments'>]> }): void
}

/** The build of all environments of a configuration: one deploy. */
export class RsbuildBuild {
  readonly #api: RsbuildApi
  readonly #options: Options
  #starting: Promise<void> | undefined
  #deploy: Deploy | undefined
  #isFinished = false
  readonly #outputs: Output[] = []
  readonly #serverFiles: string[] = []
  /** The user's own asset prefixes, by environment. */
  readonly #prefixes = new Map<string, string>()

  constructor(api: RsbuildApi, options: Options) {
    this.#api = api
    this.#options = options
  }

  /** Decides whether the build goes to S3, and starts its deploy. */
  start(config: EnvironmentConfig): Promise<void> {
    this.#starting ??= this.#decide(config)
    return this.#starting
  }

  async #decide({ mode = 'none' }: EnvironmentConfig): Promise<void> {
    const { action, rootPath } = this.#api.context
    if (action !== 'build' || watches(process.argv)) return
    const resolved = await loadSettings({
      options: this.#options,
      build: { watch: false, whyNotProduction: mode === 'production' ? undefined : `mode is ${mode}`, mode },
      envDir: rootPath,
      envPrefix: 'PUBLIC_',
    })
    if (!resolved.on) return this.#logger().info(`is off: ${resolved.because}`)
    const { startDeploy } = await import('../deploy/deploy.js')
    this.#deploy = startDeploy(resolved.settings)
  }

  /** Sets an environment's asset prefix, which gets into pages, and into `ASSET_PREFIX` of application code. */
  configure(name: string, config: EnvironmentConfig): void {
    const own = withSlash(config.output?.assetPrefix ?? '/')
    this.#prefixes.set(name, own)
    const { publicUrl, rewrite } = this.#deploy?.settings ?? {}
    if (publicUrl !== undefined && rewrite) config.output = { ...config.output, assetPrefix: publicUrl }
    const staticUrl = JSON.stringify(publicUrl ?? onOrigin(own))
    config.source = { ...config.source, define: { 'import.meta.env.STATIC_URL': staticUrl, ...config.source?.define } }
  }

  /** Adds our plugin to an environment's compiler. */
  addTo(config: { output?: { publicPath?: unknown } }, { environment: { name }, appendPlugins }: RspackUtils): void {
    const deploy = this.#deploy
    // The plugin needs the user's own path, for pages, and replaces it.
    if (deploy?.settings.rewrite && config.output) config.output.publicPath = this.#prefixes.get(name)
    const plugin = frameworkPlugin({
      deploy,
      publicUrl: deploy?.settings.publicUrl ?? '',
      written: (output, isServerSide) => {
        if (isServerSide) this.#serverFiles.push(...filesOf(output))
        else this.#outputs.push(output)
      },
    })
    appendPlugins(plugin)
  }

  /**
   * Notes what stands in the output folders.
   *
   * @throws StaticS3Error for a build by the JavaScript API for which the configuration is wrong
   */
  async snapshot({ isWatch, environments }: Omit<BuildFacts, 'stats'>): Promise<void> {
    const deploy = this.#deploy
    if (!deploy) return
    if (!isWatch && !this.#isFinished)
      return deploy.snapshot(Object.values(environments).map(({ distPath }) => distPath))
    deploy.stop()
    throw new StaticS3Error(
      isWatch
        ? 'static-s3: a watch build does not go to the bucket, but this Rsbuild instance points there: set enabled to false (USE_S3=0) for it'
        : 'static-s3: this Rsbuild instance has built already: create a new one for each build',
    )
  }

  /** Publishes the files of all environments, except those that only a server runs. */
  async finish({ isWatch, stats }: Omit<BuildFacts, 'environments'>): Promise<void> {
    const deploy = this.#deploy
    if (!deploy || isWatch) return
    this.#isFinished = true
    if (stats?.hasErrors()) return deploy.stop()
    // An environment for a server may have the same output folder, and emit the same pictures.
    const ours = new Set(this.#outputs.flatMap(filesOf))
    await deploy.publish({
      outputs: this.#outputs,
      notOurs: this.#serverFiles.filter((file) => !ours.has(file)),
      base: onOrigin([...this.#prefixes.values()][0]),
      bundler: `rsbuild ${this.#api.context.version}`,
      logger: this.#logger(),
      terminal: this.#showsAll ? process.stdout : undefined,
    })
  }

  get #showsAll(): boolean {
    return ['info', 'log', 'verbose'].includes(this.#api.logger?.level ?? 'info')
  }

  /** Rsbuild's log. The summary and warnings are shown at any level but `silent`, because users need them. */
  #logger(): Logger {
    const { logger } = this.#api
    const print = (message: string) => process.stderr.write(`${message}\n`)
    const isHidden = logger === undefined || (!this.#showsAll && logger.level !== 'silent')
    return namedLogger(isHidden ? { info: print, warn: print } : logger)
  }
}

function filesOf({ dir, emitted }: Output): string[] {
  return [...emitted].map((path) => join(dir, path))
}

/** The flag of Rsbuild's command. Its plugin API tells about a watch build after the configuration is complete. */
function watches(words: readonly string[]): boolean {
  return words.includes('--watch') || words.includes('-w')
}

/** `auto` has no value before the page runs. */
function onOrigin(prefix = '/'): string {
  return prefix === 'auto' ? '/' : prefix
}

function withSlash(prefix: string): string {
  return prefix === 'auto' || prefix.endsWith('/') ? prefix : `${prefix}/`
}
