import type { Phase, Results, Row, ViteBuild } from '../results.js'
import type { WorkName } from '../work/works.js'
import { type CellRows, cellOf, fastestPeer, limitName, median, ourName, timeOf, timesMore } from './figures.js'
import { table } from './markdown.js'

/** What the project wants to reach, and what it has. */
export interface Target {
  what: string
  /** At most this. */
  wanted: number
  unit: '×' | 'MB' | 'ms'
  /** Undefined where it hasn't been measured. */
  found: number | undefined
  /** With what it was compared. */
  against: string
}

export function targets(results: Results): Target[] {
  const at20 = cellOf(results, 'many-small', 20)
  const at60 = cellOf(results, 'many-small', 60)
  const large = cellOf(results, 'large', 20)

  const toPeer = (what: string, cell: CellRows, phase: Phase, wanted: number): Target => {
    const peer = fastestPeer(cell, phase)
    const time = timeOf(cell, ourName, phase)
    const found = peer && time !== undefined ? time / peer.time : undefined
    return { what, wanted, unit: '×', found, against: peer?.tool ?? 'the fastest peer' }
  }
  const toLimit = (what: string, cell: CellRows, wanted: number): Target => {
    const [time, least] = [ourName, limitName].map((tool) => timeOf(cell, tool, 'first'))
    const found = time !== undefined && least !== undefined ? time / least : undefined
    return { what, wanted, unit: '×', found, against: limitName }
  }

  return [
    toPeer('first deploy of 3,000 files, 20 ms', at20, 'first', 0.5),
    toLimit('first deploy of 3,000 files, 20 ms', at20, 2),
    toPeer('first deploy of 3,000 files, 60 ms', at60, 'first', 0.6),
    toLimit('first deploy of 3,000 files, 60 ms', at60, 1.5),
    toPeer('clean rebuild of 3,000 files, 20 ms', at20, 'rebuild', 0.5),
    inBuild('the same in a `vite build`, after the bundle', results, at20, 'rebuild', 0.5),
    toPeer('5 of 3,000 changed, 20 ms', at20, 'changed', 0.5),
    inBuild('the same in a `vite build`, after the bundle', results, at20, 'changed', 0.5),
    toLimit('first deploy of 1 GB in 40 files, 20 ms', large, 1.2),
    {
      what: '5 of 20,000 changed, 20 ms',
      wanted: 2,
      unit: '×',
      found: growth(results),
      against: '5 of 2,000 changed',
    },
    {
      what: 'peak memory beyond the start, the worst of all works but the next',
      wanted: 80,
      unit: 'MB',
      ...memory(results, (work) => work !== 'hundred-thousand'),
    },
    {
      what: 'the same with 100,000 files',
      wanted: 150,
      unit: 'MB',
      ...memory(results, (work) => work === 'hundred-thousand'),
    },
    ...buildTargets(results),
  ]
}

/** What the plugin takes longer once the bundle is written, against a peer, which begins there. */
function inBuild(what: string, { viteBuilds }: Results, cell: CellRows, phase: Phase, wanted: number): Target {
  const peer = fastestPeer(cell, phase)
  const build = viteBuilds.find(
    (each) => each.work === cell.work && each.latency === cell.latency && each.phase === phase,
  )
  const found = peer && build && median(timesMore(build.sinceWrittenWithout, build.sinceWrittenWith)) / peer.time
  return { what, wanted, unit: '×', found, against: peer?.tool ?? 'the fastest peer' }
}

function growth(results: Results): number | undefined {
  const [more, less] = (['twenty-thousand', 'two-thousand'] as const).map((work) =>
    timeOf(cellOf(results, work, 20), ourName, 'changed'),
  )
  return more !== undefined && less !== undefined ? more / less : undefined
}

function memory({ rows }: Results, counts: (work: WorkName) => boolean): Pick<Target, 'found' | 'against'> {
  const ours = rows.filter(({ tool, work, runs }) => tool === ourName && counts(work) && runs.length > 0)
  const beyond = (row: Row) => median(row.runs.map(({ memoryBeyondBytes = 0 }) => memoryBeyondBytes / 1e6))
  const worst = ours.sort((a, b) => beyond(b) - beyond(a))[0]
  if (!worst) return { found: undefined, against: '' }
  return { found: beyond(worst), against: `${worst.work}, ${worst.phase}, ${worst.latency} ms` }
}

function buildTargets({ viteBuilds }: Results): Target[] {
  if (viteBuilds.length === 0) return []
  const importing = median(viteBuilds.flatMap((each) => each.importing))
  const unchanged = viteBuilds.filter(({ work, phase }) => work === 'site' && phase === 'rebuild')
  const cpuMore = (what: string, seconds: (build: ViteBuild) => [withIt: number[], without: number[]]): Target => {
    const found = unchanged.map((build) => {
      const [withIt, without] = seconds(build)
      return 1000 * (median(withIt) - median(without))
    })
    return {
      what,
      wanted: 100,
      unit: 'ms',
      found: found.length > 0 ? Math.max(...found) : undefined,
      against: 'the build without the plugin',
    }
  }
  return [
    { what: 'importing the plugin where it is off', wanted: 10, unit: 'ms', found: importing, against: 'no plugin' },
    cpuMore('CPU of the plugin while it waits for the bundle of the site', (build) => [
      build.cpuUntilWrittenWith,
      build.cpuUntilWrittenWithout,
    ]),
    cpuMore('CPU of the plugin in a whole `vite build` of the site that uploads nothing new', (build) => [
      build.cpuWith,
      build.cpuWithout,
    ]),
  ]
}

export function targetTable(all: readonly Target[]): string {
  return table(
    ['what', 'against', 'wanted', 'found', ''],
    all.map(({ what, wanted, unit, found, against }) => {
      const show = (value: number) => (unit === '×' ? `${value.toFixed(2)} ×` : `${value.toFixed(1)} ${unit}`)
      const verdict = found === undefined ? 'not measured' : found <= wanted ? 'reached' : '**not reached**'
      return [what, against, `≤ ${show(wanted)}`, found === undefined ? '' : show(found), verdict]
    }),
    2,
  )
}
