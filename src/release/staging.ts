import { canonicalHeaders } from '../bucket/headers.js'
import type { HashedFile } from '../files/hash.js'
import { StaticS3Error } from '../runtime/error.js'
import { several } from '../runtime/printable.js'
import { locationName } from '../urls/paths.js'
import { makePlan, type PlanInput } from './make-plan.js'
import type { Decision, Plan } from './plan.js'
import type { Hold, ReleasedFile, ReleaseRecord } from './records/record.js'
import type { Survey } from './survey.js'

/*
 * A staged release is in the bucket, and visitors see nothing of it: its new fingerprinted files are there, and the bytes of its other files are
 * beside the records. Its activation copies these on the server.
 */

/** A release that activates the files of another one. */
export interface Activation {
  /** The other one's number. */
  of: number
  /** The reason of the hold that begins before it. */
  hold?: string | undefined
}

/** The reason why a release is not to go live: the user's choice, or a hold. */
export type WhyStaged = 'asked' | Hold

export interface StagingInput {
  settings: { activate: boolean; location: string }
  activation?: Activation | undefined
  isRestorable?: boolean | undefined
  /** Of a run whose builds share the location. */
  runPart?: object | undefined
}

/** An activation goes live in spite of a hold. Files without backups can't be activated, so they are never staged. */
export function whyStaged(
  { settings, activation, isRestorable = true }: StagingInput,
  record: ReleaseRecord | undefined,
): WhyStaged | undefined {
  if (activation || !isRestorable) return undefined
  return record?.hold ?? (settings.activate ? undefined : 'asked')
}

/** The error of a run of several builds. An activation would bring only one of them. */
function partStaged(location: string, staged: WhyStaged): StaticS3Error {
  const why = staged === 'asked' ? '' : `, and deploys are held (${staged.reason}): static-s3 resume ends the hold`
  const where = locationName(location)
  return new StaticS3Error(
    `static-s3: ${where}: several builds of this run share this location, so none of them can be staged${why}. Give each build a location of its own (AWS_LOCATION)`,
  )
}

/**
 * The part of a plan that visitors do not see: new fingerprinted files, and backups. Everything else waits for the activation.
 *
 * @throws StaticS3Error if a fingerprinted name has other bytes in the bucket, which the live pages may need
 */
export function stagedPlan(plan: Plan): Plan {
  if (plan.overwritten.length > 0) {
    const names = several(plan.overwritten.map(({ key }) => key))
    throw new StaticS3Error(
      `static-s3: ${names}: the bucket has other bytes under the same fingerprinted name, so the release can't be staged: make the bundler hash the content`,
    )
  }
  const decisions = plan.decisions.map((decision): Decision => {
    const { file, action, reason } = decision
    const isSeen = file.group !== 'fingerprinted' || reason === 'headers' || reason === 'headers unknown'
    return isSeen && action !== 'skip' ? { ...decision, action: 'skip', reason: 'staged' } : decision
  })
  return { ...plan, decisions }
}

/**
 * The files of a staged release, for its record.
 *
 * @param etagOf the ETag of an object, by its key
 * @param backupOf the ETag of a file's backup
 */
export function stagedFiles(
  { decisions }: Plan,
  etagOf: (key: string) => string | undefined,
  backupOf: (file: HashedFile) => string | undefined,
): Map<string, ReleasedFile> {
  return new Map(
    decisions.map(({ file }) => {
      const { path, key, group, sha256, original, size, parameters } = file
      const fingerprinted = group === 'fingerprinted'
      const headers = canonicalHeaders(parameters)
      const [etag, backup] = fingerprinted ? [etagOf(key), undefined] : [undefined, backupOf(file)]
      return [path, { sha256, original, size, headers, fingerprinted, etag, backup }]
    }),
  )
}

/** True if the newest release is staged and has the same files, and if no byte of them is missing. */
export function isStagedAlready({ decisions, backups }: Plan, record: ReleaseRecord | undefined): boolean {
  const staged = record?.staged
  if (staged?.size !== decisions.length || backups.length > 0) return false
  return decisions.every(({ file: { path, sha256, parameters }, action }) => {
    const there = staged.get(path)
    return action === 'skip' && there?.sha256 === sha256 && there.headers === canonicalHeaders(parameters)
  })
}

/**
 * The plan of a release that may be staged, and the reason if it is. A staged release writes no object that visitors see, so it can't write all of
 * them again.
 *
 * @throws StaticS3Error if it can't be staged
 */
export async function planRelease(
  input: PlanInput & StagingInput,
  survey: Survey,
  written?: Parameters<typeof makePlan>[2],
): Promise<{ plan: Plan; staged: WhyStaged | undefined }> {
  const staged = whyStaged(input, survey.record)
  if (!staged) return { plan: await makePlan(input, survey, written), staged }
  if (input.runPart) throw partStaged(input.settings.location, staged)
  const plan = await makePlan({ ...input, settings: { ...input.settings, force: false } }, survey, written)
  return { plan: stagedPlan(plan), staged }
}
