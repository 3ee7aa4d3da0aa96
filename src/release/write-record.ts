import type { Bucket, ListedObject, ObjectParameters, WrittenObject } from '../bucket/bucket.js'
import { bodyOfBytes, compareKeys } from '../bucket/bucket.js'
import { canonicalHeaders } from '../bucket/headers.js'
import type { Settings } from '../settings/settings.js'
import { prefixOf } from '../urls/paths.js'
import type { Lock } from './lock.js'
import { type Decision, describedBy, type Plan } from './plan.js'
import { type Deployer, encodeRecord, type RecordedObject, type ReleaseRecord } from './record.js'
import { recordKey, releasesFolder } from './releases-folder.js'
import type { Survey } from './survey.js'

/** A finished release. */
export interface CarriedOut {
  location: string
  deployer: Deployer
  plan: Plan
  /** The plan's survey. */
  survey: Survey
  /** The written objects, by key. */
  written: ReadonlyMap<string, WrittenObject>
}

/** The most objects of earlier releases in a record, unless the release itself has more. */
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

export function recordOf(
  carriedOut: CarriedOut,
  { release, conditionalWrites }: Pick<Lock, 'release' | 'conditionalWrites'>,
): ReleaseRecord {
  const { deployer, survey, written } = carriedOut
  const added = [...written.keys()].filter((key) => !survey.listing.has(key))
  return {
    ...deployer,
    release,
    at: new Date(),
    conditionalWrites,
    objects: new Map([...ownObjects(carriedOut, release), ...keptObjects(carriedOut)]),
    splitAt: splitsOf([...survey.listing.keys(), ...added].sort(compareKeys)),
  }
}

function* ownObjects(
  { plan, survey, written }: CarriedOut,
  release: number,
): Generator<[path: string, object: RecordedObject]> {
  for (const decision of plan.decisions) {
    const { file, action, reason } = decision
    // The object may have any content.
    if (reason === 'exists') continue
    const { path, key, size, sha256, original, parameters, group } = file
    const there = survey.listing.get(key)
    // For a skipped object, the listing has the exact time.
    const { etag, writtenAt } = (action === 'skip' && there ? listedAs(there) : written.get(key)) as WrittenObject
    const headers = canonicalHeaders(parameters)
    const fingerprinted = group === 'fingerprinted'
    const object = { sha256, original, size, etag, writtenAt, headers, fingerprinted, release }
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

/** Objects of earlier releases that are still as recorded; if there are too many, those of the latest releases. */
function keptObjects({ location, plan, survey }: CarriedOut): [path: string, object: RecordedObject][] {
  const { record, listing } = survey
  const prefix = prefixOf(location)
  const ours = new Set(plan.decisions.flatMap(({ file, reason }) => (reason === 'exists' ? [] : [file.path])))
  const kept = [...(record?.objects ?? [])].filter(([path]) => {
    const there = ours.has(path) ? undefined : listing.get(prefix + path)
    return there && describedBy(record, path, there)
  })
  const room = Math.max(earlierObjects, ours.size)
  return kept.length <= room ? kept : kept.sort(([, a], [, b]) => b.release - a.release).slice(0, room)
}

/** Keys at which a listing can be split into parts of whole pages, the last key excepted. */
function splitsOf(sorted: readonly string[]): string[] {
  const part = page * Math.ceil(sorted.length / page / mostSplits)
  return sorted.filter((_key, i) => (i + 1) % part === 0 && i + 1 < sorted.length)
}
