import type { Bucket } from '../../bucket/bucket.js'
import { StaticS3Error } from '../../runtime/error.js'
import { type Stop, unstoppable } from '../../runtime/stop.js'
import type { Settings } from '../../settings/settings.js'
import type { Deployer } from '../records/record.js'
import { isCurrent, type Survey, takeSurvey } from '../survey.js'
import { recordParameters } from '../write-record.js'
import type { Lock } from './lock.js'
import { requestLock } from './lock-request.js'

export interface LockingInput {
  bucket: Bucket
  /** The same bucket with requests of its own, so that the lock is renewed in time. */
  lockChannel?: Bucket
  settings: Settings
  /** Stops the work. */
  stop?: Stop
  warn: (message: string) => void
  /** Called when another deploy has the lock. */
  onWait: (whom: string) => void
}

/** A request for the lock, while the work goes on. */
export interface Turn {
  /** Waits for the lock; undefined if this bucket can keep none. */
  held(): Promise<Lock | undefined>
  /**
   * Keeps the lock until it expires, although the work fails: the store may still carry out a request without a response. It must not do so after
   * the next deploy has begun.
   */
  leaveToExpire(): void
}

/** Work that needs the lock at some time. A failure gives the lock up. */
export async function withLock<T>(
  { bucket, lockChannel = bucket, settings, stop = unstoppable, warn, onWait }: LockingInput,
  { folder, record }: Survey,
  deployer: Deployer,
  work: (turn: Turn) => Promise<T>,
): Promise<T> {
  // Without a folder, no records can be kept.
  const request =
    folder &&
    requestLock({
      bucket: lockChannel,
      location: settings.location,
      deployer,
      folder,
      conditionalWrites: record?.conditionalWrites ?? false,
      parameters: { ...recordParameters(settings), ContentType: 'application/json' },
      patience: settings.lockTimeout * 1000,
      stop: stop.begun,
      onWait,
      warn,
    })
  let expires = false
  try {
    return await work({
      held: async () => request?.held(),
      leaveToExpire() {
        expires = true
      },
    })
  } catch (error) {
    if (!expires) await request?.giveUp()
    throw error
  } finally {
    await request?.letGo()
  }
}

/**
 * Work that begins under the lock, with a survey of that moment.
 *
 * @param what the work, as a noun: `a hold`
 * @throws StaticS3Error if this bucket can keep no lock
 */
export async function underLock<T>(
  what: string,
  input: LockingInput,
  survey: Survey,
  deployer: Deployer,
  work: (lock: Lock, survey: Survey, leaveToExpire: Turn['leaveToExpire']) => Promise<T>,
): Promise<T> {
  return withLock(input, survey, deployer, async ({ held, leaveToExpire }) => {
    const lock = await held()
    if (!lock) throw new StaticS3Error(`static-s3: .static-s3/ can't be written, and ${what} needs its record there`)
    const { bucket, settings, stop = unstoppable } = input
    const options = { folder: lock.folder, signal: stop.begun }
    const last = isCurrent(survey, lock.release) ? survey : await takeSurvey(bucket, settings.location, options)
    return work(lock, last, leaveToExpire)
  })
}
