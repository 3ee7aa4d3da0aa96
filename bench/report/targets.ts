import type { Phase, Results, Row } from '../results.js'
import { type CellRows, cellOf, fastestPeer, limitName, median, ourName, rowOf, timeOf, timesMore } from './figures.js'
import { table } from './markdown.js'

/** A figure that the project wants to reach. */
export interface Target {
  what: string
  /** The figure must not exceed this. */
  wanted: number
  unit: '×' | 'MB' | 'ms' | 's' | ''
  /** Undefined if it was not measured. */
  found: number | undefined
  /** The other side of a comparison, a formula, or the row with the worst figure. */
  against: string
}

type Found = Pick<Target, 'found' | 'against'>

export function targets(results: Results): Target[] {
  const at20 = cellOf(results, 'many-small', 'https', 20)
  const at60 = cellOf(results, 'many-small', 'https', 60)
  const plain = cellOf(results, 'many-small', 'http', 20)
  const ratio = { unit: '×' } as const
  return [
    roundTrips('sequential round trips, 5 of 3,000 changed', at20, at60, 'changed', 5.5),
    roundTrips('sequential round trips, unchanged', at20, at60, 'rebuild', 2.3),
    cpuPerFile('CPU per uploaded file, plain', plain),
    cpuPerFile('CPU per uploaded file, TLS', at20),
    {
      what: 'unchanged, 3,000 files: CPU',
      wanted: 0.45,
      unit: 's',
      found: cpuOf(at20, ourName, 'rebuild'),
      against: '',
    },
    { what: 'unchanged, 3,000 files, 20 ms', wanted: 0.8, ...ratio, ...toPeer(at20, 'rebuild') },
    { what: 'first deploy of 3,000 files, 20 ms, plain', wanted: 0.55, ...ratio, ...toPeer(plain, 'first') },
    { what: 'first deploy of 3,000 files, 20 ms, TLS', wanted: 0.5, ...ratio, ...toPeer(at20, 'first') },
    { what: 'first deploy of 3,000 files, 20 ms, plain', wanted: 1.6, ...ratio, ...toLimit(plain) },
    { what: 'first deploy of 3,000 files, 20 ms, TLS', wanted: 1.6, ...ratio, ...toLimit(at20) },
    { what: '5 of 3,000 changed, 20 ms', wanted: 0.9, ...ratio, ...toPeer(at20, 'changed') },
    { what: '5 of 3,000 changed, 60 ms', wanted: 0.9, ...ratio, ...toPeer(at60, 'changed') },
    {
      what: '5 of 3,000 changed in a `vite build`, after the bundle, 20 ms',
      wanted: 0.6,
      ...ratio,
      ...inBuild(results, at20),
    },
    {
      what: 'memory beyond the start, up to 20,000 files',
      wanted: 100,
      unit: 'MB',
      ...memory(results.rows.filter(({ work }) => work !== 'hundred-thousand')),
    },
    {
      what: 'memory beyond the start, 100,000 files',
      wanted: 450,
      unit: 'MB',
      ...memory(results.rows.filter(({ work }) => work === 'hundred-thousand')),
    },
  ]
}

/** Every sequential round trip makes a deploy 40 ms longer at 60 ms than at 20 ms. */
function roundTrips(what: string, at20: CellRows, at60: CellRows, phase: Phase, wanted: number): Target {
  const [short, long] = [timeOf(at20, ourName, phase), timeOf(at60, ourName, phase)]
  const trips = short !== undefined && long !== undefined ? (long - short) / (60 - 20) : 0
  // On a busy machine the times may differ the wrong way round.
  const found = trips > 0 ? trips : undefined
  return { what, wanted, unit: '', found, against: '(time at 60 ms − time at 20 ms) / 40 ms' }
}

/** The CPU time that a first deploy takes beyond an unchanged one. */
function cpuPerFile(what: string, cell: CellRows): Target {
  const [first, unchanged] = [cpuOf(cell, ourName, 'first'), cpuOf(cell, ourName, 'rebuild')]
  const limit = cpuOf(cell, limitName, 'first')
  const limits = limit === undefined ? '' : `; the limit takes ${((1000 * limit) / 3000).toFixed(2)} ms`
  const found = first !== undefined && unchanged !== undefined ? (1000 * (first - unchanged)) / 3000 : undefined
  return { what, wanted: 0.3, unit: 'ms', found, against: `(first deploy − unchanged) / 3,000${limits}` }
}

/** Median CPU seconds. */
function cpuOf(cell: CellRows, tool: string, phase: Phase): number | undefined {
  const row = rowOf(cell, tool, phase)
  return row && row.runs.length > 0 ? median(row.runs.map(({ cpuSeconds }) => cpuSeconds)) : undefined
}

function toPeer(cell: CellRows, phase: Phase): Found {
  const peer = fastestPeer(cell, phase)
  const time = timeOf(cell, ourName, phase)
  const found = peer && time !== undefined ? time / peer.time : undefined
  return { found, against: peer?.tool ?? 'the fastest correct peer' }
}

function toLimit(cell: CellRows): Found {
  const [time, least] = [ourName, limitName].map((tool) => timeOf(cell, tool, 'first'))
  return { found: time !== undefined && least !== undefined ? time / least : undefined, against: limitName }
}

/** Compares the time that the plugin adds after the bundle with a peer's whole time: a peer starts when the bundle is written. */
function inBuild({ viteBuilds }: Results, cell: CellRows): Found {
  const peer = fastestPeer(cell, 'changed')
  const build = viteBuilds.find(
    ({ work, latency, phase }) => work === cell.work && latency === cell.latency && phase === 'changed',
  )
  const found = peer && build && median(timesMore(build.sinceWrittenWithout, build.sinceWrittenWith)) / peer.time
  return { found, against: peer?.tool ?? 'the fastest correct peer' }
}

/** The row with the highest median. */
function memory(rows: readonly Row[]): Found {
  const beyond = (row: Row) => median(row.runs.map(({ memoryBeyondBytes = 0 }) => memoryBeyondBytes / 1e6))
  const ours = rows.filter(({ tool, runs }) => tool === ourName && runs.length > 0)
  const worst = ours.sort((a, b) => beyond(b) - beyond(a))[0]
  if (!worst) return { found: undefined, against: '' }
  const { work, phase, protocol, latency } = worst
  return { found: beyond(worst), against: `worst: ${work}, ${phase}, ${protocol}, ${latency} ms` }
}

export function targetTable(all: readonly Target[]): string {
  return table(
    ['what', 'against', 'wanted', 'found', ''],
    all.map(({ what, wanted, unit, found, against }) => {
      const show = (value: number) => `${value.toFixed(unit === 'MB' ? 0 : 2)} ${unit}`.trim()
      const verdict = found === undefined ? 'not measured' : found <= wanted ? 'reached' : '**not reached**'
      return [what, against, `≤ ${show(wanted)}`, found === undefined ? '' : show(found), verdict]
    }),
    2,
  )
}
