import { type BundleFile, type Fingerprints, watchFingerprints } from './fingerprints.js'
import { OutputRoots } from './output-root.js'
import { type WorkerBuilds, watchWorkerBuilds } from './workers.js'

/** The names that the bundler gives to files, in all environments of a build and in the builds of its workers. */
export class BundlerNames {
  readonly #workers = [watchWorkerBuilds(() => this.roots)]
  readonly #fingerprints = new Map<string, Fingerprints>()
  /** The same object for all plugin objects of a build. */
  roots = new OutputRoots()

  /** For Vite's `worker.plugins`. */
  workerPlugins = () => this.#workers.slice(0, 1).flatMap(({ plugins }) => plugins())

  /** Also knows the workers that another plugin object watches. */
  addWorkersOf(other: BundlerNames): void {
    if (!this.#workers.includes(other.#workers[0] as WorkerBuilds)) this.#workers.push(...other.#workers)
    this.roots = other.roots
  }

  /** Watches one more output of an environment, by the options that Rollup gets for it. */
  watch<T extends { assetFileNames?: unknown }>(environment: string, options: T): T {
    const fingerprints = watchFingerprints()
    this.#fingerprints.set(environment, fingerprints)
    return fingerprints.outputOptions(options)
  }

  /** The files of an environment's bundle that the bundler named by their content. */
  fingerprinted(environment: string, bundle: Readonly<Record<string, BundleFile>>): Set<string> {
    const named = this.#fingerprints.get(environment)?.of(bundle) ?? []
    return new Set([...named, ...this.#workers.flatMap(({ fingerprinted }) => [...fingerprinted])])
  }

  isWorkerEntry(path: string): boolean {
    return this.#workers.some((workers) => workers.isWorkerEntry(path))
  }

  /** Whether the bundler may have named this asset by its content. */
  mayHaveMade(path: string): boolean {
    return [...this.#fingerprints.values()].some((each) => each.mayHaveMade(path))
  }

  /** The contents of the assets that may have got this name. */
  sourcesOf(path: string): (string | Uint8Array)[] {
    return [...this.#fingerprints.values()].flatMap((each) => each.sourcesOf(path))
  }
}
