import { dirname, resolve } from 'node:path'
import type { ConfigEnv, ResolvedConfig, UserConfig } from 'vite'
import { StaticS3Error } from '../runtime/error.js'
import type { Options } from '../settings/options.js'
import type { Settings } from '../settings/settings.js'
import { withSlashes } from '../urls/paths.js'
import { staysOnPageOrigin } from '../urls/same-origin.js'
import { AppBuild, type FinishedApp } from './app-build.js'
import {
  chunkImportMapOf,
  defineStaticUrl,
  envDirOf,
  hashingPlugin,
  ordinaryBase,
  outputFolders,
  watchBuildApp,
  whyNotProduction,
  withoutStack,
} from './config.js'
import { type BuildEnvironment, environmentOf } from './environment.js'
import type { BundleFile } from './fingerprints.js'
import type { Patches } from './frameworks/patches.js'
import { type Framework, leaveUrlsToOwner, pointFramework, refuseOtherEntry, unknownVersion } from './frameworks.js'
import { BundlerNames } from './names.js'
import { rootPlaceholder } from './output-root.js'
import type { PublishContext } from './publish-outputs.js'
import { Runs } from './runs.js'
import { BuiltUrls } from './urls.js'
import { hideStack, siteConfigOf, VitePressBuild } from './vitepress.js'

/** The state of one plugin object, with one method for each hook. The parameter `context` is a hook's `this`. */
export class ViteBuild {
  readonly #options: Options
  readonly #names = new BundlerNames()
  readonly #urls = new BuiltUrls(this.#names)
  readonly #runs = new Runs()
  readonly #ended = new WeakSet<object>()
  /** Rolldown wraps an error of an early hook and adds its own stack. The last hook throws this error again, and it replaces the wrapped one. */
  #refusal: StaticS3Error | undefined
  #settings: Settings | undefined
  #offBecause: string | undefined
  #config!: ResolvedConfig
  /** The framework whose URLs point to the bucket. */
  #framework: Framework | undefined
  /** Undefined if Vite builds one environment alone. */
  #app: AppBuild | undefined
  #vitePress: VitePressBuild | undefined
  /** Of the framework. */
  #patches: Patches | undefined
  /** Loaded only for a build that is on: there if `#settings` is. */
  #deployRoom!: typeof import('../deploy/deploy.js')

  constructor(options: Options) {
    this.#options = options
  }

  /** Decides whether the build goes to S3, and completes Vite's configuration for it. */
  async configure(userConfig: UserConfig, { command, mode }: ConfigEnv): Promise<UserConfig> {
    const site = siteConfigOf(userConfig)
    // The server's build follows the client's. The decision about the client holds.
    if (site && this.#vitePress?.site === site) return this.#vitePress.config
    // One object may serve several builds: the decision about an earlier one does not count.
    this.#vitePress = undefined
    this.#settings = undefined
    this.#offBecause = undefined
    this.#refusal = undefined
    this.#app = undefined
    this.#framework = undefined
    this.#patches = undefined
    this.#urls.begin(undefined)
    // A dev server needs no decision, and reports no problem.
    if (command === 'serve') return defineStaticUrl(ordinaryBase(userConfig))
    const { loadSettings } = await import('../deploy/load-settings.js')
    const resolved = await loadSettings({
      options: this.#options,
      build: { watch: Boolean(userConfig.build?.watch), whyNotProduction: whyNotProduction(), mode },
      envDir: envDirOf(userConfig),
      envPrefix: userConfig.envPrefix,
    })
    if (!resolved.on) {
      this.#offBecause = resolved.because
      return defineStaticUrl(ordinaryBase(userConfig))
    }
    this.#settings = resolved.settings
    this.#deployRoom = await import('../deploy/deploy.js')
    const { rewrite, publicUrl } = resolved.settings
    const { render } = this.#urls
    const config = {
      ...defineStaticUrl(rewrite === 'relative' ? rootPlaceholder : publicUrl),
      worker: { plugins: this.#names.workerPlugins },
      ...(rewrite === 'base' ? { base: publicUrl } : {}),
      ...(rewrite && !userConfig.experimental?.renderBuiltUrl ? { experimental: { renderBuiltUrl: render } } : {}),
    }
    this.#vitePress = site && new VitePressBuild(site, config)
    return config
  }

  /** Finds out who decides about URLs, after the configuration hooks of all plugins. */
  resolve(config: ResolvedConfig): void {
    this.#config = config
    if (this.#vitePress?.continuesWith(config)) return
    // NODE_ENV in a `.env` file, which Vite reads after the `config` hooks.
    if (this.#settings && !config.isProduction) this.#stayOnDisk(config)
    if (this.#settings) refuseOtherEntry(config)
    if (this.#settings?.rewrite) this.#settings = leaveUrlsToOwner(this.#settings, config, BuiltUrls.isOurs)
    const settings = this.#settings
    if (!settings) return
    this.#urls.replaceOtherInstance(config)
    this.#framework = pointFramework(config, settings)
    this.#urls.begin({
      settings,
      config,
      copiesPublicDir: (config.environments?.client ?? config).build.copyPublicDir,
      hashesPages: config.plugins.some(({ name }) => hashingPlugin.test(name)),
      whyLeftOut: this.#deployRoom.whyLeftOut(settings, [this.#urls]),
    })
    watchBuildApp(config, this)
    this.#patches = this.#framework?.patches?.(settings.publicUrl, config.base)
    this.#patches?.addTo(config)
    this.#app = this.#vitePress?.begin(settings, this.#urls, config, () => this.endApp([]))
  }

  /** A build of several environments begins. */
  beginApp(): void {
    this.#app ??= new AppBuild()
  }

  /** All `buildApp` hooks are done. */
  async endApp(environments: readonly string[]): Promise<void> {
    this.#app?.endHooks(environments)
    await this.#publishCompleteApp()
  }

  /** Starts the deploy of an environment's build. */
  async start(context: object): Promise<void> {
    const environment = this.#environment(context)
    // The run begins before the first `await`, because meanwhile the build may fail and another one may begin.
    const run = this.#runs.begin(environment, () => this.#startDeploy(environment))
    const { site } = this.#vitePress ?? {}
    await run?.deploy?.snapshot(site ? [site.outDir] : outputFolders(this.#config.root, environment.build))
  }

  /** @throws StaticS3Error if the store has refused the deploy, to end the build */
  check(context: { meta: object }): void {
    const deploy = this.#runs.of(this.#environment(context))?.deploy
    const reason = deploy?.whyEnd()
    if (!deploy || !reason || this.#ended.has(deploy)) return
    // Thrown once, not for each module, and without its causes, which the bundler would print.
    this.#ended.add(deploy)
    const error = withoutStack(new StaticS3Error(reason.message))
    const refusal = new StaticS3Error(reason.message)
    if (this.#vitePress) for (const each of [error, refusal]) hideStack(each)
    if ('rolldownVersion' in context.meta) this.#refusal = refusal
    throw error
  }

  /** The environment's build failed before it had an output. */
  fail(context: object): void {
    this.#app?.fail()
    this.#runs.end(this.#environment(context))?.deploy?.stop()
  }

  /** The URL that the names of chunks depend on. */
  get urlInChunks(): string | undefined {
    return this.#names.roots.urlInChunks
  }

  renderChunk(context: object, code: string, chunk: string, format: string) {
    return this.#names.roots.render(code, chunk, format, this.#environment(context).serverSide ? 'server' : 'page')
  }

  watchNames<T extends { assetFileNames?: unknown }>(context: object, options: T): T | undefined {
    return this.#settings && this.#names.watch(this.#environment(context).name, options)
  }

  beginOutput(context: object): void {
    this.#runs.of(this.#environment(context))?.beginOutput()
  }

  /** Points a framework's module to the bucket, if the server finds the client's files by it. */
  pointManifest(context: object, code: string, id: string): string | undefined {
    const framework = this.#framework
    if (!this.#settings || !framework?.serverManifest?.id.test(id)) return undefined
    if (!this.#app || !this.#environment(context).serverSide) return undefined
    const pointed = framework.serverManifest.point(code, {
      base: this.#config.base,
      publicUrl: this.#settings.publicUrl,
      paths: this.#app.emitted,
      urlInBucket: (path) => this.#urls.emittedUrl(path),
    })
    if (pointed === undefined) throw unknownVersion(framework)
    this.#app.isManifestPointed = true
    return pointed
  }

  /** Completes the URLs in pages after all other plugins. */
  async completePages(context: object, bundle: Record<string, BundleFile>): Promise<void> {
    const { serverSide, build } = this.#environment(context)
    if (!this.#settings?.rewrite || serverSide) return
    const { completeBundle } = await import('./pages.js')
    const { publicUrl } = this.#settings
    const files = byPath(bundle)
    const emittedUrl = (path: string) => {
      // A plugin may emit a service worker and its registration. A chunk's name decides nothing.
      const stays = files[path]?.type !== 'chunk' && staysOnPageOrigin(path)
      return path in files && !stays ? this.#urls.emittedUrl(path) : undefined
    }
    completeBundle(files, chunkImportMapOf(build), { base: this.#config.base, publicUrl, emittedUrl })
  }

  endOutput(context: object, { dir, file }: { dir?: string; file?: string }, bundle: Record<string, BundleFile>): void {
    const environment = this.#environment(context)
    const fingerprinted = this.#names.fingerprinted(environment.name, bundle)
    const files = byPath(bundle)
    for (const [path, { type }] of Object.entries(files)) {
      if (type === 'chunk' || fingerprinted.has(path)) this.#urls.addIfDotfile(path)
    }
    this.#runs.of(environment)?.outputs.push({
      dir: resolve(this.#config.root, dir ?? dirname(file as string)),
      emitted: new Set(Object.keys(files)),
      fingerprinted,
      namedDotfiles: this.#urls.namedDotfiles,
    })
  }

  /** Publishes the build if all of it was written, or says why it stays on disk. */
  async close(context: PublishContext): Promise<void> {
    const environment = this.#environment(context)
    const run = this.#runs.end(environment)
    if (!run?.isWritten) {
      this.#app?.fail()
      run?.deploy?.stop()
      if (this.#refusal) throw this.#refusal
      return
    }
    if (this.#settings && this.#app) {
      this.#app.add(environment.name, run, context)
      return this.#publishCompleteApp()
    }
    if (environment.serverSide) {
      for (const warning of this.#patches?.warnings ?? []) this.#config.logger.warn(`static-s3: ${warning}`)
      return
    }
    if (this.#settings && run.deploy) {
      await this.#publish({ deploy: run.deploy, outputs: run.outputs, context })
    } else if (this.#offBecause) {
      this.#config.logger.info(`static-s3 is off: ${this.#offBecause}`)
      // A watch build says it once.
      this.#offBecause = undefined
    }
  }

  async #publishCompleteApp(): Promise<void> {
    const app = this.#app
    if (!app?.isComplete) return
    this.#app = undefined
    const { finished } = app
    if (finished && this.#framework?.serverManifest && !app.isManifestPointed) throw unknownVersion(this.#framework)
    if (finished) await this.#publish(finished)
    else app.deploy?.stop()
  }

  async #publish({ deploy, outputs, context }: FinishedApp): Promise<void> {
    const { publishOutputs } = await import('./publish-outputs.js')
    const alsoFingerprinted = this.#framework?.fingerprinted
    await publishOutputs({ deploy, outputs, config: this.#config, urls: this.#urls, alsoFingerprinted }, context)
  }

  #environment(context: object): BuildEnvironment {
    return environmentOf(context, this.#config)
  }

  #startDeploy({ build, serverSide }: BuildEnvironment) {
    const hasNoClient = this.#vitePress?.site.mpa
    if (!this.#settings || !build.write || (serverSide && !hasNoClient)) return undefined
    const deploy = this.#app?.deploy ?? this.#deployRoom.startDeploy(this.#settings)
    if (this.#app) this.#app.deploy = deploy
    return deploy
  }

  #stayOnDisk(config: ResolvedConfig): void {
    const because = this.#deployRoom.notProduction('NODE_ENV is development')
    if (this.#settings?.rewrite === 'base')
      throw new StaticS3Error(`static-s3: base is set already, and ${because}; unset USE_S3`)
    this.#settings = undefined
    this.#offBecause = because
    Object.assign(config.define ?? {}, defineStaticUrl(config.base).define)
  }
}

function byPath(bundle: Record<string, BundleFile>): Record<string, BundleFile> {
  return Object.fromEntries(Object.entries(bundle).map(([name, file]) => [withSlashes(name), file]))
}
