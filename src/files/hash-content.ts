import { createHash, hash, webcrypto } from 'node:crypto'
import { readInPieces, readSmall } from './read-file.js'
import type { Search } from './secret-search.js'

/** The facts that one reading of a file gives. */
export interface Content {
  /** Bytes. */
  size: number
  /** Hex. */
  sha256: string
  /** Hex; undefined if it is not needed. */
  md5: string | undefined
  /** Indexes of the secrets that the file contains. */
  found: Iterable<number>
}

export interface ContentSearch {
  search: Search
  /** Bytes of the longest value. */
  longest: number
}

/** Another scan of a file's bytes while they are in memory: of the whole file, or of each piece and each seam in turn. */
export type Look = (bytes: Buffer) => void

/** Bytes before and after the seam of two pieces that a look gets at once: the longest text that it can find across a seam. */
export const seamBytes = 4096

/** Bytes of the largest file that is read whole. Reading takes twice this memory, because `subtle.digest` copies the bytes. */
const wholeBytes = 8 * 1024 * 1024

export function hashSmall(bytes: Buffer, { search }: ContentSearch, needsMd5: boolean): Content {
  return { size: bytes.length, sha256: hash('sha256', bytes), md5: md5Of(bytes, needsMd5), found: search(bytes) }
}

/**
 * Returns a function that reads and hashes a larger file: in Node's thread pool, or in pieces if it is too large for that.
 *
 * @param signal stops it, with its reason
 */
export function largeHasher(values: ContentSearch, signal?: AbortSignal) {
  // Allocating memory for each file would take as long as hashing it.
  const spare: Buffer[] = []
  return async (file: string, size: number, needsMd5: boolean, look?: Look): Promise<Content> => {
    signal?.throwIfAborted()
    if (size > wholeBytes) return hashInPieces(file, values, needsMd5, look, signal)
    const memory = spare.pop() ?? Buffer.allocUnsafeSlow(wholeBytes + 1)
    try {
      const bytes = readSmall(file, memory)
      // Undefined if the file has grown.
      return bytes
        ? await hashWhole(bytes, values, needsMd5, look)
        : await hashInPieces(file, values, needsMd5, look, signal)
    } finally {
      spare.push(memory)
    }
  }
}

async function hashWhole(
  bytes: Buffer,
  { search }: ContentSearch,
  needsMd5: boolean,
  look: Look | undefined,
): Promise<Content> {
  const hashing = webcrypto.subtle.digest('SHA-256', bytes)
  const found = search(bytes)
  look?.(bytes)
  const md5 = md5Of(bytes, needsMd5)
  return { size: bytes.length, md5, found, sha256: Buffer.from(await hashing).toString('hex') }
}

async function hashInPieces(
  file: string,
  { search, longest }: ContentSearch,
  needsMd5: boolean,
  look: Look | undefined,
  signal: AbortSignal | undefined,
): Promise<Content> {
  const sha256 = createHash('sha256')
  const md5 = needsMd5 ? createHash('md5') : undefined
  const found = new Set<number>()
  const overlap = Math.max(longest - 1, look ? seamBytes : 0, 0)
  let size = 0
  let tail: Buffer = Buffer.alloc(0)
  const take = (piece: Buffer) => {
    size += piece.length
    sha256.update(piece)
    md5?.update(piece)
    // A value may span two pieces, or more if it is longer than a piece.
    const seam = Buffer.concat([tail, piece.subarray(0, overlap)])
    for (const bytes of [piece, seam]) {
      for (const index of search(bytes)) found.add(index)
      look?.(bytes)
    }
    tail = endOf(Buffer.concat([tail, endOf(piece, overlap)]), overlap)
  }
  await readInPieces(file, take, signal)
  return { size, sha256: sha256.digest('hex'), md5: md5?.digest('hex'), found }
}

function md5Of(bytes: Buffer, needsMd5: boolean): string | undefined {
  return needsMd5 ? hash('md5', bytes) : undefined
}

function endOf(bytes: Buffer, length: number): Buffer {
  return bytes.subarray(Math.max(0, bytes.length - length))
}
