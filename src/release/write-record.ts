import type { Bucket, ListedObject, ObjectParameters, WrittenObject } from '../bucket/bucket.js'
import { bodyOfBytes, compareKeys } from '../bucket/bucket.js'
import { canonicalHeaders } from '../bucket/headers.js'
import type { HashedFile } from '../files/hash.js'
import type { Settings } from '../settings/settings.js'
import { prefixOf } from '../urls/paths.js'
import type { Lock } from './lock/lock.js'
import { type Decision, describedBy, type Plan } from './plan.js'
import { encodeRecord } from './records/format.js'
import type { Deployer, Hold, RecordedObject, ReleaseKind, ReleaseRecord } from './records/record.js'
import { backupKey, recordKey, releasesFolder } from './records/releases-folder.js'
import { stagedFiles } from './staging.js'
import type { Survey } from './survey.js'
import type { Backups } from './upload/backups.js'

/** A finished release. */
export interface CarriedOut {
  location: string
  deployer: Deployer
  plan: Plan
  /** The plan's survey. */
  survey: Survey
  /** The written objects, by key. */
  written: ReadonlyMap<string, WrittenObject>
  /** Undefined if nothing is backed up. */
  backups: Pick<Backups, 'etags'> | undefined
  kind: ReleaseKind
  /** The release whose files it activated. */
  activated?: number | undefined
  /** The hold from now on. */
  hold: Hold | undefined
  runPart?: RunPart | undefined
}

/** One of several builds of a run in this location. The run's last release names the files of all. */
export interface RunPart {
  id: string
  /** True if all others are live already. */
  isLast: boolean
  /** True for the key of a file of any of them. */
  has(key: string): boolean
}

/** The most objects of earlier releases in a record, unless the release itself is staged or has more. */
const earlierObjects = 20_000
/** S3 lists that many keys at a time. */
const page = 1000
/** The most parts of a listing. */
const mostSplits = 250

/**
 * Writes the record of a release, under its lock.
 *
 * @throws StaticS3Error if the lock is lost, or the bucket refuses
 */
export async function writeRecord(
  bucket: Bucket,
  lock: Lock,
  carriedOut: CarriedOut,
  parameters: ObjectParameters,
  cut: AbortSignal,
): Promise<void> {
  const { location } = carriedOut
  const body = bodyOfBytes(await encodeRecord(location, recordOf(carriedOut, lock)))
  const key = recordKey(releasesFolder(location), lock.release)
  await bucket.put(key, body, parameters, AbortSignal.any([lock.signal, cut]), () => lock.check())
}

/** Writes the record of a release without files: of a hold, or of a prune. */
export function writeRecordAlone(
  bucket: Bucket,
  lock: Lock,
  facts: Pick<CarriedOut, 'location' | 'deployer' | 'survey' | 'hold'>,
  settings: Pick<Settings, 'objectParameters'>,
  cut: AbortSignal,
): Promise<void> {
  const plan = { decisions: [], overwritten: [], backups: [], notBefore: 0 }
  const carriedOut = { ...facts, plan, written: new Map(), backups: undefined, kind: 'none' } as const
  return writeRecord(bucket, lock, carriedOut, recordParameters(settings), cut)
}

/** Parameters that the bucket may require for every object, without those for visitors. */
export function recordParameters({ objectParameters }: Pick<Settings, 'objectParameters'>): ObjectParameters {
  const { ACL } = objectParameters
  const required = [
    'BucketKeyEnabled',
    'ExpectedBucketOwner',
    'RequestPayer',
    'SSEKMSEncryptionContext',
    'SSEKMSKeyId',
    'ServerSideEncryption',
    'Tagging',
  ].filter((name) => objectParameters[name] !== undefined)
  return {
    ...Object.fromEntries(required.map((name) => [name, objectParameters[name]])),
    ...(ACL === 'bucket-owner-full-control' ? { ACL } : {}),
    ContentType: 'application/gzip',
    CacheControl: 'no-store',
  }
}

/** Parameters of a file's backup. */
export function backupParameters(settings: Pick<Settings, 'objectParameters'>): ObjectParameters {
  return { ...recordParameters(settings), ContentType: 'application/octet-stream' }
}

export function recordOf(
  carriedOut: CarriedOut,
  { release, conditionalWrites }: Pick<Lock, 'release' | 'conditionalWrites'>,
): ReleaseRecord {
  const { deployer, survey, written, kind, activated, hold } = carriedOut
  const added = [...written.keys()].filter((key) => !survey.listing.has(key))
  return {
    ...deployer,
    release,
    live: kind === 'live' ? release : (survey.record?.live ?? 0),
    activated,
    run: carriedOut.runPart?.id,
    hold,
    at: new Date(),
    conditionalWrites,
    objects: new Map([...keptObjects(carriedOut, release), ...ownObjects(carriedOut, release)]),
    staged: kind === 'staged' ? stagedFiles(carriedOut.plan, etagIn(carriedOut), backupIn(carriedOut)) : undefined,
    expired: stillExpired(carriedOut),
    splitAt: splitsOf([...survey.listing.keys(), ...added].sort(compareKeys)),
  }
}

/** Without the objects of the location that are gone, and without all that was written again. */
function stillExpired({ location, survey, written, backups }: CarriedOut): ReleaseRecord['expired'] {
  const restored = new Set([...(backups?.etags.keys() ?? [])].map((sha256) => backupKey(location, sha256)))
  const still = [...(survey.record?.expired ?? [])].filter(([key]) =>
    key.startsWith('.static-s3/') ? !restored.has(key) : !written.has(key) && survey.listing.has(key),
  )
  return still.length > 0 ? new Map(still) : undefined
}

const etagIn =
  ({ written, survey }: CarriedOut) =>
  (key: string) =>
    (written.get(key) ?? survey.listing.get(key))?.etag

const backupIn =
  ({ backups, survey }: CarriedOut) =>
  ({ backup, sha256 }: HashedFile) =>
    backup ?? backups?.etags.get(sha256) ?? survey.backups.get(sha256)

function* ownObjects(carriedOut: CarriedOut, release: number): Generator<[path: string, object: RecordedObject]> {
  const { plan, survey, written, kind } = carriedOut
  const backupOf = backupIn(carriedOut)
  const { live = release, objects: recorded } = survey.record ?? {}
  for (const decision of plan.decisions) {
    const { file, action, reason } = decision
    // The object may have any content.
    if (reason === 'exists') continue
    // The object is another release's.
    if (kind === 'staged' && (file.group !== 'fingerprinted' || reason === 'staged' || reason === 'unchanged')) continue
    const { path, key, size, sha256, original, parameters, group } = file
    const there = survey.listing.get(key)
    // For a skipped object, the listing has the exact time.
    const { etag, writtenAt } = (action === 'skip' && there ? listedAs(there) : written.get(key)) as WrittenObject
    const headers = canonicalHeaders(parameters)
    const fingerprinted = group === 'fingerprinted'
    const backup = fingerprinted ? undefined : backupOf(file)
    const owner = kind === 'staged' && recorded?.get(path)?.release === live ? live : release
    const object = { sha256, original, size, etag, writtenAt, headers, fingerprinted, backup, release: owner }
    yield [path, isAdopted(decision, survey, written) ? { ...object, adopted: true } : object]
  }
}

/** True if another tool uploaded the object's bytes, for all that the record says. */
function isAdopted({ file, action }: Decision, { listing, record }: Survey, written: CarriedOut['written']): boolean {
  const { path, key } = file
  const there = listing.get(key)
  if (!there || action === 'upload') return false
  if (action === 'skip' && written.get(key)?.etag === there.etag) return false
  const recorded = describedBy(record, path, there)
  return recorded ? recorded.adopted === true : true
}

function listedAs({ etag, lastModified = 0 }: ListedObject): WrittenObject {
  return { etag, writtenAt: lastModified }
}

/**
 * Objects of earlier releases that are still as recorded. If there are too many, fingerprinted ones of the oldest releases drop out first: a prune
 * keeps the files of each page that it knows. The live release's objects stay in any case: a promotion finds a changed one.
 */
function keptObjects(
  { location, plan, survey, kind, runPart }: CarriedOut,
  release: number,
): [path: string, object: RecordedObject][] {
  const { record, listing } = survey
  const prefix = prefixOf(location)
  const skipped = new Set(plan.decisions.flatMap(({ file, reason }) => (reason === 'exists' ? [file.path] : [])))
  const ours = new Set(kind === 'live' ? plan.decisions.map(({ file }) => file.path) : [])
  const kept = [...(record?.objects ?? [])].filter(([path, object]) => {
    if (kind !== 'live' && object.release === record?.live) return true
    const there = ours.has(path) && !skipped.has(path) ? undefined : listing.get(prefix + path)
    return there && describedBy(record, path, there)
  })
  if (kind !== 'live') return kept
  // Until the run's last release, the pages of the builds to come are the old ones, with all their files.
  const isOfRun = (path: string, object: RecordedObject) =>
    runPart?.has(prefix + path) || (runPart?.isLast === false && object.release === record?.live)
  const named = kept.map(([path, object]): [string, RecordedObject] =>
    isOfRun(path, object) && !ours.has(path) ? [path, { ...object, release }] : [path, object],
  )
  const room = Math.max(earlierObjects, ours.size)
  if (named.length <= room) return named
  const order = ({ fingerprinted, release }: RecordedObject) => release + (fingerprinted ? 0 : 1e9)
  return named.sort(([, a], [, b]) => order(b) - order(a)).slice(0, room)
}

/** Keys at which a listing can be split into parts of whole pages, the last key excepted. */
function splitsOf(sorted: readonly string[]): string[] {
  const part = page * Math.ceil(sorted.length / page / mostSplits)
  return sorted.filter((_key, i) => (i + 1) % part === 0 && i + 1 < sorted.length)
}
