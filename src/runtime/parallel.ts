import { setImmediate as yieldToOthers } from 'node:timers/promises'

/** Works on `count` items at a time. Promises for all 50,000 files of a site would take more memory than the files. */
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
 * Lets requests proceed during synchronous work. The work awaits the returned function after each piece, and the event loop runs after every
 * `amount`.
 *
 * @param amount in the unit of the pieces
 * @param signal stops the work at the next yield, with its reason
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
