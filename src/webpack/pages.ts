import { builtPath, encodePath } from '../urls/paths.js'
import { staysOnPageOrigin } from '../urls/same-origin.js'
import { type Compilation, type Compiler, pluginName } from './compiler.js'
import { pathOf } from './fingerprints.js'

/** The two URLs of the output folder. */
export interface PageUrls {
  /** Absolute, with a slash at its end. */
  publicUrl: string
  /** On the page's origin: the configuration's `output.publicPath`. */
  base: string
  /** True if pages and service workers need relative URLs in place of `base`. */
  isRelative: boolean
  /** True if scripts and stylesheets refer to each other relatively, by `publicPath: 'auto'`. */
  isAuto?: boolean
}

/**
 * Prepares the pages of a build for assets from another origin, whichever plugin makes them.
 *
 * @param urls called for each compilation; undefined if no URL points to the bucket
 */
export function preparePages(compiler: Compiler, urls: () => PageUrls | undefined): void {
  const { sources, Compilation } = compiler.webpack
  // After the plugins that make pages, and before those that compress files or list their hashes.
  const stage = Compilation.PROCESS_ASSETS_STAGE_SUMMARIZE
  compiler.hooks.thisCompilation.tap(pluginName, (compilation: Compilation) => {
    const pageUrls = urls()
    if (!pageUrls) return
    compilation.hooks.processAssets.tap({ name: pluginName, stage }, () => {
      const assets = compilation.getAssets()
      const emitted = new Set(pageUrls.isAuto ? assets.map((asset) => pathOf(asset)) : [])
      for (const asset of assets) {
        const page = pathOf(asset)
        if (!/\.html?$/i.test(page)) continue
        const html = asset.source.source().toString()
        const prepared = preparePage(html, page, pageUrls, emitted)
        if (prepared !== html) compilation.updateAsset(asset.name, new sources.RawSource(prepared))
      }
    })
  })
}

/**
 * Makes a page request scripts, stylesheets and fonts of the bucket with CORS. Otherwise, errors in scripts have no message, and a browser's
 * cache serves responses without CORS headers to later requests that need them. A web app manifest must be on the page's origin.
 *
 * It edits the text, because some plugins add tags to the finished page, and native code makes the pages of others.
 *
 * @param page the page's path in the output folder
 * @param emitted the build's files, if URLs of the build may be relative: they then become the bucket's
 * @see https://html.spec.whatwg.org/multipage/urls-and-fetching.html#cors-settings-attributes
 */
export function preparePage(
  html: string,
  page: string,
  { publicUrl, base, isRelative }: PageUrls,
  emitted: ReadonlySet<string> = new Set(),
): string {
  const toRoot = isRelative && !page.startsWith('../') ? '../'.repeat(page.split('/').length - 1) || './' : base
  return html.replace(/<(script|link)(?=\s)(?:"[^"]*"|'[^']*'|[^"'>])*>/gi, (found, name: string) => {
    const isScript = name.toLowerCase() === 'script'
    const attributeName = isScript ? 'src' : 'href'
    const own = attribute(found, attributeName)
    const path = own === undefined || emitted.size === 0 ? undefined : builtPath(own, page, './')
    const isOfBuild = path !== undefined && !own?.startsWith('/') && emitted.has(path) && !staysOnPageOrigin(path)
    const url = isOfBuild ? publicUrl + encodePath(path) : own
    if (!url?.startsWith(publicUrl)) return found
    const tag = isOfBuild ? withAttribute(found, attributeName, url) : found
    const rel = attribute(tag, 'rel')?.toLowerCase()
    // A function, because `$` has a meaning in a replacement string.
    if (rel === 'manifest') return tag.replace(publicUrl, () => toRoot)
    const needsCors = isScript || linkNeedsCors(rel, attribute(tag, 'as'), url)
    if (!needsCors || attribute(tag, 'crossorigin') !== undefined) return tag
    return `<${name} crossorigin${tag.slice(name.length + 1)}`
  })
}

/** Browsers request only images, audio and video without CORS. */
function linkNeedsCors(rel = '', as: string | undefined, url: string): boolean {
  if (rel === 'stylesheet' || rel === 'modulepreload') return true
  if (rel !== 'preload' && rel !== 'prefetch') return false
  return as ? /^(script|style|font|fetch)$/i.test(as) : /\.(m?js|css|woff2?|ttf|otf|json|wasm)$/i.test(url)
}

/** The tag with another value of an attribute that it has. */
function withAttribute(tag: string, name: string, value: string): string {
  const pattern = new RegExp(`(\\s${name}\\s*=\\s*)(?:"[^"]*"|'[^']*'|[^\\s"'>]+)`, 'i')
  return tag.replace(pattern, (_, begin) => `${begin}"${value}"`)
}

/** An attribute's value; empty for an attribute without one. */
function attribute(tag: string, name: string): string | undefined {
  const found = new RegExp(`\\s${name}(?:\\s*=\\s*(?:"([^"]*)"|'([^']*)'|([^\\s"'>]+))|(?=[\\s/>]))`, 'i').exec(tag)
  return found ? (found[1] ?? found[2] ?? found[3] ?? '') : undefined
}
