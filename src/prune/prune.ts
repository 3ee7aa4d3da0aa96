import type { ListedObject } from '../bucket/bucket.js'
import { without } from '../release/cleanup.js'
import { deleteObjects, tooMany } from '../release/delete-objects.js'
import type { Lock } from '../release/lock/lock.js'
import type { Deployer } from '../release/records/record.js'
import { type ReleaseInput, requestLockFor } from '../release/release.js'
import { isCurrent, type Survey, takeSurvey } from '../release/survey.js'
import { recordParameters, writeRecord } from '../release/write-record.js'
import { mayStillArrive, StaticS3Error } from '../runtime/error.js'
import { unstoppable } from '../runtime/stop.js'
import { kindOf } from '../sync/own-location.js'
import { type KnownSurvey, type PlanInput, type PrunePlan, planPrune } from './plan-prune.js'

export interface PruneInput
  extends Pick<ReleaseInput, 'bucket' | 'lockChannel' | 'settings' | 'stop' | 'warn' | 'onWait'>,
    Pick<PlanInput, 'retention' | 'unreferenced'> {
  deployer: Deployer
  /** The most objects of the location to delete; undefined for the default. */
  maxDelete: number | undefined
}

/** The plan of a dry run. Otherwise its objects, backups and records are those that were deleted. */
export interface Pruned extends PrunePlan {
  /** The number of the prune's own release; undefined if nothing was deleted. */
  release: number | undefined
}

/**
 * Deletes the files of expired releases, pages first and records last, and writes a record of what remains. It all happens under the lock: a deploy
 * that surveyed the bucket before plans anew under its own lock, because the prune has taken a number. So it uploads again what is gone.
 *
 * Locks stay for ever: a deploy that was frozen for days could otherwise take a number twice.
 *
 * @throws StaticS3Error if there is no release, if the plan has a problem, or if anything fails. A second prune goes on from there.
 */
export async function prune(input: PruneInput): Promise<Pruned> {
  const { bucket, settings, maxDelete, stop = unstoppable } = input
  const { location, dryRun } = settings
  const planWith = async (survey: Survey, own?: number) => {
    const plan = await planPrune({ ...input, location, own }, usable(survey, location), stop.begun)
    const check = 'See what goes with --dry-run'
    return { ...plan, problem: plan.problem ?? tooMany(plan.objects.flat(), survey.record, maxDelete, check) }
  }
  const first = await planWith(await takeSurvey(bucket, location, { signal: stop.begun }))
  if (dryRun || isEmpty(first)) return { ...first, release: undefined }
  if (!first.isDeployRunning) refuseIfUnsafe(first)

  const { bundler, project } = first.survey.record
  const deployer = { ...input.deployer, bundler, project, commit: undefined }
  const request = requestLockFor(input, first.survey, deployer)
  let leftUnanswered = false
  try {
    const lock = await request?.held()
    if (!lock)
      throw new StaticS3Error('static-s3: a prune needs its lock in .static-s3/, which can be neither read nor written')
    const last = isCurrent(first.survey, lock.release)
      ? first
      : await planWith(await takeSurvey(bucket, location, { folder: lock.folder, signal: stop.begun }), lock.release)
    refuseIfUnsafe(last)
    const { deleted, failure, isUnanswered } = await carryOut(last, input, lock)
    // The store may still carry out a request without a response. It must not do so after the next deploy has begun, so the lock expires.
    leftUnanswered = isUnanswered
    if (isUnanswered) throw failure
    await keepRecord(last, deleted, input, lock, deployer).catch((error) => {
      leftUnanswered = mayStillArrive(error)
      throw failure ?? error
    })
    if (failure !== undefined) throw failure
    return { ...only(last, deleted), release: lock.release }
  } catch (error) {
    if (!leftUnanswered) await request?.giveUp()
    throw error
  } finally {
    await request?.letGo()
  }
}

/** @throws StaticS3Error without a release of a build */
function usable(survey: Survey, location: string): KnownSurvey {
  const { record } = survey
  const where = location || "the bucket's root"
  if (!record) {
    const problem = 'there is no release whose record can be read, so nothing can be pruned'
    throw new StaticS3Error([`static-s3: ${where}: ${problem}`, ...survey.warnings].join('\n'))
  }
  if (kindOf(record) === 'sync') {
    throw new StaticS3Error(
      `static-s3: ${where} has the files of a folder, not the releases of a build: static-s3 sync DIR --delete deletes what is gone from it`,
    )
  }
  return { ...survey, record }
}

/** @throws StaticS3Error if nothing may be deleted */
function refuseIfUnsafe({ problem }: PrunePlan): void {
  if (problem !== undefined) throw new StaticS3Error(`static-s3: ${problem}. Nothing was deleted.`)
}

function isEmpty({ objects, backups, records }: PrunePlan): boolean {
  return [...objects, backups, records].every(({ length }) => length === 0)
}

async function carryOut(
  { objects, backups, records }: PrunePlan,
  { bucket, settings, stop = unstoppable }: PruneInput,
  lock: Lock,
): ReturnType<typeof deleteObjects> {
  const deleted = new Set<string>()
  // In this order: no page outlives its files, and after a failure the records still tell what there is to delete.
  for (const part of [...objects, backups, records]) {
    const done = await deleteObjects(bucket, part, settings.concurrency, lock, stop)
    for (const key of done.deleted) deleted.add(key)
    if (done.failure !== undefined) return { ...done, deleted }
  }
  return { deleted, failure: undefined, isUnanswered: false }
}

/** The plan with the deleted objects alone: others had changed, or were gone already. */
function only(plan: PrunePlan, deleted: ReadonlySet<string>): PrunePlan {
  const done = <T extends ListedObject>(objects: readonly T[]) => objects.filter(({ key }) => deleted.has(key))
  const [pages, fingerprinted] = plan.objects
  return {
    ...plan,
    objects: [done(pages), done(fingerprinted)],
    backups: done(plan.backups),
    records: done(plan.records),
  }
}

/** A release without files, whose record describes the remaining objects. */
async function keepRecord(
  { survey }: PrunePlan,
  deleted: ReadonlySet<string>,
  { bucket, settings, stop = unstoppable }: PruneInput,
  lock: Lock,
  deployer: Deployer,
): Promise<void> {
  const { location } = settings
  const nothing = { decisions: [], overwritten: [], backups: [], notBefore: 0 }
  const remaining = { location, deployer, plan: nothing, survey: without(survey, deleted), written: new Map() }
  const carriedOut = { ...remaining, backups: undefined, kind: 'none', hold: survey.record.hold } as const
  await writeRecord(bucket, lock, carriedOut, recordParameters(settings), stop.cut)
}
