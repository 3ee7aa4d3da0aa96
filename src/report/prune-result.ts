import type { Pruned } from '../prune/prune.js'
import { formatBytes } from './report.js'

/** A prune's results, for scripts. */
export interface PruneResult {
  /** The number of its own release; null if it deleted and tagged nothing. */
  release: number | null
  /** The numbers of the kept and of the expired releases, the newest first. */
  kept: number[]
  expired: number[]
  /** Keys of the location. */
  deleted: string[]
  tagged: string[]
  /** How many backups and records in `.static-s3/` were deleted or tagged too. */
  backups: number
  records: number
  /** Bytes of all of them. */
  bytes: number
}

export function pruneResultOf({ release, tag, kept, expired, objects, backups, records }: Pruned): PruneResult {
  const located = objects.flat()
  const bytes = [...located, ...backups, ...records].reduce((sum, { size }) => sum + size, 0)
  const keys = located.map(({ key }) => key)
  const [deleted, tagged] = tag ? [[], keys] : [keys, []]
  const counts = { backups: backups.length, records: records.length, bytes }
  return { release: release ?? null, kept, expired, deleted, tagged, ...counts }
}

/** `6 files, 1 backup, 2 records: 8.42 MB` */
export function amountOf({ deleted, tagged, backups, records, bytes }: PruneResult): string {
  const amounts = [
    [deleted.length + tagged.length, 'file'],
    [backups, 'backup'],
    [records, 'record'],
  ] as const
  const parts = amounts.filter(([number]) => number > 0).map(([number, one]) => count(number, one))
  return `${parts.join(', ')}: ${formatBytes(bytes)}`
}

export function count(number: number, one: string, several = `${one}s`): string {
  return `${number} ${number === 1 ? one : several}`
}
