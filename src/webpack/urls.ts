import { StaticS3Error } from '../runtime/error.js'
import type { Settings } from '../settings/settings.js'
import { type Compiler, isRspack, isServerSide } from './compiler.js'
import { type Copy, pageOptions, publicPathCopies } from './public-path-copies.js'

/** Points a compiler's URLs to the bucket, and back. */
export class BuiltUrls {
  readonly #compiler: Compiler
  readonly #definitions = { 'process.env.STATIC_URL': '' }
  /** The user's own options, with the bundler's defaults. */
  #configured: { publicPath?: unknown; hashSalt?: unknown; crossOriginLoading?: unknown } | undefined
  #copies: PathCopy[] | undefined
  /** The user's own public path, while `announce` replaces it. */
  #replaced: { publicPath: unknown } | undefined
  readonly #hasCrossOrigin: boolean
  #firstStaticUrl: string | undefined

  /** @param compiler whose options have no defaults yet */
  constructor(compiler: Compiler) {
    this.#compiler = compiler
    this.#hasCrossOrigin = compiler.options.output.crossOriginLoading !== undefined
  }

  /** The path or URL of the output folder without static-s3. */
  get base(): string {
    return ordinaryBase(this.#configured?.publicPath)
  }

  /** True if scripts and stylesheets refer to each other relatively. */
  get isAuto(): boolean {
    return this.#compiler.options.output.publicPath === 'auto'
  }

  /** True if the output folder's place on the page's origin is known only to a running page or script. */
  get isRelative(): boolean {
    return ['', './', 'auto'].includes(this.#configured?.publicPath as string)
  }

  /** Points the URLs to the bucket before the bundler fills in its defaults. The build itself decides again. */
  announce(publicUrl: string): void {
    const { output } = this.#compiler.options
    this.#replaced = { publicPath: output.publicPath }
    output.publicPath = publicUrl
  }

  /** For a build that stays on disk: makes the URLs what they are without static-s3. */
  restore(): void {
    this.#point(undefined, false)
  }

  /** @throws StaticS3Error if an Rspack compiler was used with another URL before */
  pointTo({ publicUrl, rewrite }: Pick<Settings, 'publicUrl' | 'rewrite'>): void {
    this.#point(publicUrl, rewrite)
  }

  #point(publicUrl: string | undefined, rewrite: Settings['rewrite']): void {
    const { output, optimization } = this.#compiler.options
    // Not in `apply`: the bundler fills in its defaults after that.
    this.#configured ??= {
      publicPath: this.#configuredPath(),
      hashSalt: output.hashSalt,
      crossOriginLoading: output.crossOriginLoading,
    }
    const { publicPath, hashSalt, crossOriginLoading } = this.#configured
    this.#copies ??= this.#findCopies(publicPath)
    // A server writes URLs into pages.
    const isRelative = rewrite === 'relative' && !isServerSide(this.#compiler)
    const inCode = isRelative ? 'auto' : publicUrl
    for (const { copy, own, isOfPages, onlyRelative } of this.#copies) {
      const isRewritten = rewrite && publicUrl !== undefined && (isRelative || !onlyRelative)
      copy.publicPath = (isRewritten ? (isOfPages ? publicUrl : inCode) : own) as string
    }
    output.publicPath = rewrite ? inCode : publicPath
    // Scripts from another origin then report their errors, and a browser's cache keeps them with their CORS headers.
    output.crossOriginLoading = rewrite && !this.#hasCrossOrigin ? 'anonymous' : crossOriginLoading
    // Without real content hashes, the URL gets into files after they were hashed: a new domain would get under an old name.
    const salts = rewrite && !isRelative && optimization?.realContentHash === false
    output.hashSalt = salts ? `${hashSalt ?? ''}${publicUrl}` : hashSalt
    this.#define(isRelative ? '__webpack_require__.p' : JSON.stringify(publicUrl ?? this.base))
  }

  #findCopies(publicPath: unknown): PathCopy[] {
    const { plugins, module } = this.#compiler.options
    const ofPages = publicPathCopies(publicPath, { plugins }).map((copy) => ({ copy, isOfPages: true }))
    const inCode = publicPathCopies(publicPath, { module }).map((copy) => ({ copy, isOfPages: false }))
    const pages = pageOptions(plugins).map((copy) => ({ copy, isOfPages: true, onlyRelative: true }))
    return [...ofPages, ...inCode, ...pages].map((each) => ({ ...each, own: each.copy.publicPath }))
  }

  #configuredPath(): unknown {
    const { options, platform } = this.#compiler
    if (!this.#replaced) return options.output.publicPath
    // The bundler's default.
    return this.#replaced.publicPath ?? (platform?.web === false || isServerSide(this.#compiler) ? '' : 'auto')
  }

  /**
   * Defines the URL of the built files for application code.
   *
   * @param staticUrl a JavaScript expression
   */
  #define(staticUrl: string): void {
    this.#definitions['process.env.STATIC_URL'] = staticUrl
    const isFirst = this.#firstStaticUrl === undefined
    this.#firstStaticUrl ??= staticUrl
    // Rspack's native half reads the options only once, at the first run.
    if (isRspack(this.#compiler) && this.#firstStaticUrl !== staticUrl) {
      throw new StaticS3Error(
        `static-s3: this Rspack compiler was made for ${this.#firstStaticUrl} and can't be for ${staticUrl}; make a new compiler for each build`,
      )
    }
    if (isFirst) new this.#compiler.webpack.DefinePlugin(this.#definitions).apply(this.#compiler)
  }
}

/** An object with a copy of the public path, and the user's own value. */
interface PathCopy {
  copy: Copy
  own: string
  /** True if pages, or a server that writes pages, get the URLs. */
  isOfPages: boolean
  /** True if the copy changes only if `output.publicPath` is no URL. */
  onlyRelative?: boolean
}

/** `auto` and functions have no value before the page runs. */
function ordinaryBase(publicPath: unknown): string {
  return typeof publicPath === 'string' && publicPath !== 'auto' ? publicPath : '/'
}
