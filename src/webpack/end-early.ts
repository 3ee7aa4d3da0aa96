import { type Compilation, type Compiler, isRspack, pluginName } from './compiler.js'

/**
 * Ends a build as soon as there is a reason. No bundler lets a plugin cancel a build, but each of these hooks can fail it.
 *
 * @param why returns the reason, or undefined if the build may continue
 */
export function endEarly(compiler: Compiler, why: () => Error | undefined): void {
  const endIfNeeded = async () => {
    const reason = why()
    if (reason) throw reason
  }
  const { normalModuleFactory, thisCompilation, finishMake, emit } = compiler.hooks
  // `false` ignores a module, so webpack soon runs out of modules. In Rspack, the hook would cost a call from native code for each module.
  if (!isRspack(compiler)) {
    normalModuleFactory.tap(pluginName, ({ hooks }: Pick<Compiler, 'hooks'>) => {
      hooks.beforeResolve.tap(pluginName, () => (why() ? false : undefined))
    })
  }
  finishMake.tapPromise(pluginName, endIfNeeded)
  thisCompilation.tap(pluginName, ({ hooks }: Compilation) => {
    hooks.processAssets.tapPromise(pluginName, endIfNeeded)
  })
  emit.tapPromise(pluginName, endIfNeeded)
}
