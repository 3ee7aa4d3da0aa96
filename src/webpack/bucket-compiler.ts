import type { Deploy } from '../deploy/deploy.js'
import type { Settings } from '../settings/settings.js'
import { type Compilation, type Compiler, isServerSide } from './compiler.js'
import { endEarly } from './end-early.js'
import { outputOf } from './output.js'
import { type PageUrls, preparePages } from './pages.js'
import { type PrecacheUrls, preparePrecache } from './precache.js'
import { BuiltUrls } from './urls.js'
import { runWorkersFrom } from './workers.js'

/** A compiler whose files go to the bucket, if its build is on. It neither decides about the build nor publishes the files. */
export class BucketCompiler {
  readonly #compiler: Compiler
  readonly #urls: BuiltUrls
  #settings: Pick<Settings, 'publicUrl' | 'rewrite'> | undefined
  /** The deploy of the compiler's files; undefined while there is none. */
  deploy: Deploy | undefined

  /** @param compiler whose options have no defaults yet */
  constructor(compiler: Compiler) {
    this.#compiler = compiler
    this.#urls = new BuiltUrls(compiler)
  }

  /** The path or URL of the output folder without static-s3. */
  get base(): string {
    return this.#urls.base
  }

  /**
   * Taps the compiler's hooks. Call it in `apply`.
   *
   * @param publicUrl for plugins that read the public path before a build begins
   */
  prepare(publicUrl: string | undefined): void {
    const compiler = this.#compiler
    if (publicUrl !== undefined) this.#urls.announce(publicUrl)
    endEarly(compiler, () => this.deploy?.whyEnd())
    runWorkersFrom(compiler, () => this.#urlsOfPages())
    preparePages(compiler, () => this.#urlsOfPages())
    preparePrecache(compiler, (compilation) => this.#urlsToPrecache(compilation))
  }

  pointTo(settings: Pick<Settings, 'publicUrl' | 'rewrite'>): void {
    this.#settings = settings
    this.#urls.pointTo(settings)
  }

  /** For a build that stays on disk. */
  restore(): void {
    this.#settings = undefined
    this.deploy = undefined
    this.#urls.restore()
  }

  /** Undefined if pages have no URLs to the bucket, or if a server runs the bundle. */
  #urlsOfPages(): PageUrls | undefined {
    if (!this.#settings?.rewrite || isServerSide(this.#compiler)) return undefined
    const { base, isRelative, isAuto } = this.#urls
    return { publicUrl: this.#settings.publicUrl, base, isRelative, isAuto }
  }

  /** Undefined if the precache list does not change. */
  #urlsToPrecache(compilation: Compilation): PrecacheUrls | undefined {
    const urls = this.#urlsOfPages()
    const deploy = this.deploy
    if (!urls || !deploy) return undefined
    let publicUrl: ((path: string) => string | undefined) | undefined
    const isLeftOut = (path: string) => {
      // Not earlier: the compilation has no chunks yet.
      publicUrl ??= deploy.urlInBucket([outputOf(this.#compiler, compilation)])
      return publicUrl(path) === undefined
    }
    return { ...urls, isLeftOut }
  }
}
