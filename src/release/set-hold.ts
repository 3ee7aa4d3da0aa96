import { mayStillArrive, plain, StaticS3Error } from '../runtime/error.js'
import { unstoppable } from '../runtime/stop.js'
import type { Deployer, Hold, ReleaseRecord } from './records/record.js'
import { type ReleaseInput, requestLockFor } from './release.js'
import { isCurrent, type Survey, takeSurvey } from './survey.js'
import { recordParameters, writeRecord } from './write-record.js'

export interface HoldInput
  extends Pick<ReleaseInput, 'bucket' | 'lockChannel' | 'settings' | 'stop' | 'warn' | 'onWait'> {
  deployer: Deployer
  /** Throws if the last release forbids it. */
  checkLast(last: ReleaseRecord): void
  /** Undefined to end the hold. */
  reason: string | undefined
}

export interface HoldChange {
  /** Its number; undefined if nothing was held, and nothing is to be held. */
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
  if (reason === undefined && !held) return { release: undefined, before: undefined, live }
  const deployer = { ...own, bundler, project, commit: undefined }
  const request = requestLockFor(input, survey, deployer)
  let leftUnanswered = false
  try {
    const lock = await request?.held()
    if (!lock)
      throw new StaticS3Error('static-s3: a hold needs a record in .static-s3/, which can be neither read nor written')
    const last = isCurrent(survey, lock.release) ? survey : await takeSurvey(bucket, location, { folder: lock.folder })
    const { hold: before, live } = recordIn(last, input)
    const hold = reason === undefined ? undefined : { reason, by: own.by, at: new Date() }
    const nothing = { decisions: [], overwritten: [], backups: [], notBefore: 0 }
    const carriedOut = { location, deployer, plan: nothing, survey: last, written: new Map(), backups: undefined, hold }
    await writeRecord(bucket, lock, { ...carriedOut, kind: 'none' }, recordParameters(settings), stop.cut).catch(
      (error) => {
        leftUnanswered = mayStillArrive(error)
        const outcome = reason === undefined ? 'the hold has not ended' : 'the hold has not begun'
        throw new StaticS3Error(
          `static-s3: ${outcome}, because its record could not be written: ${plain(error)}\nThe site stands as it was.`,
          { cause: error },
        )
      },
    )
    return { release: lock.release, before, live }
  } catch (error) {
    // The store may still write the record. It must not do so after the next deploy has begun, so the lock expires.
    if (!leftUnanswered) await request?.giveUp()
    throw error
  } finally {
    await request?.letGo()
  }
}

/** @throws StaticS3Error without a record, because the location's files and an earlier hold are then unknown; or if the record forbids it */
function recordIn({ record, warnings }: Survey, { settings: { location }, checkLast }: HoldInput): ReleaseRecord {
  if (!record) {
    const problem = 'there is no release whose record can be read, so there is nothing to hold'
    throw new StaticS3Error([`static-s3: ${location || "the bucket's root"}: ${problem}`, ...warnings].join('\n'))
  }
  checkLast(record)
  return record
}
