import { setImmediate as yieldToOthers } from 'node:timers/promises'

/**
 * Works on `count` items at a time, and begins an item only when it is its turn: with 50,000 files, 50,000 promises would cost more memory
 * than their content.
 */
export async function eachInParallel<T>(
  count: number,
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items.values()
  const worker = async () => {
    for (const item of rest) await work(item)
  }
  await Promise.all(Array.from({ length: Math.min(count, items.length) }, worker))
}

/**
 * For work that never waits: it awaits the returned function after each piece, and every `amount` the event loop runs, so that requests
 * and responses get on meanwhile.
 *
 * @param amount in the unit in which the pieces are counted
 * @param signal ends the work at the next yield, with its reason
 */
export function yieldEvery(amount: number, signal?: AbortSignal): (piece: number) => Promise<void> | undefined {
  let done = 0
  return (piece) => {
    done += piece
    if (done < amount) return undefined
    done = 0
    return yieldToOthers().then(() => signal?.throwIfAborted())
  }
}
