import type { HashedFile } from '../files/hash.js'
import type { Cleanup } from './cleanup.js'
import type { Lock } from './lock/lock.js'
import type { LockingInput } from './lock/under-lock.js'
import { latestRelease, listBackups, readReleases } from './records/releases-folder.js'
import { type Activation, planRelease } from './staging.js'
import { isCurrent, type Survey, takeSurvey } from './survey.js'
import { hasOtherFiles, isUnchanged, type Planned } from './unchanged.js'
import type { Upload } from './upload/upload.js'
import type { RunPart } from './write-record.js'

export interface PlanningInput extends LockingInput {
  files: readonly HashedFile[]
  survey: Survey
  cleanup?: Cleanup | undefined
  /** False if no later release restores these files: they need no backup. */
  isRestorable?: boolean | undefined
  /** For a release that activates the files of another one. It goes live in spite of a hold. */
  activation?: Activation | undefined
  /** Called with each survey. It throws if this release is not possible any more: another deploy may have come first. */
  checkSurvey?: (survey: Survey) => void | Promise<void>
  /** For one of several builds that go live one after the other in this location. */
  runPart?: RunPart | undefined
}

/** Milliseconds. An older survey is renewed before a deploy says that nothing has changed: builds may take long. */
const fresh = 10_000

/** The plan before the lock. */
export async function planFirst(input: PlanningInput): Promise<Planned> {
  const { bucket, survey } = input
  const first = await planWith(input, survey)
  if (!hasNothingToDo(first, input) || bucket.now() - survey.takenAt <= fresh) return first
  const now = await renewed(input)
  return now === survey ? first : planWith(input, now)
}

async function planWith(input: PlanningInput, survey: Survey, written?: Upload['written']): Promise<Planned> {
  await input.checkSurvey?.(survey)
  const cleanup = input.cleanup?.plan(survey)
  const { isRestorable = true, settings, activation, bucket } = input
  // An activation notices a lost backup, and stores it again if another object still has its bytes.
  const backups = activation ? await listBackups(bucket, settings.location) : survey.backups
  const known = { ...survey, backups }
  const { plan, staged } = await planRelease(input, known, written)
  return { survey: known, cleanup, staged, plan: isRestorable && survey.folder ? plan : { ...plan, backups: [] } }
}

/** The survey, taken again if another deploy has had the lock since. */
async function renewed({ bucket, settings: { location }, survey }: PlanningInput): Promise<Survey> {
  if (!survey.folder) return survey
  const folder = await readReleases(bucket, location)
  const isSame = isCurrent({ ...survey, folder }, latestRelease(survey.folder) + 1)
  return isSame ? survey : takeSurvey(bucket, location, { folder })
}

/** A rollback has its record in any case: the next one goes back further. */
export function hasNothingToDo(planned: Planned, input: PlanningInput): boolean {
  if (input.activation?.hold !== undefined) return false
  return isUnchanged(planned, input) && !hasOtherFiles(planned, input)
}

/** The first plan, or a new one if another deploy held the lock since the survey, or created one of our files. */
export async function planUnder(
  lock: Lock | undefined,
  input: PlanningInput,
  first: Planned,
  { written, wasForestalled }: Upload,
): Promise<Planned> {
  // Without a lock, only a new survey shows a hold.
  const isSame = lock ? isCurrent(first.survey, lock.release) : first.survey.folder === undefined
  if (isSame && !wasForestalled()) return first
  const survey = await takeSurvey(input.bucket, input.settings.location, lock ? { folder: lock.folder } : {})
  return planWith(input, survey, written)
}
