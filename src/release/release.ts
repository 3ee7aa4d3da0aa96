import { StaticS3Error } from '../runtime/error.js'
import { cleanUp, without } from './cleanup.js'
import { type KeepRecordInput, keepRecord } from './keep-record.js'
import type { Lock } from './lock/lock.js'
import { type Turn, withLock } from './lock/under-lock.js'
import { warningOfOthers } from './other-projects.js'
import type { Decision, Plan } from './plan.js'
import { hasNothingToDo, type PlanningInput, planFirst, planUnder } from './planning.js'
import type { Deployer } from './records/record.js'
import { lockKey, releasesFolder } from './records/releases-folder.js'
import { setHold } from './set-hold.js'
import { isStagedAlready, type WhyStaged } from './staging.js'
import { type Survey, takeSurvey } from './survey.js'
import { type Planned, unreferencedFiles } from './unchanged.js'
import { startUpload, type Upload } from './upload/upload.js'
import type { Part } from './upload/waves.js'
import type { Change, Done } from './upload/what-visitors-see.js'
import { backupParameters } from './write-record.js'

export type { Change } from './upload/what-visitors-see.js'

export interface ReleaseInput extends PlanningInput, KeepRecordInput {
  /** Opens connections for this many requests. */
  warm?: (requests: number) => void
  deployer: () => Promise<Deployer>
  onProgress: (done: Done, all: Done) => void
  /**
   * Called with the lock's key when all fingerprinted files and other assets are uploaded. If it rejects, the deploy ends before a manifest or page changes.
   */
  beforeManifests?: (decisions: readonly Decision[], lockKey: string | undefined) => Promise<void>
  /** Called when visitors see the release, before its record is written: if the process dies in between, the next deploy calls it again. */
  onLive?: (change: Change) => Promise<unknown>
}

export interface Released {
  decisions: readonly Decision[]
  /** Its number; undefined if nothing has changed, or if no record can be kept. */
  release: number | undefined
  /** Why it is staged; undefined if it is live. */
  staged?: WhyStaged | undefined
  /** The reason of the hold that it began. */
  hold?: string | undefined
  /** The keys of deleted objects, if the release has a cleanup. */
  deleted?: readonly string[] | undefined
  others?: number | undefined
  /** Paths of files that the release before had, and that stay in the bucket without a release. */
  unreferenced?: readonly string[] | undefined
}

/**
 * Brings the files into the bucket.
 *
 * @throws StaticS3Error that describes the site as visitors see it now
 */
export async function release(input: ReleaseInput): Promise<Released> {
  const hold = input.activation?.hold
  const survey = hold === undefined ? input.survey : await holdFirst(input, hold)
  try {
    return { ...(await releaseFiles({ ...input, survey })), hold }
  } catch (error) {
    if (hold === undefined) throw error
    throw new StaticS3Error(
      `${(error as Error).message}\nDeploys are held now: run the rollback again, or static-s3 resume.`,
      {
        cause: error,
      },
    )
  }
}

/**
 * The hold of a rollback begins before its first page changes: otherwise, a deploy that waits could go live if the rollback fails.
 *
 * @returns the survey after it
 */
async function holdFirst(input: ReleaseInput, reason: string): Promise<Survey> {
  const { bucket, settings, survey, deployer, checkSurvey } = input
  await checkSurvey?.(survey)
  const checkLast = () => {}
  await setHold({ ...input, deployer: await deployer(), reason, checkLast }).catch((error: Error) => {
    throw new StaticS3Error(`${error.message}\nThe site stands as it was.`, { cause: error })
  })
  return takeSurvey(bucket, settings.location)
}

async function releaseFiles(input: ReleaseInput): Promise<Released> {
  const { bucket, settings, onProgress, warm, stop } = input
  const backUp = { location: settings.location, parameters: backupParameters(settings) }
  const upload = startUpload(bucket, settings.concurrency, onProgress, stop, backUp)
  const first = await orFail(upload, planFirst(input))
  if (hasNothingToDo(first, input)) return unchanged(first)

  warm?.(first.plan.decisions.filter(({ action }) => action !== 'skip').length + first.plan.backups.length)
  const deployer = await input.deployer()
  const others = warnOfOthers(input, first, deployer)
  try {
    return await withLock(input, first.survey, deployer, (turn) => carryOut(first, input, turn, deployer, upload))
  } finally {
    await others
  }
}

async function carryOut(
  first: Planned,
  input: ReleaseInput,
  turn: Turn,
  deployer: Deployer,
  upload: Upload,
): Promise<Released> {
  // No page refers to these files yet, and they replace no file: they need no lock. They go up before the others.
  await upload.run(first.plan, 'creations')
  // From here on, visitors see what changes: one deploy at a time.
  const lock = await orFail(upload, turn.held())
  // Another deploy may have changed the bucket since the survey.
  const last = await orFail(upload, planUnder(lock, input, first, upload))
  if (!lock && last.staged) throw upload.failure(withoutRecord(last.survey))
  await changeSite(last, last === first ? 'all but creations' : 'all', input, upload, lock).catch((error) => {
    if (upload.leftUnanswered()) turn.leaveToExpire()
    throw error
  })
  const cleaned = await cleanUp(input, last.cleanup, lock)
  if (cleaned.isUnanswered) turn.leaveToExpire()
  // The record describes only objects that are there.
  const done = { ...last, plan: withoutForestalled(last.plan, upload), survey: without(last.survey, cleaned.deleted) }
  const decisions = carriedOut(first, done, upload)
  if (!last.staged) await orFail(upload, input.onLive?.({ ...last, decisions, deleted: cleaned.deleted }))
  const isRecorded =
    lock && !cleaned.isUnanswered && (await keepRecord(input, lock, done, deployer, upload, turn.leaveToExpire))
  if (cleaned.failure !== undefined) throw upload.failure(cleaned.failure)
  return {
    decisions,
    release: isRecorded ? lock.release : undefined,
    staged: last.staged,
    deleted: last.cleanup && [...cleaned.deleted],
    others: last.cleanup?.others,
    unreferenced: unreferencedFiles(last, input),
  }
}

/** Group by group, HTML last: no page refers to a missing file. */
async function changeSite(
  { plan }: Planned,
  part: Part,
  { settings: { location }, beforeManifests }: ReleaseInput,
  upload: Upload,
  lock: Lock | undefined,
): Promise<void> {
  await upload.run(plan, part, lock, () =>
    beforeManifests?.(plan.decisions, lock && lockKey(releasesFolder(location), lock.release)),
  )
}

async function warnOfOthers(
  { bucket, settings, warn }: ReleaseInput,
  { plan, survey }: Planned,
  { project }: Deployer,
) {
  const warning = await warningOfOthers({ bucket, location: settings.location, project }, plan, survey)
  if (warning) warn(warning)
}

/** Completes an error of this work with the site as visitors see it now. */
function orFail<T>(upload: Upload, work: T | Promise<T>): Promise<T> {
  return Promise.resolve(work).catch((error: unknown) => {
    throw upload.failure(error)
  })
}

function unchanged({ plan, cleanup, staged, survey: { record } }: Planned): Released {
  const isStaged = staged && isStagedAlready(plan, record)
  return {
    decisions: plan.decisions,
    ...(isStaged ? { release: record?.release, staged } : { release: undefined }),
    ...(cleanup && { deleted: [], others: cleanup.others }),
  }
}

function withoutRecord({ folder }: Survey): StaticS3Error {
  const cannot = folder ? 'written' : 'read'
  return new StaticS3Error(
    `static-s3: .static-s3/ can't be ${cannot}, and a staged release needs its record there: allow it, as static-s3 policy iam prints it`,
  )
}

/** A file that replaces no object was not written if the object came first. */
function withoutForestalled(plan: Plan, { written }: Upload): Plan {
  const decisions = plan.decisions.map((decision): Decision => {
    const isForestalled = decision.file.createOnly && decision.action !== 'skip' && !written.has(decision.file.key)
    return isForestalled ? { ...decision, action: 'skip', reason: 'exists' } : decision
  })
  return { ...plan, decisions }
}

/** Each file's outcome. The last plan skips a file that the first plan created. */
function carriedOut(first: Planned, last: Pick<Planned, 'plan'>, { written }: Upload): readonly Decision[] {
  return last.plan.decisions.map((after, i) => {
    const isCreated = after.action === 'skip' && written.has(after.file.key)
    return isCreated ? (first.plan.decisions[i] as Decision) : after
  })
}
