import type { Body, Pieces } from '../../bucket/bucket.js'
import { StaticS3Error } from '../../runtime/error.js'

/**
 * Opens a body for one attempt and hands `send` its content, which is exactly as long as the body says, or breaks: with fewer bytes S3 would wait
 * for the rest, and surplus ones would be read as the next request.
 *
 * @throws Error named `BodyUnreadable` (with the file system's code) or `BodyChanged`; whatever `send` throws
 */
export async function withBody<T>(
  body: Body,
  send: (content: Buffer | AsyncIterable<Buffer>) => Promise<T>,
): Promise<T> {
  const content = await body.open().catch((error: unknown) => {
    throw asBodyError(error)
  })
  if (content instanceof Uint8Array) {
    if (content.byteLength !== body.size) throw changed(body.size, content.byteLength)
    return send(asBuffer(content))
  }
  try {
    return await send(exactly(body.size, content))
  } finally {
    content.destroy()
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/**
 * Passes `size` bytes on, and fails before the last of them where there are more or fewer: the last one is held back until it is known to be the
 * last, or the request would be complete, and the object replaced, before the surplus shows.
 */
async function* exactly(size: number, pieces: Pieces): AsyncGenerator<Buffer, void> {
  let seen = 0
  let last: Buffer | undefined
  try {
    for await (const piece of pieces) {
      if (piece.length === 0) continue
      seen += piece.length
      if (seen > size) throw changed(size, seen)
      if (seen === size) last = Buffer.from(piece.subarray(-1))
      yield last ? piece.subarray(0, -1) : piece
    }
  } catch (error) {
    throw asBodyError(error)
  }
  if (seen < size) throw changed(size, seen)
  if (last) yield last
}

function asBodyError(error: unknown): unknown {
  const isOurs = error instanceof StaticS3Error || (error as Error).name === 'BodyChanged'
  return isOurs ? error : unreadable(error)
}

export function changed(expected: number, found: number): Error {
  return Object.assign(new Error(`${expected} bytes expected, ${found} found`), { name: 'BodyChanged' })
}

/**
 * Keeps a file's error apart from the network's: both have errno codes, and only the network's is worth another try.
 */
export function unreadable(error: unknown): Error {
  const { code, message } = error as NodeJS.ErrnoException
  return Object.assign(new Error(message, { cause: error }), { name: 'BodyUnreadable', errnoCode: code ?? '' })
}
