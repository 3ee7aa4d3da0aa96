import { closeSync, fstatSync, openSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Pieces } from '../../src/bucket/bucket.js'
import { piecesOf, readInPieces } from '../../src/files/read-file.js'

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

const isClosed = (handle: number): boolean => {
  try {
    fstatSync(handle)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EBADF'
  }
}

describe('a file in pieces', () => {
  it.each([0, 1, piece, piece + 1, 3 * piece + 5])('of %i bytes is read to its end', async (size) => {
    const content = contentOf(size)
    await writeFile(file, content)
    const copies: Buffer[] = []
    await readInPieces(file, (one) => copies.push(Buffer.from(one)))
    expect(Buffer.concat(copies).equals(content)).toBe(true)
  })

  it('rejects with the error of `take`', async () => {
    await writeFile(file, 'content')
    const error = new Error('enough')
    const reading = readInPieces(file, () => {
      throw error
    })
    await expect(reading).rejects.toBe(error)
  })
})

/** How often whatever else the process does gets its turn meanwhile. */
async function turnsDuring(work: Promise<unknown>): Promise<number> {
  let turns = 0
  let isOver = false
  const count = () => {
    turns++
    if (!isOver) setImmediate(count)
  }
  setImmediate(count)
  await work
  isOver = true
  return turns
}

describe('the event loop runs', () => {
  beforeEach(() => writeFile(file, Buffer.alloc(40 * 1024 * 1024)))

  it('while a file is read in pieces, and a signal may stop that', async () => {
    expect(await turnsDuring(readInPieces(file, () => {}))).toBeGreaterThanOrEqual(4)
    const stop = new AbortController()
    setImmediate(() => stop.abort(new Error('enough')))
    let seen = 0
    const reading = readInPieces(file, ({ length }) => (seen += length), stop.signal)
    await expect(reading).rejects.toThrow('enough')
    expect(seen).toBeLessThan(40 * 1024 * 1024)
  })

  it('while several files are sent', async () => {
    const read = async (pieces: Pieces) => {
      for await (const _ of pieces) {
        // Nothing here waits.
      }
    }
    const files = Array.from({ length: 3 }, () => read(piecesOf(openSync(file, 'r'))))
    expect(await turnsDuring(Promise.all(files))).toBeGreaterThanOrEqual(40)
  })

  it('and destroy stops the reading meanwhile', async () => {
    const handle = openSync(file, 'r')
    const pieces = piecesOf(handle)
    let seen = 0
    for await (const { length } of pieces) {
      seen += length
      if (seen === 1024 * 1024) pieces.destroy()
    }
    expect(seen).toBe(1024 * 1024)
    expect(isClosed(handle)).toBe(true)
  })
})

/** Each piece is there until the next one is asked for. */
async function bytesOf(pieces: Pieces): Promise<Buffer> {
  const copies: Buffer[] = []
  for await (const each of pieces) copies.push(Buffer.from(each))
  return Buffer.concat(copies)
}

describe('the pieces of an open file', () => {
  it.each([0, 1, piece, 1_000_000])('have all %i bytes, and the last one closes the file', async (size) => {
    const content = contentOf(size)
    await writeFile(file, content)
    const handle = openSync(file, 'r')
    expect((await bytesOf(piecesOf(handle))).equals(content)).toBe(true)
    expect(isClosed(handle)).toBe(true)
  })

  it('share one memory', async () => {
    await writeFile(file, contentOf(1_000_000))
    const memories = new Set<ArrayBufferLike>()
    for await (const { buffer } of piecesOf(openSync(file, 'r'))) memories.add(buffer)
    expect(memories.size).toBe(1)
  })

  it.each<[when: string, begin: (pieces: Pieces) => unknown]>([
    ['before it is read', () => {}],
    ['halfway', (pieces) => pieces[Symbol.asyncIterator]().next()],
  ])('end when the file is given up %s: it is closed', async (_when, begin) => {
    await writeFile(file, contentOf(1_000_000))
    const handle = openSync(file, 'r')
    const pieces = piecesOf(handle)
    await begin(pieces)
    pieces.destroy()
    expect(isClosed(handle)).toBe(true)
    // Its number may be another file's by then.
    const other = openSync(file, 'r')
    pieces.destroy()
    expect(await bytesOf(pieces)).toHaveLength(0)
    expect(isClosed(other)).toBe(false)
    closeSync(other)
  })

  it('close the file if the reader stops early', async () => {
    await writeFile(file, contentOf(1_000_000))
    const handle = openSync(file, 'r')
    for await (const _ of piecesOf(handle)) break
    expect(isClosed(handle)).toBe(true)
  })

  it('fail with the code of the file system, and the file is closed', async () => {
    const handle = openSync(dir, 'r')
    await expect(bytesOf(piecesOf(handle))).rejects.toMatchObject({ code: 'EISDIR' })
    expect(isClosed(handle)).toBe(true)
  })

  it('fail with the code if other code closed the file', async () => {
    await writeFile(file, 'content')
    const handle = openSync(file, 'r')
    const pieces = piecesOf(handle)
    closeSync(handle)
    await expect(bytesOf(pieces)).rejects.toMatchObject({ code: 'EBADF' })
  })
})
