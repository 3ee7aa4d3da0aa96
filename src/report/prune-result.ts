import type { Pruned } from '../prune/prune.js'
import { formatBytes } from './report.js'

/** A prune's results, for scripts. */
export interface PruneResult {
  /** The number of its own release; null if it deleted nothing. */
  release: number | null
  /** The numbers of the kept and of the expired releases, the newest first. */
  kept: number[]
  expired: number[]
  /** Keys of the location. */
  deleted: string[]
  /** How many copies and records in `.static-s3/` were deleted too. */
  backups: number
  records: number
  /** Bytes of all that was deleted. */
  bytes: number
}

export function pruneResultOf({ release, kept, expired, objects, backups, records }: Pruned): PruneResult {
  const located = objects.flat()
  const bytes = [...located, ...backups, ...records].reduce((sum, { size }) => sum + size, 0)
  const deleted = located.map(({ key }) => key)
  return { release: release ?? null, kept, expired, deleted, backups: backups.length, records: records.length, bytes }
}

/** `6 files, 1 copy in .static-s3/, 2 records: 8.42 MB` */
export function amountOf({ deleted, backups, records, bytes }: PruneResult): string {
  const parts = [count(deleted.length, 'file'), `${count(backups, 'copy', 'copies')} in .static-s3/`]
  return `${[...parts, count(records, 'record')].join(', ')}: ${formatBytes(bytes)}`
}

export function count(number: number, one: string, several = `${one}s`): string {
  return `${number} ${number === 1 ? one : several}`
}
