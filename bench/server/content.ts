import { createHash, type Hash, hash } from 'node:crypto'

/** MD5s of large contents by their `contentMark`, so that the server hashes none of them while a tool is measured. */
export type KnownContents = ReadonlyMap<string, string>

/** Identifies a content of the works by its first bytes and its length. */
export function contentMark(first: Buffer, size: number): string {
  return `${first.toString('latin1', 0, markBytes)}:${size}`
}

const markBytes = 32
/** Up to this size, a content is buffered and then hashed. */
const smallBytes = 64 * 1024

/** A received body. */
export interface Content {
  size: number
  /** Hex. */
  md5: string
  /** Only of a small body, or of one to keep. */
  bytes: Buffer | undefined
}

/** Takes the pieces of a body, plain or `aws-chunked`. Throws a large body away. */
export class ContentReader {
  readonly #known: KnownContents
  readonly #stated: string | undefined
  /** As the headers announce it, without `aws-chunked` framing. */
  readonly #size: number
  readonly #unwrap: boolean
  readonly #keeps: boolean
  readonly #pieces: Buffer[] = []
  #received = 0
  #md5: string | undefined
  #hash: Hash | undefined
  readonly #chunks = new ChunkReader((content) => this.#takeContent(content))

  constructor(headers: Record<string, string>, known: KnownContents, keep: boolean) {
    this.#known = known
    this.#unwrap = (headers['x-amz-content-sha256'] ?? '').startsWith('STREAMING-')
    this.#size = Number(headers['x-amz-decoded-content-length'] ?? headers['content-length'] ?? 0)
    this.#stated = headers['content-md5']
    this.#keeps = keep || (this.#size <= smallBytes && this.#stated === undefined)
  }

  take(piece: Buffer): void {
    if (!this.#keeps && (this.#md5 !== undefined || this.#stated !== undefined) && this.#received > 0) return
    if (this.#unwrap) this.#chunks.take(piece)
    else this.#takeContent(piece)
  }

  #takeContent(piece: Buffer): void {
    const isFirst = this.#received === 0
    this.#received += piece.length
    if (this.#keeps) {
      this.#pieces.push(piece)
      return
    }
    if (this.#stated !== undefined) return
    if (isFirst) {
      this.#md5 = this.#known.get(contentMark(piece, this.#size))
      if (this.#md5 === undefined) this.#hash = createHash('md5')
    }
    this.#hash?.update(piece)
  }

  /** True if the MD5 of a large content was unknown, so that the server hashed it. */
  get hashedLarge(): boolean {
    return this.#hash !== undefined
  }

  end(): Content {
    const bytes = this.#keeps ? Buffer.concat(this.#pieces) : undefined
    const md5 =
      (this.#stated === undefined ? undefined : Buffer.from(this.#stated, 'base64').toString('hex')) ??
      this.#md5 ??
      this.#hash?.digest('hex') ??
      hash('md5', bytes ?? Buffer.alloc(0))
    return { size: bytes?.length ?? this.#size, md5, bytes }
  }
}

/** Unwraps `aws-chunked`: a line `10000;chunk-signature=…`, the chunk, and so on. */
class ChunkReader {
  #line = ''
  #left = 0
  #over = false

  constructor(readonly content: (piece: Buffer) => void) {}

  take(piece: Buffer): void {
    for (let at = 0; at < piece.length && !this.#over; ) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, piece.length - at)
        this.content(piece.subarray(at, at + taken))
        this.#left -= taken
        at += taken
        continue
      }
      const end = piece.indexOf(10, at)
      this.#line += piece.toString('latin1', at, end < 0 ? piece.length : end)
      if (end < 0) return
      at = end + 1
      const line = this.#line.trim()
      this.#line = ''
      // The line end after a chunk.
      if (line === '') continue
      this.#left = Number.parseInt(line, 16)
      if (this.#left === 0) this.#over = true
    }
  }
}
