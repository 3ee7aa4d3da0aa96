import { existsSync } from 'node:fs'
import { loadavg } from 'node:os'
import { Cell, type FoundTool } from './cell.js'
import { chosenPlan, flags, type Part, usage } from './flags.js'
import { packageFolder } from './paths.js'
import { report, writeReport } from './report/report.js'
import { merge, protocols, type Results, readResults, thisMachine, writeResults } from './results.js'
import { type BenchServer, startServer } from './server/start.js'
import { checkServer } from './server-check.js'
import { allTools } from './tools/index.js'
import { limit } from './tools/limit.js'
import { runViteBuilds } from './vite-build.js'
import { type Folders, writeFolders } from './work/folder.js'
import { type Work, type WorkName, works } from './work/works.js'

function say(message: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${message}\n`)
}

const { resultsFile, sockets, slow, timeout } = flags
const theLimit = limit(sockets)
const plan = chosenPlan()

function keptResults(): Results {
  const empty = { missing: {}, rows: [], serverChecks: [], viteBuilds: [] }
  return { ...empty, ...readResults(resultsFile), machine: thisMachine() }
}

async function findTools(results: Results): Promise<FoundTool[]> {
  const found: FoundTool[] = []
  const planned = new Set(plan.cells.flatMap(({ tools }) => tools))
  for (const tool of allTools(sockets).filter(({ name }) => planned.has(name))) {
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
  const found = await findTools(results)
  await warmUp(server)
  const hopeless = new Map<WorkName, Set<string>>()
  for (const { work: name, tools, ...cell } of plan.cells) {
    const work = workCalled(name)
    const tooSlow = hopeless.get(name) ?? new Set()
    hopeless.set(name, tooSlow)
    const rows = await new Cell({
      ...{ ...cell, work, folders: foldersOf(work), slow, timeout, hopeless: tooSlow, server, say },
      tools: found.filter(({ tool }) => tools.includes(tool.name)),
    }).run()
    for (const { tool, phase, note } of rows) if (phase === 'first' && note === 'timeout') tooSlow.add(tool)
    results.rows = merge(results.rows, rows, 'work', 'latency', 'protocol', 'phase', 'tool')
    writeResults(resultsFile, results)
  }
}

/** Runs the server's code until Node has compiled it. */
async function warmUp(server: BenchServer): Promise<void> {
  const work = workCalled('site')
  const tools = [{ tool: theLimit, version: (await theLimit.find()) ?? '' }]
  for (const protocol of protocols) {
    const cell = { work, protocol, latency: 0, phases: ['first'], rounds: 1, tools } as const
    const limits = { slow, timeout, hopeless: new Set<string>() }
    await new Cell({ ...cell, ...limits, folders: foldersOf(work), server, say }).run()
  }
}

async function checkTheServer(results: Results, server: BenchServer): Promise<void> {
  const answerOnly = await startServer(['--answer-only'])
  for (const name of ['many-small', 'large'] as const) {
    const work = workCalled(name)
    for (const protocol of protocols) {
      for (const latency of [20, 60]) {
        const input = { work, folders: foldersOf(work), latency, protocol, limit: theLimit, server, answerOnly }
        const check = await checkServer({ ...input, rounds: flags.rounds ?? 5, timeout })
        results.serverChecks = merge(results.serverChecks, [check], 'work', 'latency', 'protocol')
        say(`checked the server with ${name}, ${protocol}, ${latency} ms`)
      }
    }
  }
  await answerOnly.close()
  writeResults(resultsFile, results)
}

async function buildWithVite(results: Results, server: BenchServer): Promise<void> {
  for (const { work: name, latency, rounds } of plan.viteBuilds) {
    const work = workCalled(name)
    const builds = await runViteBuilds({ server, work, folders: foldersOf(work), latency, rounds, timeout, say })
    results.viteBuilds = merge(results.viteBuilds, builds, 'work', 'latency', 'phase')
    writeResults(resultsFile, results)
  }
}

function workCalled(name: WorkName): Work {
  return works.find((work) => work.name === name) as Work
}

function foldersOf(work: Work): Folders {
  say(`${work.title}: writing the files`)
  return writeFolders(work)
}

const runPart: Record<Part, (results: Results, server: BenchServer) => Promise<void>> = {
  works: runWorks,
  vite: buildWithVite,
  server: checkTheServer,
}

async function main(): Promise<void> {
  if (flags.help) return console.log(usage)
  const results = keptResults()
  if (!flags.report) {
    if (!existsSync(packageFolder)) throw new Error(`${packageFolder} does not exist: run \`npm run build\` first`)
    const [load = 0] = loadavg()
    if (load > 0.5) say(`the load is ${load.toFixed(1)}: times and CPU times will be too high, and ratios wrong`)
    const server = await startServer()
    for (const part of flags.parts) await runPart[part](results, server)
    await server.close()
  }
  console.log(report(results))
  if (flags.write) writeReport(results)
}

// Runs the `exit` listeners, which kill the running tool and delete temporary files.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
await main()
