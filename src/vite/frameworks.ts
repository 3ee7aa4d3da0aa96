import type { ResolvedConfig } from 'vite'

export interface Framework {
  name: string
  /** What to do there, as a sentence's second half. */
  remedy: (publicUrl: string) => string
}

/** Frameworks that decide about URLs themselves, by a part of their Vite plugins' names, and the option that takes the URL. */
const frameworks: { plugin: RegExp; name: string; remedy: (url: string) => string }[] = [
  { plugin: /sveltekit/, name: 'SvelteKit', remedy: (url) => `set kit.paths.assets to ${url.slice(0, -1)}` },
  { plugin: /nuxt/, name: 'Nuxt', remedy: (url) => `set app.cdnURL to ${url}` },
  { plugin: /astro/, name: 'Astro', remedy: (url) => `set build.assetsPrefix to ${url.slice(0, -1)}` },
  { plugin: /^react-router(:|$)/, name: 'React Router', remedy: () => "it takes Vite's base: set rewrite: 'base'" },
]

/** Who else decides about built URLs in this configuration, if anybody does. */
export function frameworkOwning(
  config: Pick<ResolvedConfig, 'plugins' | 'experimental'>,
  ours: unknown,
  rewrite: 'urls' | 'base',
): Framework | undefined {
  const framework = frameworks.find(({ plugin }) => config.plugins.some(({ name }) => plugin.test(name ?? '')))
  const { renderBuiltUrl } = config.experimental
  const taken = renderBuiltUrl !== undefined && renderBuiltUrl !== ours
  // React Router doesn't take it, and yet looks at nothing but `base`.
  if (!taken && (rewrite === 'base' || framework?.name !== 'React Router')) return undefined
  return (
    framework ?? {
      name: 'experimental.renderBuiltUrl',
      remedy: (url) => `let it answer with ${url} and the file's name`,
    }
  )
}
