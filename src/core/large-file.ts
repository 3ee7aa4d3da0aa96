import { closeSync, openSync, readSync } from 'node:fs'
import { Readable } from 'node:stream'
import { setImmediate as yieldToOthers } from 'node:timers/promises'
import { smallBytes } from './small-file.js'

/** Bytes that are sent in one piece. */
const sentBytes = 64 * 1024
/** Bytes after which whatever else the process does gets its turn, about ten milliseconds. */
export const turnBytes = 8 * 1024 * 1024
/** The same for what is sent: several files are at a time. */
const sendingTurnBytes = 1024 * 1024

/**
 * Reads a file of any size piece by piece, as fast as small ones are read. All pieces are in the same memory: none is there any more when the
 * next one comes.
 *
 * @param take gets each piece, and the same with up to `overlap` bytes that come before it
 * @param signal ends it between two pieces
 */
export async function readInPieces(
  file: string,
  overlap: number,
  take: (piece: Buffer, overlapping: Buffer) => void,
  signal?: AbortSignal,
): Promise<void> {
  const memory = Buffer.allocUnsafe(overlap + smallBytes)
  const handle = openSync(file, 'r')
  try {
    let kept = 0
    let done = 0
    for (;;) {
      const length = readSync(handle, memory, overlap, smallBytes, null)
      if (length === 0) return
      const [start, end] = [overlap - kept, overlap + length]
      take(memory.subarray(overlap, end), memory.subarray(start, end))
      kept = Math.min(overlap, end - start)
      memory.copyWithin(overlap - kept, end - kept, end)
      done += length
      if (done < turnBytes) continue
      done = 0
      await yieldToOthers()
      signal?.throwIfAborted()
    }
  } finally {
    closeSync(handle)
  }
}

/** What is left of an open file, read without waiting, too. The file is closed with the stream, however that ends. */
export function streamOf(handle: number): Readable {
  let sinceTurn = 0
  return new Readable({
    highWaterMark: sentBytes,
    read() {
      const readNext = () => {
        // Closed meanwhile, its number may be another file's.
        if (this.destroyed) return
        const piece = Buffer.allocUnsafeSlow(sentBytes)
        try {
          const length = readSync(handle, piece)
          sinceTurn += length
          this.push(length === 0 ? null : piece.subarray(0, length))
        } catch (error) {
          this.destroy(error as Error)
        }
      }
      if (sinceTurn < sendingTurnBytes) return readNext()
      sinceTurn = 0
      setImmediate(readNext)
    },
    destroy(error, done) {
      closeSync(handle)
      done(error)
    },
  })
}
