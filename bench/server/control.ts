import { readFileSync } from 'node:fs'
import type { Answer, Exchange, Head } from './http.js'
import type { Counts, S3 } from './s3.js'
import type { StoredObject } from './store.js'

/*
 * What the bench asks of the server beside S3, under `/-/`, which no bucket can be called. Answers are JSON.
 *
 *     /-/latency?ms=20               milliseconds from a request's end to its answer
 *     /-/known?file=FILE             JSON: MD5s of large contents by their mark
 *     /-/reset                       empties the bucket
 *     /-/save?as=X /-/restore?as=X   keeps the bucket's state under a name, and puts it back
 *     /-/figures                     requests by operation, and CPU time, since it was asked the last time
 *     /-/objects                     what is there
 */

export interface Figures extends Counts {
  /** The server's own, user and system. */
  cpuSeconds: number
}

/** What is there, as far as it can be right or wrong. */
export type ListedObject = Pick<StoredObject, 'key' | 'size' | 'etag' | 'headers'>

export function control(s3: S3): (head: Head) => Exchange | undefined {
  const saved = new Map<string, StoredObject[]>()
  let cpu = process.cpuUsage()

  const commands: Record<string, (query: URLSearchParams) => unknown> = {
    latency: (query) => {
      s3.latency = Number(query.get('ms'))
    },
    reset: () => s3.reset(),
    known: (query) => {
      s3.known = new Map(JSON.parse(readFileSync(query.get('file') as string, 'utf8')) as [string, string][])
    },
    save: (query) => {
      saved.set(query.get('as') as string, s3.store.all())
    },
    restore: (query) => {
      const state = saved.get(query.get('as') as string)
      if (!state) return false
      s3.reset()
      s3.store.replaceAll(state)
      return true
    },
    figures: (): Figures => {
      const { user, system } = process.cpuUsage(cpu)
      cpu = process.cpuUsage()
      const { counts } = s3
      s3.counts = { operations: {}, hashedLarge: 0 }
      return { ...counts, cpuSeconds: (user + system) / 1e6 }
    },
    objects: () => s3.store.all().map(({ key, size, etag, headers }): ListedObject => ({ key, size, etag, headers })),
  }

  return ({ path, query }) => {
    if (!path.startsWith('/-/')) return undefined
    const command = commands[path.slice(3)]
    const end = (): Answer => {
      if (!command) return { status: 404 }
      return { status: 200, body: JSON.stringify(command(new URLSearchParams(query)) ?? true) }
    }
    return { take() {}, end, delay: 0 }
  }
}
