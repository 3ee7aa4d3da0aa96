import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { benchFolder } from './paths.js'

export interface Command {
  argv: readonly string[]
  cwd: string
  env: Record<string, string>
}

export interface Measured {
  milliseconds: number
  /** User and system time, children included. */
  cpuSeconds: number
  /** Peak memory of the largest process. */
  peakBytes: number
}

export interface Ended extends Measured {
  exitCode: number
  output: string
  /** True if the bench killed it because it took too long. */
  timedOut: boolean
}

/** The system's Python: a version manager's shims are slow shell scripts. */
export const python = '/usr/bin/python3'

export async function measure({ argv, cwd, env }: Command, timeout: number): Promise<Ended> {
  const child = spawn(python, [join(benchFolder, 'measure.py'), ...argv], {
    cwd,
    env,
    // A process group of its own, so that `end` kills its children too.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  const [stdout, stderr, extra] = child.stdio.slice(1) as Readable[] as [Readable, Readable, Readable]
  let timedOut = false
  const end = () => {
    try {
      process.kill(-(child.pid as number), 'SIGKILL')
    } catch {
      // It has exited by itself.
    }
  }
  const timer = setTimeout(() => {
    timedOut = true
    end()
  }, timeout)
  process.once('exit', end)
  try {
    const [figures, errors, output] = await Promise.all([text(stdout), text(stderr), text(extra), once(child, 'exit')])
    if (timedOut) return { milliseconds: timeout, cpuSeconds: 0, peakBytes: 0, exitCode: -1, output: '', timedOut }
    if (figures === '') throw new Error(`${argv[0]} could not be run: ${errors}`)
    return { ...(JSON.parse(figures) as Omit<Ended, 'output' | 'timedOut'>), output: output + errors, timedOut }
  } finally {
    clearTimeout(timer)
    process.off('exit', end)
  }
}

/** The figures that a script of the bench printed. */
export function figuresIn<T>(output: string): T {
  const [, figures] = /^FIGURES (.*)$/m.exec(output) ?? []
  if (!figures) throw new Error(`no figures in: ${output}`)
  return JSON.parse(figures) as T
}
