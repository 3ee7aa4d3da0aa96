import type { Lock } from '../release/lock/lock.js'
import { type LockingInput, underLock } from '../release/lock/under-lock.js'
import type { Deployer } from '../release/records/record.js'
import type { Survey } from '../release/survey.js'
import { writeRecordAlone } from '../release/write-record.js'
import { mayStillArrive } from '../runtime/error.js'
import { unstoppable } from '../runtime/stop.js'
import type { KnownSurvey } from './plan-prune.js'

export interface ChangeInput extends LockingInput {
  deployer: Deployer
}

export interface Outcome<T> {
  /** The record describes these objects. */
  remaining: KnownSurvey
  /** The error that ended the work early. */
  failure: unknown
  /** True if the store may still carry out a request. */
  isUnanswered: boolean
  result: T
}

/**
 * Changes objects under the lock, then writes a release without files, whose record describes what remains.
 *
 * @throws StaticS3Error if anything fails
 */
export async function changeAndRecord<T>(
  input: ChangeInput,
  first: KnownSurvey,
  work: (lock: Lock, survey: Survey) => Promise<Outcome<T>>,
): Promise<T> {
  const { bucket, settings, stop = unstoppable } = input
  const { bundler, project } = first.record
  const deployer = { ...input.deployer, bundler, project, commit: undefined }
  return underLock('a prune', input, first, deployer, async (lock, last, leaveToExpire) => {
    const { remaining, failure, isUnanswered, result } = await work(lock, last)
    if (isUnanswered) {
      leaveToExpire()
      throw failure
    }
    const facts = { location: settings.location, deployer, survey: remaining, hold: remaining.record.hold }
    await writeRecordAlone(bucket, lock, facts, settings, stop.cut).catch((error) => {
      if (mayStillArrive(error)) leaveToExpire()
      throw failure ?? error
    })
    if (failure !== undefined) throw failure
    return result
  })
}
