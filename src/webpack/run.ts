import { newTogether, type Part, publishTogether, stopAll, type Together } from '../deploy/publish-together.js'
import { type Compiler, lastStage, pluginName, type Stats } from './compiler.js'

/** One run of a configuration, or of all configurations of an array. Its parts go live after the last compiler is done, or not at all. */
export class Run {
  readonly #unfinished: Set<Compiler>
  readonly #parts: Part[] = []
  #failed = false
  /** Shared by all parts, because a part may refer to another part's files. Undefined for a configuration alone. */
  readonly together: Together | undefined

  constructor(compilers: readonly Compiler[]) {
    this.#unfinished = new Set(compilers)
    this.together = compilers.length > 1 ? newTogether() : undefined
  }

  add(part: Part): void {
    this.#parts.push(part)
    if (this.#failed) void this.fail()
  }

  async fail(): Promise<void> {
    this.#failed = true
    await stopAll(this.#parts.splice(0))
  }

  /** @throws StaticS3Error if a part cannot be published; later parts are then not published either */
  async finish(compiler: Compiler, stats: Stats): Promise<void> {
    this.#unfinished.delete(compiler)
    if (stats.hasErrors()) void this.fail()
    if (this.#unfinished.size > 0) return
    await publishTogether(this.#parts).finally(() => this.fail())
  }
}

const runsOfArrays = new WeakMap<Compiler, Run>()
/** Compilers that tell their run when they end. */
const telling = new WeakSet<Compiler>()
const wrapped = new WeakSet<object>()

/** The run that this compiler begins. */
export function runOf(compiler: Compiler): Run {
  return runsOfArrays.get(compiler) ?? new Run([compiler])
}

/**
 * Makes all configurations of an array share a run, even configurations without this plugin. Call it in `apply`.
 *
 * Neither a compiler nor a hook shows a plugin the array. So this function wraps `MultiCompiler.run`, once for each bundler.
 */
export function shareRuns(compiler: Compiler): void {
  telling.add(compiler)
  const { prototype } = compiler.webpack.MultiCompiler
  if (wrapped.has(prototype)) return
  wrapped.add(prototype)
  const { run } = prototype
  prototype.run = function (this: { compilers: readonly Compiler[] }, ...args: unknown[]) {
    const shared = new Run(this.compilers)
    for (const each of this.compilers) {
      runsOfArrays.set(each, shared)
      if (!telling.has(each)) tellEnd(each)
    }
    return run.apply(this, args)
  }
}

/** For a compiler without this plugin. */
function tellEnd(compiler: Compiler): void {
  telling.add(compiler)
  const { failed, done } = compiler.hooks
  failed.tap(pluginName, () => void runsOfArrays.get(compiler)?.fail())
  done.tapPromise({ name: pluginName, stage: lastStage }, (stats: Stats) =>
    runsOfArrays.get(compiler)?.finish(compiler, stats),
  )
}
