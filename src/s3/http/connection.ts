import type { Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { nameOf, type Origin, type ProxyServer } from './connect.js'
import type { Pool } from './connections.js'
import { type HttpResponse, ResponseReader } from './response.js'

export interface HttpRequest {
  origin: Origin
  method: string
  /** With the query, encoded as sent. */
  path: string
  headers: Readonly<Record<string, string>>
  /** Pieces require the header `content-length`. A piece may reuse the memory of the previous one. */
  body?: Buffer | AsyncIterable<Buffer> | undefined
  signal?: AbortSignal | undefined
  /** Called immediately before each write to the socket. If it throws, nothing more is sent: a request that has begun stays incomplete. */
  check?: (() => void) | undefined
  /** Limit for the body of the response: bytes. */
  mostBytes?: number
}

/** Milliseconds from the first byte to the last. A response that trickles is never idle. */
const LONGEST_RESPONSE = 600_000

/** Milliseconds for the head, and for the body of a response to GET. Each 8 kB of the body add a second. */
const USUAL_RESPONSE = 30_000
const BYTES_PER_MS = 8

/** Bytes. A page of a listing has up to 4 MB. */
const MOST_BYTES = 8 * 1024 ** 2

/** Bytes of one write, after a check. The head and the first bytes share a system call. */
const PIECE = 64 * 1024

/** A request that waits for a connection, or for its response on one. */
export interface Job {
  request: HttpRequest
  head: string
  resolve(response: HttpResponse): void
  reject(error: unknown): void
  /** Stops waiting, and rejects. */
  abort(reason: unknown): void
}

export class Connection {
  readonly #socket: Socket
  readonly #pool: Pool
  #job: Job | undefined
  #reader: ResponseReader | undefined
  /** Time of the first byte of the response. */
  #since = 0
  #isSent = false
  /** Ends the wait for a piece of a body to leave. */
  #goOn = () => {}
  /** The server announced to close the connection then. */
  #usableUntil = Number.POSITIVE_INFINITY

  constructor(socket: Socket, idleTimeout: number, pool: Pool) {
    this.#socket = socket
    this.#pool = pool
    socket.on('error', (error) => this.#lose(error))
    socket.on('data', (piece) => this.#read(piece))
    socket.once('end', () => this.#finish(this.#reader?.end()))
    socket.once('close', () => {
      this.#lose(hangUp())
      this.#goOn()
      pool.onClosed(this)
    })
    socket.setTimeout(idleTimeout, () => {
      this.#lose(timeout(`silent for ${idleTimeout} ms`))
    })
  }

  isUsable(): boolean {
    if (this.#socket.destroyed || !this.#socket.writable) return false
    if (performance.now() < this.#usableUntil) return true
    this.#socket.destroy()
    return false
  }

  run(job: Job): void {
    const { request, head } = job
    const { body = nothing } = request
    this.#isSent = false
    this.#job = job
    job.abort = (reason) => {
      // This job may be done, and the connection may serve the next one.
      if (this.#job === job) this.#break(reason)
    }
    this.#reader = new ResponseReader(request.method, request.mostBytes ?? MOST_BYTES)
    this.#since = 0
    if (!Buffer.isBuffer(body)) void this.#sendPieces(job, body)
    else if (body.length > PIECE) void this.#sendPieces(job, piecesOf(body))
    else this.#sendAtOnce(job, join(head, body))
  }

  #sendAtOnce({ request, reject }: Job, bytes: Buffer): void {
    try {
      // Nothing stands between this and the write: a process may be frozen at any point.
      request.check?.()
    } catch (error) {
      this.#job = this.#reader = undefined
      reject(error)
      this.#pool.onIdle(this)
      return
    }
    this.#isSent = true
    this.#socket.write(bytes)
  }

  async #sendPieces(job: Job, pieces: Iterable<Buffer> | AsyncIterable<Buffer>): Promise<void> {
    let { head } = job
    try {
      for await (const piece of pieces) {
        if (this.#job !== job) return
        const bytes = head === '' ? piece : join(head, piece)
        head = ''
        job.request.check?.()
        await new Promise<void>((resolve) => {
          // Node never calls back for a piece that is still queued when the socket closes.
          this.#goOn = resolve
          this.#socket.write(bytes, () => resolve())
        })
        this.#pool.heard()
      }
      if (this.#job !== job) return
      if (head !== '') {
        job.request.check?.()
        this.#socket.write(head, 'latin1')
      }
      this.#isSent = true
    } catch (error) {
      if (this.#job === job) this.#break(error)
    }
  }

  #read(piece: Buffer): void {
    // A 408 before the server closes must not pass for the response to the next request.
    if (!this.#reader) {
      this.#socket.destroy()
      return
    }
    this.#since ||= performance.now()
    this.#pool.heard()
    try {
      const response = this.#reader.push(piece)
      if (response) this.#finish(response)
      else if (performance.now() - this.#since > this.#longest(this.#reader)) throw timeout('the response does not end')
    } catch (error) {
      this.#break(error)
    }
  }

  /** S3 sends spaces for minutes while it copies an object or joins its parts. */
  #longest({ hasHead, received }: ResponseReader): number {
    if (hasHead && this.#job?.request.method !== 'GET') return LONGEST_RESPONSE
    return Math.min(LONGEST_RESPONSE, USUAL_RESPONSE + received / BYTES_PER_MS)
  }

  #finish(response: HttpResponse | undefined): void {
    const job = this.#job
    if (!response || !job) {
      this.#lose(hangUp())
      return
    }
    // A refusal may come before the body is sent. The server would read the rest of it as the next request.
    const isReusable = this.#reader?.keepsAlive && this.#isSent && this.#socket.writableLength === 0
    this.#job = this.#reader = undefined
    job.resolve(response)
    if (!isReusable) {
      this.#socket.destroy()
      return
    }
    const seconds = /\btimeout=(\d+)/.exec(response.headers['keep-alive'] ?? '')?.[1]
    // A second less: a request that crosses the server's close is lost.
    if (seconds !== undefined) this.#usableUntil = performance.now() + (Number(seconds) - 1) * 1000
    this.#pool.onIdle(this)
  }

  close(): void {
    this.#socket.destroy()
  }

  /** The server or the network ended the connection. */
  #lose(error: Error): void {
    if (this.#job) this.#pool.onBroken()
    this.#break(error)
  }

  #break(error: unknown): void {
    const job = this.#job
    this.#job = this.#reader = undefined
    this.#socket.destroy()
    job?.reject(error)
  }
}

const nothing = Buffer.alloc(0)

function join(head: string, body: Buffer): Buffer {
  const whole = Buffer.allocUnsafe(head.length + body.length)
  whole.write(head, 'latin1')
  body.copy(whole, head.length)
  return whole
}

function* piecesOf(body: Buffer): Generator<Buffer> {
  for (let from = 0; from < body.length; from += PIECE) yield body.subarray(from, from + PIECE)
}

export function headOf(
  { method, path, headers, body }: HttpRequest,
  origin: Origin,
  proxy: ProxyServer | undefined,
): string {
  if (!/^[\x21-\x7e]+$/.test(path))
    throw invalid('ERR_UNESCAPED_CHARACTERS', 'Request path contains unescaped characters')
  // Through a tunnel, the proxy is not seen.
  const seen = origin.isSecure ? undefined : proxy
  let head = `${method} ${seen ? `http://${nameOf(origin)}` : ''}${path} HTTP/1.1\r\n`
  for (const name in headers) {
    const value = headers[name] as string
    if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(name) || /[^\t\x20-\x7e\x80-\xff]/.test(value)) {
      throw invalid('ERR_INVALID_CHAR', `Invalid character in header content ["${name}"]`)
    }
    head += `${name}: ${value}\r\n`
  }
  if (headers.host === undefined) head += `host: ${nameOf(origin)}\r\n`
  if (seen?.authorization !== undefined) head += `proxy-authorization: ${seen.authorization}\r\n`
  if (headers['content-length'] === undefined && (body !== undefined || /^P/.test(method))) {
    if (body !== undefined && !Buffer.isBuffer(body)) throw new TypeError('pieces of unknown length')
    head += `content-length: ${body?.length ?? 0}\r\n`
  }
  return `${head}\r\n`
}

function invalid(code: string, message: string): Error {
  return Object.assign(new TypeError(message), { code })
}

function hangUp(): Error {
  return Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' })
}

function timeout(message: string): Error {
  return Object.assign(new Error(message), { name: 'TimeoutError' })
}
