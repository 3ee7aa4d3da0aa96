import { setImmediate as yieldToOthers } from 'node:timers/promises'

/**
 * For work that doesn't wait: what it awaits after each piece, so that whatever else the process does gets its turn, requests and their answers first
 * of all.
 *
 * @param length of a turn, in whatever the pieces are counted in
 * @param signal ends the work after a turn, with its reason
 */
export function turnsOf(length: number, signal?: AbortSignal): (piece: number) => Promise<void> | undefined {
  let done = 0
  return (piece) => {
    done += piece
    if (done < length) return undefined
    done = 0
    return yieldToOthers().then(() => signal?.throwIfAborted())
  }
}
