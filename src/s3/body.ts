import { pipeline, type Readable, Transform } from 'node:stream'
import type { Body } from '../core/bucket.js'
import { StaticS3Error } from '../core/error.js'

/** Bytes. Node 20's default of 16 KB makes four times as many trips through the stream. */
const CHUNK = 64 * 1024

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
  const exact = pipeline(content, exactly(body.size), (error) => {
    if (!error || cut.signal.aborted) return
    broken = error.name === 'BodyChanged' || error instanceof StaticS3Error ? error : unreadable(error)
    cut.abort(broken)
  })
  try {
    return await send(exact, signal ? AbortSignal.any([signal, cut.signal]) : cut.signal)
  } catch (error) {
    // S3 may refuse before it has the whole body: without the cut, the rest of it would hold the socket.
    cut.abort()
    throw broken ?? error
  } finally {
    content.destroy()
    exact.destroy()
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/**
 * Passes `size` bytes on, and fails before the last of them where there are more or fewer: the last chunk is held back
 * until it is known to be the last, or the request would be complete, and the object replaced, before the surplus shows.
 */
function exactly(size: number): Transform {
  let seen = 0
  let held: Buffer | undefined
  return new Transform({
    highWaterMark: CHUNK,
    transform(chunk: Buffer, _encoding, done) {
      seen += chunk.length
      if (seen > size) return done(changed(size, seen))
      const before = held
      held = chunk
      done(null, before)
    },
    flush(done) {
      if (seen < size) done(changed(size, seen))
      else done(null, held)
    },
  })
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
