import type { HashedFile } from '../files/hash.js'
import { mayStillArrive, plain, StaticS3Error } from '../runtime/error.js'
import { unstoppable } from '../runtime/stop.js'
import { type Cleanup, cleanUp, without } from './cleanup.js'
import type { Lock } from './lock/lock.js'
import { type LockingInput, type Turn, withLock } from './lock/under-lock.js'
import { warningOfOthers } from './other-projects.js'
import type { Decision, Plan } from './plan.js'
import type { Deployer } from './records/record.js'
import { latestRelease, lockKey, readReleases, releasesFolder } from './records/releases-folder.js'
import { type Activation, isStagedAlready, partStaged, planRelease, type WhyStaged } from './staging.js'
import { isCurrent, type Survey, takeSurvey } from './survey.js'
import { hasOtherFiles, isUnchanged, type Planned } from './unchanged.js'
import { startUpload, type Upload } from './upload/upload.js'
import type { Part } from './upload/waves.js'
import type { Change, Done } from './upload/what-visitors-see.js'
import { backupParameters, type RunPart, recordParameters, writeRecord } from './write-record.js'

export type { Change } from './upload/what-visitors-see.js'

export interface ReleaseInput extends LockingInput {
  files: readonly HashedFile[]
  survey: Survey
  /** Opens connections for this many requests. */
  warm?: (requests: number) => void
  deployer: () => Promise<Deployer>
  onProgress: (done: Done, all: Done) => void
  /**
   * Called with the lock's key when all fingerprinted files and other assets are uploaded. If it rejects, the deploy ends before a manifest or page changes.
   */
  beforeManifests?: (decisions: readonly Decision[], lockKey: string | undefined) => Promise<void>
  cleanup?: Cleanup | undefined
  /** False if no later release brings these files back. They then need no backup. */
  isRestorable?: boolean | undefined
  /** For a release that brings back the files of another one. It goes live in spite of a hold. */
  activation?: Activation | undefined
  /** Called with each survey. It throws if this release is not possible any more: another deploy may have come first. */
  checkSurvey?: (survey: Survey) => void | Promise<void>
  /** Called when visitors see the release, before its record is written: if the process dies in between, the next deploy calls it again. */
  onLive?: (change: Change) => Promise<unknown>
  /** For one of several builds that go live one after the other in this location. */
  runPart?: RunPart | undefined
}

export interface Released {
  decisions: readonly Decision[]
  /** Its number; undefined if nothing has changed, or if no record can be kept. */
  release: number | undefined
  /** Why it is staged; undefined if it is live. */
  staged?: WhyStaged | undefined
  /** The keys of deleted objects, if the release has a cleanup. */
  deleted?: readonly string[] | undefined
  others?: number | undefined
}

/**
 * Brings the files into the bucket.
 *
 * @throws StaticS3Error that describes the site as visitors see it now
 */
export async function release(input: ReleaseInput): Promise<Released> {
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
  if (!lock) refuseWithoutRecord(last, input, upload)
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

/** Milliseconds after which the releases' folder is read again before a deploy says that nothing has changed: builds may take long. */
const fresh = 10_000

async function planFirst(input: ReleaseInput): Promise<Planned> {
  const { bucket, survey } = input
  const first = await planWith(input, survey)
  if (!hasNothingToDo(first, input) || bucket.now() - survey.takenAt <= fresh) return first
  const now = await renewed(input)
  return now === survey ? first : planWith(input, now)
}

async function planWith(input: ReleaseInput, survey: Survey, written?: Upload['written']): Promise<Planned> {
  await input.checkSurvey?.(survey)
  const cleanup = input.cleanup?.plan(survey)
  const { isRestorable = true, settings } = input
  const { plan, staged } = await planRelease(input, survey, written)
  if (staged && input.runPart) throw partStaged(settings.location, staged)
  return { survey, cleanup, staged, plan: isRestorable && survey.folder ? plan : { ...plan, backups: [] } }
}

/** The survey, taken again if another deploy has had the lock since. */
async function renewed({ bucket, settings: { location }, survey }: ReleaseInput): Promise<Survey> {
  if (!survey.folder) return survey
  const folder = await readReleases(bucket, location)
  const isSame = isCurrent({ ...survey, folder }, latestRelease(survey.folder) + 1)
  return isSame ? survey : takeSurvey(bucket, location, { folder })
}

function hasNothingToDo(planned: Planned, input: ReleaseInput): boolean {
  if (input.activation?.hold !== undefined) return false
  return isUnchanged(planned, input) && !hasOtherFiles(planned, input)
}

function unchanged({ plan, cleanup, staged, survey: { record } }: Planned): Released {
  const isStaged = staged && isStagedAlready(plan, record)
  return {
    decisions: plan.decisions,
    ...(isStaged ? { release: record?.release, staged } : { release: undefined }),
    ...(cleanup && { deleted: [], others: cleanup.others }),
  }
}

/** A release that only its record makes: a staged one, or one that begins a hold. */
function needsRecord({ staged }: Pick<Planned, 'staged'>, { activation }: ReleaseInput): boolean {
  return staged !== undefined || activation?.hold !== undefined
}

/** @throws StaticS3Error if the release needs a record, and none can be kept */
function refuseWithoutRecord(planned: Planned, input: ReleaseInput, upload: Upload): void {
  if (!needsRecord(planned, input)) return
  const cannot = planned.survey.folder ? 'written' : 'read'
  throw upload.failure(
    new StaticS3Error(
      `static-s3: .static-s3/ can't be ${cannot}, and a staged release or a hold needs its record there: allow it`,
    ),
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

/** The first plan, or a new one if another deploy held the lock since the survey, or created one of our files. */
async function planUnder(
  lock: Lock | undefined,
  input: ReleaseInput,
  first: Planned,
  { written, wasForestalled }: Upload,
): Promise<Planned> {
  // Without a lock, only a new survey shows a hold.
  const isSame = lock ? isCurrent(first.survey, lock.release) : first.survey.folder === undefined
  if (isSame && !wasForestalled()) return first
  const survey = await takeSurvey(input.bucket, input.settings.location, lock ? { folder: lock.folder } : {})
  return planWith(input, survey, written)
}

/**
 * @returns false, with a warning, if a release that is live has no record
 * @throws StaticS3Error if a release that needs its record has none
 */
async function keepRecord(
  input: ReleaseInput,
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
    if (needsRecord(done, input)) throw upload.failure(notRecorded(error, done))
    input.warn(
      `the site is live, but its record could not be written, so the next deploy takes longer: ${plain(error)}`,
    )
    if (!isUnanswered) await lock.giveUp().catch(() => {})
    return false
  }
}

async function record(
  { bucket, settings, stop = unstoppable, warn, activation, runPart }: ReleaseInput,
  lock: Lock,
  { plan, survey, staged }: Planned,
  deployer: Deployer,
  { written, backups }: Upload,
): Promise<void> {
  const begins = activation?.hold
  const hold = begins === undefined ? survey.record?.hold : { reason: begins, by: deployer.by, at: new Date() }
  const carriedOut = {
    ...{ location: settings.location, deployer, plan, survey, written, backups, runPart, hold },
    ...{ kind: staged ? ('staged' as const) : ('live' as const), activated: activation?.of },
  }
  const refusal = backups?.refusal()
  if (staged && refusal !== undefined) throw refusal
  await writeRecord(bucket, lock, carriedOut, recordParameters(settings), stop.cut)
  if (refusal !== undefined) {
    warn(
      `this release can't be restored later, because its files without a fingerprint have no copy: ${plain(refusal)}`,
    )
  }
}

function notRecorded(error: unknown, { staged }: Planned): StaticS3Error {
  const outcome = staged ? 'the release is not staged' : 'the release is live, but the hold has not begun'
  return new StaticS3Error(`static-s3: ${outcome}, because .static-s3/ could not be written: ${plain(error)}`, {
    cause: error,
  })
}

/** Each file's outcome. The last plan skips a file that the first plan created. */
function carriedOut(first: Planned, last: Pick<Planned, 'plan'>, { written }: Upload): readonly Decision[] {
  return last.plan.decisions.map((after, i) => {
    const isCreated = after.action === 'skip' && written.has(after.file.key)
    return isCreated ? (first.plan.decisions[i] as Decision) : after
  })
}
