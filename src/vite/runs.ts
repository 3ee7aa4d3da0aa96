import type { Deploy } from '../deploy/deploy.js'
import type { Output } from '../files/collect.js'
import { StaticS3Error } from '../runtime/error.js'
import type { BuildEnvironment } from './environment.js'

/** One build of one environment, from its start to its last output. */
export class Run {
  readonly identity: object
  /** Undefined if this build uploads nothing. */
  readonly deploy: Deploy | undefined
  readonly outputs: Output[] = []
  #begun = 0

  constructor(identity: object, deploy: Deploy | undefined) {
    this.identity = identity
    this.deploy = deploy
  }

  beginOutput(): void {
    this.#begun++
  }

  /** Whether each output that began was written: in a failed build, at least one was not. */
  get isWritten(): boolean {
    return this.outputs.length > 0 && this.outputs.length >= this.#begun
  }
}

/** The builds that one plugin object serves: one environment after the other, or several side by side. */
export class Runs {
  readonly #open = new Map<string, Run>()

  /**
   * Undefined if the environment's build has begun already: with several outputs, Vite 8 starts one build after the other.
   *
   * @throws StaticS3Error if another build of the environment is at work
   */
  begin({ name, identity }: BuildEnvironment, startDeploy: () => Deploy | undefined): Run | undefined {
    const open = this.#open.get(name)
    if (open?.identity === identity) return undefined
    if (open && !open.isWritten) throw twoAtOnce()
    // Written and still open: another plugin failed in `closeBundle` before ours.
    open?.deploy?.stop()
    const run = new Run(identity, startDeploy())
    this.#open.set(name, run)
    return run
  }

  /** @throws StaticS3Error if another build of the environment is at work */
  of({ name, identity }: BuildEnvironment): Run | undefined {
    const run = this.#open.get(name)
    if (run && run.identity !== identity) throw twoAtOnce()
    return run
  }

  /** Undefined if the open run is another build's, because of which this one failed. */
  end({ name, identity }: BuildEnvironment): Run | undefined {
    const run = this.#open.get(name)
    if (run?.identity !== identity) return undefined
    this.#open.delete(name)
    return run
  }
}

function twoAtOnce(): StaticS3Error {
  return new StaticS3Error('static-s3: one plugin object serves two builds at once; call staticS3() for each')
}
