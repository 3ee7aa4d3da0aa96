import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { connect, type Environment, nameOf, type Origin, type ProxyServer, proxyFor, type TlsState } from './connect.js'
import { Connection, type HttpRequest, headOf, type Job } from './connection.js'
import type { HttpResponse } from './response.js'
import { type Silence, watchSilence } from './silence.js'

export interface Connections {
  silence: Silence
  /** Sends a request, on an idle connection if there is one. */
  send(request: HttpRequest): Promise<HttpResponse>
  /** The server's choice of a protocol, and its certificate. */
  inspectTls(origin: Origin): Promise<TlsFacts>
  /** Opens connections until there are `count`, busy ones included. */
  warm(origin: Origin, count: number): void
  /** Destroys all connections. Requests under way fail, and so do later ones. */
  close(): void
}

export interface TlsFacts {
  /** The protocol that the server picks if HTTP/2 is offered. */
  protocol: string
  validTo: Date
}

/**
 * Milliseconds without a byte in either direction. Long, because bytes count as sent once the kernel has them: on a slow line with large
 * buffers, a healthy socket is silent for a minute. S3 drops a silent client after about 20 seconds.
 */
const IDLE_TIMEOUT = 120_000

/** @param most connections to one origin */
export function openConnections(
  most: number,
  { env = process.env, idleTimeout = IDLE_TIMEOUT }: { env?: Environment; idleTimeout?: number } = {},
): Connections {
  const pools = new Map<string, Pool>()
  const silence = watchSilence()
  let isClosed = false
  const poolOf = (origin: Origin) => {
    const name = `${origin.isSecure} ${origin.host} ${origin.port}`
    const pool = pools.get(name) ?? new Pool(origin, proxyFor(origin, env), most, idleTimeout, silence)
    pools.set(name, pool)
    return pool
  }
  return {
    silence,
    async send(request) {
      if (isClosed) throw closed()
      return poolOf(request.origin).send(request)
    },
    async inspectTls(origin) {
      const socket = await connect(origin, proxyFor(origin, env), { protocols: ['h2', 'http/1.1'] }, () => {})
      const { alpnProtocol, getPeerCertificate } = socket as TLSSocket
      const { valid_to } = getPeerCertificate.call(socket)
      socket.destroy()
      return { protocol: alpnProtocol || 'http/1.1', validTo: new Date(valid_to) }
    },
    warm(origin, count) {
      if (!isClosed) poolOf(origin).warm(count)
    },
    close() {
      isClosed = true
      silence.close()
      for (const pool of pools.values()) pool.close()
    },
  }
}

export class Pool {
  readonly #origin: Origin
  readonly #proxy: ProxyServer | undefined
  readonly #most: number
  readonly #idleTimeout: number
  readonly #silence: Silence
  readonly #tls: TlsState = {}
  /** The sockets of all connections, open or opening. */
  readonly #sockets = new Set<Socket>()
  readonly #idle: Connection[] = []
  readonly #waiting: Job[] = []
  #opening = 0

  constructor(origin: Origin, proxy: ProxyServer | undefined, most: number, idleTimeout: number, silence: Silence) {
    this.#origin = origin
    this.#proxy = proxy
    this.#most = most
    this.#idleTimeout = idleTimeout
    this.#silence = silence
  }

  async send(request: HttpRequest): Promise<HttpResponse> {
    const { signal } = request
    signal?.throwIfAborted()
    this.#silence.asked(nameOf(this.#origin) + (this.#proxy ? ` through the proxy ${nameOf(this.#proxy.origin)}` : ''))
    const head = headOf(request, this.#origin, this.#proxy)
    let onAbort = () => {}
    try {
      return await new Promise<HttpResponse>((resolve, reject) => {
        const abort = (reason: unknown) => {
          const place = this.#waiting.indexOf(job)
          if (place >= 0) this.#waiting.splice(place, 1)
          reject(reason)
        }
        const job: Job = { request, head, resolve, reject, abort }
        onAbort = () => job.abort(signal?.reason)
        signal?.addEventListener('abort', onAbort)
        this.#waiting.push(job)
        this.#match()
      })
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  warm(count: number): void {
    while (this.#sockets.size < Math.min(count, this.#most)) this.#open()
  }

  close(): void {
    for (const job of this.#waiting.splice(0)) job.reject(closed())
    for (const socket of this.#sockets) socket.destroy()
  }

  heard(): void {
    this.#silence.heard()
  }

  onIdle(connection: Connection): void {
    this.#idle.push(connection)
    this.#match()
  }

  onClosed(connection: Connection): void {
    const place = this.#idle.indexOf(connection)
    if (place >= 0) this.#idle.splice(place, 1)
  }

  /** Idle connections may be broken as well, though Node has not noticed: no retry must take one. */
  onBroken(): void {
    for (const connection of this.#idle.splice(0)) connection.close()
  }

  /** Gives waiting requests to idle connections. A request takes the first free one, new or used. */
  #match(): void {
    while (this.#waiting.length > 0 && this.#idle.length > 0) {
      const connection = this.#idle.pop() as Connection
      if (!connection.isUsable()) continue
      connection.run(this.#waiting.shift() as Job)
    }
    while (this.#opening < this.#waiting.length && this.#sockets.size < this.#most) this.#open()
  }

  #open(): void {
    this.#opening++
    const opening = (socket: Socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => {
        this.#sockets.delete(socket)
        this.#match()
      })
    }
    connect(this.#origin, this.#proxy, this.#tls, opening).then(
      (socket) => {
        this.#opening--
        this.onIdle(new Connection(socket, this.#idleTimeout, this))
      },
      (error: unknown) => {
        this.#opening--
        // Other connections may fail alike, so the oldest request does not wait for one.
        const job = this.#waiting.length > this.#opening ? this.#waiting.shift() : undefined
        job?.reject(error)
      },
    )
  }
}

function closed(): Error {
  return Object.assign(new Error('the connections were closed'), { code: 'ERR_SOCKET_CLOSED' })
}
