import { prefixOf } from '../urls/paths.js'
import type { CleanupPlan } from './cleanup.js'
import { hasExpired } from './lock/lock.js'
import { describedBy, type Plan } from './plan.js'
import { openLock } from './records/releases-folder.js'
import { type Activation, isStagedAlready, type WhyStaged } from './staging.js'
import type { Survey } from './survey.js'
import type { RunPart } from './write-record.js'

/*
 * A deploy that has nothing to do takes no lock and writes no record.
 */

/** A plan with its survey. */
export interface Planned {
  plan: Plan
  survey: Survey
  cleanup: CleanupPlan | undefined
  staged: WhyStaged | undefined
}

interface Facts {
  settings: { location: string }
  activation?: Activation | undefined
  isRestorable?: boolean | undefined
  runPart?: RunPart | undefined
}

/** True if every object is right, and the newest record describes it. */
export function isUnchanged(
  { plan, cleanup, staged, survey }: Planned,
  { settings, isRestorable = true }: Facts,
): boolean {
  if (staged && isStagedAlready(plan, survey.record)) return true
  const isDone = plan.decisions.every(({ reason }) => reason === 'unchanged' || reason === 'exists')
  if (!isDone || (cleanup?.objects ?? []).length > 0) return false
  return !isRestorable || !(lacksRecord(survey) || hasLeftovers(survey, settings.location))
}

/** True if the live release has other files than this one, though all of these are there. */
export function hasOtherFiles(planned: Planned, facts: Facts): boolean {
  const found = comparedWithLive(planned, facts)
  return found !== undefined && (found.isLess || found.isMore)
}

/**
 * The paths of the live release's files without a fingerprint that this release does not have: they stay in the bucket, where visitors can still
 * load them. `prune --unreferenced` deletes them.
 */
export function unreferencedFiles(planned: Planned, facts: Facts): string[] {
  return planned.staged ? [] : (comparedWithLive(planned, facts)?.unreferenced ?? [])
}

/**
 * How the files of the live release differ from those of this one. Two builds that deploy in turn to one location have no file in common: each leaves
 * the other's release alone. A run's last build decides for all. Undefined if there is nothing to compare.
 */
function comparedWithLive(
  { plan, staged, survey: { record, listing } }: Planned,
  { settings: { location }, activation, isRestorable = true, runPart }: Facts,
): { isLess: boolean; isMore: boolean; unreferenced: string[] } | undefined {
  if (!record || !isRestorable || runPart?.isLast === false) return undefined
  if (staged && isStagedAlready(plan, record)) return undefined
  const prefix = prefixOf(location)
  const own = new Set(plan.decisions.map(({ file }) => file.path))
  const isOwn = (path: string) => own.has(path) || runPart?.has(prefix + path) === true
  const count = { live: 0, common: 0, others: 0 }
  const unreferenced: string[] = []
  for (const [path, { release, fingerprinted, adopted }] of record.objects) {
    const isLive = release === record.live
    if (isLive) count.live++
    if (isOwn(path)) count[isLive ? 'common' : 'others']++
    else if (isLive && !fingerprinted && !adopted && listing.has(prefix + path)) unreferenced.push(path)
  }
  if (!activation && count.live > 0 && count.common === 0) return undefined
  return { isLess: count.common < count.live, isMore: count.others > 0, unreferenced }
}

/** True if the newest record can't be used, and an older one takes its place. */
function lacksRecord({ record, folder }: Survey): boolean {
  return record !== undefined && record.release < (folder?.records[0]?.release ?? 0)
}

/**
 * True after a deploy that ended without a record, if it left objects that are newer than the live release and in no record. They may be pages, so
 * nothing can be pruned before there is a newer live release. A deploy that still runs makes its own.
 */
function hasLeftovers({ record, folder, listing, takenAt }: Survey, location: string): boolean {
  if (!record || !folder) return false
  const open = openLock(folder)
  const running = open && !hasExpired(open, takenAt) ? open.release : undefined
  const ended = new Set([running, ...folder.records.map(({ release }) => release)])
  if (folder.locks.every(({ release }) => release <= record.live || ended.has(release))) return false
  const { lastModified: liveSince = 0 } = folder.records.find(({ release }) => release === record.live) ?? {}
  const prefix = prefixOf(location)
  return [...listing.values()].some(
    (object) =>
      (object.lastModified ?? 0) >= liveSince &&
      !object.key.startsWith('.static-s3/') &&
      !describedBy(record, object.key.slice(prefix.length), object),
  )
}
