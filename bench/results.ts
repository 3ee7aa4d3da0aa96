import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { arch, cpus, totalmem, type } from 'node:os'
import { dirname } from 'node:path'
import type { Measured } from './measure.js'
import type { WorkName } from './work/works.js'

export const phases = ['first', 'rebuild', 'changed'] as const

export type Phase = (typeof phases)[number]

/** One run of one tool. */
export interface Run extends Measured {
  requests: number
  operations: Record<string, number>
  serverCpuSeconds: number
  /** Bodies that the server had to hash: it shouldn't be one. */
  hashedLarge: number
  /** Ours only. */
  memoryBeyondBytes?: number
}

/** What the bucket held after a run, against what it had to. */
export interface Verdict {
  /** Files that aren't there, or with other bytes. */
  wrongFiles: number
  wrongTypes: number
  /** Fingerprinted files that aren't cached for long, and others that are. */
  wrongCaching: number
}

export interface Row {
  work: WorkName
  /** Milliseconds a request. */
  latency: number
  phase: Phase
  tool: string
  version: string
  setting: string
  /** Rows of one work and latency that were run side by side have the same one: when that began. */
  session: string
  runs: Run[]
  /** Of the worst run. */
  verdict: Verdict | undefined
  /** Why there are no runs, or fewer than others have. Without a first deploy that worked, the other phases aren't run. */
  note?: 'once' | 'timeout' | 'failed' | 'not run' | undefined
  /** How long it was waited for, where it took longer. */
  timeoutSeconds?: number
  /** What it printed when it failed. */
  failure?: string
}

export interface Results {
  machine: Machine
  /** Tools that aren't there, with what installs them. */
  missing: Record<string, string>
  rows: Row[]
  serverChecks: ServerCheck[]
  viteBuilds: ViteBuild[]
}

export interface Machine {
  processor: string
  cores: number
  memoryBytes: number
  system: string
  node: string
}

/** The limit's first deploy, against our server and one that only answers. */
export interface ServerCheck {
  work: WorkName
  latency: number
  /** Milliseconds, by round. */
  s3: number[]
  answerOnly: number[]
  /** The server's CPU time by the time that the limit took. */
  busy: number[]
}

/** Whole builds in pairs: milliseconds, by round. */
export interface ViteBuild {
  work: WorkName
  latency: number
  phase: Phase
  without: number[]
  with: number[]
  /** CPU seconds. */
  cpuWithout: number[]
  cpuWith: number[]
  /** CPU seconds until the bundle was written: up to then, the plugin waits. */
  cpuUntilWrittenWithout: number[]
  cpuUntilWrittenWith: number[]
  /** Milliseconds from there to the end. */
  sinceWrittenWithout: number[]
  sinceWrittenWith: number[]
  /** Milliseconds to import the plugin and call it, nothing else. */
  importing: number[]
}

export function thisMachine(): Machine {
  const [first] = cpus()
  return {
    processor: first?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    system: `${type()} ${arch()}`,
    node: process.versions.node,
  }
}

export function readResults(file: string): Results | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Results
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

export function writeResults(file: string, results: Results): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(`${file}.new`, JSON.stringify(results, null, 1))
  renameSync(`${file}.new`, file)
}

/** Puts new rows in the place of those that say the same thing. */
export function merge<T extends object>(old: readonly T[], fresh: readonly T[], ...identity: (keyof T)[]): T[] {
  const id = (each: T) => identity.map((name) => each[name]).join('/')
  const ids = new Set(fresh.map(id))
  return [...old.filter((each) => !ids.has(id(each))), ...fresh]
}
