import type { Bucket, ListedObject } from '../bucket/bucket.js'
import type { HashedFile } from '../files/hash.js'
import { plain, responseOf } from '../runtime/error.js'
import { type Stop, unstoppable } from '../runtime/stop.js'
import type { Settings } from '../settings/settings.js'
import type { Permit } from './hold-lock.js'
import type { Lock } from './lock.js'
import { type LockRequest, requestLock } from './lock-request.js'
import { makePlan } from './make-plan.js'
import { warningOfOthers } from './other-projects.js'
import type { Decision, Plan } from './plan.js'
import type { Deployer } from './record.js'
import { latestRelease, lockKey, releasesFolder } from './releases-folder.js'
import { isCurrent, readReleases, type Survey, takeSurvey } from './survey.js'
import { startUpload, type Upload } from './upload.js'
import type { Done } from './what-visitors-see.js'
import { recordParameters, writeRecord } from './write-record.js'

export interface ReleaseInput {
  files: readonly HashedFile[]
  survey: Survey
  bucket: Bucket
  /** The same bucket with requests of its own, so that the lock is renewed in time. */
  lockChannel?: Bucket
  /** Opens connections for this many requests. */
  warm?: (requests: number) => void
  deployer: () => Promise<Deployer>
  /** Stops the deploy. */
  stop?: Stop
  settings: Settings
  warn: (message: string) => void
  onProgress: (done: Done, all: Done) => void
  /**
   * Called with the lock's key when all fingerprinted files and other assets are uploaded. If it rejects, the deploy ends before a manifest or page changes.
   */
  beforeManifests?: (decisions: readonly Decision[], lockKey: string | undefined) => Promise<void>
  /** Called when another deploy has the lock. */
  onWait: (whom: string) => void
  cleanup?: Cleanup | undefined
  /** Called with each survey. It throws if the last release forbids this one: another deploy may have come first. */
  checkLast?: (last: Survey['record']) => void
}

/** Objects to delete, and how many others stay that are no file's. */
export interface Removals {
  objects: readonly ListedObject[]
  others: number
  /** Why a release without `dryRun` would be refused. */
  problem?: string | undefined
}

/** Deletes objects after the uploads. */
export interface Cleanup {
  /**
   * Undefined if nothing is to be deleted on principle.
   *
   * @throws StaticS3Error if the survey forbids the release
   */
  plan(survey: Survey): Removals | undefined
  carryOut(bucket: Bucket, objects: readonly ListedObject[], permit: Permit, stop: Stop): Promise<Cleaned>
}

export interface Cleaned {
  /** Keys. */
  deleted: ReadonlySet<string>
  /** The error that ended it early. */
  failure: unknown
  /** True if the store may still delete an object. */
  isUnanswered: boolean
}

export interface Released {
  decisions: readonly Decision[]
  /** Its number; undefined if nothing has changed, or if no record can be kept. */
  release: number | undefined
  /** The keys of deleted objects, if the release has a cleanup. */
  deleted?: readonly string[] | undefined
  others?: number | undefined
}

/** A plan, and its survey. */
interface Planned {
  plan: Plan
  survey: Survey
  removals: Removals | undefined
}

/**
 * Brings the files into the bucket.
 *
 * @throws StaticS3Error that describes the site as visitors see it now
 */
export async function release(input: ReleaseInput): Promise<Released> {
  const { bucket, settings, onProgress, warm, stop, beforeManifests } = input
  const upload = startUpload(bucket, settings.concurrency, onProgress, stop)
  const first = await orFail(upload, planFirst(input))
  if (isUnchanged(first)) return unchanged(first)

  warm?.(first.plan.decisions.filter(({ action }) => action !== 'skip').length)
  const deployer = await input.deployer()
  const others = warnOfOthers(input, first, deployer)
  const request = requestLockFor(input, first.survey, deployer)
  let leftUnanswered = false
  try {
    // No page refers to these files yet, and they replace no file: they need no lock. They go up before the others.
    await upload.run(first.plan, 'creations')
    // From here on, visitors see what changes: one deploy at a time.
    const lock = await orFail(upload, request?.held())
    // Another deploy may have changed the bucket since the survey.
    const last = await orFail(upload, planUnder(lock, input, first, upload))
    // Group by group, HTML last: no page refers to a missing file.
    await upload.run(last.plan, last === first ? 'all but creations' : 'all', lock, () =>
      beforeManifests?.(last.plan.decisions, lock && lockKey(releasesFolder(settings.location), lock.release)),
    )
    const cleaned = await cleanUp(input, last, lock)
    leftUnanswered = cleaned.isUnanswered
    // The record describes only objects that are there.
    const done = { plan: withoutForestalled(last.plan, upload), survey: without(last.survey, cleaned.deleted) }
    const isRecorded = lock && !leftUnanswered && (await keepRecord(input, lock, done, deployer, upload))
    if (cleaned.failure !== undefined) throw upload.failure(cleaned.failure)
    return {
      decisions: carriedOut(first, done, upload),
      release: isRecorded ? lock.release : undefined,
      deleted: last.removals && [...cleaned.deleted],
      others: last.removals?.others,
    }
  } catch (error) {
    // The store may still carry out a request without a response. It must not do so after the next deploy has begun, so the lock expires.
    if (!leftUnanswered && !upload.leftUnanswered()) await request?.giveUp()
    throw error
  } finally {
    await others
    await request?.letGo()
  }
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
  if (!isUnchanged(first) || bucket.now() - survey.takenAt <= fresh) return first
  const now = await renewed(input)
  return now === survey ? first : planWith(input, now)
}

async function planWith(input: ReleaseInput, survey: Survey, written?: Upload['written']): Promise<Planned> {
  input.checkLast?.(survey.record)
  const removals = input.cleanup?.plan(survey)
  return { survey, removals, plan: await makePlan(input, survey, written) }
}

/** The survey, taken again if another deploy has had the lock since. */
async function renewed({ bucket, settings: { location }, survey }: ReleaseInput): Promise<Survey> {
  if (!survey.folder) return survey
  const folder = await readReleases(bucket, location)
  const isSame = isCurrent({ ...survey, folder }, latestRelease(survey.folder) + 1)
  return isSame ? survey : takeSurvey(bucket, location, { folder })
}

function isUnchanged({ plan, removals }: Planned): boolean {
  const isDone = plan.decisions.every(({ reason }) => reason === 'unchanged' || reason === 'exists')
  return isDone && (removals?.objects ?? []).length === 0
}

function unchanged({ plan: { decisions }, removals }: Planned): Released {
  return { decisions, release: undefined, ...(removals && { deleted: [], others: removals.others }) }
}

/** Deletes objects only under a lock. */
async function cleanUp(
  { bucket, cleanup, warn, stop = unstoppable }: ReleaseInput,
  { removals }: Planned,
  lock: Lock | undefined,
): Promise<Cleaned> {
  const nothing = { deleted: new Set<string>(), failure: undefined, isUnanswered: false }
  if (!cleanup || !removals || removals.objects.length === 0) return nothing
  if (lock) return cleanup.carryOut(bucket, removals.objects, lock, stop)
  warn('nothing was deleted, because static-s3 deletes only under its lock in .static-s3/')
  return nothing
}

function without(survey: Survey, deleted: ReadonlySet<string>): Survey {
  if (deleted.size === 0) return survey
  return { ...survey, listing: new Map([...survey.listing].filter(([key]) => !deleted.has(key))) }
}

/** A file that replaces no object was not written if the object came first. */
function withoutForestalled(plan: Plan, { written }: Upload): Plan {
  const decisions = plan.decisions.map((decision): Decision => {
    const isForestalled = decision.file.createOnly && decision.action !== 'skip' && !written.has(decision.file.key)
    return isForestalled ? { ...decision, action: 'skip', reason: 'exists' } : decision
  })
  return { ...plan, decisions }
}

/** Requests the lock, unless the survey found that no records can be kept. */
function requestLockFor(
  { bucket, lockChannel = bucket, settings, stop = unstoppable, warn, onWait }: ReleaseInput,
  { folder, record }: Survey,
  deployer: Deployer,
): LockRequest | undefined {
  if (!folder) return undefined
  return requestLock({
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
}

/** The first plan, or a new one if another deploy held the lock since the survey, or created one of our files. */
async function planUnder(
  lock: Lock | undefined,
  input: ReleaseInput,
  first: Planned,
  { written, wasForestalled }: Upload,
): Promise<Planned> {
  if (!wasForestalled() && (!lock || isCurrent(first.survey, lock.release))) return first
  const survey = await takeSurvey(input.bucket, input.settings.location, lock ? { folder: lock.folder } : {})
  return planWith(input, survey, written)
}

/** @returns whether the record is there */
async function keepRecord(
  { bucket, settings, stop = unstoppable, warn }: ReleaseInput,
  lock: Lock,
  { plan, survey }: Pick<Planned, 'plan' | 'survey'>,
  deployer: Deployer,
  { written }: Upload,
): Promise<boolean> {
  const { location } = settings
  try {
    const carriedOut = { location, deployer, plan, survey, written }
    await writeRecord(bucket, lock, carriedOut, recordParameters(settings), stop.cut)
    return true
  } catch (error) {
    warn(`the site is live, but its record could not be written, so the next deploy takes longer: ${plain(error)}`)
    // Without a response, the store may still write the record. It must not do so after the next deploy has begun.
    if (responseOf(error).status !== undefined) await lock.giveUp().catch(() => {})
    return false
  }
}

/** Each file's outcome. The last plan skips a file that the first plan created. */
function carriedOut(first: Planned, last: Pick<Planned, 'plan'>, { written }: Upload): readonly Decision[] {
  return last.plan.decisions.map((after, i) => {
    const isCreated = after.action === 'skip' && written.has(after.file.key)
    return isCreated ? (first.plan.decisions[i] as Decision) : after
  })
}
