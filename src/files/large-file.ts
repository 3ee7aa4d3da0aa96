import { closeSync, openSync, readSync } from 'node:fs'
import type { Pieces } from '../bucket/bucket.js'
import { smallBytes } from '../bucket/bucket.js'
import { yieldEvery } from '../runtime/parallel.js'

/** Bytes that are sent in one piece. */
const sentBytes = 256 * 1024
/** Bytes after which the event loop runs, about ten milliseconds. */
export const yieldBytes = 8 * 1024 * 1024
/** Fewer while sending: several files are sent at a time. */
const sendingYieldBytes = 1024 * 1024

/**
 * Reads a file of any size piece by piece, as fast as small ones are read. All pieces are in the same memory: none is there any more when the
 * next one comes.
 *
 * @param signal ends it between two pieces
 */
export async function readInPieces(file: string, take: (piece: Buffer) => void, signal?: AbortSignal): Promise<void> {
  const memory = Buffer.allocUnsafe(smallBytes)
  const pause = yieldEvery(yieldBytes, signal)
  const handle = openSync(file, 'r')
  try {
    for (;;) {
      const length = readSync(handle, memory)
      if (length === 0) return
      take(memory.subarray(0, length))
      await pause(length)
    }
  } finally {
    closeSync(handle)
  }
}

/** What is left of an open file, read without waiting, too. The file is closed with the last piece, or when it is given up. */
export function piecesOf(handle: number): Pieces {
  let isOpen = true
  const close = () => {
    if (isOpen) closeSync(handle)
    isOpen = false
  }
  async function* read() {
    const memory = Buffer.allocUnsafeSlow(sentBytes)
    const pause = yieldEvery(sendingYieldBytes)
    try {
      // Closed meanwhile, its number may be another file's.
      while (isOpen) {
        const length = readSync(handle, memory)
        if (length === 0) return
        yield memory.subarray(0, length)
        await pause(length)
      }
    } finally {
      close()
    }
  }
  return { [Symbol.asyncIterator]: read, destroy: close }
}
