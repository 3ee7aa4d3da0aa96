import { performance } from 'node:perf_hooks'

/** Milliseconds. */
const PATIENCE = 15_000

/** Detects calls that wait while no byte arrives or leaves. */
export interface Silence {
  /** Counts a call, with its retries and its credentials, as waiting until it settles. */
  during<T>(call: Promise<T>): Promise<T>
  /** Notes the host of a request. */
  asked(host: string): void
  /** Notes that a byte arrived or left. */
  heard(): void
  /** Calls back once, after the first 15 seconds in which calls waited and no byte moved. */
  watch(tell: (whom: string) => void): void
  close(): void
}

export function watchSilence(): Silence {
  let waiting = 0
  let since = 0
  let whom = 'the credentials'
  let timer: NodeJS.Timeout | undefined
  const close = () => clearInterval(timer)
  const heard = () => {
    since = performance.now()
  }
  return {
    async during(call) {
      if (waiting++ === 0) heard()
      try {
        return await call
      } finally {
        waiting--
      }
    },
    asked(host) {
      whom = host
    },
    heard,
    watch(tell) {
      close()
      timer = setInterval(() => {
        if (waiting === 0 || performance.now() - since < PATIENCE) return
        close()
        tell(whom)
      }, 500).unref()
    },
    close,
  }
}
