import { performance } from 'node:perf_hooks'

/** Milliseconds of sending that may be under way: on a full line, every other request waits that long. */
const AHEAD = 4000
/** Milliseconds that a rate is measured for at least: a burst that a buffer on the way takes says nothing of the line. */
const SHORTEST = 1000
/** Bytes that may be under way before the rate is known, and on the slowest line. */
const LEAST = 128 * 1024

/** How many bytes of bodies may be under way to a store, by the rate at which the line to it has carried them lately. */
export interface Line {
  /** Notes a body that has arrived. */
  carried(bytes: number, begun: number): void
  /** Bytes that may be under way now. */
  limit(): number
}

export function measureLine(): Line {
  const arrived: { at: number; bytes: number }[] = []
  /** Of all that `arrived`. */
  let bytesArrived = 0
  /** When the first of them began. */
  let since = 0

  const forget = (now: number) => {
    while (arrived[0] && arrived[0].at <= now - AHEAD) bytesArrived -= arrived.shift()?.bytes ?? 0
  }
  return {
    carried(bytes, begun) {
      const now = performance.now()
      forget(now)
      since = arrived.length === 0 ? begun : Math.min(since, begun)
      // Of a body that took longer than is remembered, only its last part.
      const lately = bytes * Math.min(1, AHEAD / (now - begun))
      arrived.push({ at: now, bytes: lately })
      bytesArrived += lately
    },
    limit() {
      const now = performance.now()
      forget(now)
      return Math.max(LEAST, (bytesArrived * AHEAD) / Math.min(AHEAD, Math.max(SHORTEST, now - since)))
    },
  }
}
