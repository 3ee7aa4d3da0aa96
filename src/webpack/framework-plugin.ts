import type { Deploy } from '../deploy/deploy.js'
import type { Output } from '../files/collect.js'
import { BucketCompiler } from './bucket-compiler.js'
import { separateCaches } from './cache.js'
import { type Compiler, isServerSide, lastStage, pluginName, type Stats } from './compiler.js'
import { outputOf } from './output.js'

/** The build of a framework, which decides about it before it makes its compilers, and publishes their files itself. */
export interface FrameworkBuild {
  /** Undefined if the build stays on disk. */
  deploy: Deploy | undefined
  /** The URL of the compiler's output folder in the bucket. */
  publicUrl: string
  /** Called when a compiler has written its files. */
  written(output: Output, isServerSide: boolean): void
}

/** A plugin for one compiler of a framework. */
export function frameworkPlugin({ deploy, publicUrl, written }: FrameworkBuild) {
  const settings = deploy && { publicUrl, rewrite: deploy.settings.rewrite }
  return {
    apply(compiler: Compiler): void {
      const files = new BucketCompiler(compiler)
      const announced = settings?.rewrite ? publicUrl : undefined
      separateCaches(compiler, () => (settings ? [settings] : []), announced)
      files.prepare(announced)
      const { beforeRun, watchRun, failed, done } = compiler.hooks
      beforeRun.tap(pluginName, () => {
        if (!deploy || !settings) return files.restore()
        files.pointTo(settings)
        files.deploy = deploy
      })
      watchRun.tap(pluginName, () => files.restore())
      if (!deploy) return
      failed.tap(pluginName, () => deploy.stop())
      // A framework may publish in this hook, at its stage or a later one.
      done.tap({ name: pluginName, stage: -lastStage }, (stats: Stats) => {
        written({ ...outputOf(compiler, stats.compilation), emittedOnly: false }, isServerSide(compiler))
      })
    },
  }
}
