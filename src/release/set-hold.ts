import { mayStillArrive, plain, StaticS3Error } from '../runtime/error.js'
import { unstoppable } from '../runtime/stop.js'
import { type LockingInput, underLock } from './lock/under-lock.js'
import type { Deployer, Hold, ReleaseRecord } from './records/record.js'
import { noReleaseYet, type Survey, takeSurvey } from './survey.js'
import { writeRecordAlone } from './write-record.js'

export interface HoldInput extends LockingInput {
  deployer: Deployer
  /** Throws if the last release forbids it. */
  checkLast(last: ReleaseRecord): void
  /** Undefined to end the hold. */
  reason: string | undefined
}

export interface HoldChange {
  /** Its number; undefined if nothing was written: nothing was held before a resume, or it is a dry run. */
  release: number | undefined
  /** The hold before. */
  before: Hold | undefined
  /** The release that visitors see. */
  live: number
}

/**
 * Begins a hold, or ends it, by a record with the files of the last one: a deploy reads it before it changes what visitors see.
 *
 * @throws StaticS3Error if there is no release yet, or if the record can't be written
 */
export async function setHold(input: HoldInput): Promise<HoldChange> {
  const { bucket, settings, deployer: own, reason, stop = unstoppable } = input
  const { location } = settings
  const survey = await takeSurvey(bucket, location, { signal: stop.begun })
  const { bundler, project, hold: held, live } = recordIn(survey, input)
  if (settings.dryRun || (reason === undefined && !held)) return { release: undefined, before: held, live }
  const deployer = { ...own, bundler, project, commit: undefined }
  return underLock('a hold', input, survey, deployer, async (lock, last, leaveToExpire) => {
    const { hold: before, live } = recordIn(last, input)
    const hold = reason === undefined ? undefined : { reason, by: own.by, at: new Date() }
    await writeRecordAlone(bucket, lock, { location, deployer, survey: last, hold }, settings, stop.cut).catch(
      (error) => {
        const isUnanswered = mayStillArrive(error)
        if (isUnanswered) leaveToExpire()
        const outcome = `${isUnanswered ? 'may not have' : 'has not'} ${reason === undefined ? 'ended' : 'begun'}`
        throw new StaticS3Error(
          `static-s3: the hold ${outcome}, because its record could not be written: ${plain(error)}`,
          {
            cause: error,
          },
        )
      },
    )
    return { release: lock.release, before, live }
  })
}

/** @throws StaticS3Error without a record, because the location's files and an earlier hold are then unknown; or if the record forbids it */
function recordIn(survey: Survey, { settings: { location }, checkLast }: HoldInput): ReleaseRecord {
  const { record } = survey
  if (!record) throw noReleaseYet(location, survey, ', so there is nothing to hold')
  checkLast(record)
  return record
}
