import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { cacheFolder } from './paths.js'
import { fullPlan, type Plan, targetsPlan, toolNames } from './plan.js'
import { phases, protocols } from './results.js'
import { type WorkName, works } from './work/works.js'

export const parts = ['works', 'vite', 'server'] as const

export type Part = (typeof parts)[number]

const workNames = works.map(({ name }) => name)

export const usage = `npm run bench -- [flags]

  --targets           measures only the rows that the targets need: some 10 minutes instead of two hours
  --write             writes the report into docs/performance.md and docs/performance.svg
  --report            measures nothing and reports the kept results

  --part NAMES        works; vite: how much longer the plugin makes a build; server: is the server a bottleneck?
  --work NAMES        ${workNames.join(', ')}
  --protocol NAMES    ${protocols.join(', ')}
  --latency NUMBERS   milliseconds per request
  --phase NAMES       ${phases.join(', ')}
  --tools NAMES       ${toolNames.join(', ')}
  --rounds NUMBER     instead of the plan's own number for each row
  --slow SECONDS      a tool that takes longer runs once; 10
  --timeout SECONDS   a tool that takes longer is killed; 180
  --sockets NUMBER    how many the limit opens; 128
  --json FILE         keeps the results; a new result replaces the old one of the same row

Commas separate names and numbers. --work, --protocol, --latency, --phase and --tools choose among the planned rows. With any of them only the part
works runs, unless --part names others.`

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    targets: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    report: { type: 'boolean', default: false },
    part: { type: 'string' },
    work: { type: 'string' },
    protocol: { type: 'string' },
    latency: { type: 'string' },
    phase: { type: 'string' },
    tools: { type: 'string' },
    rounds: { type: 'string' },
    slow: { type: 'string', default: '10' },
    timeout: { type: 'string', default: '180' },
    sockets: { type: 'string', default: '128' },
    json: { type: 'string', default: join(cacheFolder, 'results.json') },
  },
})

/** The names that a flag gives. */
function chosen<T extends string>(flag: 'part' | 'work' | 'protocol' | 'phase' | 'tools', all: readonly T[]): T[] {
  const value = values[flag]
  if (value === undefined) return [...all]
  return value.split(',').map((name) => {
    const found = all.find((each) => each === name)
    if (found === undefined) throw new Error(`--${flag} ${name}: choose from ${all.join(', ')}`)
    return found
  })
}

const isNarrowed = [values.work, values.protocol, values.latency, values.phase, values.tools].some(Boolean)
const defaultParts: readonly Part[] = isNarrowed ? ['works'] : values.targets ? ['works', 'vite'] : parts

export const flags = {
  help: values.help,
  write: values.write,
  report: values.report,
  parts: values.part === undefined ? defaultParts : chosen('part', parts),
  rounds: values.rounds === undefined ? undefined : Number(values.rounds),
  slow: Number(values.slow) * 1000,
  timeout: Number(values.timeout) * 1000,
  sockets: Number(values.sockets),
  // A relative path belongs to the folder in which the user called npm, not to bench/.
  resultsFile: resolve(process.env.INIT_CWD ?? '.', values.json),
}

/**
 * The planned rows that the flags leave.
 *
 * @throws Error if no row is left
 */
export function chosenPlan(): Plan {
  const plan = values.targets ? targetsPlan : fullPlan
  const chosenWorks = chosen('work', workNames)
  const chosenPhases = chosen('phase', phases)
  const chosenProtocols = chosen('protocol', protocols)
  const chosenTools = chosen('tools', toolNames)
  const latencies = values.latency?.split(',').map(Number)
  const isChosen = ({ work, latency }: { work: WorkName; latency: number }) =>
    chosenWorks.includes(work) && (latencies?.includes(latency) ?? true)
  const cells = plan.cells
    .filter((cell) => isChosen(cell) && chosenProtocols.includes(cell.protocol))
    .map((cell) => ({
      ...cell,
      phases: cell.phases.filter((phase) => chosenPhases.includes(phase)),
      tools: cell.tools.filter((tool) => chosenTools.includes(tool)),
      rounds: flags.rounds ?? cell.rounds,
    }))
    .filter((cell) => cell.phases.length > 0 && cell.tools.length > 0)
  if (cells.length === 0) throw new Error('no planned row fits these flags: see bench/plan.ts')
  const viteBuilds = plan.viteBuilds
    .filter(isChosen)
    .map((build) => ({ ...build, rounds: flags.rounds ?? build.rounds }))
  return { cells, viteBuilds }
}
