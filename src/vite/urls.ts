import type { ResolvedConfig, UserConfig } from 'vite'
import type { Settings } from '../settings/settings.js'
import { encodePath } from '../urls/public-url.js'
import { isWebAppManifest, staysOnPageOrigin } from '../urls/same-origin.js'
import { workerBlobUrl } from '../urls/worker-url.js'
import type { BundlerNames } from './names.js'
import { findSprites } from './sprites.js'

export type RenderBuiltUrl = NonNullable<NonNullable<UserConfig['experimental']>['renderBuiltUrl']>

/** What the URLs of a build depend on. */
export interface UrlSources {
  settings: Pick<Settings, 'publicUrl' | 'rewrite'>
  config: Pick<ResolvedConfig, 'base' | 'publicDir'>
  /** Undefined for a file that is uploaded. */
  whyLeftOut: (path: string) => string | undefined
}

/** Decides the URL of each built file, and keeps what the deploy has to know of these files. */
export class BuiltUrls {
  /** Dotfiles that the bundler named. They belong to the application and are uploaded. */
  readonly namedDotfiles = new Set<string>()
  readonly #names: BundlerNames
  readonly #sprites = findSprites(() => ({
    publicDir: this.#sources?.config.publicDir,
    assetSources: (path) => this.#names.sourcesOf(path),
  }))
  readonly #withPlus = new Set<string>()
  #sources: UrlSources | undefined

  constructor(names: BundlerNames) {
    this.#names = names
  }

  /** @param sources undefined if the build stays on disk: its URLs then are Vite's own */
  begin(sources: UrlSources | undefined): void {
    this.#sources = sources
    this.namedDotfiles.clear()
    this.#withPlus.clear()
    this.#sprites.clear()
  }

  /** The same function for all builds: Vite's configuration then shows whether somebody else decides about URLs. */
  readonly render: RenderBuiltUrl = (file, { type, hostType, ssr }) => {
    if (!this.#sources?.settings.rewrite) return undefined
    const { settings, config, whyLeftOut } = this.#sources
    // In `srcset` and in a style attribute, Vite passes public files with a slash.
    const path = file.replace(/^\//, '')
    const bare = path.replace(/[?#].*$/, '')
    if (type === 'asset' && this.#isRequestedDotfile(bare)) this.namedDotfiles.add(bare)
    if (type === 'public' ? staysOnPageOrigin(bare) : hostType === 'html' && isWebAppManifest(bare)) return undefined
    // A stylesheet may draw a sprite from any origin.
    if (hostType !== 'css' && this.#sprites.isSprite(bare, type)) {
      return hostType === 'js' && !ssr ? relativeToPage(path, config.base) : undefined
    }
    // A file that is not uploaded is on the page's origin. A stylesheet is in the bucket and cannot name that origin.
    if (hostType !== 'css' && whyLeftOut(bare) !== undefined) return undefined
    if (hostType === 'js' && !ssr && this.#names.isWorkerEntry(path)) {
      return { runtime: workerBlobUrl(JSON.stringify(settings.publicUrl + encodePath(path))) }
    }
    if (settings.rewrite === 'base') return undefined
    if (path.includes('+')) this.#withPlus.add(path)
    // Not percent-encoded: Vite encodes the result, and passes the query of `logo.svg?x` as part of the path.
    return settings.publicUrl + path
  }

  addIfDotfile(path: string): void {
    if (this.#sources?.whyLeftOut(path) === 'dotfile') this.namedDotfiles.add(path)
  }

  isSprite(path: string): boolean {
    return this.#sprites.isSprite(path, 'public') || this.#sprites.isSprite(path, 'asset')
  }

  /**
   * One warning for each file whose URL S3 misreads, because Vite does not encode its `+`. Each is given once.
   *
   * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
   */
  takeWarnings(): string[] {
    const warnings = [...this.#withPlus].map((path) => `${path}: S3 reads the + in its URL as a space; rename it`)
    this.#withPlus.clear()
    return warnings
  }

  /** True if the bundler made the name. A plugin may emit a dotfile under a name of its own, which no page requests. */
  #isRequestedDotfile(path: string): boolean {
    if (this.#sources?.whyLeftOut(path) !== 'dotfile') return false
    return /\.([cm]?js|css)$/.test(path) || this.#names.mayHaveMade(path)
  }
}

/** With a relative base, Vite makes a script's URLs relative to the script, which is in the bucket. Undefined with any other base. */
function relativeToPage(path: string, base: string): { runtime: string } | undefined {
  if (base !== '' && base !== './') return undefined
  return {
    runtime: `new URL(${JSON.stringify(encodeURI(path))}, self.document ? document.baseURI : self.location).href`,
  }
}
