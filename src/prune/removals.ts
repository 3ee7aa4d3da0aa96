import type { ListedObject } from '../bucket/bucket.js'
import { groups } from '../files/built-file.js'
import { groupOf } from '../files/classify.js'
import { describedBy } from '../release/plan.js'
import type { RecordedObject, ReleasedFile } from '../release/records/record.js'
import type { Survey } from '../release/survey.js'
import { prefixOf } from '../urls/paths.js'

export interface Location extends Pick<Survey, 'listing' | 'record'> {
  location: string
  /** Locations inside this one that have records of their own. */
  inner: ReadonlySet<string>
}

/** The needs of the kept releases. */
export interface Needs {
  /** All their files, and those of the live releases, as `fileId` writes them. */
  files: Set<string>
  liveFiles: Set<string>
  /** The SHA-256 of all their files without a fingerprint. */
  backups: Set<string>
}

export function addNeeds(needs: Needs, files: ReadonlyMap<string, ReleasedFile>, isLive: boolean): void {
  for (const [path, file] of files) {
    const id = fileId(path, file)
    needs.files.add(id)
    if (isLive) needs.liveFiles.add(id)
    if (!file.fingerprinted) needs.backups.add(file.sha256)
  }
}

function fileId(path: string, { sha256 }: Pick<ReleasedFile, 'sha256'>): string {
  return `${sha256} ${path}`
}

/** An object of the location that still is as static-s3 or an adopted tool wrote it. */
export interface OwnObject extends ListedObject {
  path: string
  recorded: RecordedObject
}

/** The location's objects that the newest record describes as they are now. All others belong to other tools, to other locations or to nobody. */
export function describedObjects({ listing, record, location, inner }: Location): OwnObject[] {
  const prefix = prefixOf(location)
  const isOthers = insideAny(inner)
  return [...(record?.objects.keys() ?? [])].flatMap((path) => {
    const object = listing.get(prefix + path)
    const recorded = object && describedBy(record, path, object)
    return recorded && !isOthers(object.key) ? [{ ...object, path, recorded }] : []
  })
}

/** A listing of the whole bucket has the records too. */
function insideAny(locations: ReadonlySet<string>): (key: string) => boolean {
  const prefixes = [...locations, '.static-s3'].map(prefixOf)
  return (key) => prefixes.some((prefix) => key.startsWith(prefix))
}

export interface Pages {
  /** Objects without a fingerprint that no live release has. */
  unreferenced: OwnObject[]
  /** Those among them to delete. */
  objects: OwnObject[]
  /** The releases of objects that stay: a page needs its release's files. */
  standing: Set<number>
}

/**
 * Decides about each object without a fingerprint: a page, say.
 *
 * | a live release has it | uploaded by static-s3 | asked for | a kept release has it | its backup is there | decision |
 * |-----------------------|-----------------------|-----------|-----------------------|---------------------|----------|
 * | yes                   | –                     | –         | –                     | –                   | stays    |
 * | no                    | no                    | –         | –                     | –                   | stays    |
 * | no                    | yes                   | no        | –                     | –                   | stays    |
 * | no                    | yes                   | yes       | yes                   | no                  | stays    |
 * | no                    | yes                   | yes       | yes                   | yes                 | deleted  |
 * | no                    | yes                   | yes       | no                    | –                   | deleted  |
 *
 * @param isAsked true to delete unreferenced files
 * @param backups the SHA-256 of all backups
 */
export function unreferencedPages(
  objects: readonly OwnObject[],
  { files, liveFiles }: Needs,
  live: number,
  isAsked: boolean,
  backups: ReadonlySet<string>,
): Pages {
  const found: Pages = { unreferenced: [], objects: [], standing: new Set() }
  for (const object of objects) {
    const { path, recorded } = object
    if (recorded.fingerprinted) continue
    const isLive = recorded.release === live || liveFiles.has(fileId(path, recorded))
    const isGone = !isLive && !recorded.adopted
    if (isGone) found.unreferenced.push(object)
    const isRestorable = !files.has(fileId(path, recorded)) || backups.has(recorded.sha256)
    if (isGone && isAsked && isRestorable) found.objects.push(object)
    else found.standing.add(recorded.release)
  }
  return found
}

/**
 * The fingerprinted objects to delete.
 *
 * | uploaded by static-s3 | the live release wrote or kept it | a kept release has it | decision |
 * |-----------------------|-----------------------------------|-----------------------|----------|
 * | no                    | –                                 | –                     | stays    |
 * | yes                   | yes                               | –                     | stays    |
 * | yes                   | no                                | yes                   | stays    |
 * | yes                   | no                                | no                    | deleted  |
 */
export function expiredFingerprints(objects: readonly OwnObject[], { files }: Needs, live: number): OwnObject[] {
  return objects.filter(
    ({ path, recorded }) =>
      recorded.fingerprinted && !recorded.adopted && recorded.release !== live && !files.has(fileId(path, recorded)),
  )
}

/** The objects in the reverse order of a deploy: a page goes before the pictures that it shows, and these go before the files that they name. */
export function inWaves(objects: readonly OwnObject[]): OwnObject[][] {
  const groupOfObject = ({ path, recorded: { fingerprinted } }: OwnObject) => groupOf({ path, fingerprinted })
  return [...groups].reverse().map((group) => objects.filter((object) => groupOfObject(object) === group))
}

/** The backups that neither a kept release nor a remaining object of the newest record needs. */
export function expiredBackups(
  backups: readonly ListedObject[],
  needs: Needs,
  record: Survey['record'],
  gone: readonly OwnObject[],
): ListedObject[] {
  const paths = new Set(gone.map(({ path }) => path))
  const needed = new Set(needs.backups)
  for (const [path, { sha256, fingerprinted }] of record?.objects ?? []) {
    if (!fingerprinted && !paths.has(path)) needed.add(sha256)
  }
  return backups.filter(({ key }) => !needed.has(key.slice(-64)))
}

/**
 * An object that may be a page of a deploy without a record: it names files that no record names. After a deploy that did not end, this is each
 * object that is newer than the live release; at any time, each page of the live release that is not as recorded.
 *
 * @param recordedAt the time of the live release's record, by the store's clock: milliseconds since 1970
 */
export function unrecordedPage(
  { listing, record, location, inner }: Location,
  recordedAt: number,
  isUnfinished: boolean,
): ListedObject | undefined {
  const prefix = prefixOf(location)
  const isOthers = insideAny(inner)
  return [...listing.values()].find((object) => {
    const path = object.key.slice(prefix.length)
    if (isOthers(object.key) || describedBy(record, path, object)) return false
    const recorded = record?.objects.get(path)
    // Ceph counts a tag as a write.
    if (recorded?.etag === object.etag && record?.expired?.has(object.key)) return false
    const isLive = recorded?.fingerprinted === false && recorded.release === record?.live
    return isLive || (isUnfinished && (object.lastModified ?? 0) >= recordedAt)
  })
}
