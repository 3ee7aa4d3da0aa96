import { hookOfKit2 } from './frameworks/sveltekit-2.js'
import { viteOfKit3 } from './frameworks/sveltekit-3.js'
import { type KitOptions, SvelteKitBuild } from './frameworks/sveltekit-build.js'
import { StaticS3Error } from './runtime/error.js'
import type { Options } from './settings/options.js'

export type { Options, Result, Rule } from './settings/options.js'

/**
 * Uploads the files of a SvelteKit site to S3 and points its URLs there, if the environment says so (`USE_S3`). For SvelteKit 2 and 3, with any
 * adapter.
 *
 * @param config SvelteKit's options: in `svelte.config.js`, or in `vite.config.js` as `sveltekit(withStaticS3({ … }))`
 * @param options override the environment; all can be left out
 * @see https://svelte.dev/docs/kit/configuration
 */
export function withStaticS3<Config extends object>(config: Config, options: Options = {}): Config {
  // In `svelte.config.js`, the options are in `kit`. In `vite.config.js`, they are at the top.
  const { kit, preprocess = [] } = config as { kit?: KitOptions; preprocess?: unknown }
  const given: KitOptions = kit ?? config
  const { adapter } = given
  if (!adapter) throw new StaticS3Error('static-s3: adapter is not set: files are uploaded when the adapter is done')
  const build = new SvelteKitBuild(options, given)
  const changed: KitOptions = {
    ...given,
    ...build.optionsAtOnce(),
    adapter: {
      ...adapter,
      // The last step of a build.
      async adapt(builder) {
        build.watchFallback(builder)
        await adapter.adapt(builder)
        await build.publish(builder)
      },
      // SvelteKit 3 and later.
      vite: (context: { config: KitOptions }) => viteOfKit3(build, adapter, context),
    },
  }
  return { ...config, ...(kit ? { kit: changed } : changed), preprocess: [preprocess, hookOfKit2(build)].flat() }
}
