import type { Phase, Protocol, Results, Row } from '../results.js'
import type { WorkName } from '../work/works.js'

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2
}

/** Two significant digits; more above a hundred. */
export function short(value: number): string {
  return value >= 9.95 ? value.toFixed(0) : value.toFixed(value >= 0.995 ? 1 : 2)
}

export function seconds(milliseconds: number): string {
  const value = milliseconds / 1000
  return value.toFixed(value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2)
}

/** The rows of one work, protocol and latency. */
export interface CellRows {
  work: WorkName
  protocol: Protocol
  latency: number
  rows: readonly Row[]
}

export function cellOf({ rows }: Results, work: WorkName, protocol: Protocol, latency: number): CellRows {
  const isInCell = (row: Row) => row.work === work && row.protocol === protocol && row.latency === latency
  return { work, protocol, latency, rows: rows.filter(isInCell) }
}

export function rowOf({ rows }: CellRows, tool: string, phase: Phase): Row | undefined {
  return rows.find((row) => row.tool === tool && row.phase === phase)
}

/** Median milliseconds. */
export function timeOf(cell: CellRows, tool: string, phase: Phase): number | undefined {
  const row = rowOf(cell, tool, phase)
  return row && row.runs.length > 0 ? median(row.runs.map(({ milliseconds }) => milliseconds)) : undefined
}

/** How much longer each build with the plugin took than its partner without. */
export function timesMore(without: readonly number[], withIt: readonly number[]): number[] {
  return withIt.map((time, i) => time - (without[i] as number))
}

export const ourName = 'static-s3'
export const limitName = 'limit'

/**
 * True if every run left the right bytes of every file in the bucket. A rebuild counts only if `changed` was right too: there one file keeps its
 * name, size and place, so a tool that compares less than the bytes misses it.
 */
export function isCorrect(cell: CellRows, tool: string, phase: Phase): boolean {
  const judged = phase === 'first' ? (['first'] as const) : ([phase, 'changed'] as const)
  return judged.every((each) => rowOf(cell, tool, each)?.verdict?.wrongFiles === 0)
}

/** The fastest correct peer of a row. */
export function fastestPeer(cell: CellRows, phase: Phase): { tool: string; time: number } | undefined {
  const tools = new Set(cell.rows.map(({ tool }) => tool))
  return [...tools]
    .filter((tool) => tool !== ourName && tool !== limitName && isCorrect(cell, tool, phase))
    .flatMap((tool) => {
      const time = timeOf(cell, tool, phase)
      return time === undefined ? [] : [{ tool, time }]
    })
    .sort((a, b) => a.time - b.time)[0]
}
