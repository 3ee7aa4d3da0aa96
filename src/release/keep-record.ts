import { mayStillArrive, plain, StaticS3Error } from '../runtime/error.js'
import { unstoppable } from '../runtime/stop.js'
import type { Lock } from './lock/lock.js'
import type { LockingInput } from './lock/under-lock.js'
import type { Deployer } from './records/record.js'
import type { Activation } from './staging.js'
import type { Planned } from './unchanged.js'
import type { Upload } from './upload/upload.js'
import { type RunPart, recordParameters, writeRecord } from './write-record.js'

export interface KeepRecordInput extends Pick<LockingInput, 'bucket' | 'settings' | 'stop' | 'warn'> {
  activation?: Activation | undefined
  runPart?: RunPart | undefined
}

/**
 * Writes the record of a deploy's release.
 *
 * @returns false, with a warning, if a release that is live has no record
 * @throws StaticS3Error if a staged release has no record
 */
export async function keepRecord(
  input: KeepRecordInput,
  lock: Lock,
  done: Planned,
  deployer: Deployer,
  upload: Upload,
  leaveToExpire: () => void,
): Promise<boolean> {
  try {
    await record(input, lock, done, deployer, upload)
    return true
  } catch (error) {
    // Without a response, the store may still write the record.
    const isUnanswered = mayStillArrive(error)
    if (isUnanswered) leaveToExpire()
    if (done.staged) {
      const problem = `the release is not staged, because .static-s3/ could not be written: ${plain(error)}`
      throw upload.failure(new StaticS3Error(`static-s3: ${problem}`, { cause: error }))
    }
    input.warn(
      `the site is live, but its record could not be written, so the next deploy takes longer: ${plain(error)}`,
    )
    if (!isUnanswered) await lock.giveUp().catch(() => {})
    return false
  }
}

async function record(
  { bucket, settings, stop = unstoppable, warn, activation, runPart }: KeepRecordInput,
  lock: Lock,
  { plan, survey, staged }: Planned,
  deployer: Deployer,
  { written, backups }: Upload,
): Promise<void> {
  const carriedOut = {
    ...{ location: settings.location, deployer, plan, survey, written, backups, runPart, hold: survey.record?.hold },
    ...{ kind: staged ? ('staged' as const) : ('live' as const), activated: activation?.of },
  }
  const refusal = backups?.refusal()
  if (staged && refusal !== undefined) throw refusal
  await writeRecord(bucket, lock, carriedOut, recordParameters(settings), stop.cut)
  if (refusal !== undefined) {
    warn(
      `this release can't be restored later, because its files without a fingerprint have no backup: ${plain(refusal)}`,
    )
  }
}
