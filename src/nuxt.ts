import { resolve } from 'node:path'
import { buildsSite, defineUrl, log, type Nuxt, ordinaryUrl, setCdnUrl } from './frameworks/nuxt.js'
import { makeRepeatable } from './frameworks/nuxt-repeatable.js'
import { Site } from './frameworks/site.js'
import type { Options } from './settings/options.js'

export type { Options, Rule } from './settings/options.js'

/** Nuxt's `NuxtModule`: a structure, so that this package imports no Nuxt. */
export interface NuxtModule {
  (inline: Options, nuxt: Nuxt): Promise<void>
  getMeta(): Promise<{ name: string; configKey: string }>
  getOptions(inline: Partial<Options> | undefined, nuxt: Nuxt): Promise<Options>
}

const getOptions: NuxtModule['getOptions'] = async (inline, { options }) => ({ ...options.staticS3, ...inline })

/**
 * Uploads the files of a Nuxt app to S3 and points its URLs there, if the environment says so (`USE_S3`). For `nuxt generate` and
 * `nuxt build`. Options are under the key `staticS3` of the configuration, and all can be left out.
 *
 * @see https://nuxt.com/docs/api/advanced/hooks
 */
export const staticS3: NuxtModule = Object.assign(
  async (inline: Options, nuxt: Nuxt) => {
    const { options } = nuxt
    const { app, rootDir, vite } = options
    const site = new Site(await getOptions(inline, nuxt))
    const { envPrefix } = vite
    const settings = buildsSite(options)
      ? await site.begin({ mode: 'production', envDir: rootDir, envPrefix, logger: log })
      : undefined
    defineUrl(options, settings?.publicUrl ?? ordinaryUrl(app))
    if (!settings) return
    if (settings.rewrite) setCdnUrl(options, settings.publicUrl)
    options.vite.plugins = [...(vite.plugins ?? []), site.vitePlugin]
    makeRepeatable(nuxt)
    nuxt.hook('build:error', () => site.stop())
    nuxt.hook('nitro:init', (nitro) => {
      // Nuxt calls `close` without a build too. Nitro calls `compiled` after the last file of a good one, and a hook added then runs after
      // the other modules' hooks, which may still write.
      nitro.hooks.hook('compiled', () => {
        nuxt.hook('close', () => {
          const assets = app.buildAssetsDir.slice(1)
          return site.publish({
            dir: resolve(nitro.options.output.publicDir),
            isImmutable: (path) => path.startsWith(assets) && !path.startsWith(`${assets}builds/`),
            base: ordinaryUrl(app),
            // By `publicAssetsURL`.
            resolvesPaths: true,
            notOurs: [resolve(nitro.options.output.serverDir)],
            bundler: `nuxt ${nuxt._version}`,
          })
        })
      })
    })
  },
  { getOptions, getMeta: async () => ({ name: 'static-s3/nuxt', configKey: 'staticS3' }) },
)

export default staticS3
