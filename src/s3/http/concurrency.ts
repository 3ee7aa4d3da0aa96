import { performance } from 'node:perf_hooks'
import { measureLine } from './line.js'

/** How many requests are under way at first: that many connections are opened at once. */
export const START = 64
/** By how much the mean time of a request may grow before more requests at once bring nothing. */
const HOLDS = 1.5
/** The share of time in which Node's thread is at work, above which fewer requests at once get as much done, in less memory. */
const BUSY = 0.95

export interface Concurrency {
  /**
   * Runs a piece of work when it is its turn, first come first served.
   *
   * The sockets' own limit isn't enough: the SDK's connection time-out runs while a request waits for a socket, and a
   * body that is opened before its turn holds a file descriptor or memory.
   *
   * @param bytes of the body that it sends
   */
  run<T>(work: () => Promise<T>, bytes?: number): Promise<T>
  /** How many requests may be under way now. */
  limit(): number
}

interface Waiting {
  bytes: number
  go: () => void
}

/**
 * Finds out how many requests at once a store and the line to it bear: twice as many while answers take no longer by it, a few more after they once
 * did, and half as many when the store asks for it. A thread that is busy gets fewer, down to as many as at first.
 *
 * Bodies on a slow line wait here and not in its buffers, where the renewal of a lock would wait behind them. A body that is larger than the line
 * bears is sent alone.
 *
 * @param most how many there may be
 * @param asksForLess whether a failure is the store's wish for fewer requests
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
    // With fewer under way, the limit isn't what holds them back. What began before it changed tells nothing of it.
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
    // All that were under way are refused together: that is one wish.
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
