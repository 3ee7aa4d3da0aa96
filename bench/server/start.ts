import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { cacheFolder } from '../paths.js'
import type { Protocol } from '../results.js'
import type { Figures, ListedObject } from './control.js'

/** The server in a process of its own. */
export interface BenchServer {
  endpoints: Record<Protocol, string>
  /** The file with the certificate that clients have to trust. */
  certificate: string
  setLatency(milliseconds: number): Promise<void>
  /** @param file JSON: MD5s of large contents by their mark */
  know(file: string): Promise<void>
  reset(): Promise<void>
  save(name: string): Promise<void>
  restore(name: string): Promise<void>
  /** Counts since the last call. */
  figures(): Promise<Figures>
  objects(): Promise<ListedObject[]>
  close(): Promise<void>
}

let started = 0

export async function startServer(flags: readonly string[] = []): Promise<BenchServer> {
  mkdirSync(cacheFolder, { recursive: true })
  // Another bench may run at the same time.
  const certificate = join(cacheFolder, `certificate-${process.pid}-${++started}.pem`)
  process.once('exit', () => rmSync(certificate, { force: true }))
  const main = fileURLToPath(new URL('main.ts', import.meta.url))
  const argv = ['--import', 'tsx', main, '--certificate', certificate, ...flags]
  const child = spawn(process.execPath, argv, { stdio: ['pipe', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const { http, https, control } = await Promise.race([
    once(createInterface(child.stdout), 'line').then(([line]) => JSON.parse(line) as Record<string, number>),
    exited.then(() => {
      throw new Error('the server did not start')
    }),
  ])
  const ask = async <T = unknown>(command: string, query: Record<string, string> = {}): Promise<T> => {
    const response = await fetch(`http://127.0.0.1:${control}/${command}?${new URLSearchParams(query)}`, {
      signal: AbortSignal.timeout(10_000),
    })
    if (!response.ok) throw new Error(`the server answers ${response.status} to ${command}`)
    return (await response.json()) as T
  }
  return {
    endpoints: { http: `http://127.0.0.1:${http}`, https: `https://127.0.0.1:${https}` },
    certificate,
    setLatency: async (milliseconds) => void (await ask('latency', { ms: String(milliseconds) })),
    know: async (file) => void (await ask('known', { file })),
    reset: async () => void (await ask('reset')),
    save: async (name) => void (await ask('save', { as: name })),
    restore: async (name) => void (await ask('restore', { as: name })),
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
