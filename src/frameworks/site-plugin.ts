import type { Plugin, ResolvedConfig } from 'vite'
import type { Deploy } from '../deploy/deploy.js'
import { StaticS3Error } from '../runtime/error.js'
import { encodePath, withSlashes } from '../urls/paths.js'
import { workerBlobUrlInModule } from '../urls/worker-url.js'
import { defineStaticUrl, ordinaryBase, withoutStack } from '../vite/config.js'
import { environmentOf } from '../vite/environment.js'
import { BundlerNames } from '../vite/names.js'

/** The names in all bundles of a site, relative to their output folders. */
export interface SiteNames {
  emitted: Set<string>
  fingerprinted: Set<string>
}

/**
 * Vite's part of a site that a framework builds. The framework points the URLs to the bucket, except those of workers, and calls the deploy
 * after its last file.
 *
 * @param current gives undefined for a build that stays on disk
 * @param names get the names of each bundle
 */
export function sitePlugin(current: () => Deploy | undefined, names: SiteNames): Plugin {
  const bundler = new BundlerNames()
  let config: ResolvedConfig
  const plugin: Plugin = {
    name: 'static-s3:site',
    enforce: 'post',
    sharedDuringBuild: true,

    config(userConfig) {
      const deploy = current()
      return deploy
        ? { ...defineStaticUrl(deploy.settings.publicUrl), worker: { plugins: bundler.workerPlugins } }
        : defineStaticUrl(ordinaryBase(userConfig))
    },

    configResolved(resolved) {
      config = resolved
      const deploy = current()
      if (deploy?.settings.rewrite) runWorkersFromBlobs(resolved, bundler, deploy.settings.publicUrl)
    },

    outputOptions(options) {
      return current() && bundler.watch(environmentOf(this, config).name, options)
    },

    // Frameworks put the URL into chunks after they were hashed. Without this, a chunk with a new domain would keep its old name.
    augmentChunkHash() {
      const { rewrite, publicUrl } = current()?.settings ?? {}
      return rewrite ? publicUrl : undefined
    },

    renderStart() {
      const reason = current()?.whyEnd()
      if (reason) throw withoutStack(new StaticS3Error(reason.message))
    },

    writeBundle: {
      order: 'post',
      handler(_options, bundle) {
        if (!current()) return
        for (const path of Object.keys(bundle)) names.emitted.add(withSlashes(path))
        for (const path of bundler.fingerprinted(environmentOf(this, config).name, bundle))
          names.fingerprinted.add(path)
      },
    },
  }
  return plugin
}

/** Frameworks give workers the bucket's URL, but browsers run no worker from another origin. */
function runWorkersFromBlobs(config: ResolvedConfig, bundler: BundlerNames, publicUrl: string): void {
  const { renderBuiltUrl } = config.experimental
  if (!renderBuiltUrl) return
  config.experimental.renderBuiltUrl = (file, context) => {
    const isWorker = context.hostType === 'js' && !context.ssr && bundler.isWorkerEntry(withSlashes(file))
    if (!isWorker) return renderBuiltUrl(file, context)
    return { runtime: workerBlobUrlInModule(JSON.stringify(publicUrl + encodePath(withSlashes(file)))) }
  }
}
