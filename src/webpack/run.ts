import type { FoundFiles } from '../deploy/publish.js'
import { StaticS3Error } from '../runtime/error.js'
import { type Compiler, lastStage, pluginName, type Stats } from './compiler.js'

/** A configuration that goes to the bucket. */
export interface Part {
  /** The configuration's, for the user. */
  name: string
  /** Finds the part's files, then checks them, then releases them. */
  steps: AsyncGenerator<void, void>
  stop(): void
}

/** One run of a configuration, or of all configurations of an array. Its parts go live after the last compiler is done, or not at all. */
export class Run {
  readonly #unfinished: Set<Compiler>
  readonly #parts: Part[] = []
  #failed = false
  /** Shared by all parts, because a part may refer to another part's files. Undefined for a configuration alone. */
  readonly found: FoundFiles | undefined

  constructor(compilers: readonly Compiler[]) {
    this.#unfinished = new Set(compilers)
    this.found = compilers.length > 1 ? new Map() : undefined
  }

  add(part: Part): void {
    this.#parts.push(part)
    if (this.#failed) void this.fail()
  }

  async fail(): Promise<void> {
    this.#failed = true
    const parts = this.#parts.splice(0)
    for (const part of parts) part.stop()
    for (const { steps } of parts) await steps.return()
  }

  /** @throws StaticS3Error if a part cannot be published; later parts are then not published either */
  async finish(compiler: Compiler, stats: Stats): Promise<void> {
    this.#unfinished.delete(compiler)
    if (stats.hasErrors()) void this.fail()
    if (this.#unfinished.size > 0) return
    const live: string[] = []
    const names = this.#parts.map(({ name }) => name)
    try {
      // The checks of all parts come before the first release.
      for (const step of ['find', 'check', 'release']) {
        for (const { name, steps } of this.#parts) {
          await steps.next()
          if (step === 'release') live.push(name)
        }
      }
    } catch (error) {
      await this.fail()
      throw live.length > 0 ? withOthers(error, live, names) : error
    }
  }
}

/** The error of a part's release, with the state of the other parts. */
function withOthers(error: unknown, live: readonly string[], names: readonly string[]): unknown {
  if (!(error instanceof StaticS3Error)) return error
  const [failed, ...rest] = names.slice(live.length)
  const notBegun = rest.length > 0 ? ` Not begun: ${rest.join(', ')}.` : ''
  return new StaticS3Error(
    `${error.message}\nThis is the state of ${failed}. Live already: ${live.join(', ')}.${notBegun} Build again to bring up the missing files.`,
    { cause: error.cause },
  )
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
