import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { digesterHere, type LargeDigest, largeDigester } from './large-digest.js'
import { yieldBytes } from './large-file.js'
import { eachInParallel } from './parallel.js'
import { searchFor } from './secret-search.js'
import { smallBytes } from './small-file.js'

/** Bytes from which threads are worth their start, some 30 ms each. */
const worthwhile = 64 * 1024 ** 2
/** With this one. Each takes some 10 MB. */
const mostThreads = 4
/** Bytes after which this one, at work on a file itself, sees to it that the others get their next: about a millisecond. */
const answersBytes = 1024 ** 2

export interface LargeFile {
  file: string
  /** Bytes, as far as is known. */
  size: number
}

export type Digestion = { digest: LargeDigest } | { error: { code?: string | undefined } }

/**
 * What a thread runs. As text, it needs no file of its own that bundlers, loaders and package managers would have to find, and it loads nothing but
 * Node's own modules.
 */
const source = `
const { parentPort, workerData } = require('node:worker_threads')
// Some compilers put it round functions.
const __name = (value) => value
const digester = (${largeDigester})(
  { ...require('node:fs'), ...require('node:crypto'), searchFor: ${searchFor} },
  workerData,
  ${smallBytes},
)
parentPort.on('message', (file) => {
  try {
    const steps = digester(file)
    let step = steps.next()
    while (!step.done) step = steps.next()
    parentPort.postMessage({ digest: step.value })
  } catch ({ code }) {
    parentPort.postMessage({ error: { code } })
  }
})
`

/**
 * Digests files in this thread and others; in this one alone where that isn't worth it, and what another one fails at.
 *
 * @param values what is looked for in them
 * @param signal ends it, with its reason
 * @param threads how many others
 */
export async function digestLarge(
  files: readonly LargeFile[],
  values: readonly Uint8Array[],
  signal?: AbortSignal,
  threads = threadsFor(files),
): Promise<Digestion[]> {
  signal?.throwIfAborted()
  const here = digesterHere(values, threads > 0 ? answersBytes : yieldBytes, signal)
  const digestHere = (file: string): Promise<Digestion> =>
    here(file).then(
      (digest) => ({ digest }),
      (error) => ({ error }),
    )
  const started = Array.from({ length: threads }, () => startThread(values))
  const free = [...started]
  const end = () => {
    for (const thread of started) thread?.end()
  }
  signal?.addEventListener('abort', end)
  try {
    const done: Digestion[] = []
    // The largest first, so that none is left over for the end.
    const inTurn = [...files.entries()].sort(([, a], [, b]) => b.size - a.size)
    await eachInParallel(threads + 1, inTurn, async ([index, { file }]) => {
      // Where none is free, it's this one's turn.
      const thread = free.pop()
      const digestion = thread && (await thread.digest(file))
      signal?.throwIfAborted()
      if (digestion) free.push(thread)
      done[index] = digestion ?? (await digestHere(file))
    })
    signal?.throwIfAborted()
    return done
  } finally {
    signal?.removeEventListener('abort', end)
    end()
  }
}

function threadsFor(files: readonly LargeFile[]): number {
  const count = Math.min(files.length, availableParallelism(), mostThreads)
  const bytes = files.reduce((sum, { size }) => sum + size, 0)
  return bytes >= worthwhile ? count - 1 : 0
}

interface Thread {
  /** Undefined if the thread can't, or not any more. */
  digest(file: string): Promise<Digestion | undefined>
  end(): void
}

function startThread(values: readonly Uint8Array[]): Thread | undefined {
  let worker: Worker
  try {
    // Without what the process was told: it would load loaders, or write profiles of its own.
    worker = new Worker(source, { eval: true, workerData: values, execArgv: [], env: {} })
  } catch {
    // Node's permission model forbids it.
    return undefined
  }
  let isAlive = true
  let answer: (digestion: Digestion | undefined) => void = () => {}
  worker.on('message', (digestion: Digestion) => answer(digestion))
  // It exits after that.
  worker.on('error', () => {})
  worker.on('exit', () => {
    isAlive = false
    answer(undefined)
  })
  return {
    digest: (file) =>
      new Promise((resolve) => {
        answer = resolve
        if (isAlive) worker.postMessage(file)
        else resolve(undefined)
      }),
    end: () => void worker.terminate(),
  }
}
