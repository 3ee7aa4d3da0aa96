import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { measure } from './measure.js'
import { cacheFolder } from './paths.js'
import type { Phase, Row, Run } from './results.js'
import type { BenchServer } from './server/start.js'
import type { Tool } from './tools/tool.js'
import { judge } from './verdict.js'
import { type Folders, renew, warm } from './work/folder.js'
import type { Work } from './work/works.js'

export interface FoundTool {
  tool: Tool
  version: string
}

export interface CellInput {
  work: Work
  folders: Folders
  latency: number
  phases: readonly Phase[]
  tools: readonly FoundTool[]
  rounds: number
  server: BenchServer
  /** Milliseconds after which a run is ended. */
  timeout: number
  /** Milliseconds above which a run isn't repeated. */
  slow: number
  /** Tools that took too long at a lower latency. */
  hopeless: ReadonlySet<string>
  /** Run once before anything is measured: the server's code is compiled. */
  warmUp: FoundTool
  say(message: string): void
}

/** S3 tells times in whole seconds: a build that is newer than the bucket's objects has to be so by that. */
const clockTick = 1100

export const bucket = 'bench'
export const location = 'static'

/** Runs all tools on one work at one latency, in turn: what each of them does in a round stands beside what the others do. */
export async function runCell(input: CellInput): Promise<Row[]> {
  const { work, folders, latency, phases, tools, rounds, server, timeout, slow, hopeless, warmUp, say } = input
  await server.know(folders.knownFile)
  await server.setLatency(latency)
  const session = new Date().toISOString()
  const rows = new Map<string, Row>()
  const savedAt = new Map<Tool, number>()

  const rowOf = ({ tool, version }: FoundTool, phase: Phase): Row => {
    const id = `${phase} ${tool.name}`
    const { name, setting } = tool
    const row: Row = rows.get(id) ?? {
      ...{ work: work.name, latency, phase, tool: name, version, setting, session },
      runs: [],
      verdict: undefined,
      ...(hopeless.has(name) ? hopelessAt(phase) : {}),
    }
    rows.set(id, row)
    return row
  }

  const hopelessAt = (phase: Phase): Partial<Row> =>
    phase === 'first' ? { note: 'timeout', timeoutSeconds: timeout / 1000 } : { note: 'not run' }

  /** The bucket as it has to be before a phase; false if it can't be had. */
  const prepare = async (found: FoundTool, phase: Phase): Promise<boolean> => {
    if (phase === 'first') {
      await server.reset()
      return true
    }
    const { tool } = found
    if (!savedAt.has(tool)) {
      await server.reset()
      const { run } = await attempt(found, 'first')
      if (!run) return false
      await server.save(tool.name)
      savedAt.set(tool, Date.now())
    }
    await wait(Math.max(0, (savedAt.get(tool) as number) + clockTick - Date.now()))
    await server.restore(tool.name)
    renew(folderOf(phase))
    return true
  }

  const folderOf = (phase: Phase) => (phase === 'changed' ? folders.changed : folders.first)

  const attempt = async ({ tool }: FoundTool, phase: Phase): Promise<Pick<Row, 'note' | 'failure'> & { run?: Run }> => {
    const home = join(cacheFolder, 'home', tool.name.replaceAll(/[^\w-]/g, '_'))
    mkdirSync(home, { recursive: true })
    const deploy = { folder: folderOf(phase), endpoint: server.endpoint, bucket, location, home }
    const env = { ...environment(home), ...tool.env?.(deploy) }
    warm(deploy.folder)
    await server.figures()
    const ended = await measure({ argv: tool.command(deploy), cwd: home, env }, timeout)
    if (ended.timedOut) return { note: 'timeout' }
    const { operations, hashedLarge, cpuSeconds: serverCpuSeconds } = await server.figures()
    if (ended.exitCode !== 0) return { note: 'failed', failure: essence(ended.output) }
    const { exitCode, output, timedOut, ...figures } = ended
    const requests = Object.values(operations).reduce((sum, count) => sum + count, 0)
    const run: Run = { ...figures, requests, operations, serverCpuSeconds, hashedLarge, ...tool.ownFigures?.(output) }
    return { note: run.milliseconds > slow ? 'once' : undefined, run }
  }

  await server.reset()
  await attempt(warmUp, 'first')
  for (let round = 0; round < rounds; round++) {
    const turn = round % tools.length
    const inTurn = [...tools.slice(turn), ...tools.slice(0, turn)]
    for (const phase of phases) {
      for (const found of inTurn) {
        const { tool } = found
        if (tool.firstOnly && phase !== 'first') continue
        const row = rowOf(found, phase)
        if (row.note) continue
        const begun = `${work.name}, ${latency} ms, round ${round + 1}, ${phase}, ${tool.name}`
        const first = rows.get(`first ${tool.name}`)
        const isLost = phase !== 'first' && (first?.note === 'timeout' || first?.note === 'failed')
        if (isLost || !(await prepare(found, phase))) {
          row.note = 'not run'
          continue
        }
        const { run, ...rest } = await attempt(found, phase)
        Object.assign(row, rest)
        if (row.note === 'timeout') row.timeoutSeconds = timeout / 1000
        say(`${begun}: ${run ? describe(run) : `${rest.note} ${rest.failure ?? ''}`}`)
        if (!run) continue
        row.runs.push(run)
        const verdict = judge(folderOf(phase), location, await server.objects())
        if (verdict.wrongFiles >= (row.verdict?.wrongFiles ?? 0)) row.verdict = verdict
        if (run.hashedLarge > 0) say(`${begun}: the server had to hash ${run.hashedLarge} large bodies`)
        if (verdict.wrongFiles > 0) say(`${begun}: ${verdict.wrongFiles} files are wrong`)
        if (phase === 'first') {
          await server.save(tool.name)
          savedAt.set(tool, Date.now())
        }
      }
    }
  }
  return [...rows.values()]
}

function describe({ milliseconds, requests, cpuSeconds, peakBytes, memoryBeyondBytes, serverCpuSeconds }: Run): string {
  const beyond = memoryBeyondBytes === undefined ? '' : ` (${mb(memoryBeyondBytes)} beyond the start)`
  const seconds = (milliseconds / 1000).toFixed(2)
  return `${seconds} s, ${requests} requests, CPU ${cpuSeconds.toFixed(2)} s, peak ${mb(peakBytes)}${beyond}; server CPU ${serverCpuSeconds.toFixed(2)} s`
}

function mb(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`
}

/** The line that says what went wrong, as well as can be told. */
function essence(output: string): string {
  const lines = output.split('\n').filter((line) => line.trim() !== '')
  const line = lines.find((each) => /error: |failed: /i.test(each)) ?? lines.at(-1) ?? 'without a word'
  return line.trim().replaceAll(cacheFolder, '').slice(0, 200)
}

/** Nothing of the user's own settings, credentials and proxies. */
export function environment(home: string): Record<string, string> {
  return {
    PATH: process.env.PATH ?? '',
    HOME: home,
    LANG: 'C.UTF-8',
    AWS_ACCESS_KEY_ID: 'AKIDBENCH',
    AWS_SECRET_ACCESS_KEY: 'no-secret-at-all',
    AWS_REGION: 'us-east-1',
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_EC2_METADATA_DISABLED: 'true',
  }
}
