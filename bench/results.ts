import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { arch, cpus, totalmem, type } from 'node:os'
import { dirname } from 'node:path'
import type { Measured } from './measure.js'
import type { Traffic } from './server/listen.js'
import type { WorkName } from './work/works.js'

export const phases = ['first', 'rebuild', 'changed'] as const

export type Phase = (typeof phases)[number]

export const protocols = ['https', 'http'] as const

export type Protocol = (typeof protocols)[number]

/** One run of one tool. */
export interface Run extends Measured, Traffic {
  requests: number
  operations: Record<string, number>
  serverCpuSeconds: number
  /** Large bodies that the server had to hash while it was measured. More than none falsifies the run. */
  hashedLarge: number
  /** Only of static-s3: peak memory less the memory after loading. */
  memoryBeyondBytes?: number
}

/** Compares the bucket after a run with the folder. */
export interface Verdict {
  /** Files that are missing or have other bytes. */
  wrongFiles: number
  wrongTypes: number
  /** Fingerprinted files that are not cached for long, and other files that are. */
  wrongCaching: number
}

export interface Row {
  work: WorkName
  /** Milliseconds per request. */
  latency: number
  protocol: Protocol
  phase: Phase
  tool: string
  version: string
  setting: string
  /** The time when the cell began. Rows that ran side by side share it. */
  session: string
  runs: Run[]
  /** The worst run's. */
  verdict: Verdict | undefined
  /** Why the row has no runs, or fewer than others. `not run`: the first deploy failed, and the other phases need it. */
  note?: 'once' | 'timeout' | 'failed' | 'not run' | undefined
  /** The time limit that it exceeded. */
  timeoutSeconds?: number
  /** Its error message. */
  failure?: string
}

export interface Results {
  machine: Machine
  /** Tools that are not installed, and how to install them. */
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

/** The limit's first deploy to the bench's server, and to a server that only answers. */
export interface ServerCheck {
  work: WorkName
  latency: number
  protocol: Protocol
  /** Milliseconds by round. */
  s3: number[]
  answerOnly: number[]
  /** The server's CPU time divided by the limit's time. */
  busy: number[]
  /** The server's CPU milliseconds per request. */
  cpuPerRequest: number[]
}

/** Whole builds over TLS, in pairs: milliseconds by round. */
export interface ViteBuild {
  work: WorkName
  latency: number
  phase: Phase
  without: number[]
  with: number[]
  /** CPU seconds. */
  cpuWithout: number[]
  cpuWith: number[]
  /** Milliseconds from the written bundle to the end of the process. */
  sinceWrittenWithout: number[]
  sinceWrittenWith: number[]
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

/** Replaces the old entries whose identity a fresh entry has. */
export function merge<T extends object>(old: readonly T[], fresh: readonly T[], ...identity: (keyof T)[]): T[] {
  const id = (each: T) => identity.map((name) => each[name]).join('/')
  const ids = new Set(fresh.map(id))
  return [...old.filter((each) => !ids.has(id(each))), ...fresh]
}
