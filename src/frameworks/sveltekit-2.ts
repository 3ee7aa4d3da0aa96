import type { Plugin, ResolvedConfig } from 'vite'
import { StaticS3Error } from '../runtime/error.js'
import { addLate } from './late-plugin.js'
import type { SvelteKitBuild } from './sveltekit-build.js'

/** SvelteKit 2 builds the client while it writes the server: in the same process, but with another reading of the configuration. */
let serverBuild: SvelteKitBuild | undefined

/**
 * A preprocessor of Svelte that gets Vite's configuration in the same way as `vitePreprocess`. SvelteKit 2 offers no other way to Vite.
 *
 * @see https://github.com/sveltejs/vite-plugin-svelte/blob/main/packages/vite-plugin-svelte/src/preprocess.js
 */
export function hookOfKit2(build: SvelteKitBuild): object {
  const style = Object.defineProperty(() => undefined, '__resolvedConfig', {
    set: (vite: ResolvedConfig) => build.isKit3 || attach(build, vite),
  })
  return { name: 'static-s3', style }
}

function attach(build: SvelteKitBuild, vite: ResolvedConfig): void {
  if (vite.command === 'build' && vite.build.ssr) {
    serverBuild = build
    addLate(vite, beginning(build, vite))
  }
  const current = (vite.command === 'build' && serverBuild) || build
  if (vite.command === 'build') addLate(vite, current.site.vitePlugin)
  current.resolve(vite)
}

function beginning(build: SvelteKitBuild, vite: ResolvedConfig): Plugin {
  return {
    name: 'static-s3:sveltekit',
    // The first hook of a build, also before those that name its files.
    async options() {
      const { publicUrl } = build
      await build.begin(vite)
      if (build.publicUrl === publicUrl) return
      throw new StaticS3Error(
        `static-s3: the settings lead to ${build.publicUrl}, but SvelteKit 2 read its configuration before that was known: ` +
          'set AWS_S3_REGION_NAME, AWS_S3_ENDPOINT_URL or AWS_S3_CUSTOM_DOMAIN, and pass --mode on the command line',
      )
    },
  }
}
