import { readFileSync } from 'node:fs'
import type { Exchange, Head } from './http.js'
import { noTraffic, type Traffic } from './listen.js'
import type { Counts, S3 } from './s3.js'
import type { StoredObject } from './store.js'

/*
 * The bench's own requests, on a port of their own. Answers are JSON.
 *
 *     /latency?ms=20             sets the milliseconds between the end of a request and its answer
 *     /known?file=FILE           reads the MD5s of large contents, as JSON, by their mark
 *     /reset                     empties the bucket
 *     /save?as=X /restore?as=X   saves the bucket's state under a name, and restores it
 *     /figures                   requests, connections and CPU time since the last call
 *     /objects                   lists the bucket
 */

export interface Figures extends Counts, Traffic {
  /** User and system time of the server. */
  cpuSeconds: number
}

/** The parts of an object that a tool can get wrong. */
export type ListedObject = Pick<StoredObject, 'key' | 'size' | 'etag' | 'headers'>

export function control(s3: S3, traffic: Traffic): (head: Head) => Exchange {
  const saved = new Map<string, StoredObject[]>()
  let cpu = process.cpuUsage()

  const commands: Record<string, (query: URLSearchParams) => unknown> = {
    '/latency': (query) => {
      s3.latency = Number(query.get('ms'))
    },
    '/reset': () => s3.reset(),
    '/known': (query) => {
      s3.known = new Map(JSON.parse(readFileSync(query.get('file') as string, 'utf8')) as [string, string][])
    },
    '/save': (query) => {
      saved.set(query.get('as') as string, s3.store.all())
    },
    '/restore': (query) => {
      s3.reset()
      s3.store.replaceAll(saved.get(query.get('as') as string) as StoredObject[])
    },
    '/figures': (): Figures => {
      const { user, system } = process.cpuUsage(cpu)
      cpu = process.cpuUsage()
      const figures = { ...s3.counts, ...traffic, cpuSeconds: (user + system) / 1e6 }
      s3.counts = { operations: {}, hashedLarge: 0 }
      Object.assign(traffic, noTraffic)
      return figures
    },
    '/objects': () =>
      s3.store.all().map(({ key, size, etag, headers }): ListedObject => ({ key, size, etag, headers })),
  }

  return ({ path, query }) => ({
    take() {},
    end() {
      const command = commands[path]
      if (!command) return { status: 404 }
      return { status: 200, body: JSON.stringify(command(new URLSearchParams(query)) ?? true) }
    },
    delay: 0,
  })
}
