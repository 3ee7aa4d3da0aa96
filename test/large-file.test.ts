import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readInPieces } from '../src/core/large-file.js'

const piece = 256 * 1024

let dir: string
let file: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'static-s3-'))
  file = join(dir, 'file')
})
afterEach(() => rm(dir, { recursive: true }))

/** No two neighbours in it are alike, wherever it is cut. */
const contentOf = (size: number) => Buffer.from(Uint8Array.from({ length: size }, (_, i) => i * i + (i >> 8)))

describe('a file in pieces', () => {
  it.each([
    [0, 0],
    [1, 0],
    [piece, 9],
    [piece + 1, 9],
    [3 * piece + 5, 1],
    [3 * piece + 5, piece + 7],
    [3 * piece + 5, 5 * piece],
  ])('of %i bytes is all of it, each with up to %i bytes before', async (size, overlap) => {
    const content = contentOf(size)
    await writeFile(file, content)
    let seen = 0
    await readInPieces(file, overlap, (one, overlapping) => {
      const end = seen + one.length
      expect(one.equals(content.subarray(seen, end))).toBe(true)
      expect(overlapping.equals(content.subarray(Math.max(0, seen - overlap), end))).toBe(true)
      seen = end
    })
    expect(seen).toBe(size)
  })

  it('ends with what its reader throws', async () => {
    await writeFile(file, 'content')
    const error = new Error('enough')
    const reading = readInPieces(file, 0, () => {
      throw error
    })
    await expect(reading).rejects.toBe(error)
  })
})
