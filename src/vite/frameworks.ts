import type { ResolvedConfig } from 'vite'

interface Framework {
  /** A part of its Vite plugins' names. */
  plugin: RegExp
  name: string
  /** What to do there, given the public URL; undefined where it is done. */
  remedy: (url: string, config: Pick<ResolvedConfig, 'define'>) => string | undefined
  /** Whether it finishes the site after Vite's last hook: its files must not be looked for in the bucket, whatever is set. */
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
  { plugin: /^(@astrojs\/|astro:)/, name: 'Astro', remedy: later, finishesLater: true },
  { plugin: /^react-router(:|$)/, name: 'React Router', remedy: later, finishesLater: true },
]

/** Who else decides about built URLs in this configuration, if anybody does, and what the user should know of it. */
export function frameworkOwning(
  config: Pick<ResolvedConfig, 'plugins' | 'experimental' | 'define'>,
  ours: unknown,
  publicUrl: string,
): { warnings: string[] } | undefined {
  const framework = frameworks.find(({ plugin }) => config.plugins.some(({ name }) => plugin.test(name ?? '')))
  const { renderBuiltUrl } = config.experimental
  const taken = renderBuiltUrl !== undefined && renderBuiltUrl !== ours
  if (!taken && !framework?.finishesLater) return undefined
  const remedy = framework ? framework.remedy(publicUrl, config) : `let it answer with ${publicUrl} and the file's name`
  if (remedy === undefined) return { warnings: [] }
  return {
    warnings: [`URLs are left to ${framework?.name ?? 'experimental.renderBuiltUrl'}, files are uploaded: ${remedy}`],
  }
}
