import type { Bucket, ListedObject } from '../bucket/bucket.js'
import { type Stop, unstoppable } from '../runtime/stop.js'
import type { Permit } from './lock/hold-lock.js'
import type { Survey } from './survey.js'

/** Objects to delete, and how many others stay that are no file's. */
export interface CleanupPlan {
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
  plan(survey: Survey): CleanupPlan | undefined
  carryOut(bucket: Bucket, objects: readonly ListedObject[], permit: Permit, stop: Stop): Promise<Cleaned>
}

export interface Cleaned {
  /** Keys, without those of objects that had changed or were gone already. */
  deleted: ReadonlySet<string>
  /** The error that ended it early. */
  failure: unknown
  /** True if the store may still delete an object. */
  isUnanswered: boolean
}

export interface CleanupInput {
  bucket: Bucket
  cleanup?: Cleanup | undefined
  warn: (message: string) => void
  stop?: Stop
}

/** Deletes objects only under a lock. */
export async function cleanUp(
  { bucket, cleanup, warn, stop = unstoppable }: CleanupInput,
  plan: CleanupPlan | undefined,
  lock: Permit | undefined,
): Promise<Cleaned> {
  const nothing = { deleted: new Set<string>(), failure: undefined, isUnanswered: false }
  if (!cleanup || !plan || plan.objects.length === 0) return nothing
  if (lock) return cleanup.carryOut(bucket, plan.objects, lock, stop)
  warn('nothing was deleted, because static-s3 deletes only under its lock in .static-s3/')
  return nothing
}

export function without(survey: Survey, deleted: ReadonlySet<string>): Survey {
  if (deleted.size === 0) return survey
  return { ...survey, listing: new Map([...survey.listing].filter(([key]) => !deleted.has(key))) }
}
