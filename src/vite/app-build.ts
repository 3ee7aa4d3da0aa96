import type { Deploy } from '../deploy/deploy.js'
import type { Output } from '../files/collect.js'
import type { PublishContext } from './publish-outputs.js'
import type { Run } from './runs.js'

/** The parts to publish, and the hook's `this` for that. */
export interface FinishedApp {
  deploy: Deploy
  outputs: readonly Output[]
  context: PublishContext
}

/**
 * A build of several environments, one after the other. Its parts go live together, when the last one is written.
 *
 * @see https://vite.dev/guide/api-environment-frameworks#environments-during-build
 */
export class AppBuild {
  /** One deploy for all parts. */
  deploy: Deploy | undefined
  readonly #outputs: Output[] = []
  /** Names that the bundlers of server environments made. A framework may move such a file to the client's folder (React Router does). */
  readonly #serverNames: string[] = []
  readonly #done = new Set<string>()
  #awaited: ReadonlySet<string> | undefined
  #context: PublishContext | undefined
  #failed = false
  /** Whether a framework's module that names the client's files was found and points to the bucket. */
  isManifestPointed = false

  /** Notes a built environment. */
  add(environment: string, { deploy, outputs }: Pick<Run, 'deploy' | 'outputs'>, context: PublishContext): void {
    this.#done.add(environment)
    if (deploy) this.#outputs.push(...outputs)
    else this.#serverNames.push(...outputs.flatMap(({ fingerprinted }) => [...fingerprinted]))
    this.#context = context
  }

  /** The paths of the client's files that bundlers have emitted so far. */
  get emitted(): ReadonlySet<string> {
    return new Set(this.#outputs.flatMap(({ emitted }) => [...emitted]))
  }

  fail(): void {
    this.#failed = true
  }

  /** Called when all `buildApp` hooks are done. If the hooks built nothing, Vite now builds all environments. */
  endHooks(environments: readonly string[]): void {
    this.#awaited = new Set(this.#done.size > 0 ? this.#done : environments)
  }

  get isComplete(): boolean {
    return this.#awaited !== undefined && [...this.#awaited].every((name) => this.#done.has(name))
  }

  /** Undefined if a part failed, or if there is nothing to upload. */
  get finished(): FinishedApp | undefined {
    if (this.#failed || !this.deploy || !this.#context || this.#outputs.length === 0) return undefined
    const outputs = this.#outputs.map((output) => ({
      ...output,
      fingerprinted: new Set([...output.fingerprinted, ...this.#serverNames]),
    }))
    return { deploy: this.deploy, outputs, context: this.#context }
  }
}
