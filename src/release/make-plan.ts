import type { Bucket, WrittenObject } from '../bucket/bucket.js'
import type { HashedFile } from '../files/hash.js'
import { StaticS3Error } from '../runtime/error.js'
import type { Settings } from '../settings/settings.js'
import { currentHeaders } from './current-headers.js'
import { type Plan, plan, undescribed } from './plan.js'
import type { Survey } from './survey.js'

export interface PlanInput {
  files: readonly HashedFile[]
  bucket: Bucket
  settings: Pick<Settings, 'force' | 'concurrency' | 'fileOverwrite'>
  warn: (message: string) => void
}

/**
 * The plan for the files, with a warning or an error about fingerprinted names that come with other bytes. HEAD requests tell the headers of
 * objects that no record describes.
 *
 * @param written what this deploy has written already
 */
export async function makePlan(
  { files, bucket, settings, warn }: PlanInput,
  { listing, record }: Survey,
  written: ReadonlyMap<string, WrittenObject> = new Map(),
): Promise<Plan> {
  const known = { listing, record, written }
  const keys = undescribed(files, known, settings.force)
  const heads = await currentHeaders(bucket, keys, settings.concurrency)
  const made = plan(files, { ...known, heads }, settings.force)
  guardFingerprints(made, settings, warn)
  return made
}

function guardFingerprints(
  { overwritten }: Plan,
  { fileOverwrite }: PlanInput['settings'],
  warn: (message: string) => void,
): void {
  const [first] = overwritten
  if (!first) return
  const names = overwritten.length === 1 ? first.key : `${first.key} and ${overwritten.length - 1} more`
  const what = `${names}: the bucket has other bytes under the same fingerprinted name, which browsers keep for a year`
  if (!fileOverwrite) {
    throw new StaticS3Error(
      `static-s3: ${what}. AWS_S3_FILE_OVERWRITE is off: make the bundler hash the content, or switch it on.`,
    )
  }
  warn(what)
}
