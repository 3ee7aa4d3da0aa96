import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type FoundTool, runCell } from './cell.js'
import { cacheFolder } from './paths.js'
import { report, writeReport } from './report/report.js'
import { merge, phases, type Results, readResults, thisMachine, writeResults } from './results.js'
import { type BenchServer, startServer } from './server/start.js'
import { checkServer } from './server-check.js'
import { allTools } from './tools/index.js'
import { limit } from './tools/limit.js'
import { runViteBuilds } from './vite-build.js'
import { type Folders, writeFolders } from './work/folder.js'
import { type Work, type WorkName, works } from './work/works.js'

const usage = `npm run bench -- [flags]

  --quick             only what the targets are about: fewer latencies of some works, --slow 10, --timeout 160
  --part NAMES        works, vite (what the plugin adds to a build), server (that the server is not what is measured)
  --work NAMES        ${works.map(({ name }) => name).join(', ')}
  --latency NUMBERS   milliseconds a request; 0,20,60
  --phase NAMES       ${phases.join(', ')}
  --tools NAMES       ${allTools(0)
    .map(({ name }) => name)
    .join(', ')}
  --rounds NUMBER     5
  --slow SECONDS      a tool that takes longer is run once; 30
  --timeout SECONDS   a tool that takes longer is ended; 300
  --sockets NUMBER    of the limit; 128
  --json FILE         where results are kept; new ones take the place of those of the same work, latency, phase and tool
  --out FOLDER        writes the report into performance.md and performance.svg there
  --report            runs nothing, and reports what was measured before

Names and numbers are parted by commas. --work, --phase and --tools leave the parts vite and server out, unless --part names them.`

const { values: flags } = parseArgs({
  options: {
    help: { type: 'boolean' },
    quick: { type: 'boolean', default: false },
    part: { type: 'string' },
    work: { type: 'string' },
    latency: { type: 'string' },
    phase: { type: 'string' },
    tools: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    slow: { type: 'string' },
    timeout: { type: 'string' },
    sockets: { type: 'string', default: '128' },
    json: { type: 'string', default: join(cacheFolder, 'results.json') },
    out: { type: 'string' },
    report: { type: 'boolean', default: false },
  },
})

/** Those that a flag names, or all. */
function chosen<T>(what: string, flag: string | undefined, all: readonly T[], nameOf: (each: T) => string): T[] {
  if (flag === undefined) return [...all]
  return flag.split(',').map((name) => {
    const found = all.find((each) => nameOf(each) === name)
    if (found === undefined) throw new Error(`no ${what} is called ${name}; there are ${all.map(nameOf).join(', ')}`)
    return found
  })
}

function say(message: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${message}\n`)
}

const quickLatencies: Record<WorkName, readonly number[]> = {
  'many-small': [20, 60],
  site: [20],
  'twenty-thousand': [20],
  'two-thousand': [20],
  'hundred-thousand': [20],
  large: [20],
}

function latenciesOf({ name }: Work): readonly number[] {
  // Ascending: what takes too long at one latency does so at the next.
  if (flags.latency !== undefined)
    return flags.latency
      .split(',')
      .map(Number)
      .sort((a, b) => a - b)
  return flags.quick ? quickLatencies[name] : [0, 20, 60]
}

const rounds = Number(flags.rounds)
const slow = Number(flags.slow ?? (flags.quick ? 10 : 30)) * 1000
const timeout = Number(flags.timeout ?? (flags.quick ? 160 : 300)) * 1000
const theLimit = limit(Number(flags.sockets))

function resultsSoFar(): Results {
  const empty = { missing: {}, rows: [], serverChecks: [], viteBuilds: [] }
  const { missing, rows, serverChecks, viteBuilds } = readResults(flags.json) ?? empty
  return { machine: thisMachine(), missing, rows, serverChecks, viteBuilds }
}

async function findTools(results: Results): Promise<FoundTool[]> {
  const found: FoundTool[] = []
  for (const tool of chosen('tool', flags.tools, allTools(Number(flags.sockets)), ({ name }) => name)) {
    const version = await tool.find()
    delete results.missing[tool.name]
    if (version !== undefined) found.push({ tool, version })
    else {
      results.missing[tool.name] = tool.install ?? ''
      say(`${tool.name} is missing (${tool.install})`)
    }
  }
  return found
}

async function runWorks(results: Results, server: BenchServer): Promise<void> {
  const tools = await findTools(results)
  const warmUp = { tool: theLimit, version: (await theLimit.find()) ?? '' }
  for (const work of chosen('work', flags.work, works, ({ name }) => name)) {
    const folders = foldersOf(work)
    const hopeless = new Set<string>()
    for (const latency of latenciesOf(work)) {
      const rows = await runCell({
        ...{ work, folders, latency, tools, warmUp, rounds, slow, timeout, hopeless, server, say },
        phases: chosen('phase', flags.phase, phases, String),
      })
      for (const { tool, phase, note } of rows) if (phase === 'first' && note === 'timeout') hopeless.add(tool)
      results.rows = merge(results.rows, rows, 'work', 'latency', 'phase', 'tool')
      writeResults(flags.json, results)
    }
  }
}

async function checkTheServer(results: Results, server: BenchServer): Promise<void> {
  await theLimit.find()
  const answerOnly = await startServer(['--answer-only'])
  for (const name of ['many-small', 'large'] as const) {
    const work = workCalled(name)
    for (const latency of [0, 20, 60]) {
      const input = { work, folders: foldersOf(work), latency, limit: theLimit, server, answerOnly, rounds, timeout }
      results.serverChecks = merge(results.serverChecks, [await checkServer(input)], 'work', 'latency')
      say(`the server was checked with ${name}, ${latency} ms`)
    }
  }
  await answerOnly.close()
  writeResults(flags.json, results)
}

async function buildWithVite(results: Results, server: BenchServer): Promise<void> {
  for (const work of chosen('work', flags.work, works, ({ name }) => name)) {
    if (work.name !== 'many-small' && work.name !== 'site') continue
    const folders = foldersOf(work)
    for (const latency of flags.quick ? [20] : [0, 20, 60]) {
      const builds = await runViteBuilds({ server, work, folders, latency, rounds, timeout, say })
      results.viteBuilds = merge(results.viteBuilds, builds, 'work', 'latency', 'phase')
      writeResults(flags.json, results)
    }
  }
}

function workCalled(name: WorkName): Work {
  return works.find((work) => work.name === name) as Work
}

function foldersOf(work: Work): Folders {
  say(`${work.title}: writing the files`)
  return writeFolders(work)
}

const parts = { works: runWorks, vite: buildWithVite, server: checkTheServer }

async function main(): Promise<void> {
  if (flags.help) return console.log(usage)
  const results = resultsSoFar()
  if (!flags.report) {
    const narrow = flags.work ?? flags.tools ?? flags.phase
    const names = flags.part ?? (narrow === undefined ? undefined : 'works')
    const server = await startServer()
    for (const part of chosen('part', names, Object.keys(parts) as (keyof typeof parts)[], String)) {
      await parts[part](results, server)
    }
    await server.close()
  }
  console.log(report(results))
  if (flags.out !== undefined) writeReport(results, flags.out)
}

// Else Node would end at once, and leave behind what it has started.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
await main()
