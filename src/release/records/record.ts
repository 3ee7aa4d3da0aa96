import type { Preview } from '../../previews/template.js'

/** The author of a deploy, and its origin. */
export interface Deployer {
  /** Each deploy has its own. */
  id: string
  /** The CI job, without private parts. */
  by: string
  /** The command that made the release, such as `deploy` or `rollback`. Records of the first versions have none. */
  command?: string | undefined
  commit: string | undefined
  /** With its version: `vite 8.3.8`. */
  bundler: string
  /** The name in its `package.json`. */
  project?: string | undefined
  /** Undefined if the location has no placeholder. */
  preview?: Preview | undefined
}

/** A release's knowledge of an object. */
export interface RecordedObject {
  /** Hex. */
  sha256: string
  /** SHA-256 of the file, if the object is to hold it as gzip. */
  original?: string | undefined
  /** Bytes. */
  size: number
  /** As S3 returned it. It changes with the content. */
  etag: string
  /**
   * The latest possible time of the write, by the store's clock: milliseconds since 1970. Somebody else wrote an object that a listing shows as
   * newer, and it may have other headers.
   */
  writtenAt: number
  /** As `canonicalHeaders` writes them. */
  headers: string
  fingerprinted: boolean
  /** For a file without a fingerprint: the ETag of the backup, whose key has `sha256`. */
  backup?: string | undefined
  /** True if another tool uploaded the bytes: static-s3 never deletes the object. */
  adopted?: true
  /** The last release with this object. */
  release: number
}

/** A file of a release. */
export interface ReleasedFile
  extends Pick<RecordedObject, 'sha256' | 'original' | 'size' | 'headers' | 'fingerprinted' | 'backup'> {
  /** As S3 returned it; undefined for a staged file without a fingerprint, which has no object of its own yet. */
  etag: string | undefined
}

/** While it lasts, deploys stage their releases. */
export interface Hold {
  reason: string
  /** As in `Deployer`. */
  by: string
  at: Date
}

/** The record of one release. It never changes. */
export interface ReleaseRecord extends Deployer {
  release: number
  /** The release whose files visitors see: an earlier one if this one is staged, or has no files. 0 if there is none. */
  live: number
  /** The earlier or staged release whose files this one made live. */
  activated?: number | undefined
  /** The same for the releases of builds that went live together, one after the other. */
  run?: string | undefined
  hold?: Hold | undefined
  /** The record's time, by the clock of the deploying machine. */
  at: Date
  /** Whether the store respects `If-None-Match`. */
  conditionalWrites: boolean
  /** The objects of this release, and the remaining ones of earlier releases, by their path below the location. */
  objects: ReadonlyMap<string, RecordedObject>
  /** All files of a staged release, by their path below the location. */
  staged?: ReadonlyMap<string, ReleasedFile> | undefined
  /**
   * Objects that a lifecycle rule may delete at any time, by key: true if they have their tags. A release that needs such an object writes it again.
   */
  expired?: ReadonlyMap<string, boolean> | undefined
  /** True for an older record that takes the place of a damaged one. A later prune may have tagged its objects. */
  standsIn?: true
  /** Keys of the location between which lie whole pages, where a listing can be split. */
  splitAt: readonly string[]
}

/** The ETags of the backups that a record names, by the SHA-256 of their bytes. */
export function recordedBackups(record: ReleaseRecord | undefined): Map<string, string> {
  const backups = new Map<string, string>()
  for (const { sha256, backup } of [...(record?.objects.values() ?? []), ...(record?.staged?.values() ?? [])]) {
    if (backup !== undefined) backups.set(sha256, backup)
  }
  return backups
}

/** Whether a release went live or is staged. One of a hold or a prune has no files. */
export type ReleaseKind = 'live' | 'staged' | 'none'

export function kindOfRelease({ release, live, staged }: ReleaseRecord): ReleaseKind {
  if (staged) return 'staged'
  return live === release ? 'live' : 'none'
}

/** All files of a record's own release, by their path below the location. Empty for a hold and a prune. */
export function filesOf(record: ReleaseRecord): ReadonlyMap<string, ReleasedFile> {
  if (record.staged) return record.staged
  return kindOfRelease(record) === 'live' ? releasedIn(record.objects, record.release) : new Map()
}

/** The objects that a release wrote or kept. */
export function releasedIn(
  objects: ReadonlyMap<string, RecordedObject>,
  release: number,
): ReadonlyMap<string, RecordedObject> {
  return new Map([...objects].filter(([, object]) => object.release === release))
}
