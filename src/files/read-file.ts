import { closeSync, openSync, readSync } from 'node:fs'
import type { Pieces } from '../bucket/bucket.js'
import { smallBytes } from '../bucket/bucket.js'
import { yieldEvery } from '../runtime/parallel.js'

// All files are read synchronously, which is ten times as fast as Node's thread pool.

/** Bytes of a piece of a body. */
const pieceBytes = 256 * 1024
/** Bytes between two yields to the event loop: some ten milliseconds for large files, four for small ones. */
const yieldBytes = { large: 8 * 1024 * 1024, small: 2 * 1024 * 1024, sending: 1024 * 1024 }
/** Opening a file takes as long as reading this many bytes. */
const openingBytes = 16 * 1024

/** @returns the part of `memory` with the file's content; undefined if the file fills all of `memory`, since more may follow */
export function readSmall(file: string, memory: Buffer): Buffer | undefined {
  const handle = openSync(file, 'r')
  try {
    let length = 0
    for (let read = -1; read !== 0 && length < memory.length; length += read) {
      read = readSync(handle, memory, length, memory.length - length, null)
    }
    return length < memory.length ? memory.subarray(0, length) : undefined
  } finally {
    closeSync(handle)
  }
}

/** A loop that reads small files awaits the returned function after each, with the number of bytes. */
export function yieldBetweenFiles(signal?: AbortSignal): (bytes: number) => Promise<void> | undefined {
  const pause = yieldEvery(yieldBytes.small, signal)
  return (bytes) => pause(openingBytes + bytes)
}

/**
 * Reads a file of any size in pieces. Each piece overwrites the one before.
 *
 * @param signal stops it between two pieces
 */
export async function readInPieces(file: string, take: (piece: Buffer) => void, signal?: AbortSignal): Promise<void> {
  const memory = Buffer.allocUnsafe(smallBytes)
  const pause = yieldEvery(yieldBytes.large, signal)
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

/** The rest of an open file. The last piece closes it, and so does `destroy`. */
export function piecesOf(handle: number): Pieces {
  let isOpen = true
  const destroy = () => {
    if (isOpen) closeSync(handle)
    isOpen = false
  }
  async function* read() {
    const memory = Buffer.allocUnsafeSlow(pieceBytes)
    const pause = yieldEvery(yieldBytes.sending)
    try {
      // The number of a closed handle may belong to another file.
      while (isOpen) {
        const length = readSync(handle, memory)
        if (length === 0) return
        yield memory.subarray(0, length)
        await pause(length)
      }
    } finally {
      destroy()
    }
  }
  return { [Symbol.asyncIterator]: read, destroy }
}
