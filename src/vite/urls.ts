import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ResolvedConfig, UserConfig } from 'vite'
import type { LeftOutReason } from '../files/built-file.js'
import { StaticS3Error } from '../runtime/error.js'
import { orUndefined } from '../runtime/or-undefined.js'
import type { Settings } from '../settings/settings.js'
import { encodePath, withSlashes } from '../urls/paths.js'
import { isWebAppManifest, staysOnPageOrigin } from '../urls/same-origin.js'
import { isSvgSprite } from '../urls/svg-sprite.js'
import { workerBlobUrlInModule } from '../urls/worker-url.js'
import type { BundlerNames } from './names.js'

export type RenderBuiltUrl = NonNullable<NonNullable<UserConfig['experimental']>['renderBuiltUrl']>

/** The property of `render` that holds its BuiltUrls. */
const owner = Symbol.for('static-s3')

/** What the URLs of a build depend on. */
export interface UrlSources {
  settings: Pick<Settings, 'publicUrl' | 'rewrite'>
  config: Pick<ResolvedConfig, 'base' | 'publicDir'>
  /** False if Vite does not copy `public/`. */
  copiesPublicDir: boolean
  /** True if a plugin hashes scripts and stylesheets by their URLs in pages: pages then get the bucket's URLs last. */
  hashesPages: boolean
  /** Undefined for a file that is uploaded. */
  whyLeftOut: (path: string) => LeftOutReason | undefined
}

/** Decides the URL of each built file, and keeps what the deploy has to know of these files. */
export class BuiltUrls {
  /** Dotfiles that the bundler named. They belong to the application and are uploaded. */
  readonly namedDotfiles = new Set<string>()
  /** Files whose paths may stand in plain strings, because the framework itself knows where they are. */
  readonly resolvedPaths = new Set<string>()
  readonly names: BundlerNames
  /** By type and path: an SVG file is read once. */
  readonly #sprites = new Map<string, boolean>()
  readonly #withPlus = new Set<string>()
  /** Public files that Vite does not copy, though a stylesheet in the bucket refers to them. */
  readonly #notCopied = new Set<string>()
  #sources: UrlSources | undefined

  constructor(names: BundlerNames) {
    this.names = names
  }

  /** @param sources undefined if the build stays on disk: its URLs then are Vite's own */
  begin(sources: UrlSources | undefined): void {
    this.#sources = sources
    this.names.roots.begin(sources?.settings)
    this.namedDotfiles.clear()
    this.resolvedPaths.clear()
    this.#withPlus.clear()
    this.#notCopied.clear()
    this.#sprites.clear()
  }

  static isOurs(render: unknown): boolean {
    return BuiltUrls.of(render) !== undefined
  }

  /** The BuiltUrls whose `render` this is; undefined for another function. */
  static of(render: unknown): BuiltUrls | undefined {
    return (render as { [owner]?: BuiltUrls } | undefined)?.[owner]
  }

  /**
   * With several environments, Vite evaluates the configuration once for each, and keeps the plugins of the first. The resolved configuration then
   * contains functions of plugin objects that never build.
   */
  replaceOtherInstance({ experimental }: Pick<ResolvedConfig, 'experimental'>): void {
    const other = BuiltUrls.of(experimental.renderBuiltUrl)
    if (!other || other === this) return
    experimental.renderBuiltUrl = this.render
    this.names.addWorkersOf(other.names)
  }

  /** Another function in its place in Vite's configuration means that another plugin decides about URLs. */
  readonly render: RenderBuiltUrl = Object.assign(
    (...[file, context]: Parameters<RenderBuiltUrl>) => {
      const isHashed = context.hostType === 'html' && context.type === 'asset' && /\.(m?js|css)$/.test(file)
      return isHashed && this.#sources?.hashesPages ? undefined : this.#urlOf(file, context)
    },
    { [owner]: this },
  )

  /** The bucket's URL of a file that the bundler emitted, for a page; undefined if it stays on the page's origin. */
  emittedUrl(path: string): string | undefined {
    const isInBucket = this.#urlOf(path, { type: 'asset', hostType: 'html', hostId: '', ssr: false }) !== undefined
    return isInBucket ? this.#sources?.settings.publicUrl + encodeURI(path) : undefined
  }

  #urlOf(file: string, context: Parameters<RenderBuiltUrl>[1]): ReturnType<RenderBuiltUrl> {
    const { type, hostType, hostId, ssr } = context
    if (!this.#sources?.settings.rewrite) return undefined
    const { settings, config, copiesPublicDir, whyLeftOut } = this.#sources
    // In `srcset` and in a style attribute, Vite passes public files with a slash.
    const path = withSlashes(file).replace(/^\//, '')
    const bare = path.replace(/[?#].*$/, '')
    if (type === 'asset' && this.#isRequestedDotfile(bare)) this.namedDotfiles.add(bare)
    if (type === 'public' ? staysOnPageOrigin(bare) : hostType === 'html' && isWebAppManifest(bare)) return undefined
    const isNotCopied = type === 'public' && !copiesPublicDir
    if (isNotCopied && (hostType === 'css' || settings.rewrite === 'base')) this.#notCopied.add(bare)
    // A stylesheet may draw a sprite from any origin.
    if (hostType !== 'css' && (isNotCopied || this.#isSprite(bare, type))) {
      return hostType === 'js' && !ssr ? relativeToPage(path, config.base) : undefined
    }
    // A file that is not uploaded is on the page's origin. A stylesheet is in the bucket and cannot name that origin.
    if (hostType !== 'css' && whyLeftOut(bare) !== undefined) return undefined
    const isRelative = settings.rewrite === 'relative' && hostType !== 'html' && !ssr
    const inOutput = (encoded: string) =>
      `new self.URL(${JSON.stringify(encoded)}, ${this.names.roots.in(hostId)}).href`
    if (hostType === 'js' && !ssr && this.names.isWorkerEntry(path)) {
      return {
        runtime: isRelative
          ? workerBlobUrlInModule(inOutput(encodePath(path)), this.names.roots.in(hostId))
          : workerBlobUrlInModule(JSON.stringify(settings.publicUrl + encodePath(path))),
      }
    }
    if (settings.rewrite === 'base') return undefined
    if (path.includes('+')) this.#withPlus.add(path)
    // Vite would write `import.meta`, or resolve it against the worker's location, which may be a Blob.
    if (isRelative && this.names.roots.isWorkerEntry(hostId)) return { runtime: inOutput(encodeURI(path)) }
    if (isRelative) return { relative: true }
    // Not percent-encoded: Vite encodes the result, and passes the query of `logo.svg?x` as part of the path.
    return settings.publicUrl + path
  }

  addIfDotfile(path: string): void {
    if (this.#sources?.whyLeftOut(path) === 'dotfile') this.namedDotfiles.add(path)
  }

  /** @throws StaticS3Error if a URL in the bucket leads to a public file that was not copied, and may not be missing */
  checkCopied(files: readonly { path: string }[], mayBeMissing: (path: string) => boolean): void {
    const built = new Set(files.map(({ path }) => path))
    const missing = [...this.#notCopied].filter((path) => !built.has(path) && !mayBeMissing(path))
    if (missing.length === 0) return
    throw new StaticS3Error(
      `static-s3: build.copyPublicDir is false, and the bucket's URL of ${missing.join(', ')} is in the build, because a ` +
        `stylesheet cannot name the page’s origin: copy the file into the output folder, or import it from src; if something else puts it there: allowMissing: ['${missing[0]}']`,
    )
  }

  isSprite(path: string): boolean {
    return this.#isSprite(path, 'public') || this.#isSprite(path, 'asset')
  }

  #isSprite(path: string, type: 'asset' | 'public'): boolean {
    if (!/\.svg$/i.test(path)) return false
    const key = `${type} ${path}`
    const sources = () => (type === 'asset' ? this.names.sourcesOf(path) : this.#publicFile(path))
    const isSprite = this.#sprites.get(key) ?? sources().some((svg) => isSvgSprite(Buffer.from(svg).toString()))
    this.#sprites.set(key, isSprite)
    return isSprite
  }

  #publicFile(path: string): Buffer[] {
    const dir = this.#sources?.config.publicDir
    const content = dir ? orUndefined(() => readFileSync(join(dir, path))) : undefined
    return content ? [content] : []
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
    return /\.([cm]?js|css)$/.test(path) || this.names.mayHaveMade(path)
  }
}

/** With a relative base, Vite makes a script's URLs relative to the script, which is in the bucket. Undefined with any other base. */
function relativeToPage(path: string, base: string): { runtime: string } | undefined {
  if (base !== '' && base !== './') return undefined
  return {
    runtime: `new URL(${JSON.stringify(encodeURI(path))}, self.document ? document.baseURI : self.location).href`,
  }
}
