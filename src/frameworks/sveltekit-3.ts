import type { Plugin } from 'vite'
import type { Adapter, KitOptions, SvelteKitBuild } from './sveltekit-build.js'

/** An adapter's part in Vite's configuration. */
interface AdapterVite {
  plugins?: Plugin[] | { pre?: Plugin[]; post?: Plugin[] }
}

/**
 * The adapter's `vite`, with our plugins before SvelteKit's.
 *
 * @see https://svelte.dev/docs/kit/@sveltejs-kit#Adapter
 */
export function viteOfKit3(build: SvelteKitBuild, adapter: Adapter, context: { config: KitOptions }): AdapterVite {
  const own: AdapterVite = typeof adapter.vite === 'function' ? adapter.vite(context) : { ...Object(adapter.vite) }
  const { pre = [], post = [] } = Array.isArray(own.plugins) ? { pre: own.plugins } : (own.plugins ?? {})
  return { ...own, plugins: { pre: [beforeKit(build, context.config), build.site.vitePlugin, ...pre], post } }
}

/** SvelteKit hands out its options before its own plugins use them. */
function beforeKit(build: SvelteKitBuild, kit: KitOptions): Plugin {
  build.isKit3 = true
  return {
    name: 'static-s3:sveltekit',
    enforce: 'pre',
    config: {
      order: 'pre',
      async handler(userConfig, { command, mode }) {
        // SvelteKit reads the configuration again in threads that look at routes and prerender pages.
        if (command !== 'build' || process.env.SVELTEKIT_FORK) return
        const { paths, version } = await build.begin({ ...userConfig, mode })
        Object.assign(kit.paths ?? {}, paths)
        Object.assign(kit.version ?? {}, version)
      },
    },
    configResolved: (config) => build.resolve(config),
  }
}
