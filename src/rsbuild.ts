import { type RsbuildApi, RsbuildBuild } from './frameworks/rsbuild.js'
import type { Options } from './settings/options.js'

export type { RsbuildApi } from './frameworks/rsbuild.js'
export type { Options, Result, Rule } from './settings/options.js'

/** The part of Rsbuild's `RsbuildPlugin` that is used here. */
export interface RsbuildPlugin {
  name: string
  enforce: 'post'
  setup(api: RsbuildApi): void
}

/**
 * Uploads the files of Rsbuild's production build to S3 and points the build's URLs there, if the environment says so (`USE_S3`).
 *
 * @param options override the environment; all can be left out
 */
export function staticS3(options: Options = {}): RsbuildPlugin {
  return {
    name: 'static-s3',
    // Its hooks then run after other plugins' hooks, which may write files too.
    enforce: 'post',
    setup(api) {
      const build = new RsbuildBuild(api, options)
      api.modifyEnvironmentConfig(async (config, { name }) => {
        await build.start(config)
        build.configure(name, config)
      })
      api.modifyRspackConfig((config, utils) => build.addTo(config, utils))
      // Before Rsbuild empties the output folders, and copies public files to them.
      api.onBeforeBuild({ order: 'pre', handler: (begun) => build.snapshot(begun) })
      // Rsbuild has looked for errors before this hook, and the process fails if it throws.
      api.onAfterBuild({ order: 'post', handler: (built) => build.finish(built) })
    },
  }
}
