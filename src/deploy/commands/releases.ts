import {
  filesOf,
  type Hold,
  kindOfRelease,
  type ReleasedFile,
  type ReleaseRecord,
} from '../../release/records/record.js'
import type { NumberedObject } from '../../release/records/releases-folder.js'
import { listReleases, readRelease, withFiles } from '../../restore/restored-release.js'
import { eachInParallel } from '../../runtime/parallel.js'
import type { Settings } from '../../settings/settings.js'
import { withConnection } from '../with-connection.js'

export { filesOf, type ReleaseRecord } from '../../release/records/record.js'
export { formatBytes } from '../../report/report.js'

/** A release, without its files. */
export interface ReleaseEntry {
  release: number
  /** `hold`, `resume` and `prune` are releases without files. */
  state: 'live' | 'staged' | 'earlier' | 'hold' | 'resume' | 'prune'
  at: Date
  by: string
  /** The command that made it; undefined for a record of the first versions. */
  command: string | undefined
  commit: string | undefined
  bundler: string
  /** The release whose files it activated. */
  activated: number | undefined
  files: number
  /** Bytes of all its files. */
  bytes: number
  /** Files that are not in the release before it; undefined for the oldest listed one. */
  changed: number | undefined
}

export interface Releases {
  /** The newest first. */
  releases: ReleaseEntry[]
  hold: Hold | undefined
  /** Releases that are older than the listed ones. */
  older: number
  /** Records that can't be used, as messages. */
  problems: string[]
}

/**
 * The newest releases of a location.
 *
 * @param most how many to read
 */
export async function releasesOf(settings: Settings, most: number): Promise<Releases> {
  const { location } = settings
  return withConnection(settings, async ({ bucket }, { begun: signal }) => {
    const { records } = await listReleases(bucket, location, signal)
    // One more, because each is compared with the one before it.
    const wanted = records.slice(0, most + 1)
    const read = new Map<number, ReleaseRecord>()
    const problems: string[] = []
    await eachInParallel(recordsAtOnce, wanted, async ({ release }) => {
      try {
        read.set(release, await readRelease(bucket, location, release, signal))
      } catch (error) {
        signal.throwIfAborted()
        problems.push((error as Error).message)
      }
    })
    const [newest] = wanted.flatMap(({ release }) => read.get(release) ?? [])
    const isKept = ({ key }: NumberedObject) => !newest?.expired?.has(key)
    const found = wanted.filter(isKept).flatMap(({ release }) => read.get(release) ?? [])
    const entries = found.slice(0, most).map((record, i) => entryOf(record, newest?.live, found.slice(i + 1)))
    return { releases: entries, hold: newest?.hold, older: Math.max(0, records.filter(isKept).length - most), problems }
  })
}

/** A record may have 10 MB. */
const recordsAtOnce = 8

function entryOf(record: ReleaseRecord, live: number | undefined, earlier: readonly ReleaseRecord[]): ReleaseEntry {
  const { release, at, by, command, commit, bundler, activated } = record
  const files = filesOf(record)
  const before = earlier.find((each) => kindOfRelease(each) === 'live')
  const known = before && filesOf(before)
  const state = stateOf(record, live, earlier[0]?.hold)
  let bytes = 0
  for (const { size } of files.values()) bytes += size
  const isNew = ([path, file]: [string, ReleasedFile]) => !isSame(known?.get(path), file)
  const changed = known && files.size > 0 ? [...files].filter(isNew).length : undefined
  return { release, state, at, by, command, commit, bundler, activated, files: files.size, bytes, changed }
}

function stateOf(
  record: ReleaseRecord,
  liveNow: number | undefined,
  holdBefore: Hold | undefined,
): ReleaseEntry['state'] {
  const { release, hold, command = '' } = record
  const kind = kindOfRelease(record)
  if (kind === 'staged') return kind
  if (kind === 'live') return release === liveNow ? 'live' : 'earlier'
  // A rollback's hold is a release of its own.
  if (command === 'hold' || command === 'rollback') return 'hold'
  if (command === 'resume' || command === 'prune') return command
  if (hold?.at.getTime() === holdBefore?.at.getTime()) return 'prune'
  return hold ? 'hold' : 'resume'
}

export interface ReleaseDifference {
  /** Paths. */
  added: string[]
  removed: string[]
  changed: string[]
  /** Files with other headers alone. */
  headers: string[]
}

/** One release with its files. */
export async function oneRelease(settings: Settings, release: number): Promise<ReleaseRecord> {
  return withConnection(settings, ({ bucket }, { begun }) => readRelease(bucket, settings.location, release, begun))
}

/**
 * The files by which two releases differ.
 *
 * @throws StaticS3Error if one of them has no files
 */
export function differenceOf(from: ReleaseRecord, to: ReleaseRecord): ReleaseDifference {
  const [before, after] = [filesOf(withFiles(from)), filesOf(withFiles(to))]
  const paths = [...after.keys()].filter((path) => before.has(path))
  const hasOtherBytes = (path: string) => before.get(path)?.sha256 !== after.get(path)?.sha256
  return {
    added: [...after.keys()].filter((path) => !before.has(path)).sort(),
    removed: [...before.keys()].filter((path) => !after.has(path)).sort(),
    changed: paths.filter(hasOtherBytes).sort(),
    headers: paths.filter((path) => !hasOtherBytes(path) && !isSame(before.get(path), after.get(path))).sort(),
  }
}

function isSame(a: ReleasedFile | undefined, b: ReleasedFile | undefined): boolean {
  return a?.sha256 === b?.sha256 && a?.headers === b?.headers
}
