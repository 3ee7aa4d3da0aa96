import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  asBuilt,
  baseOf,
  defineStaticUrl,
  filesOf,
  logger,
  type NextBuild,
  type NextConfig,
  pointTo,
  withoutAdapter,
} from './frameworks/next.js'
import { Site } from './frameworks/site.js'
import type { Options } from './settings/options.js'
import type { Settings } from './settings/settings.js'

export type { Options, Result, Rule } from './settings/options.js'

/** Next's `NextAdapter`: a structure, so that this package imports no Next. */
export interface NextAdapter {
  name: string
  /** Called by each command of Next that loads the configuration. */
  modifyConfig<C extends NextConfig>(config: C, context: { phase: string; projectDir: string }): Promise<C>
  onBuildComplete(build: NextBuild): Promise<void>
}

/**
 * Uploads the static files of a Next application to S3 and points its URLs there, if the environment says so (`USE_S3`). For Turbopack and
 * webpack.
 *
 * @param options override the environment; all can be left out
 * @see https://nextjs.org/docs/app/api-reference/adapters
 */
export function staticS3(options: Options = {}): NextAdapter {
  const site = new Site(options)
  let settings: Settings | undefined
  return {
    name: 'static-s3',

    async modifyConfig(config, { phase, projectDir }) {
      if (phase === 'phase-production-server') return asBuilt(config, join(projectDir, config.distDir ?? '.next'))
      const isBuild = phase === 'phase-production-build'
      const build = { mode: 'production', envDir: projectDir, envPrefix: 'NEXT_PUBLIC_', logger }
      settings = isBuild ? await site.begin(build) : undefined
      const defined = defineStaticUrl(config, settings?.publicUrl ?? baseOf(config))
      if (!settings) return withoutAdapter(defined)
      return settings.rewrite ? pointTo(defined, settings.publicUrl) : defined
    },

    async onBuildComplete(build) {
      if (!settings) return
      const files = await filesOf(build)
      // A later `static-s3 deploy` takes the folder.
      const isKept = build.config.output === 'export' || !settings.upload
      await site
        .publish(files)
        .finally(() => (isKept ? undefined : rm(files.dir, { recursive: true, force: true, maxRetries: 3 })))
    },
  }
}

const adapter = staticS3()
export default adapter

// Next takes the exports of a CommonJS module for the adapter, and `require.resolve` finds that one.
export const { name, modifyConfig, onBuildComplete } = adapter
