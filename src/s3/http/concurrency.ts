import { performance } from 'node:perf_hooks'
import { measureLine } from './line.js'

/** The first limit, and the number of connections to open at once. */
export const START = 64
/** The factor by which the mean time of a request may grow. Beyond it, more requests at once bring nothing. */
const HOLDS = 1.5
/** The share of time in which Node's thread is busy. Above it, fewer requests at once do as much work in less memory. */
const BUSY = 0.95

export interface Concurrency {
  /**
   * Runs work in its turn, first come first served.
   *
   * The limit of sockets is not enough: a body that is opened before its turn holds a file descriptor or memory.
   *
   * @param bytes of the request's body
   */
  run<T>(work: () => Promise<T>, bytes?: number): Promise<T>
  /** The current limit. */
  limit(): number
}

interface Waiting {
  bytes: number
  go: () => void
}

/**
 * Finds the number of requests that a store and the line to it bear at once. The limit doubles while responses take no longer, grows slowly after
 * they once did, and halves when the store asks for less. A busy thread lowers it, but not below the first limit.
 *
 * On a slow line, bodies wait here, because the renewal of a lock would wait behind them in the line's buffers. A body that is too large for the
 * line is sent alone.
 *
 * @param most the highest limit
 * @param asksForLess true if an error asks for fewer requests
 */
export function createConcurrency(most: number, asksForLess: (error: unknown) => boolean = () => false): Concurrency {
  const line = measureLine()
  const waiting: Waiting[] = []
  let underWay = 0
  let bytesUnderWay = 0
  let limit = Math.min(START, most)
  let before = limit
  let doubles = true
  let shortest = Number.POSITIVE_INFINITY
  let measured = startMeasuring()

  const learn = (begun: number) => {
    // Below the limit, the limit has no effect. A request from before its last change does not measure it.
    if (underWay < limit || begun <= measured.since) return
    measured.count++
    measured.milliseconds += performance.now() - begun
    if (measured.count < limit) return
    const { utilization } = performance.eventLoopUtilization(measured.thread)
    if (utilization > BUSY) {
      limit = Math.max(Math.min(START, limit), limit - Math.ceil(limit / 8))
      doubles = false
      measured = startMeasuring()
      return
    }
    const mean = measured.milliseconds / measured.count
    const holds = mean <= shortest * HOLDS
    shortest = Math.min(shortest, mean)
    const now = limit
    limit = !holds ? before : Math.min(most, doubles ? limit * 2 : limit + Math.ceil(limit / 8))
    before = holds ? now : before
    doubles &&= holds
    measured = startMeasuring()
  }
  const reduce = (begun: number) => {
    // The store refuses all simultaneous requests together: that counts once.
    if (begun <= measured.since) return
    limit = before = Math.max(1, Math.floor(limit / 2))
    doubles = false
    measured = startMeasuring()
  }

  const fits = (bytes: number) =>
    underWay < limit && (bytes === 0 || bytesUnderWay === 0 || bytesUnderWay + bytes <= line.limit())
  const enter = (bytes: number) => {
    underWay++
    bytesUnderWay += bytes
  }
  const leave = (bytes: number) => {
    underWay--
    bytesUnderWay -= bytes
    while (waiting[0] && fits(waiting[0].bytes)) {
      enter(waiting[0].bytes)
      waiting.shift()?.go()
    }
  }

  return {
    limit: () => limit,
    async run(work, bytes = 0) {
      if (waiting.length === 0 && fits(bytes)) enter(bytes)
      else await new Promise<void>((go) => waiting.push({ bytes, go }))
      const begun = performance.now()
      try {
        const result = await work()
        learn(begun)
        if (bytes > 0) line.carried(bytes, begun)
        return result
      } catch (error) {
        if (asksForLess(error)) reduce(begun)
        throw error
      } finally {
        leave(bytes)
      }
    },
  }
}

const startMeasuring = () => ({
  since: performance.now(),
  count: 0,
  milliseconds: 0,
  thread: performance.eventLoopUtilization(),
})
