import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { ResolvedConfig, UserConfig } from 'vite'
import { StaticS3Error } from '../runtime/error.js'
import { filesBelow } from '../runtime/files-below.js'
import type { Settings } from '../settings/settings.js'
import { withSlashes } from '../urls/paths.js'
import { staysOnPageOrigin } from '../urls/same-origin.js'
import { AppBuild } from './app-build.js'
import type { Patches } from './frameworks/patches.js'
import { vitePressPatches } from './frameworks/vitepress-client.js'
import type { PublishContext } from './publish-outputs.js'
import type { BuiltUrls } from './urls.js'

/** The part of VitePress's `SiteConfig` that is used here. The configuration that it passes to Vite holds it. */
export interface SiteConfig {
  outDir: string
  assetsDir: string
  /** True for pages without a client: Vite then builds only the server. */
  mpa: boolean
  site: { base: string }
  sitemap?: { hostname?: string }
  transformHtml?: (html: string, file: string, context: unknown) => Promise<string | undefined> | string | undefined
  buildEnd?: (site: SiteConfig) => unknown
}

/** Undefined in a configuration that VitePress did not make. */
export function siteConfigOf(config: object): SiteConfig | undefined {
  return (config as { vitepress?: SiteConfig }).vitepress
}

/**
 * VitePress's build of a site: Vite builds the client, then the server. VitePress then writes pages, `vp-icons.css` and `hashmap.json`, and calls
 * `buildEnd` last.
 *
 * VitePress has no option for the URLs of scripts and stylesheets: static-s3 completes pages in `transformHtml`, and patches the client.
 */
export class VitePressBuild {
  readonly site: SiteConfig
  /** The part of Vite's configuration that both builds get. */
  readonly config: UserConfig
  #patches: Patches | undefined
  /** Both builds go live in `buildEnd`. */
  readonly #app: AppBuild
  #begun = false

  /** @throws StaticS3Error if VitePress lacks a hook, without which nothing would be uploaded */
  constructor(site: SiteConfig, config: UserConfig) {
    this.site = site
    this.config = config
    this.#app = new SiteApp(site)
    const missing = ['transformHtml', 'buildEnd'].filter((hook) => !(hook in site))
    if (missing.length === 0) return
    throw new StaticS3Error(
      `static-s3: this version of VitePress has no ${missing.join(' and no ')}, and static-s3 needs it: unset USE_S3, and upload with static-s3 deploy`,
    )
  }

  /**
   * Begins the first of the two builds.
   *
   * @param publish brings the written site into the bucket
   */
  begin(settings: Settings, urls: BuiltUrls, config: ResolvedConfig, publish: () => Promise<void>): AppBuild {
    const { site } = this
    const { buildEnd } = site
    if (settings.rewrite) {
      const pictures = publicPictures(config.publicDir).filter((path) => urls.emittedUrl(path) !== undefined)
      this.#patches = vitePressPatches(settings.publicUrl, pictures)
      this.#patches.addTo(config)
      for (const path of pictures) urls.resolvedPaths.add(path)
      this.#completePages(settings.publicUrl, urls)
    }
    site.buildEnd = async (built) => {
      await buildEnd?.(built)
      if (site.sitemap?.hostname) await sitemapIsWritten(join(site.outDir, 'sitemap.xml'))
      settings.warnings.push(...(this.#patches?.warnings ?? []))
      await publish().catch((error) => {
        throw hideStack(error)
      })
    }
    this.#begun = true
    return this.#app
  }

  /** True for the second of the two builds. */
  continuesWith(config: ResolvedConfig): boolean {
    if (this.#begun) this.#patches?.addTo(config)
    return this.#begun
  }

  #completePages(publicUrl: string, urls: BuiltUrls): void {
    const { site } = this
    const { transformHtml } = site
    const emittedUrl = (path: string) => (isRequested(site, path) ? urls.emittedUrl(path) : undefined)
    site.transformHtml = async (html, file, context) => {
      const { completePage } = await import('./pages.js')
      const page = withSlashes(relative(site.outDir, file))
      const transformed = (await transformHtml?.(html, file, context)) || html
      return completePage(transformed, { page, base: site.site.base, publicUrl, emittedUrl })
    }
  }
}

class SiteApp extends AppBuild {
  readonly #site: SiteConfig

  constructor(site: SiteConfig) {
    super()
    this.#site = site
  }

  override add(
    environment: string,
    { deploy, outputs }: Parameters<AppBuild['add']>[1],
    context: PublishContext,
  ): void {
    const { mpa, outDir } = this.#site
    // VitePress copies the assets of the server's build.
    super.add(
      environment,
      { deploy, outputs: mpa ? outputs.map((each) => ({ ...each, dir: outDir })) : outputs },
      context,
    )
  }
}

/** VitePress prints an error's message, and then its stack, which repeats the message. Vite sets the stack anew. */
export function hideStack(error: Error): Error {
  return Object.defineProperty(error, 'stack', { get: () => '', set: () => undefined })
}

/** True for a file, not a page, that pages may request from the bucket. VitePress writes `vp-icons.css` after the pages. */
function isRequested({ outDir, assetsDir }: SiteConfig, path: string): boolean {
  if (/\.html?$/i.test(path) || (staysOnPageOrigin(path) && !path.startsWith(`${assetsDir}/`))) return false
  return /(^|\/)vp-icons\.(\w+\.)?css$/.test(path) || existsSync(join(outDir, path))
}

function publicPictures(publicDir: string): string[] {
  if (!publicDir || !existsSync(publicDir)) return []
  return filesBelow(publicDir).filter((path) => /\.(a?png|avif|gif|jpe?g|svg|webp)$/i.test(path))
}

/** VitePress 1 does not wait until it has written this file. */
async function sitemapIsWritten(sitemap: string): Promise<void> {
  for (let waits = 0; waits < 200; waits++) {
    const text = await readFile(sitemap, 'utf8').catch(() => '')
    if (text.trimEnd().endsWith('</urlset>')) return
    await setTimeout(50)
  }
}
