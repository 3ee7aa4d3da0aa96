import type { Plugin } from 'vite'
import type { Options } from './settings/options.js'
import { ViteBuild } from './vite/build.js'
import { inOtherLists, serverManifests } from './vite/frameworks.js'

export type { Options, Result, Rule } from './settings/options.js'

/** Vite's `Plugin`, of any version: Vite's own type would tie the configuration to the version that this package finds. */
export interface VitePlugin {
  name: string
}

/**
 * Uploads the files of a production build to S3 and points the build's URLs there, if the environment says so (`USE_S3`).
 *
 * @param options override the environment; all can be left out
 * @see https://vite.dev/guide/build.html#advanced-base-options
 */
export function staticS3(options: Options = {}): VitePlugin {
  const build = new ViteBuild(options)
  const plugin: Plugin = {
    name: 'static-s3',
    enforce: 'post',
    // One plugin object serves all environments, and their parts go live together.
    sharedDuringBuild: true,

    config: (userConfig, environment) => build.configure(userConfig, environment),

    configResolved(config) {
      ;(config.plugins as Plugin[]).push(lastPlugin(build))
      build.resolve(config)
    },

    buildStart() {
      return build.start(this)
    },

    transform: {
      // Otherwise Rolldown would call JavaScript for every module. Vite 5 ignores it.
      filter: { id: serverManifests },
      handler(code, id) {
        const pointed = build.pointManifest(this, code, id)
        return pointed === undefined ? undefined : { code: pointed, map: null }
      },
    },

    // The store may refuse while the bundler works. Only a hook can then end the build.
    moduleParsed() {
      build.check(this)
    },

    buildEnd(error) {
      if (error) build.fail(this)
    },

    // The public URL gets into chunks after they were hashed (preload lists). Without this, a new domain would get under an old name.
    augmentChunkHash: () => build.urlInChunks,

    outputOptions(outputOptions) {
      return build.watchNames(this, outputOptions)
    },

    renderStart() {
      build.check(this)
      build.beginOutput(this)
    },
  }
  return Object.assign(plugin, inOtherLists)
}

/**
 * The last hooks. Other plugins write in hooks that are as late (vite-plugin-pwa does), and the last plugin in the list runs last.
 *
 * The plugin above must keep its place: with `sharedPlugins`, Vite goes through both lists side by side.
 */
function lastPlugin(build: ViteBuild): Plugin {
  return {
    name: 'static-s3:last',
    sharedDuringBuild: true,

    // Before Vite puts URLs into the chunk, and before minifiers.
    renderChunk: {
      order: 'pre',
      handler(code, { fileName }, { format }) {
        return build.renderChunk(this, code, fileName, format)
      },
    },

    generateBundle: {
      order: 'post',
      handler(_outputOptions, bundle) {
        return build.completePages(this, bundle)
      },
    },

    writeBundle: {
      order: 'post',
      // Otherwise it would run beside a hook of another plugin that fails.
      sequential: true,
      handler(outputOptions, bundle) {
        build.endOutput(this, outputOptions, bundle)
      },
    },

    // Vite calls it also after a failed build, sometimes twice, and passes no error: whether all outputs were written tells.
    closeBundle: {
      order: 'post',
      sequential: true,
      handler() {
        return build.close(this)
      },
    },

    // Vite 7 and later.
    buildApp: {
      order: 'post',
      handler: ({ environments }) => build.endApp(Object.keys(environments)),
    },
  }
}
