import { existsSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { basename, join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { ResolvedConfig } from 'vite'
import { urlsBeforeBuild } from '../deploy/load-settings.js'
import { type Logger, namedLogger, waitingLogger } from '../deploy/logger.js'
import { StaticS3Error } from '../runtime/error.js'
import type { Options } from '../settings/options.js'
import type { UrlSettings } from '../settings/settings.js'
import { defineStaticUrl, loggerOf, whyNotProduction } from '../vite/config.js'
import { defineLate } from './late-plugin.js'
import { Site, withVersion } from './site.js'
import { versionName } from './sveltekit-version.js'

/** The options of SvelteKit that are used here. */
export interface KitOptions {
  adapter?: Adapter
  appDir?: string
  env?: { dir?: string; publicPrefix?: string }
  files?: { src?: string; serviceWorker?: string }
  paths?: { assets?: string; base?: string }
  version?: { name?: string }
}

export interface Adapter {
  adapt(builder: Builder): unknown
  /** SvelteKit 3 and later. */
  vite?: unknown
}

/** SvelteKit's help for adapters. */
export interface Builder {
  config: KitOptions & { kit: KitOptions }
  log: Logger
  getBuildDirectory(name: string): string
  rimraf(dir: string): void
  writeClient(dir: string): unknown
  writePrerendered(dir: string): unknown
  generateFallback(file: string): unknown
}

/** The part of Vite's configuration that is used here, complete or not. */
export interface ViteOptions {
  root?: string
  mode: string
  envPrefix?: string | string[] | undefined
  build?: { watch?: unknown } | undefined
}

/** One reading of SvelteKit's configuration, and the build with it. */
export class SvelteKitBuild {
  readonly site: Site
  /** Undefined for a build that stays on disk. */
  publicUrl: string | undefined
  /** True if SvelteKit has asked for plugins. */
  isKit3 = false
  readonly #options: Options
  readonly #kit: KitOptions
  readonly #fallbacks: string[] = []
  #hasLogger = false
  #setLogger!: (logger: Logger) => void
  /** SvelteKit 3 decides before Vite has a log. */
  readonly #logger = waitingLogger(
    new Promise((resolve) => {
      this.#setLogger = resolve
    }),
  )

  constructor(options: Options, kit: KitOptions) {
    this.#options = options
    this.#kit = kit
    this.site = new Site(options)
  }

  /** The changed options for SvelteKit 2, which reads them before any hook. In version 3, those of `begin` replace them. */
  optionsAtOnce(): KitOptions {
    const build = { ...commandLine(), whyNotProduction: whyNotProduction() }
    return this.#changed(urlsBeforeBuild({ options: this.#options, build, envDir: this.#envDir('.') }))
  }

  /**
   * Decides whether the build goes to S3.
   *
   * @returns the changed options
   */
  async begin({ root = '.', mode, envPrefix = 'VITE_', build }: ViteOptions): Promise<KitOptions> {
    const { publicPrefix = 'PUBLIC_' } = this.#kit.env ?? {}
    const settings = await this.site.begin({
      ...{ mode, logger: this.#logger, watch: Boolean(build?.watch), envDir: this.#envDir(root) },
      envPrefix: [publicPrefix, envPrefix].flat(),
    })
    const changed = this.#changed(settings)
    if (settings?.rewrite) this.#refuse(root)
    return changed
  }

  /** Vite's configuration is complete. */
  resolve(vite: ResolvedConfig): void {
    this.#useLogger(loggerOf(vite))
    const url = this.publicUrl ?? `${this.#kit.paths?.base ?? ''}/`
    defineLate(vite, defineStaticUrl(url).define)
  }

  /** Notes the adapter's fallback page, which answers all URLs without a page of their own. */
  watchFallback(builder: Builder): void {
    const { generateFallback } = builder
    builder.generateFallback = (file) => {
      this.#fallbacks.push(file)
      return generateFallback.call(builder, file)
    }
  }

  /** Uploads the site after its last file is written. */
  async publish(builder: Builder): Promise<void> {
    if (this.publicUrl !== undefined && !this.#hasLogger) await this.#beginLate(builder.log)
    if (this.publicUrl === undefined) return
    const { appDir, paths } = builder.config.appDir ? builder.config : builder.config.kit
    const dir = resolve(builder.getBuildDirectory('static-s3'))
    builder.rimraf(dir)
    builder.writeClient(dir)
    builder.writePrerendered(dir)
    for (const file of this.#fallbacks) await copyFile(file, join(dir, basename(file)))
    await this.site.publish({
      dir,
      isImmutable: (path) => path.startsWith(`${appDir}/immutable/`),
      base: `${paths?.base ?? ''}/`,
      bundler: withVersion('@sveltejs/kit', process.cwd()),
      // `asset()` from `$app/paths` takes such paths.
      resolvesPath: () => true,
    })
  }

  /** Without Vite's hooks, SvelteKit 2 still calls its adapter. */
  async #beginLate(logger: Logger): Promise<void> {
    this.#useLogger(namedLogger(logger))
    this.#logger.warn(
      'vite-plugin-svelte does not hand out Vite’s configuration: workers do not run from the bucket, and import.meta.env.STATIC_URL is undefined',
    )
    await this.begin(commandLine())
  }

  #changed(urls: UrlSettings | undefined): KitOptions {
    this.publicUrl = urls?.publicUrl
    const { paths, version } = this.#kit
    const assets = paths?.assets || (urls?.rewrite ? urls.publicUrl.slice(0, -1) : '')
    const name = version?.name ?? (urls && versionName())
    return { paths: { ...paths, assets }, ...(name === undefined ? {} : { version: { ...version, name } }) }
  }

  #envDir(root: string): string {
    return resolve(root, this.#kit.env?.dir ?? '')
  }

  #useLogger(logger: Logger): void {
    this.#hasLogger = true
    this.#setLogger(logger)
  }

  /** @throws StaticS3Error if SvelteKit cannot point its URLs to the bucket */
  #refuse(root: string): void {
    const { src = 'src', serviceWorker = join(src, 'service-worker') } = this.#kit.files ?? {}
    const assets = this.#kit.paths?.assets
    if (assets && `${assets}/` !== this.publicUrl) {
      throw new StaticS3Error(
        `static-s3: paths.assets is "${assets}": remove it, because static-s3 sets it to ${this.publicUrl?.slice(0, -1)}`,
      )
    }
    const endings = ['.js', '.ts', '/index.js', '/index.ts']
    const file = endings.map((ending) => resolve(root, serviceWorker + ending)).find((path) => existsSync(path))
    if (file === undefined) return
    throw new StaticS3Error(
      `static-s3: ${relative(root, file)}: SvelteKit builds no service worker for a site whose files are on another origin: remove it, or set rewrite: false`,
    )
  }
}

/** Vite's command line, where SvelteKit 2 finds nothing else. */
function commandLine(): { mode: string; watch: boolean } {
  const options = { mode: { type: 'string', short: 'm' }, watch: { type: 'boolean', short: 'w' } } as const
  const { mode = 'production', watch = false } = parseArgs({ strict: false, options }).values
  return { mode: String(mode), watch: Boolean(watch) }
}
