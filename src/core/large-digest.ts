import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'
import { yieldEvery } from './parallel.js'
import { searchFor } from './secret-search.js'
import { smallBytes } from './small-file.js'

export interface LargeDigest {
  /** Bytes. */
  size: number
  /** Hex. */
  sha256: string
  /** Which of the values occur, by their index. */
  found: readonly number[]
}

/** What it needs of Node, and of us. */
const tools = { openSync, readSync, closeSync, createHash, searchFor }

/**
 * Reads files of any size piece by piece, with a step for each.
 *
 * Its text is run in threads, too: it uses nothing from outside of it.
 *
 * @param values what is looked for
 * @param pieceBytes bytes of a piece
 */
export function largeDigester(
  { openSync, readSync, closeSync, createHash, searchFor }: typeof tools,
  values: readonly Uint8Array[],
  pieceBytes: number,
): (file: string) => Generator<number, LargeDigest> {
  const search = searchFor(values)
  // One may lie across two pieces.
  const overlap = Math.max(0, ...values.map(({ length }) => length - 1))
  return function* (file) {
    const memory = Buffer.allocUnsafe(overlap + pieceBytes)
    const sha256 = createHash('sha256')
    const found = new Set<number>()
    let size = 0
    let kept = 0
    const handle = openSync(file, 'r')
    try {
      for (;;) {
        const length = readSync(handle, memory, overlap, pieceBytes, null)
        if (length === 0) return { size, sha256: sha256.digest('hex'), found: [...found] }
        size += length
        const end = overlap + length
        sha256.update(memory.subarray(overlap, end))
        for (const index of search(memory.subarray(overlap - kept, end))) found.add(index)
        kept = Math.min(overlap, kept + length)
        memory.copyWithin(overlap - kept, end - kept, end)
        yield length
      }
    } finally {
      closeSync(handle)
    }
  }
}

/**
 * Digests files in this thread.
 *
 * @param turnBytes bytes after which whatever else it does gets its turn
 * @param signal ends it, with its reason
 */
export function digesterHere(values: readonly Uint8Array[], turnBytes: number, signal?: AbortSignal) {
  const digester = largeDigester(tools, values, smallBytes)
  return async (file: string): Promise<LargeDigest> => {
    const turn = yieldEvery(turnBytes, signal)
    const steps = digester(file)
    for (let step = steps.next(); ; step = steps.next()) {
      if (step.done) return step.value
      await turn(step.value)
    }
  }
}
