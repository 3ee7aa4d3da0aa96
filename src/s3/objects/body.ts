import type { Body, Pieces } from '../../bucket/bucket.js'
import { StaticS3Error } from '../../runtime/error.js'

/**
 * Opens a body for one attempt. `send` gets exactly as many bytes as the body announces, or an error: S3 would wait for missing bytes, and read
 * surplus ones as the next request.
 *
 * @throws Error named `BodyUnreadable` (with the file system's code) or `BodyChanged`; errors of `send`
 */
export async function withBody<T>(
  body: Body,
  send: (content: Buffer | AsyncIterable<Buffer>) => Promise<T>,
): Promise<T> {
  const content = await body.open().catch((error: unknown) => {
    throw unreadable(error)
  })
  if (content instanceof Uint8Array) {
    const { buffer, byteOffset, byteLength } = content
    if (byteLength !== body.size) throw changed(body.size, byteLength)
    return send(Buffer.from(buffer, byteOffset, byteLength))
  }
  try {
    return await send(exactly(body.size, content))
  } finally {
    content.destroy()
  }
}

/** Holds back the last byte until the file ends: with it, the request would be complete, and the object replaced. */
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
    throw unreadable(error)
  }
  if (seen < size) throw changed(size, seen)
  if (last) yield last
}

export function changed(expected: number, found: number): Error {
  return Object.assign(new Error(`${expected} bytes expected, ${found} found`), { name: 'BodyChanged' })
}

/** Files and the network have errno codes in common, and only a failure of the network is worth another try. */
function unreadable(error: unknown): unknown {
  const { code = '', message, name } = error as NodeJS.ErrnoException
  if (error instanceof StaticS3Error || name === 'BodyChanged') return error
  return Object.assign(new Error(message, { cause: error }), { name: 'BodyUnreadable', errnoCode: code })
}
