import type { Options } from './settings/options.js'
import { WebpackBuild } from './webpack/build.js'
import { type Compiler, lastStage, pluginName, type Stats } from './webpack/compiler.js'
import { shareRuns } from './webpack/run.js'

export type { Options, Result, Rule } from './settings/options.js'
export type { Compiler } from './webpack/compiler.js'

/**
 * Uploads the files of a production build to S3 and points the build's URLs there, if the environment says so (`USE_S3`).
 * For webpack 5 and Rspack.
 */
export class StaticS3Plugin {
  readonly #options: Options

  /** @param options override the environment; all can be left out */
  constructor(options: Options = {}) {
    this.#options = options
  }

  /** Called by the bundler. */
  apply(compiler: Compiler): void {
    // One plugin object may stand in several configurations: all state belongs to the compiler.
    const build = new WebpackBuild(compiler, this.#options)

    build.prepare()
    shareRuns(compiler)

    const { beforeRun, watchRun, failed, shutdown, done } = compiler.hooks
    // Not called for a watch build or a dev server.
    beforeRun.tapPromise(pluginName, () => build.start())
    watchRun.tap(pluginName, () => build.stayOnDisk())
    failed.tap(pluginName, () => build.fail())
    shutdown.tapPromise(pluginName, () => build.shutDown())
    done.tapPromise({ name: pluginName, stage: lastStage }, (stats: Stats) => build.finish(stats))
  }
}
