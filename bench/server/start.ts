import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Figures, ListedObject } from './control.js'

/** The server's process, and what can be asked of it. */
export interface BenchServer {
  endpoint: string
  setLatency(milliseconds: number): Promise<void>
  /** @param file JSON: MD5s of large contents by their mark */
  know(file: string): Promise<void>
  reset(): Promise<void>
  save(name: string): Promise<void>
  /** Puts the bucket back into a state; false if it was never saved. */
  restore(name: string): Promise<boolean>
  /** Since the last time. */
  figures(): Promise<Figures>
  objects(): Promise<ListedObject[]>
  close(): Promise<void>
}

export async function startServer(flags: readonly string[] = []): Promise<BenchServer> {
  const main = fileURLToPath(new URL('main.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', main, ...flags], { stdio: ['pipe', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const port = await Promise.race([
    once(createInterface(child.stdout), 'line').then(([line]) => Number(line)),
    exited.then(() => {
      throw new Error('the server did not start')
    }),
  ])
  const endpoint = `http://127.0.0.1:${port}`
  const ask = async <T = unknown>(command: string, query: Record<string, string> = {}): Promise<T> => {
    const response = await fetch(`${endpoint}/-/${command}?${new URLSearchParams(query)}`, {
      signal: AbortSignal.timeout(10_000),
    })
    if (!response.ok) throw new Error(`the server answers ${response.status} to ${command}`)
    return (await response.json()) as T
  }
  return {
    endpoint,
    setLatency: async (milliseconds) => void (await ask('latency', { ms: String(milliseconds) })),
    know: async (file) => void (await ask('known', { file })),
    reset: async () => void (await ask('reset')),
    save: async (name) => void (await ask('save', { as: name })),
    restore: (name) => ask('restore', { as: name }),
    figures: () => ask('figures'),
    objects: () => ask('objects'),
    async close() {
      child.stdin.end()
      const timer = setTimeout(() => child.kill('SIGKILL'), 3000)
      await exited
      clearTimeout(timer)
    },
  }
}
