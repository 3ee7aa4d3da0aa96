import type { Bucket, ListedObject } from '../bucket/bucket.js'
import { hasExpired } from '../release/lock/lock.js'
import { filesOf, kindOfRelease, type ReleaseRecord } from '../release/records/record.js'
import {
  listRecords,
  type NumberedObject,
  openLock,
  type RecordsFolder,
  type ReleasesFolder,
} from '../release/records/releases-folder.js'
import type { Survey } from '../release/survey.js'
import { findRelease } from '../restore/restored-release.js'
import { eachInParallel } from '../runtime/parallel.js'
import { type Candidate, type KeptReleases, keptReleases, type Retention } from './kept-releases.js'
import {
  addNeeds,
  describedObjects,
  expiredBackups,
  expiredFingerprints,
  type Location,
  type Needs,
  type OwnObject,
  unrecordedPage,
  unreferencedPages,
} from './removals.js'

/** With the newest record. */
export type KnownSurvey = Survey & { record: ReleaseRecord }

/** The objects to delete or to tag. */
export interface Parts {
  /** Objects of the location: pages, then the files that they need. */
  objects: [pages: OwnObject[], fingerprinted: OwnObject[]]
  backups: ListedObject[]
  records: ListedObject[]
}

export interface PrunePlan extends Parts {
  survey: KnownSurvey
  /** The numbers of the kept and of the expired releases, the newest first. */
  kept: number[]
  expired: number[]
  /** Files without a fingerprint that stay, though no live release has them. */
  unreferenced: OwnObject[]
  /** True if another deploy has the lock, or has had it since the survey: the plan is then out of date. */
  isDeployRunning: boolean
  /** Why nothing may be deleted. */
  problem: string | undefined
}

export interface PlanInput {
  bucket: Bucket
  location: string
  retention: Retention
  /** True to delete files without a fingerprint that no live release has. */
  unreferenced: boolean
  /** Leaves expired objects alone, which are tagged or to be tagged. */
  tag?: boolean | undefined
  /** The number of our own lock, once it is taken. */
  own?: number | undefined
}

/**
 * Finds out what a prune deletes.
 *
 * @throws StaticS3Error if a record can't be used
 */
export async function planPrune(input: PlanInput, survey: KnownSurvey, signal: AbortSignal): Promise<PrunePlan> {
  const { bucket, location, retention } = input
  const folder = await listRecords(bucket, location, signal)
  const { record } = survey
  const place = { ...survey, location, inner: folder.inner }
  const open = input.own === undefined ? openLock(folder.releases) : undefined
  const isHeld = open !== undefined && !hasExpired(open, bucket.now())
  // A deploy that ended since the survey may have written the pages between the survey's two requests.
  const isOutdated = !survey.folder || newestOf(folder.releases) !== newestOf(survey.folder)
  const isDeployRunning = isHeld || (input.own === undefined && isOutdated)

  const known = expiredIn(record, folder)
  const isExpired = ({ key }: ListedObject) => known.has(key)
  const isKnown = (object: ListedObject) => !isExpired(object)
  /** What an earlier prune left to a lifecycle rule. */
  const left = <T extends ListedObject>(objects: readonly T[]) => (input.tag ? [] : objects.filter(isExpired))
  const records = folder.releases.records.filter(isKnown)
  const candidates = new Map<number, Candidate>()
  await eachRecord(input, records, signal, (each, { lastModified }) => {
    candidates.set(each.release, candidateOf(each, lastModified))
  })
  const inOrder = records.flatMap(({ release }) => candidates.get(release) ?? [])
  const keep = (standing?: ReadonlySet<number>) => keptReleases(inOrder, retention, bucket.now(), standing)
  const first = keep()
  const needs: Needs = { files: new Set(), liveFiles: new Set(), backups: new Set() }
  const read = async ({ kept, live }: KeptReleases, known?: KeptReleases) => {
    const wanted = records.filter(({ release }) => kept.has(release) && !known?.kept.has(release))
    await eachRecord(input, wanted, signal, (each) => addNeeds(needs, filesOf(each), live.has(each.release)))
  }
  await read(first)
  const all = describedObjects(place)
  const [described, backups] = [all.filter(isKnown), folder.backups.filter(isKnown)]
  const stored = new Set(backups.map(({ key }) => key.slice(-64)))
  const pages = unreferencedPages(described, needs, record.live, input.unreferenced, stored)
  const last = keep(pages.standing)
  await read(last, first)

  const [leftPages, leftFingerprinted] = byFingerprint(left(all))
  const fingerprinted = expiredFingerprints(described, needs, record.live)
  const kept = records.filter(({ release }) => last.kept.has(release))
  const expired = [...records.filter(({ release }) => !last.kept.has(release)), ...left(folder.releases.records)]
  return {
    survey: { ...survey, record: { ...record, expired: known } },
    kept: numbersOf(kept),
    expired: numbersOf(expired),
    objects: [
      [...pages.objects, ...leftPages],
      [...fingerprinted, ...leftFingerprinted],
    ],
    backups: [...expiredBackups(backups, needs, record, pages.objects), ...left(folder.backups)],
    records: expired,
    unreferenced: pages.unreferenced.filter((object) => !pages.objects.includes(object)),
    isDeployRunning,
    problem: isDeployRunning ? undefined : whyUnsafe(place, folder, record, input.own),
  }
}

export function byFingerprint(objects: readonly OwnObject[]): Parts['objects'] {
  const withFingerprint = (wanted: boolean) => objects.filter(({ recorded }) => recorded.fingerprinted === wanted)
  return [withFingerprint(false), withFingerprint(true)]
}

/** These objects alone: others had changed, or were gone already. */
export function only({ objects: [pages, fingerprinted], backups, records }: Parts, keys: ReadonlySet<string>): Parts {
  const chosen = <T extends ListedObject>(objects: readonly T[]) => objects.filter(({ key }) => keys.has(key))
  return {
    objects: [chosen(pages), chosen(fingerprinted)],
    backups: chosen(backups),
    records: chosen(records),
  }
}

export function isEmpty({ objects, backups, records }: Parts): boolean {
  return [...objects, backups, records].every(({ length }) => length === 0)
}

/** The expired objects, without backups and records that are gone. */
export function expiredIn(
  { expired = new Map() }: ReleaseRecord,
  { backups, releases }: RecordsFolder,
): NonNullable<ReleaseRecord['expired']> {
  const listed = new Set([...backups, ...releases.records].map(({ key }) => key))
  return new Map([...expired].filter(([key]) => !key.startsWith('.static-s3/') || listed.has(key)))
}

const newestOf = ({ records, locks }: ReleasesFolder) => `${records[0]?.release} ${locks[0]?.release}`
const numbersOf = (records: readonly NumberedObject[]) => records.map(({ release }) => release)

function candidateOf(record: ReleaseRecord, at: number | undefined): Candidate {
  const { release, live, activated, hold, project, run } = record
  return { release, kind: kindOfRelease(record), live, activated, isHeld: hold !== undefined, project, run, at }
}

/** A record may have 10 MB, and a location hundreds of records: each is dropped after its turn. */
const recordsAtOnce = 4

async function eachRecord(
  { bucket, location }: PlanInput,
  records: readonly NumberedObject[],
  signal: AbortSignal,
  work: (record: ReleaseRecord, object: NumberedObject) => void,
): Promise<void> {
  await eachInParallel(recordsAtOnce, records, async (object) => {
    const record = await findRelease(bucket, location, object.release, signal)
    // Another prune may have deleted it since the listing.
    if (record) work(record, object)
  })
}

/**
 * Pages may need files that no record names. Only a live release records the pages that it finds: a hold or a prune after a failed deploy hides nothing.
 */
function whyUnsafe(
  place: Location,
  { releases: { records, locks } }: RecordsFolder,
  { live }: ReleaseRecord,
  own: number | undefined,
): string | undefined {
  const recorded = new Set(records.map(({ release }) => release))
  const isUnfinished = locks.some(({ release }) => release > live && release !== own && !recorded.has(release))
  const recordedAt = records.find(({ release }) => release === live)?.lastModified ?? 0
  const page = unrecordedPage(place, recordedAt, isUnfinished)
  if (!page) return undefined
  return `${page.key} is not as release ${live} left it: another tool wrote it, or a deploy that failed or could not write its record. It may need any file. Deploy again, then prune`
}
