import type { ResolvedConfig } from 'vite'
import { StaticS3Error } from '../runtime/error.js'
import type { Settings } from '../settings/settings.js'
import { builtPath } from '../urls/paths.js'
import type { Patches } from './frameworks/patches.js'
import { qwikPatches } from './frameworks/qwik.js'

/** A resolved configuration, as far as frameworks are concerned. */
type Config = Pick<ResolvedConfig, 'plugins' | 'experimental' | 'builder'>

/** The client's built files, as the server's build finds them. */
export interface ClientFiles {
  base: string
  publicUrl: string
  paths: ReadonlySet<string>
  /** Undefined for a file that stays on the page's origin. */
  urlInBucket(path: string): string | undefined
}

/** A module of the server's bundle in which a framework names the client's files. */
interface ServerManifest {
  id: RegExp
  /** Returns the module with the bucket's URLs. Undefined if the module has another form than in the versions that were tested. */
  point(code: string, files: ClientFiles): string | undefined
}

export interface Framework {
  /** Matches the names of its Vite plugins. */
  plugin: RegExp
  name: string
  /** What to do if it finishes the site after Vite's last hook. Its URLs must then never point to the bucket. */
  finishesLater?(config: Config): string | undefined
  /** Its option that sets `renderBuiltUrl`. */
  ownUrlOption?: string
  /** Points the URLs that the framework writes beside Vite to the bucket. */
  pointUrls?(config: Config, publicUrl: string): void
  serverManifest?: ServerManifest
  /** Changes to its own code, where it writes URLs beside Vite. */
  patches?(publicUrl: string, base: string): Patches
  /** True if its router takes the site's path from Vite's `base`. */
  routesByBase?: boolean
  /** Matches the files that the framework itself names by their content. */
  fingerprinted?: RegExp
}

const later = 'it writes a part of its files after Vite is done, and those are not uploaded: keep its URLs as they are'

/** Frameworks that decide about URLs themselves, or write URLs beside Vite. */
const frameworks: Framework[] = [
  {
    plugin: /^vitepress$/,
    name: 'VitePress',
    ownUrlOption: 'assetsBase',
    routesByBase: true,
    fingerprinted: /(^|\/)(metadata\.[\da-f]{8}\.js|vp-icons\.[\da-f]{8}\.css|[^/]+\.md\.[\w-]{8}\.lean\.js)$/,
  },
  {
    plugin: /^react-router(:|$)/,
    name: 'React Router',
    finishesLater(config) {
      // Version 7 without the flag runs separate builds, and writes its manifest and pages in the last one.
      if (!config.builder?.sharedConfigBuild)
        return `${later}, or set future: { v8_viteEnvironmentApi: true } in react-router.config.ts`
      return reactRouterContext(config) ? undefined : 'static-s3 does not know this mode: keep its URLs as they are'
    },
    // React Router has already read Vite's `base`. An absolute `base` would also change `import.meta.env.BASE_URL`.
    pointUrls(config, publicUrl) {
      Object.assign(reactRouterContext(config) ?? {}, { publicPath: publicUrl })
    },
    fingerprinted: /(^|\/)manifest-[0-9a-f]{8}\.js$/,
  },
  {
    plugin: /^tanstack-start-core:/,
    name: 'TanStack Start',
    routesByBase: true,
    serverManifest: { id: /^\0?tanstack-start-manifest:v$/, point: pointStrings },
  },
  {
    plugin: /^solid-start:/,
    name: 'SolidStart',
    routesByBase: true,
    serverManifest: {
      id: /\/@solidjs\/start\/dist\/server\/manifest\/prod-ssr-manifest\.js$/,
      point: pointJoinedNames,
    },
  },
  {
    plugin: /^vite-plugin-qwik$/,
    name: 'Qwik',
    patches: qwikPatches,
  },
]

const astro = {
  plugin: /^(@astrojs\/|astro:)/,
  name: 'Astro',
  entry: 'static-s3/astro',
  line: 'integrations: [staticS3()] in the Astro configuration',
}

/** Frameworks that have an entry of their own, and the line with it. */
const entries = [
  astro,
  {
    plugin: /^nuxt(:|$)/,
    name: 'Nuxt',
    entry: 'static-s3/nuxt',
    line: "modules: ['static-s3/nuxt'] in the Nuxt configuration",
  },
  {
    plugin: /^vite-plugin-sveltekit/,
    name: 'SvelteKit',
    entry: 'static-s3/sveltekit',
    line: 'withStaticS3({ … }) around the SvelteKit configuration',
  },
]

function otherEntry({ name, entry, line }: typeof astro): StaticS3Error {
  return new StaticS3Error(
    `static-s3: static-s3/vite is not for ${name}, which writes files after Vite: use ${entry}, with ${line}`,
  )
}

/** What Astro and Rsbuild call in their own lists of plugins. They would take our plugin for one of theirs that does nothing. */
export const inOtherLists = {
  hooks: {
    'astro:config:setup'() {
      throw otherEntry(astro)
    },
  },
  setup() {
    throw new StaticS3Error(
      'static-s3: static-s3/vite is not for Rsbuild: use static-s3/rsbuild, with plugins: [staticS3()]',
    )
  },
}

/** @throws StaticS3Error in a framework that finishes the site after Vite, and so needs another entry */
export function refuseOtherEntry({ plugins }: Pick<ResolvedConfig, 'plugins'>): void {
  const framework = entries.find(({ plugin }) => plugins.some(({ name }) => plugin.test(name ?? '')))
  if (framework) throw otherEntry(framework)
}

function reactRouterContext(config: Config): { publicPath: string } | undefined {
  const { __reactRouterPluginContext: context } = config as { __reactRouterPluginContext?: { publicPath?: unknown } }
  return typeof context?.publicPath === 'string' ? (context as { publicPath: string }) : undefined
}

/** Match the modules in which frameworks name the client's files. */
export const serverManifests = frameworks.flatMap(({ serverManifest }) => serverManifest?.id ?? [])

function frameworkOf({ plugins }: Pick<Config, 'plugins'>): Framework | undefined {
  return frameworks.find(({ plugin }) => plugins.some(({ name }) => plugin.test(name ?? '')))
}

/** Points the URLs in quotes, and those in the stylesheets among the strings. */
function pointStrings(code: string, { base, paths, urlInBucket }: ClientFiles): string | undefined {
  let isKnown = false
  const pointed = code.replace(/(?<=["'(])\/[^"'()\s]+/g, (url) => {
    const path = builtPath(url, '', base)
    if (path === undefined || !paths.has(path)) return url
    isKnown = true
    return urlInBucket(path) ?? url
  })
  return isKnown ? pointed : undefined
}

/** The module joins `import.meta.env.BASE_URL` and a file's name by the `join` of paths, which would take a slash out of `https://`. */
function pointJoinedNames(code: string, { publicUrl, paths, urlInBucket }: ClientFiles): string | undefined {
  const onPageOrigin = [...paths].filter((path) => /\.(m?js|css)$/.test(path) && urlInBucket(path) === undefined)
  const join = `const join = (base, file) => (${JSON.stringify(onPageOrigin)}.includes(file) ? base : ${JSON.stringify(publicUrl)}) + file;`
  const pointed = code.replace(/import\s*\{\s*join\s*\}\s*from\s*["']pathe["'];?/, () => join)
  return pointed === code ? undefined : pointed
}

/** For a version whose server would name no file in the bucket. */
export function unknownVersion({ name }: Framework): StaticS3Error {
  return new StaticS3Error(
    `static-s3: this version of ${name} names the client's files where static-s3 does not find them, so its pages would not point to the ` +
      'bucket: use an earlier version, or rewrite: false',
  )
}

/**
 * Points a framework's own configuration to the bucket. Undefined if no framework writes URLs beside Vite.
 *
 * @throws StaticS3Error for `rewrite: 'base'` in a framework whose router takes the site's path from Vite's `base`
 */
export function pointFramework(
  config: Config,
  { rewrite, publicUrl }: Pick<Settings, 'rewrite' | 'publicUrl'>,
): Framework | undefined {
  const framework = rewrite ? frameworkOf(config) : undefined
  if (framework?.routesByBase && rewrite === 'base') {
    throw new StaticS3Error(
      `static-s3: rewrite is "base", but ${framework.name} takes the path of its pages from Vite's base: use rewrite: 'urls'`,
    )
  }
  framework?.pointUrls?.(config, publicUrl)
  return framework
}

/** The settings, without rewriting if a framework or another plugin decides about URLs. */
export function leaveUrlsToOwner(
  settings: Settings,
  config: Config & Pick<ResolvedConfig, 'base'>,
  isOurs: (renderBuiltUrl: unknown) => boolean,
): Settings {
  const { publicUrl, rewrite, warnings } = settings
  const isBase = rewrite === 'base'
  if (isBase && config.plugins.some(({ name }) => name === 'vite-plugin-pwa')) {
    warnings.push(
      "vite-plugin-pwa registers its service worker below Vite's base, where browsers refuse it: use rewrite: 'urls'",
    )
  }
  const owner = frameworkOwning(config, isOurs, publicUrl)
  if (owner) return { ...settings, rewrite: false, warnings: [...warnings, ...owner.warnings] }
  if (isBase && config.base !== publicUrl) {
    warnings.push(`Vite's base is ${config.base}, which another plugin has set: URLs point there, not to the bucket`)
  }
  return settings
}

/** Undefined if static-s3 decides about URLs in this configuration. Otherwise warnings about the framework or plugin that decides. */
export function frameworkOwning(
  config: Config,
  isOurs: (renderBuiltUrl: unknown) => boolean,
  publicUrl: string,
): { warnings: string[] } | undefined {
  const framework = frameworkOf(config)
  const leftTo = (owner: string, remedy: string) => ({
    warnings: [`URLs are left to ${owner}, files are uploaded: ${remedy}`],
  })
  const unfinished = framework?.finishesLater?.(config)
  if (framework && unfinished !== undefined) return leftTo(framework.name, unfinished)
  const { renderBuiltUrl } = config.experimental
  if (renderBuiltUrl === undefined || isOurs(renderBuiltUrl)) return undefined
  if (framework?.ownUrlOption) return leftTo(framework.name, `remove ${framework.ownUrlOption}`)
  return leftTo('experimental.renderBuiltUrl', `let it answer with ${publicUrl} and the file's name`)
}
