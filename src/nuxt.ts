import {
  afterLastFile,
  buildsSite,
  defineUrl,
  finishedSite,
  logOf,
  type Nuxt,
  ordinaryUrl,
  setCdnUrl,
} from './frameworks/nuxt.js'
import { makeRepeatable } from './frameworks/nuxt-repeatable.js'
import { Site } from './frameworks/site.js'
import type { Options } from './settings/options.js'

export type { Options, Result, Rule } from './settings/options.js'

/** Nuxt's `NuxtModule`: a structure, so that this package imports no Nuxt. */
export interface NuxtModule {
  (inline: Options, nuxt: Nuxt): Promise<void>
  getMeta(): Promise<{ name: string; configKey: string }>
}

/**
 * Uploads the files of a Nuxt app to S3 and points its URLs there, if the environment says so (`USE_S3`). For `nuxt generate` and
 * `nuxt build`. Options are under the key `staticS3` of the configuration, and all can be left out.
 *
 * @see https://nuxt.com/docs/api/advanced/hooks
 */
export const staticS3: NuxtModule = Object.assign(
  async (inline: Options, nuxt: Nuxt) => {
    const { options } = nuxt
    const site = new Site({ ...options.staticS3, ...inline })
    const logger = logOf(nuxt)
    const build = { mode: 'production', envDir: options.rootDir, envPrefix: options.vite.envPrefix, logger }
    const settings = buildsSite(options, logger) ? await site.begin(build) : undefined
    defineUrl(options, settings?.publicUrl ?? ordinaryUrl(options.app))
    if (!settings) return
    if (settings.rewrite) setCdnUrl(options, settings.publicUrl)
    options.vite.plugins = [...(options.vite.plugins ?? []), site.vitePlugin]
    makeRepeatable(nuxt)
    nuxt.hook('build:error', () => site.stop())
    afterLastFile(nuxt, (nitro) => site.publish(finishedSite(nuxt, nitro)))
  },
  { getMeta: async () => ({ name: 'static-s3/nuxt', configKey: 'staticS3' }) },
)

export default staticS3
