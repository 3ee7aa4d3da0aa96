import { without } from '../release/cleanup.js'
import { deleteObjects, tooManyDeletions } from '../release/delete-objects.js'
import type { Lock } from '../release/lock/lock.js'
import { lockKey, releasesFolder } from '../release/records/releases-folder.js'
import { noReleaseYet, type Survey, takeSurvey } from '../release/survey.js'
import { StaticS3Error } from '../runtime/error.js'
import { unstoppable } from '../runtime/stop.js'
import { kindOf } from '../sync/own-location.js'
import { locationName } from '../urls/paths.js'
import { type ChangeInput, changeAndRecord } from './change-and-record.js'
import { isEmpty, type KnownSurvey, only, type Parts, type PlanInput, type PrunePlan, planPrune } from './plan-prune.js'
import { inWaves } from './removals.js'
import { expiredTag, tagExpired, withExpired } from './tag-expired.js'

export interface PruneInput extends ChangeInput, Pick<PlanInput, 'retention' | 'unreferenced'> {
  /** Tags objects for a lifecycle rule, instead of deleting them. */
  tag?: boolean | undefined
  /** The most objects of the location to delete; undefined for the default. */
  maxDelete: number | undefined
  /** Called with the deleted objects, even if a failure ended the deletions: the next prune finds them no more. */
  onDeleted?: (deleted: PrunePlan) => Promise<void>
}

/** The plan of a dry run. Otherwise, its objects, backups and records are the deleted ones. */
export interface Pruned extends PrunePlan {
  /** The number of the prune's own release; undefined if nothing was deleted. */
  release: number | undefined
  /** True if the objects were tagged instead. */
  tag: boolean
}

/**
 * Deletes the files of expired releases, pages first and records last, then writes a record of the remaining objects, all under the lock. A deploy
 * that surveyed the bucket before plans anew under its own lock, because the prune has taken a number. So it uploads missing files again.
 *
 * Locks stay for ever: a deploy that was frozen for days could otherwise take a number twice.
 *
 * With `tag`, a first release records which objects expire, and a second one tags them: a deploy never relies on a tagged object, even after a
 * crash between the two.
 *
 * @throws StaticS3Error if there is no release, if the plan has a problem, or if anything fails. A second prune continues from there.
 */
export async function prune(input: PruneInput): Promise<Pruned> {
  const { tag = false } = input
  const pruned = { ...(await pruneOnce(input)), tag }
  if (!tag || input.settings.dryRun) return pruned
  const tagged = await tagExpired(input, (survey) => usable(survey, input.settings.location))
  return { ...pruned, objects: [[], []], backups: [], records: [], release: undefined, ...tagged }
}

async function pruneOnce(input: PruneInput): Promise<Omit<Pruned, 'tag'>> {
  const { bucket, settings, maxDelete, tag = false, stop = unstoppable } = input
  const { location, dryRun } = settings
  const planWith = async (survey: Survey, own?: number) => {
    const plan = await planPrune({ ...input, location, own }, usable(survey, location), stop.begun)
    const check = dryRun ? 'Check the files above' : 'List them with --dry-run'
    return { ...plan, problem: plan.problem ?? tooManyDeletions(plan.objects.flat(), survey.record, maxDelete, check) }
  }
  const first = await planWith(await takeSurvey(bucket, location, { signal: stop.begun }))
  if (dryRun || isEmpty(first)) return { ...first, release: undefined }
  if (!first.isDeployRunning) refuseIfUnsafe(first)
  return changeAndRecord(input, first.survey, async (lock, survey) => {
    const last = survey === first.survey ? first : await planWith(survey, lock.release)
    refuseIfUnsafe(last)
    // Without the right to tag, no release may count as expired. The lock's object shows it.
    if (tag)
      await bucket.tag(
        lockKey(releasesFolder(location), lock.release),
        { [expiredTag[0]]: 'lock' },
        { signal: stop.begun },
      )
    const { deleted, failure, isUnanswered } = tag ? nothingDone : await carryOut(last, input, lock)
    const done = { ...last, ...only(last, deleted) }
    await input.onDeleted?.(done)
    const remaining = tag ? withExpired(last.survey, keysOf(last), false) : withoutDeleted(last.survey, deleted)
    return { remaining, failure, isUnanswered, result: { ...done, release: lock.release } }
  })
}

const nothingDone = { deleted: new Set<string>(), failure: undefined, isUnanswered: false }

/** @throws StaticS3Error without a release of a build */
function usable(survey: Survey, location: string): KnownSurvey {
  const { record } = survey
  if (!record) throw noReleaseYet(location, survey, ', so nothing can be pruned')
  if (kindOf(record) === 'sync') {
    throw new StaticS3Error(
      `static-s3: ${locationName(location)} has the files of a folder, not the releases of a build: static-s3 sync DIR --delete deletes what is gone from it`,
    )
  }
  return { ...survey, record }
}

/** @throws StaticS3Error if nothing may be deleted */
function refuseIfUnsafe({ problem }: PrunePlan): void {
  if (problem !== undefined) throw new StaticS3Error(`static-s3: ${problem}. Nothing was deleted.`)
}

async function carryOut(
  { objects, backups, records }: Parts,
  { bucket, settings, stop = unstoppable }: PruneInput,
  lock: Lock,
): ReturnType<typeof deleteObjects> {
  const deleted = new Set<string>()
  // In this order: no page outlives its files, and after a failure the records still name the objects to delete.
  for (const part of [...inWaves(objects.flat()), backups, records]) {
    const done = await deleteObjects(bucket, part, settings.concurrency, lock, stop)
    for (const key of done.deleted) deleted.add(key)
    if (done.failure !== undefined) return { ...done, deleted }
  }
  return { deleted, failure: undefined, isUnanswered: false }
}

function keysOf({ objects, backups, records }: Parts): string[] {
  return [...objects.flat(), ...backups, ...records].map(({ key }) => key)
}

function withoutDeleted(survey: KnownSurvey, deleted: ReadonlySet<string>): KnownSurvey {
  const { record } = survey
  const expired = new Map([...(record.expired ?? [])].filter(([key]) => !deleted.has(key)))
  return { ...without(survey, deleted), record: { ...record, expired } }
}
