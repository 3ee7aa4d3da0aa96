/**
 * Runs at most `count` pieces of work at a time, first come first served.
 *
 * The sockets' own limit isn't enough: the SDK's connection time-out runs while a request waits for a socket, and a
 * body that is opened before its turn holds a file descriptor or memory.
 */
export function createSlots(count: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = []
  let free = count
  return async (work) => {
    if (free > 0) free--
    else await new Promise<void>((go) => waiting.push(go))
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next) next()
      else free++
    }
  }
}
