import { performance } from 'node:perf_hooks'

/** How many requests are under way at first: that many connections are opened at once. */
export const START = 64
/** By how much the mean time of a request may grow before more requests at once bring nothing. */
const HOLDS = 1.5
/** The share of time in which Node's thread is at work, above which fewer requests at once get as much done, in less memory. */
const BUSY = 0.95

export interface Slots {
  /**
   * Runs a piece of work when it is its turn, first come first served.
   *
   * The sockets' own limit isn't enough: the SDK's connection time-out runs while a request waits for a socket, and a
   * body that is opened before its turn holds a file descriptor or memory.
   */
  run<T>(work: () => Promise<T>): Promise<T>
  /** How many pieces of work may be under way now. */
  level(): number
}

/**
 * Finds out how many requests at once a store and the line to it bear: twice as many, as long as answers take no longer by it; a few more
 * after they once did, and half as many when the store asks for it. A line that is full is left at that; a thread that is busy gets fewer, down to
 * as many as at first.
 *
 * @param most how many there may be
 * @param asksForLess whether a failure is the store's wish for fewer requests
 */
export function createSlots(most: number, asksForLess: (error: unknown) => boolean = () => false): Slots {
  const waiting: (() => void)[] = []
  let underWay = 0
  let level = Math.min(START, most)
  let before = level
  let doubles = true
  let shortest = Number.POSITIVE_INFINITY
  const startMeasuring = () => ({
    since: performance.now(),
    count: 0,
    milliseconds: 0,
    thread: performance.eventLoopUtilization(),
  })
  let measured = startMeasuring()

  const learn = (begun: number) => {
    // With fewer under way, the level isn't what limits. What began before it changed tells nothing of it.
    if (underWay < level || begun <= measured.since) return
    measured.count++
    measured.milliseconds += performance.now() - begun
    if (measured.count < level) return
    const { utilization } = performance.eventLoopUtilization(measured.thread)
    if (utilization > BUSY) {
      level = Math.max(Math.min(START, level), level - Math.ceil(level / 8))
      doubles = false
      measured = startMeasuring()
      return
    }
    const mean = measured.milliseconds / measured.count
    const holds = mean <= shortest * HOLDS
    shortest = Math.min(shortest, mean)
    const now = level
    level = !holds ? before : Math.min(most, doubles ? level * 2 : level + Math.ceil(level / 8))
    before = holds ? now : before
    doubles &&= holds
    measured = startMeasuring()
  }
  const reduce = (begun: number) => {
    // All that were under way are refused together: that is one wish.
    if (begun <= measured.since) return
    level = before = Math.max(1, Math.floor(level / 2))
    doubles = false
    measured = startMeasuring()
  }

  return {
    level: () => level,
    async run(work) {
      if (underWay < level) underWay++
      else await new Promise<void>((go) => waiting.push(go))
      const begun = performance.now()
      try {
        const result = await work()
        learn(begun)
        return result
      } catch (error) {
        if (asksForLess(error)) reduce(begun)
        throw error
      } finally {
        underWay--
        while (underWay < level && waiting.length > 0) {
          underWay++
          waiting.shift()?.()
        }
      }
    },
  }
}
