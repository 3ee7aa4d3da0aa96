import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { bucket, environment, location } from './environment.js'
import { measure } from './measure.js'
import { cacheFolder } from './paths.js'
import type { Phase, Protocol, Row, Run } from './results.js'
import type { BenchServer } from './server/start.js'
import type { Tool } from './tools/tool.js'
import { judge } from './verdict.js'
import { type Folder, type Folders, renew, warm } from './work/folder.js'
import type { Work } from './work/works.js'

export interface FoundTool {
  tool: Tool
  version: string
}

export interface CellInput {
  work: Work
  folders: Folders
  latency: number
  protocol: Protocol
  phases: readonly Phase[]
  tools: readonly FoundTool[]
  rounds: number
  server: BenchServer
  /** Milliseconds after which a run is killed. */
  timeout: number
  /** Milliseconds above which a run is not repeated. */
  slow: number
  /** Tools that exceeded the time limit at a lower latency. */
  hopeless: ReadonlySet<string>
  say(message: string): void
}

/** S3 gives times in whole seconds. A rebuilt file must be newer than its object by more than that. */
const clockTick = 1100

type Attempt = Pick<Row, 'note' | 'failure'> & { run?: Run }

/** Measures all tools with one work, latency and protocol. In each round every tool runs once per phase. */
export class Cell {
  readonly #input: CellInput
  readonly #session = new Date().toISOString()
  readonly #rows = new Map<string, Row>()
  /** When each tool's first deploy was saved on the server. */
  readonly #savedAt = new Map<Tool, number>()

  constructor(input: CellInput) {
    this.#input = input
  }

  async run(): Promise<Row[]> {
    const { server, folders, latency, phases, tools, rounds } = this.#input
    await server.know(folders.knownFile)
    await server.setLatency(latency)
    for (let round = 0; round < rounds; round++) {
      // Each round begins with another tool.
      const first = round % tools.length
      const inTurn = [...tools.slice(first), ...tools.slice(0, first)]
      for (const phase of phases) for (const found of inTurn) await this.#runOnce(found, phase, round)
    }
    return [...this.#rows.values()]
  }

  async #runOnce(found: FoundTool, phase: Phase, round: number): Promise<void> {
    const { tool } = found
    if (tool.firstOnly && phase !== 'first') return
    const row = this.#rowOf(found, phase)
    if (row.note) return
    if (!(await this.#prepareBucket(found, phase))) {
      row.note = 'not run'
      return
    }
    const { server, work, latency, protocol, timeout, say } = this.#input
    const { run, ...rest } = await this.#attempt(found, phase)
    Object.assign(row, rest)
    if (row.note === 'timeout') row.timeoutSeconds = timeout / 1000
    const title = `${work.name}, ${protocol}, ${latency} ms, round ${round + 1}, ${phase}, ${tool.name}`
    say(`${title}: ${run ? describe(run) : `${rest.note} ${rest.failure ?? ''}`}`)
    if (!run) return
    row.runs.push(run)
    const verdict = judge(this.#folderOf(phase), location, await server.objects())
    if (verdict.wrongFiles >= (row.verdict?.wrongFiles ?? 0)) row.verdict = verdict
    if (run.hashedLarge > 0) say(`${title}: the server had to hash ${run.hashedLarge} large bodies`)
    if (verdict.wrongFiles > 0) say(`${title}: ${verdict.wrongFiles} files are wrong`)
    if (phase === 'first') await this.#save(tool)
  }

  /** Gives the bucket the state in which a phase starts. Resolves to false if the tool cannot produce that state. */
  async #prepareBucket(found: FoundTool, phase: Phase): Promise<boolean> {
    const { server } = this.#input
    const { tool } = found
    if (phase === 'first') {
      await server.reset()
      return true
    }
    if (!this.#savedAt.has(tool)) {
      const failed = this.#rows.get(`first ${tool.name}`)?.note
      if (failed === 'timeout' || failed === 'failed') return false
      await server.reset()
      const { run } = await this.#attempt(found, 'first')
      if (!run) return false
      await this.#save(tool)
    }
    await wait(Math.max(0, (this.#savedAt.get(tool) as number) + clockTick - Date.now()))
    await server.restore(tool.name)
    renew(this.#folderOf(phase))
    return true
  }

  async #save(tool: Tool): Promise<void> {
    await this.#input.server.save(tool.name)
    this.#savedAt.set(tool, Date.now())
  }

  async #attempt({ tool }: FoundTool, phase: Phase): Promise<Attempt> {
    const { server, protocol, timeout, slow } = this.#input
    const home = join(cacheFolder, 'home', tool.name.replaceAll(/[^\w-]/g, '_'))
    mkdirSync(home, { recursive: true })
    const folder = this.#folderOf(phase)
    const certificate = protocol === 'https' ? server.certificate : undefined
    const deploy = { folder, endpoint: server.endpoints[protocol], certificate, bucket, location, home }
    const env = { ...environment(home, certificate), ...tool.env?.(deploy) }
    warm(folder)
    await server.figures()
    const ended = await measure({ argv: tool.command(deploy), cwd: home, env }, timeout)
    if (ended.timedOut) return { note: 'timeout' }
    const { cpuSeconds: serverCpuSeconds, ...counts } = await server.figures()
    if (ended.exitCode !== 0) return { note: 'failed', failure: errorLine(ended.output) }
    const { exitCode, output, timedOut, ...figures } = ended
    const requests = Object.values(counts.operations).reduce((sum, count) => sum + count, 0)
    const run: Run = { ...figures, ...counts, requests, serverCpuSeconds, ...tool.ownFigures?.(output) }
    return { note: run.milliseconds > slow ? 'once' : undefined, run }
  }

  #folderOf(phase: Phase): Folder {
    const { folders } = this.#input
    return phase === 'changed' ? folders.changed : folders.first
  }

  #rowOf({ tool, version }: FoundTool, phase: Phase): Row {
    const { work, latency, protocol, hopeless, timeout } = this.#input
    const id = `${phase} ${tool.name}`
    const { name, setting } = tool
    let row = this.#rows.get(id)
    if (!row) {
      row = {
        ...{ work: work.name, latency, protocol, phase, tool: name, version, setting, session: this.#session },
        runs: [],
        verdict: undefined,
      }
      if (hopeless.has(name)) {
        Object.assign(
          row,
          phase === 'first' ? { note: 'timeout', timeoutSeconds: timeout / 1000 } : { note: 'not run' },
        )
      }
      this.#rows.set(id, row)
    }
    return row
  }
}

function describe(run: Run): string {
  const { milliseconds, requests, connections, handshakes, resumed, cpuSeconds, serverCpuSeconds } = run
  const seconds = (milliseconds / 1000).toFixed(2)
  const beyond = run.memoryBeyondBytes === undefined ? '' : ` (${mb(run.memoryBeyondBytes)} beyond the start)`
  const tls = handshakes === 0 ? '' : `, ${handshakes} handshakes (${resumed} resumed)`
  return [
    `${seconds} s, ${requests} requests, ${connections} connections${tls}, CPU ${cpuSeconds.toFixed(2)} s`,
    `peak ${mb(run.peakBytes)}${beyond}; server CPU ${serverCpuSeconds.toFixed(2)} s`,
  ].join(', ')
}

function mb(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`
}

/** The line of the output that most likely names the error. */
function errorLine(output: string): string {
  const lines = output.split('\n').filter((line) => line.trim() !== '')
  const line = lines.find((each) => /error: |failed: /i.test(each)) ?? lines.at(-1) ?? 'no output'
  return line.trim().replaceAll(cacheFolder, '').slice(0, 200)
}
