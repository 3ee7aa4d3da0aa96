import type { ResolvedConfig } from 'vite'
import { StaticS3Error } from '../runtime/error.js'
import { builtPath } from '../urls/paths.js'

/** A resolved configuration, as far as frameworks are concerned. */
type Config = Pick<ResolvedConfig, 'plugins' | 'experimental' | 'define' | 'builder'>

/** A module of the server's bundle in which a framework names the client's files. */
interface ServerManifest {
  id: RegExp
  /** Returns the module with the bucket's URLs; the same code if the module has another form than in the versions that were tested. */
  point(code: string, publicUrl: string, inBucket: (url: string) => string | undefined): string
}

export interface Framework {
  /** Matches the names of its Vite plugins. */
  plugin: RegExp
  name: string
  /** What to do if it finishes the site after Vite's last hook. Its URLs must then never point to the bucket. */
  finishesLater?(config: Config): string | undefined
  /** What to set in a framework that sets `renderBuiltUrl` itself; undefined if it is set. */
  remedy?(publicUrl: string, config: Config): string | undefined
  /** Points the URLs that the framework writes beside Vite to the bucket. */
  pointUrls?(config: Config, publicUrl: string): void
  serverManifest?: ServerManifest
  /** Matches the files that the framework itself names by their content. */
  fingerprinted?: RegExp
}

const later = () =>
  'it writes a part of its files after Vite is done, and those are not uploaded: keep its URLs as they are'

/** Frameworks that decide about URLs themselves, or write URLs beside Vite. */
const frameworks: Framework[] = [
  {
    plugin: /sveltekit/,
    name: 'SvelteKit',
    remedy: (url, { define }) =>
      String(define?.__SVELTEKIT_PATHS_ASSETS__).includes(url.slice(0, -1))
        ? undefined
        : `set paths.assets to ${url.slice(0, -1)}`,
  },
  { plugin: /^nuxt(:|$)/, name: 'Nuxt', finishesLater: later },
  {
    plugin: /^react-router(:|$)/,
    name: 'React Router',
    // Version 7 without the flag runs one build after the other, and writes its manifest and pages in the last one.
    finishesLater: (config) =>
      config.builder && reactRouterContext(config)
        ? undefined
        : `${later()}, or set future: { v8_viteEnvironmentApi: true } in react-router.config.ts`,
    // It reads Vite's `base` before our hooks. An absolute `base` would also change `import.meta.env.BASE_URL`.
    pointUrls(config, publicUrl) {
      Object.assign(reactRouterContext(config) ?? {}, { publicPath: publicUrl })
    },
    fingerprinted: /(^|\/)manifest-[0-9a-f]{8}\.js$/,
  },
  {
    plugin: /^tanstack-start-core:/,
    name: 'TanStack Start',
    serverManifest: {
      id: /^\0?tanstack-start-manifest:v$/,
      point: (code, _publicUrl, inBucket) => code.replace(/(?<=["'(])\/[^"'()\s]+/g, (url) => inBucket(url) ?? url),
    },
  },
  {
    plugin: /^solid-start:/,
    name: 'SolidStart',
    // The module joins `import.meta.env.BASE_URL` and a name as paths, so the slashes of an absolute URL would get lost.
    serverManifest: {
      id: /\/@solidjs\/start\/dist\/server\/manifest\/prod-ssr-manifest\.js$/,
      point: (code, publicUrl) =>
        code.replace(
          /import\s*\{\s*join\s*\}\s*from\s*["']pathe["'];?/,
          `const join = (_base, file) => ${JSON.stringify(publicUrl)} + file;`,
        ),
    },
  },
]

/** Frameworks that have an entry of their own, and the line with it. */
const entries = [
  {
    plugin: /^(@astrojs\/|astro:)/,
    name: 'Astro',
    entry: 'static-s3/astro',
    line: 'integrations: [staticS3()] in the Astro configuration',
  },
]

/** @throws StaticS3Error in a framework that finishes the site after Vite, and so needs another entry */
export function refuseOtherEntry({ plugins }: Pick<ResolvedConfig, 'plugins'>): void {
  const framework = entries.find(({ plugin }) => plugins.some(({ name }) => plugin.test(name ?? '')))
  if (!framework) return
  const { name, entry, line } = framework
  throw new StaticS3Error(
    `static-s3: static-s3/vite is not for ${name}, which writes files after Vite: import ${entry}, with ${line}`,
  )
}

function reactRouterContext(config: Config): { publicPath: string } | undefined {
  const { __reactRouterPluginContext: context } = config as { __reactRouterPluginContext?: { publicPath?: unknown } }
  return typeof context?.publicPath === 'string' ? (context as { publicPath: string }) : undefined
}

export function frameworkOf({ plugins }: Pick<Config, 'plugins'>): Framework | undefined {
  return frameworks.find(({ plugin }) => plugins.some(({ name }) => plugin.test(name ?? '')))
}

/**
 * Points a module of the server's bundle to the bucket. Undefined for a module without the client's URLs.
 *
 * @throws StaticS3Error if the module has an unknown form
 */
export function pointServerManifest(
  { name, serverManifest }: Framework,
  { id, code }: { id: string; code: string },
  { base, publicUrl, emittedUrl }: { base: string; publicUrl: string; emittedUrl(path: string): string | undefined },
): string | undefined {
  if (!serverManifest?.id.test(id)) return undefined
  const pointed = serverManifest.point(code, publicUrl, (url) => {
    const path = builtPath(url, '', base)
    return path === undefined ? undefined : emittedUrl(path)
  })
  if (pointed === code) throw unknownVersion(name)
  return pointed
}

/** For a version whose server would name no file in the bucket. */
export function unknownVersion(framework: string): StaticS3Error {
  return new StaticS3Error(
    `static-s3: this version of ${framework} names the client's files where static-s3 does not find them, so its pages would not point to ` +
      'the bucket: use an earlier version, or rewrite: false',
  )
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
  if (!framework?.remedy)
    return leftTo('experimental.renderBuiltUrl', `let it answer with ${publicUrl} and the file's name`)
  const remedy = framework.remedy(publicUrl, config)
  return remedy === undefined ? { warnings: [] } : leftTo(framework.name, remedy)
}
