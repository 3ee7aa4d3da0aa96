import type { ResolvedConfig } from 'vite'
import { StaticS3Error } from '../runtime/error.js'

interface Framework {
  /** Matches the names of its Vite plugins. */
  plugin: RegExp
  name: string
  /** What the user should set in the framework, given the public URL; undefined if it is set. */
  remedy: (url: string, config: Pick<ResolvedConfig, 'define'>) => string | undefined
  /** Whether it finishes the site after Vite's last hook. Its URLs must then never point to the bucket. */
  finishesLater: boolean
}

const later = () =>
  'it writes a part of its files after Vite is done, and those are not uploaded: keep its URLs as they are'

/** Frameworks that decide about URLs themselves. */
const frameworks: Framework[] = [
  {
    plugin: /sveltekit/,
    name: 'SvelteKit',
    remedy: (url, { define }) =>
      String(define?.__SVELTEKIT_PATHS_ASSETS__).includes(url.slice(0, -1))
        ? undefined
        : `set paths.assets to ${url.slice(0, -1)}`,
    finishesLater: false,
  },
  { plugin: /^nuxt(:|$)/, name: 'Nuxt', remedy: later, finishesLater: true },
  { plugin: /^react-router(:|$)/, name: 'React Router', remedy: later, finishesLater: true },
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

/** Undefined if static-s3 decides about URLs in this configuration. Otherwise warnings about the framework or plugin that decides. */
export function frameworkOwning(
  config: Pick<ResolvedConfig, 'plugins' | 'experimental' | 'define'>,
  isOurs: (renderBuiltUrl: unknown) => boolean,
  publicUrl: string,
): { warnings: string[] } | undefined {
  const framework = frameworks.find(({ plugin }) => config.plugins.some(({ name }) => plugin.test(name ?? '')))
  const { renderBuiltUrl } = config.experimental
  const taken = renderBuiltUrl !== undefined && !isOurs(renderBuiltUrl)
  if (!taken && !framework?.finishesLater) return undefined
  const remedy = framework ? framework.remedy(publicUrl, config) : `let it answer with ${publicUrl} and the file's name`
  if (remedy === undefined) return { warnings: [] }
  return {
    warnings: [`URLs are left to ${framework?.name ?? 'experimental.renderBuiltUrl'}, files are uploaded: ${remedy}`],
  }
}
