import { closeSync, fstatSync, openSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { finished } from 'node:stream/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readInPieces, streamOf } from '../src/core/large-file.js'

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

describe('others get their turn', () => {
  beforeEach(() => writeFile(file, Buffer.alloc(40 * 1024 * 1024)))

  it('while a file is read in pieces, and may end that', async () => {
    expect(await turnsDuring(readInPieces(file, 0, () => {}))).toBeGreaterThanOrEqual(4)
    const stop = new AbortController()
    setImmediate(() => stop.abort(new Error('enough')))
    let seen = 0
    const reading = readInPieces(file, 0, ({ length }) => (seen += length), stop.signal)
    await expect(reading).rejects.toThrow('enough')
    expect(seen).toBeLessThan(40 * 1024 * 1024)
  })

  it('while streams are read', async () => {
    const streams = Array.from({ length: 3 }, () => streamOf(openSync(file, 'r')))
    const read = async (stream: Readable) => {
      for await (const _ of stream) {
        // Nothing here waits.
      }
    }
    expect(await turnsDuring(Promise.all(streams.map(read)))).toBeGreaterThanOrEqual(40)
  })

  it('and a stream that is destroyed meanwhile reads no more', async () => {
    const handle = openSync(file, 'r')
    const stream = streamOf(handle)
    let seen = 0
    stream.on('data', ({ length }: Buffer) => {
      seen += length
      if (seen === 1024 * 1024) stream.destroy()
    })
    await finished(stream).catch(() => {})
    await new Promise((done) => setImmediate(done))
    expect(seen).toBe(1024 * 1024)
    expect(isClosed(handle)).toBe(true)
  })
})

describe('an open file as a stream', () => {
  it.each([0, 1, 64 * 1024, 1_000_000])('has all %i bytes, and is closed at its end', async (size) => {
    const content = contentOf(size)
    await writeFile(file, content)
    const handle = openSync(file, 'r')
    expect((await buffer(streamOf(handle))).equals(content)).toBe(true)
    expect(isClosed(handle)).toBe(true)
  })

  it.each<[when: string, begin: (stream: Readable) => unknown]>([
    ['before it is read', () => {}],
    ['halfway', (stream) => stream.iterator({ destroyOnReturn: false }).next()],
  ])('is closed when it is given up %s', async (_when, begin) => {
    await writeFile(file, contentOf(1_000_000))
    const handle = openSync(file, 'r')
    const stream = streamOf(handle)
    await begin(stream)
    stream.destroy()
    await finished(stream).catch(() => {})
    expect(isClosed(handle)).toBe(true)
  })

  it('fails with the code of the file system, and is closed', async () => {
    const handle = openSync(dir, 'r')
    await expect(buffer(streamOf(handle))).rejects.toMatchObject({ code: 'EISDIR' })
    expect(isClosed(handle)).toBe(true)
  })

  it('fails with the code where its file was closed by somebody else', async () => {
    await writeFile(file, 'content')
    const handle = openSync(file, 'r')
    const stream = streamOf(handle)
    closeSync(handle)
    await expect(buffer(stream)).rejects.toMatchObject({ code: 'EBADF' })
  })
})
