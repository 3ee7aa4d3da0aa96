import type { ClientRequest } from 'node:http'
import { Readable } from 'node:stream'
import type { Body, Pieces } from '../core/bucket.js'
import { StaticS3Error } from '../core/error.js'

/**
 * Opens a body for one attempt and hands `send` its content and a signal to send it under. The content is exactly as
 * long as the body says, or the request is cut: with fewer bytes S3 would wait for the rest, and surplus ones would be
 * read as the next request.
 *
 * `send` needs the second signal, since a stream that breaks ends neither the request that it is piped into nor the
 * promise.
 *
 * @throws Error named `BodyUnreadable` (with the file system's code) or `BodyChanged`; whatever `send` throws
 */
export async function withBody<T>(
  body: Body,
  signal: AbortSignal | undefined,
  send: (content: Buffer | Readable, signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  const content = await body.open().catch((error: unknown) => {
    throw error instanceof StaticS3Error ? error : unreadable(error)
  })
  if (content instanceof Uint8Array) {
    if (content.byteLength !== body.size) throw changed(body.size, content.byteLength)
    return send(asBuffer(content), signal)
  }

  const cut = new AbortController()
  let broken: Error | undefined
  const outgoing = new Outgoing(exactly(body.size, content), (error) => {
    if (cut.signal.aborted) return
    broken = error.name === 'BodyChanged' || error instanceof StaticS3Error ? error : unreadable(error)
    cut.abort(broken)
  })
  try {
    return await send(outgoing, signal ? AbortSignal.any([signal, cut.signal]) : cut.signal)
  } catch (error) {
    // S3 may refuse before it has the whole body: without the cut, the rest of it would hold the socket.
    cut.abort()
    throw broken ?? error
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
  for await (const piece of pieces) {
    if (piece.length === 0) continue
    seen += piece.length
    if (seen > size) throw changed(size, seen)
    if (seen === size) last = Buffer.from(piece.subarray(-1))
    yield last ? piece.subarray(0, -1) : piece
  }
  if (seen < size) throw changed(size, seen)
  if (last) yield last
}

/**
 * A stream in the eyes of the SDK's handler, which pipes it into its request. Node's own would read on while what was read before waits for the socket;
 * this one asks for a piece when the one before has left, so that a file needs no more memory than one piece.
 */
class Outgoing extends Readable {
  readonly #pieces: AsyncIterable<Buffer>
  readonly #failed: (error: Error) => void

  constructor(pieces: AsyncIterable<Buffer>, failed: (error: Error) => void) {
    super()
    this.#pieces = pieces
    this.#failed = failed
  }

  override pipe<T extends NodeJS.WritableStream>(request: T): T {
    this.#writeTo(request as unknown as ClientRequest).catch(this.#failed)
    return request
  }

  async #writeTo(request: ClientRequest): Promise<void> {
    let goOn = () => {}
    // Of a piece that waits to be sent then, nobody says that it won't be.
    request.once('close', () => goOn())
    for await (const piece of this.#pieces) {
      await new Promise<void>((resolve) => {
        goOn = resolve
        request.write(piece, () => resolve())
      })
      if (request.destroyed) return
    }
    request.end()
  }
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
