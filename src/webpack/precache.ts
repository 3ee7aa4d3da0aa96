import { isWebAppManifest } from '../urls/same-origin.js'
import { type Compilation, type Compiler, pluginName } from './compiler.js'
import type { PageUrls } from './pages.js'

/** The URLs of a build that goes to the bucket. */
export interface PrecacheUrls extends PageUrls {
  isLeftOut(path: string): boolean
}

/** The part of workbox-webpack-plugin's GenerateSW and InjectManifest that is used here. */
interface WorkboxPlugin {
  config: { manifestTransforms?: readonly Transform[]; inlineWorkboxRuntime?: boolean }
}

interface Entry {
  url: string
  revision: string | null
}

type Transform = (entries: readonly Entry[]) => { manifest: Entry[] }

/**
 * Makes the service workers of workbox-webpack-plugin precache assets from the bucket, and pages from the page's origin. Workbox would request
 * all of them from the bucket. A page from the bucket does not answer a request to the page's origin.
 *
 * @param urls called for each compilation; undefined if no URL points to the bucket
 * @see https://developer.chrome.com/docs/workbox/modules/workbox-webpack-plugin
 */
export function preparePrecache(
  compiler: Compiler,
  urls: (compilation: Compilation) => PrecacheUrls | undefined,
): void {
  const ownConfigs = new Map<WorkboxPlugin, WorkboxPlugin['config']>()
  // Not in `apply`, where the plugins complete their configurations.
  compiler.hooks.thisCompilation.tap(pluginName, (compilation: Compilation) => {
    const precacheUrls = urls(compilation)
    for (const plugin of (compiler.options.plugins ?? []).filter(isWorkbox)) {
      const own = ownConfigs.get(plugin) ?? plugin.config
      ownConfigs.set(plugin, own)
      plugin.config = precacheUrls ? pointToBucket(own, plugin.constructor.name, precacheUrls) : own
    }
  })
}

function isWorkbox(plugin: unknown): plugin is WorkboxPlugin & object {
  const known = /^(GenerateSW|InjectManifest)$/.test((plugin as object | undefined)?.constructor.name ?? '')
  return known && (plugin as Partial<WorkboxPlugin>).config !== undefined
}

function pointToBucket(config: WorkboxPlugin['config'], kind: string, urls: PrecacheUrls): WorkboxPlugin['config'] {
  const transform: Transform = (entries) => ({ manifest: entries.map((entry) => precacheEntry(entry, urls)) })
  return {
    ...config,
    manifestTransforms: [...(config.manifestTransforms ?? []), transform],
    // A service worker loads Workbox from the page's origin, which may have no other script.
    ...(kind === 'GenerateSW' ? { inlineWorkboxRuntime: config.inlineWorkboxRuntime ?? true } : {}),
  }
}

/** An entry of the precache list, for a URL that may point to the bucket. */
export function precacheEntry(entry: Entry, urls: PrecacheUrls): Entry {
  const { publicUrl, base, isRelative, isAuto, isLeftOut } = urls
  const isOfBuild = isAuto && !/^([a-z][a-z\d+.-]*:|\/)/i.test(entry.url)
  if (isOfBuild) return precacheEntry({ ...entry, url: publicUrl + entry.url }, { ...urls, isAuto: false })
  if (!entry.url.startsWith(publicUrl)) return entry
  const path = entry.url.slice(publicUrl.length)
  if (/\.html?$/i.test(path) || isWebAppManifest(path) || isLeftOut(path)) {
    // Workbox resolves it against the service worker's URL. Without `./`, the proof takes it for a path below the public URL.
    return { ...entry, url: (isRelative ? './' : base) + path }
  }
  // An `<img>` may have left a response without CORS headers in the browser's cache. With a revision, Workbox fetches the file again.
  const isRequestedWithCors = /\.(m?js|css|woff2?|ttf|otf|wasm|json)$/.test(path)
  return entry.revision === null && !isRequestedWithCors ? { ...entry, revision: entry.url } : entry
}
