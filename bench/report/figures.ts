import type { Phase, Results, Row } from '../results.js'
import type { WorkName } from '../work/works.js'

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2
}

/** Two digits that count, more above a hundred. */
export function short(value: number): string {
  return value >= 9.95 ? value.toFixed(0) : value.toFixed(value >= 0.995 ? 1 : 2)
}

export function seconds(milliseconds: number): string {
  const value = milliseconds / 1000
  return value.toFixed(value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2)
}

/** The rows of one work at one latency. */
export interface CellRows {
  work: WorkName
  latency: number
  rows: readonly Row[]
}

export function cellOf({ rows }: Results, work: WorkName, latency: number): CellRows {
  return { work, latency, rows: rows.filter((row) => row.work === work && row.latency === latency) }
}

export function rowOf({ rows }: CellRows, tool: string, phase: Phase): Row | undefined {
  return rows.find((row) => row.tool === tool && row.phase === phase)
}

/** Median milliseconds. */
export function timeOf(cell: CellRows, tool: string, phase: Phase): number | undefined {
  const row = rowOf(cell, tool, phase)
  return row && row.runs.length > 0 ? median(row.runs.map(({ milliseconds }) => milliseconds)) : undefined
}

/** By how much the builds with the plugin took longer, pair by pair. */
export function timesMore(without: readonly number[], withIt: readonly number[]): number[] {
  return withIt.map((time, i) => time - (without[i] as number))
}

export const ourName = 'static-s3'
export const limitName = 'limit'

/**
 * Whether a tool gets it right: after each run every file was in the bucket with its own bytes. Whether it may leave out what it takes for
 * unchanged shows only when five files have changed, one of them in its bytes alone.
 */
export function isRight(cell: CellRows, tool: string, phase: Phase): boolean {
  const judged = phase === 'first' ? (['first'] as const) : ([phase, 'changed'] as const)
  return judged.every((each) => rowOf(cell, tool, each)?.verdict?.wrongFiles === 0)
}

/** The fastest of the others that gets it right. */
export function fastestPeer(cell: CellRows, phase: Phase): { tool: string; time: number } | undefined {
  const tools = new Set(cell.rows.map(({ tool }) => tool))
  return [...tools]
    .filter((tool) => tool !== ourName && tool !== limitName && isRight(cell, tool, phase))
    .flatMap((tool) => {
      const time = timeOf(cell, tool, phase)
      return time === undefined ? [] : [{ tool, time }]
    })
    .sort((a, b) => a.time - b.time)[0]
}
