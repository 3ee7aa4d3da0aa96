import { createHash, hash, webcrypto } from 'node:crypto'
import { readInPieces } from './large-file.js'
import type { Search } from './secret-search.js'
import { readSmall } from './small-file.js'

/** What reading a file once tells. */
export interface Content {
  /** Bytes. */
  size: number
  /** Hex. */
  sha256: string
  /** Hex; only if it is asked for. */
  md5: string | undefined
  /** The values that it contains, by their index. */
  found: Iterable<number>
}

/** Looks for values in bytes; `longest` is the length of the longest one. */
export interface ContentSearch {
  search: Search
  longest: number
}

/** Bytes up to which a larger file is read whole. Each takes its size twice: `subtle.digest` copies it. */
const wholeBytes = 8 * 1024 * 1024

/** Of bytes so few that a thread would cost more than it saves. */
export function hashSmall(bytes: Buffer, { search }: ContentSearch, needsMd5: boolean): Content {
  return { size: bytes.length, sha256: hash('sha256', bytes), md5: md5Of(bytes, needsMd5), found: search(bytes) }
}

/**
 * Returns a function that reads a larger file and hashes it: whole, in Node's pool of threads, or in pieces if it is too large for that.
 *
 * @param signal ends it, with its reason
 */
export function largeHasher(values: ContentSearch, signal?: AbortSignal) {
  // Fresh memory for each file would cost as much time as hashing it.
  const spare: Buffer[] = []
  return async (file: string, size: number, needsMd5: boolean): Promise<Content> => {
    signal?.throwIfAborted()
    if (size > wholeBytes) return hashInPieces(file, values, needsMd5, signal)
    const memory = spare.pop() ?? Buffer.allocUnsafeSlow(wholeBytes + 1)
    try {
      const bytes = readSmall(file, memory)
      // Undefined if the file has grown.
      return bytes ? await hashWhole(bytes, values, needsMd5) : await hashInPieces(file, values, needsMd5, signal)
    } finally {
      spare.push(memory)
    }
  }
}

async function hashWhole(bytes: Buffer, { search }: ContentSearch, needsMd5: boolean): Promise<Content> {
  const hashing = webcrypto.subtle.digest('SHA-256', bytes)
  const found = search(bytes)
  const md5 = md5Of(bytes, needsMd5)
  return { size: bytes.length, md5, found, sha256: Buffer.from(await hashing).toString('hex') }
}

async function hashInPieces(
  file: string,
  { search, longest }: ContentSearch,
  needsMd5: boolean,
  signal?: AbortSignal,
): Promise<Content> {
  const sha256 = createHash('sha256')
  const md5 = needsMd5 ? createHash('md5') : undefined
  const found = new Set<number>()
  const overlap = Math.max(0, longest - 1)
  let size = 0
  let tail: Buffer = Buffer.alloc(0)
  const take = (piece: Buffer) => {
    size += piece.length
    sha256.update(piece)
    md5?.update(piece)
    // A value may lie across two pieces, or more if it is longer than one.
    const seam = Buffer.concat([tail, piece.subarray(0, overlap)])
    for (const bytes of [piece, seam]) for (const index of search(bytes)) found.add(index)
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
