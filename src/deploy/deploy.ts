import { type Output, type Snapshot, takeSnapshots } from '../files/collect.js'
import { urlInBucket } from '../files/why-left-out.js'
import { StaticS3Error } from '../runtime/error.js'
import type { Settings } from '../settings/settings.js'
import { startEarlySurvey } from './early-survey.js'
import type { PublishInput } from './publish.js'
import { taskRunnerWarning } from './task-runner.js'

// Adapters import this file only for a build that is on: a build that is off should load next to nothing.

export { matcher } from '../files/globs.js'
export { rewriteFile } from '../files/rewrite-file.js'
export { whyLeftOut } from '../files/why-left-out.js'
export { notProduction } from '../settings/settings.js'

/** A build whose files are all written. */
export type FinishedBuild = Omit<PublishInput, 'settings' | 'earlySurvey' | 'before'>

/** The deploy of one build, from the build's start. */
export interface Deploy {
  settings: Settings
  /** Notes what stands in the output folders. Call it before the bundler writes: files that stay as they were are an earlier build's. */
  snapshot(folders: readonly string[]): Promise<void>
  /** The public URL of a path in these output folders; undefined for a file that is not uploaded. */
  urlInBucket(outputs: readonly Output[]): (path: string) => string | undefined
  /**
   * Brings the finished build into the bucket.
   *
   * @throws StaticS3Error when anything fails, unless `onError` is `warn`
   */
  publish(build: FinishedBuild): Promise<void>
  /** The same in three steps, for builds that are published together: finds the files, checks them, releases them. */
  publishInSteps(build: FinishedBuild): AsyncGenerator<void, boolean>
  /** The reason to end the build at once: the store has refused the deploy. Undefined if the build may continue. */
  whyEnd(): StaticS3Error | undefined
  /** Ends the deploy of a build that failed. */
  stop(): void
}

/** Starts a deploy when its build starts, and uses the time in which the bundler works: surveys the bucket and loads the modules of `publish`. */
export function startDeploy(settings: Settings): Deploy {
  // Users who have set the option know what a replayed build does.
  const isChosen = settings.given.options?.upload !== undefined
  const warning = settings.upload && !isChosen ? taskRunnerWarning(process.env) : undefined
  if (warning !== undefined) settings.warnings.push(warning)
  const earlySurvey = settings.upload ? startEarlySurvey(settings) : undefined
  void import('./publish.js')
  let before = new Map<string, Snapshot>()
  async function* publishInSteps(build: FinishedBuild) {
    const publishing = await import('./publish.js')
    return yield* publishing.publishInSteps({ ...build, settings, earlySurvey, before })
  }
  return {
    settings,
    async snapshot(folders) {
      // A folder's first snapshot wins: another part of the same build may have written to the folder since.
      before = new Map([...(await takeSnapshots(folders)), ...before])
    },
    urlInBucket: (outputs) => urlInBucket(settings, outputs),
    async publish(build) {
      for await (const _step of publishInSteps(build));
    },
    publishInSteps,
    whyEnd() {
      const refusal = earlySurvey?.refusal
      if (refusal === undefined || settings.onError === 'warn') return undefined
      return new StaticS3Error(`${refusal.message}\nThe build was ended, and the site stands as it was.`, {
        cause: refusal,
      })
    },
    stop: () => earlySurvey?.stop(),
  }
}
