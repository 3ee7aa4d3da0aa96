import type { ListedObject } from '../bucket/bucket.js'
import { type KeptPreviews, type PreviewFacts, type WhyKept, whyKept } from '../previews/expired-previews.js'
import { headOf, matcherOf } from '../previews/template.js'
import { deleteObjects } from '../release/delete-objects.js'
import { hasExpired } from '../release/lock/lock.js'
import { type LockingInput, underLock } from '../release/lock/under-lock.js'
import type { Deployer } from '../release/records/record.js'
import {
  listRecords,
  openLock,
  type ReleasesFolder,
  readFolder,
  releasesFolder,
} from '../release/records/releases-folder.js'
import { readRecord, type Survey, takeSurvey } from '../release/survey.js'
import { StaticS3Error } from '../runtime/error.js'
import { eachInParallel } from '../runtime/parallel.js'
import { unstoppable } from '../runtime/stop.js'
import { prefixOf } from '../urls/paths.js'
import { describedObjects, inWaves } from './removals.js'

export interface PrunePreviewsInput extends LockingInput {
  /** The location with its placeholders. */
  template: string
  deployer: Deployer
  kept: KeptPreviews
  /** The most objects of the locations to delete. */
  maxDelete: number | undefined
}

/** A preview in the bucket. */
export interface Preview extends PreviewFacts {
  /** The number of its newest record. */
  release: number
}

/** A preview with its objects to delete, or its deleted objects. */
export interface ExpiredPreview extends Preview {
  /** The objects of its location: pages, then the files that they need. */
  files: ListedObject[][]
  /** Backups, then records with the newest one last. */
  beside: ListedObject[][]
  /** The number of objects in the location that stay, because another tool uploaded or changed them. */
  others: number
}

export interface PrunedPreviews {
  kept: [preview: Preview, why: WhyKept][]
  expired: ExpiredPreview[]
  /** Why a prune without `dryRun` would be refused. */
  problem: string | undefined
  /** The store's time: milliseconds since 1970. */
  now: number
}

/**
 * Deletes the previews of a template that have expired, one after the other: files, backups and records. Each goes under its own lock, with its pages
 * first, and its newest record last: a second prune continues from there.
 *
 * Locks stay for ever, as after any prune: a deploy that surveyed the preview before would otherwise take a used number, and would not notice that
 * its unchanged files are gone.
 *
 * @throws StaticS3Error if anything fails
 */
export async function prunePreviews(input: PrunePreviewsInput): Promise<PrunedPreviews> {
  const { bucket, settings, kept, maxDelete, stop = unstoppable } = input
  const now = bucket.now()
  const reasons = whyKept(await findPreviews(input), kept, now)
  const surveyOf = ({ location }: Preview) => takeSurvey(bucket, location, { signal: stop.begun })
  const result: PrunedPreviews = { kept: [], expired: [], problem: undefined, now }
  for (const [preview, why] of reasons) {
    const plan = why ? undefined : await planPreview(input, preview, await surveyOf(preview))
    if (plan) result.expired.push(plan)
    else result.kept.push([preview, why ?? 'recent'])
  }
  const { length } = result.expired.flatMap(({ files }) => files.flat())
  if (maxDelete !== undefined && length > maxDelete) {
    result.problem = `${length} objects would be deleted, and the limit is --max-delete ${maxDelete}. List them with --dry-run, then allow them with --max-delete ${length}`
  }
  if (settings.dryRun) return result
  if (result.problem !== undefined) throw new StaticS3Error(`static-s3: ${result.problem}. Nothing was deleted.`)
  const planned = result.expired.splice(0)
  for (const preview of planned) {
    stop.begun.throwIfAborted()
    const deleted = await deletePreview(input, preview)
    if (deleted) result.expired.push(deleted)
    else result.kept.push([preview, 'recent'])
  }
  return result
}

/** A record may have 10 MB. */
const recordsAtOnce = 4

/** The locations whose newest release came from this template. Another location may have a matching name. */
async function findPreviews({ bucket, template, warn, stop = unstoppable }: PrunePreviewsInput): Promise<Preview[]> {
  const listing = await bucket.list(`.static-s3/${headOf(template)}`, { signal: stop.begun })
  const previews: Preview[] = []
  await eachInParallel(recordsAtOnce, foldersOf(listing, matcherOf(template)), async ([location, folder]) => {
    const [newest] = folder.records
    const record = await readRecord(bucket, location, folder.records.slice(0, 1), stop.begun, (why) =>
      warn(`${location} is kept: ${why}`),
    )
    if (!newest || record?.preview?.template !== template) return
    const { branch } = record.preview
    const lock = openLock(folder)
    const isLocked = lock !== undefined && !hasExpired(lock, bucket.now())
    const { release, lastModified: at = bucket.now() } = newest
    previews.push({ location, branch, release, at, isHeld: record.hold !== undefined, isLocked })
  })
  return previews.sort((a, b) => (a.location < b.location ? -1 : 1))
}

function foldersOf(listing: readonly ListedObject[], isPreview: RegExp): [location: string, ReleasesFolder][] {
  const objects = new Map<string, ListedObject[]>()
  for (const object of listing) {
    const [, location = ''] = /^\.static-s3\/(.+)\/releases\/\d{8}\.(json\.gz|lock)$/.exec(object.key) ?? []
    if (!isPreview.test(location)) continue
    const found = objects.get(location) ?? []
    objects.set(location, found)
    found.push(object)
  }
  return [...objects].map(([location, found]) => [location, readFolder(releasesFolder(location), found)])
}

/** @returns undefined if a deploy came first */
async function planPreview(
  { bucket, stop = unstoppable }: PrunePreviewsInput,
  preview: Preview,
  survey: Survey,
): Promise<ExpiredPreview | undefined> {
  const { location } = preview
  const { releases, backups, inner } = await listRecords(bucket, location, stop.begun)
  const [newest, ...older] = releases.records
  if (newest?.release !== preview.release) return undefined
  const own = describedObjects({ ...survey, location, inner }).filter(({ recorded }) => !recorded.adopted)
  const isInner = (key: string) => [...inner].some((each) => key.startsWith(prefixOf(each)))
  const all = [...survey.listing.keys()].filter((key) => !isInner(key))
  return { ...preview, files: inWaves(own), beside: [backups, older, [newest]], others: all.length - own.length }
}

/** @returns the preview with its deleted objects; undefined if a deploy came first */
async function deletePreview(input: PrunePreviewsInput, preview: Preview): Promise<ExpiredPreview | undefined> {
  const { bucket, deployer, stop = unstoppable } = input
  const { location } = preview
  const locking = { ...input, settings: { ...input.settings, location } }
  const survey = await takeSurvey(bucket, location, { signal: stop.begun })
  return underLock(`a prune of ${location}`, locking, survey, deployer, async (lock, current, leaveToExpire) => {
    const last = await planPreview(input, preview, current)
    const deleted = new Set<string>()
    for (const part of last ? [...last.files, ...last.beside] : []) {
      const done = await deleteObjects(bucket, part, input.settings.concurrency, lock, stop)
      for (const key of done.deleted) deleted.add(key)
      if (done.isUnanswered) leaveToExpire()
      if (done.failure !== undefined) throw done.failure
    }
    // No record ends this lock.
    await lock.giveUp().catch(() => {})
    const done = (parts: ListedObject[][]) => parts.map((part) => part.filter(({ key }) => deleted.has(key)))
    return last && { ...last, files: done(last.files), beside: done(last.beside) }
  })
}
