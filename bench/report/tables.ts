import {
  type Phase,
  type Protocol,
  phases,
  protocols,
  type Results,
  type Row,
  type Run,
  type ServerCheck,
  type ViteBuild,
} from '../results.js'
import { works } from '../work/works.js'
import {
  type CellRows,
  cellOf,
  limitName,
  median,
  ourName,
  rowOf,
  seconds,
  short,
  timeOf,
  timesMore,
} from './figures.js'
import { table } from './markdown.js'

const titles: Record<Phase, string> = { first: 'first deploy', rebuild: 'clean rebuild', changed: '5 changed' }

const protocolTitles: Record<Protocol, string> = { https: 'TLS', http: 'plain' }

/** Every measured cell, with its title. */
export function cells(results: Results): { title: string; cell: CellRows }[] {
  return works.flatMap(({ name, title }) =>
    protocols.flatMap((protocol) => {
      const rows = results.rows.filter((row) => row.work === name && row.protocol === protocol)
      const latencies = [...new Set(rows.map(({ latency }) => latency))].sort((a, b) => a - b)
      return latencies.map((latency) => ({
        title: `${title}, ${protocolTitles[protocol]}, ${latency} ms per request`,
        cell: cellOf(results, name, protocol, latency),
      }))
    }),
  )
}

export function cellTable(cell: CellRows): string {
  const shown = phases.filter((phase) => cell.rows.some((row) => row.phase === phase))
  const isTls = cell.protocol === 'https'
  const head = [
    ...['tool', ...shown.flatMap((phase) => [`${titles[phase]}, s`, '×'])],
    ...['requests', 'connections', ...(isTls ? ['full + resumed handshakes'] : []), 'CPU, s', 'memory, MB'],
  ]
  const rows = toolsIn(cell).map((tool) => {
    const of = shown.map((phase) => rowOf(cell, tool, phase))
    const each = (show: (runs: readonly Run[]) => string) =>
      of.map((row) => (row && row.runs.length > 0 ? show(row.runs) : '–')).join(' / ')
    const medianOf = (figure: (run: Run) => number) => (runs: readonly Run[]) => count(median(runs.map(figure)))
    const full = medianOf(({ handshakes, resumed }) => handshakes - resumed)
    const resumed = medianOf((run) => run.resumed)
    return [
      tool,
      ...shown.flatMap((phase, i) => [timeCell(of[i]), ratioCell(cell, tool, phase)]),
      each(medianOf(({ requests }) => requests)),
      each(medianOf(({ connections }) => connections)),
      ...(isTls ? [each((runs) => `${full(runs)}+${resumed(runs)}`)] : []),
      each((runs) => short(median(runs.map(({ cpuSeconds }) => cpuSeconds)))),
      each(medianOf(({ peakBytes }) => peakBytes / 1e6)),
    ]
  })
  return table(head, rows)
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en')
}

/** static-s3, the limit, then the peers by the time of their first deploy. */
function toolsIn(cell: CellRows): string[] {
  const time = (tool: string) => timeOf(cell, tool, 'first') ?? Number.MAX_VALUE
  const rank = (tool: string) => (tool === ourName ? -2 : tool === limitName ? -1 : time(tool))
  return [...new Set(cell.rows.map(({ tool }) => tool))].sort((a, b) => rank(a) - rank(b))
}

/** `1.20 (1.12–1.31)`. */
function timeCell(row: Row | undefined): string {
  if (!row) return ''
  const times = row.runs.map(({ milliseconds }) => milliseconds)
  const wrong = row.verdict && row.verdict.wrongFiles > 0 && row.tool !== limitName ? ' ✗' : ''
  if (row.note === 'failed' || row.note === 'not run') return row.note
  if (times.length === 0) return `> ${row.timeoutSeconds}`
  const middle = seconds(median(times)) + wrong
  if (times.length === 1) return `${middle} (once)`
  return `${middle} (${seconds(Math.min(...times))}–${seconds(Math.max(...times))})`
}

/** The tool's time divided by ours. */
function ratioCell(cell: CellRows, tool: string, phase: Phase): string {
  const [time, our] = [timeOf(cell, tool, phase), timeOf(cell, ourName, phase)]
  return time === undefined || our === undefined || tool === ourName ? '' : short(time / our)
}

/** The error messages of tools that failed. */
export function failures({ rows }: CellRows): string[] {
  const said = rows.flatMap(({ tool, failure }) => (failure === undefined ? [] : [`- ${tool} failed: \`${failure}\``]))
  return [...new Set(said)]
}

/** True if all rows ran side by side. */
export function isOneSession(cell: CellRows): boolean {
  return new Set(cell.rows.map(({ session }) => session)).size === 1
}

export function toolTable({ rows, missing }: Results): string {
  const latest = new Map(rows.map((row) => [row.tool, row]))
  const found = [...latest.values()].map(({ tool, version, setting }) => [
    tool,
    version,
    setting,
    ...headers(rows, tool),
  ])
  const absent = Object.entries(missing).map(([tool, install]) => [tool, '**missing**', install, '', '', ''])
  return table(
    ['tool', 'version', 'how the bench calls it', 'right bytes', 'right types', 'right caching'],
    [...found, ...absent],
    6,
  )
}

function headers(rows: readonly Row[], tool: string): string[] {
  if (tool === limitName) return ['', '', '']
  const verdicts = rows.filter((row) => row.tool === tool).flatMap(({ verdict }) => verdict ?? [])
  return (['wrongFiles', 'wrongTypes', 'wrongCaching'] as const).map((what) =>
    verdicts.length === 0 ? '' : verdicts.every((verdict) => verdict[what] === 0) ? 'yes' : 'no',
  )
}

export function serverTable(checks: readonly ServerCheck[]): string {
  const of = (times: readonly number[]) =>
    `${seconds(median(times))} (${seconds(Math.min(...times))}–${seconds(Math.max(...times))})`
  return table(
    [
      'work',
      '',
      'ms per request',
      'the limit, s',
      'to a server that only answers, s',
      '×',
      'our server busy',
      'its CPU, ms per PUT',
    ],
    checks.map(({ work, protocol, latency, s3, answerOnly, busy, cpuPerRequest }) => [
      ...[work, protocolTitles[protocol], String(latency), of(s3), of(answerOnly)],
      ...[(median(s3) / median(answerOnly)).toFixed(2), `${Math.round(100 * median(busy))} % of the time`],
      short(median(cpuPerRequest)),
    ]),
    2,
  )
}

export function viteTable(builds: readonly ViteBuild[]): string {
  const titled = works.flatMap(({ name, title }) =>
    builds.filter(({ work }) => work === name).map((build) => ({ title, ...build })),
  )
  const millisecondsOf = (more: readonly number[]) =>
    `${Math.round(median(more))} (${Math.round(Math.min(...more))}–${Math.round(Math.max(...more))})`
  return table(
    [
      ...['a whole `vite build`', '', 'ms per request', 'without, s', 'with, s'],
      ...['longer by, ms', 'of that after the bundle, ms', 'more CPU, ms'],
    ],
    titled.map(({ title, latency, phase, without, with: withIt, cpuWithout, cpuWith, ...since }) => [
      ...[title, titles[phase], String(latency), seconds(median(without)), seconds(median(withIt))],
      millisecondsOf(timesMore(without, withIt)),
      millisecondsOf(timesMore(since.sinceWrittenWithout, since.sinceWrittenWith)),
      String(Math.round(1000 * (median(cpuWith) - median(cpuWithout)))),
    ]),
    2,
  )
}
