import { existsSync } from 'node:fs'
import { resolve, sep } from 'node:path'
import type { Output } from '../files/collect.js'
import { StaticS3Error } from '../runtime/error.js'
import type { Options } from '../settings/options.js'
import { frameworkPlugin } from '../webpack/framework-plugin.js'
import { type DocusaurusSite, siteIn } from './docusaurus-site.js'

/** The part of Docusaurus' `LoadContext` that is used here. */
export interface DocusaurusContext {
  siteDir: string
  /** The locale's output folder. */
  outDir: string
  /** The locale's path on the page's origin. */
  baseUrl: string
  siteConfig: { staticDirectories: readonly string[] }
  i18n: { currentLocale: string; localeConfigs: Record<string, { baseUrl: string }> }
}

/** The part of the input of Docusaurus' `postBuild` that is used here. */
export interface FinishedSite {
  siteMetadata: { docusaurusVersion: string; pluginVersions: Record<string, unknown> }
}

/** The part of webpack's configuration that is used here. */
export interface WebpackConfig {
  resolve?: { alias?: unknown }
}

const baseUrlName = '@docusaurus/useBaseUrl'
const originalBaseUrl = 'static-s3-original-base-url'

/** One locale of a site. Docusaurus builds the locales one after another, and loads its plugins anew for each. */
export class Locale {
  readonly #context: DocusaurusContext
  readonly #site: DocusaurusSite
  /** The locale's folder in the site, with a slash at its end; empty for the site's own folder. */
  readonly #folder: string
  readonly #publicUrl: string
  #baseUrlFile: string | undefined
  #output: Output | undefined

  private constructor(context: DocusaurusContext, site: DocusaurusSite, folder: string) {
    this.#context = context
    this.#site = site
    this.#folder = folder
    this.#publicUrl = `${site.deploy?.settings.publicUrl ?? ''}${encodeURI(folder)}`
  }

  static async begin(context: DocusaurusContext, options: Options): Promise<Locale> {
    const folder = folderOf(context)
    const root = resolve(context.outDir, ...folder.split('/').slice(1).fill('..'))
    const site = await siteIn(root, context.siteDir, options)
    site.begin(context.i18n.currentLocale)
    return new Locale(context, site, folder)
  }

  get #rewrites(): boolean {
    return Boolean(this.#site.deploy?.settings.rewrite)
  }

  /**
   * Writes the module that stands in for `useBaseUrl`: it names the bucket's URL for pictures in `static/`.
   *
   * @param createData writes a file for the bundler, and returns its path
   */
  async replaceBaseUrl(createData: (name: string, content: string) => Promise<string>): Promise<void> {
    const { deploy } = this.#site
    if (!deploy || !this.#rewrites) return
    const { siteDir, siteConfig, baseUrl } = this.#context
    const dirs = siteConfig.staticDirectories.map((dir) => resolve(siteDir, dir))
    const urlInBucket = deploy.urlInBucket([])
    const isUploaded = (path: string) => urlInBucket(this.#folder + path) !== undefined
    const { baseUrlModule } = await import('./docusaurus-base-url.js')
    const module = baseUrlModule({ original: originalBaseUrl, dirs, isUploaded, baseUrl, publicUrl: this.#publicUrl })
    this.#baseUrlFile = await createData('use-base-url.js', module)
  }

  /** What to merge into the configuration of a compiler. */
  configure(config: WebpackConfig): object {
    const { deploy } = this.#site
    this.#throwRefusal()
    const plugin = frameworkPlugin({
      // Docusaurus prints an error of a compiler twice.
      deploy: deploy && { ...deploy, whyEnd: () => undefined },
      publicUrl: this.#publicUrl,
      written: (output, isServerSide) => {
        if (!isServerSide) this.#output = output
      },
    })
    if (!this.#rewrites) return { plugins: [plugin] }
    return {
      plugins: [plugin],
      // Docusaurus prefetches chunks without CORS: a browser that keeps such a response refuses it to a later request with CORS.
      output: { crossOriginLoading: false },
      resolve: { alias: this.#aliases(config.resolve?.alias) },
    }
  }

  #aliases(aliases: unknown): Record<string, string> {
    const original = (aliases as Record<string, unknown> | undefined)?.[baseUrlName]
    if (this.#baseUrlFile !== undefined && typeof original === 'string')
      return { [baseUrlName]: this.#baseUrlFile, [originalBaseUrl]: original }
    this.#site.deploy?.settings.warnings.push(
      `${baseUrlName} is not where static-s3 looks for it: pictures in static/ keep the page's origin`,
    )
    return {}
  }

  /** Called when the locale's pages are written. */
  finish({ siteMetadata: { docusaurusVersion, pluginVersions } }: FinishedSite): void {
    if (!this.#site.deploy) return
    this.#throwRefusal()
    if (!this.#output) {
      throw new StaticS3Error(
        'static-s3: this version of Docusaurus builds its scripts without the plugins of configureWebpack, so nothing is uploaded: unset USE_S3, and upload with static-s3 deploy',
      )
    }
    if (this.#rewrites && 'docusaurus-plugin-pwa' in pluginVersions) {
      this.#site.deploy?.settings.warnings.push(
        "the service worker of @docusaurus/plugin-pwa looks for all files on the page's origin: serve them there too",
      )
    }
    const { baseUrl, i18n } = this.#context
    const fingerprinted = new Set([...this.#output.fingerprinted, ...this.#namedByLoader(this.#output)])
    const output = { ...this.#output, fingerprinted }
    const locale = { folder: this.#folder, output, baseUrl, publicUrl: this.#publicUrl }
    this.#site.finish(i18n.currentLocale, locale, docusaurusVersion)
  }

  /** Docusaurus' file-loader puts a hash of the content into names, and does not tell the bundler. */
  #namedByLoader({ emitted }: Output): string[] {
    const { siteDir, siteConfig } = this.#context
    const isCopied = (path: string) =>
      siteConfig.staticDirectories.some((dir) => existsSync(resolve(siteDir, dir, path)))
    const hasHash = /^assets\/(images|fonts|medias|files)\/[^/]+-[\da-f]{32}\.[^./]+$/
    return [...emitted].filter((path) => hasHash.test(path) && !isCopied(path))
  }

  /** Ends the build when the store has refused the deploy. */
  #throwRefusal(): void {
    const refusal = this.#site.deploy?.whyEnd()
    if (refusal) throw refusal
  }
}

/** The locale's folder, by its path: below the folder that the paths of all locales share. */
function folderOf({ outDir, baseUrl, i18n }: DocusaurusContext): string {
  const paths = Object.values(i18n.localeConfigs).map((config) => config.baseUrl.split('/'))
  const own = baseUrl.split('/')
  const shared = own.findIndex(
    (part, index) => (part === '' && index > 0) || paths.some((path) => path[index] !== part),
  )
  const below = own.slice(shared).join('/')
  // A locale's path may be any; its folder then is the site's.
  return resolve(outDir)
    .replaceAll(sep, '/')
    .endsWith(`/${below.slice(0, -1)}`)
    ? below
    : ''
}
