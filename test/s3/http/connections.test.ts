import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, connect as connectTcp, createServer as createTcpServer, type Socket } from 'node:net'
import { createServer as createRawTlsServer } from 'node:tls'
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { patience } from '../../../fixtures/patience.js'
import { selfSigned } from '../../../fixtures/s3/self-signed.js'
import { type Origin, proxyFor } from '../../../src/s3/http/connect.js'
import type { HttpRequest } from '../../../src/s3/http/connection.js'
import { type Connections, openConnections } from '../../../src/s3/http/connections.js'

const { key, cert } = selfSigned()
vi.hoisted(() => {
  // Verified elsewhere, in a process of its own: see security.test.ts.
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
})
afterAll(() => {
  delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
})

const open: { close(): void }[] = []
afterEach(() => {
  for (const each of open.splice(0)) each.close()
})

function connect(most = 64, options: Parameters<typeof openConnections>[1] = {}): Connections {
  const connections = openConnections(most, { env: {}, ...options })
  open.push(connections)
  return connections
}

const get = (origin: Origin, more: Partial<HttpRequest> = {}): HttpRequest => ({
  origin,
  method: 'GET',
  path: '/',
  headers: {},
  ...more,
})

/** A server that is told byte by byte what to say. */
async function rawServer(
  onConnection: (socket: Socket, count: number) => void,
  isSecure = false,
): Promise<Origin & { sockets: Socket[] }> {
  const sockets: Socket[] = []
  const connected = (socket: Socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    onConnection(socket, sockets.length)
  }
  const server = isSecure ? createRawTlsServer({ key, cert }, connected) : createTcpServer(connected)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  open.push({
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  })
  return { isSecure, host: '127.0.0.1', port: (server.address() as AddressInfo).port, sockets }
}

const ok = (body = '', more = '') => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n${more}\r\n${body}`

describe.each(['http', 'https'] as const)('connections over %s', (protocol) => {
  let server: Server
  let origin: Origin
  let sockets: Set<Socket>
  let connections: Connections

  beforeEach(async () => {
    const answer = (request: IncomingMessage, response: ServerResponse) => {
      request.resume().once('end', () => response.end('answer'))
    }
    server = protocol === 'http' ? createServer(answer) : createTlsServer({ key, cert }, answer)
    sockets = new Set()
    server.on(protocol === 'http' ? 'connection' : 'secureConnection', (socket) => sockets.add(socket))
    await once(server.listen(0, '127.0.0.1'), 'listening')
    origin = { isSecure: protocol === 'https', host: '127.0.0.1', port: (server.address() as AddressInfo).port }
    connections = connect()
  })
  afterEach(() => server.close().closeAllConnections())

  const ask = async (more: Partial<HttpRequest> = {}) => (await connections.send(get(origin, more))).body.toString()
  const opened = (count: number) => vi.waitFor(() => expect(sockets.size).toBe(count), patience)
  const answers = (count: number) => Promise.all(Array.from({ length: count }, () => ask()))

  it('are opened ahead, and then used', async () => {
    connections.warm(origin, 8)
    await opened(8)
    expect(await answers(8)).toEqual(Array(8).fill('answer'))
    expect(sockets.size).toBe(8)
  })

  it('are not opened where as many are there', async () => {
    await answers(3)
    connections.warm(origin, 3)
    connections.warm(origin, 5)
    connections.warm(origin, 5)
    await opened(5)
    await answers(5)
    expect(sockets.size).toBe(5)
  })

  it('are used again, and no more than there may be', async () => {
    connections = connect(4)
    for (let n = 0; n < 3; n++) await answers(20)
    expect(sockets.size).toBe(4)
  })

  it('are used again after a body of any size, in one piece and in several', async () => {
    const pieces = async function* () {
      const memory = Buffer.alloc(50_000)
      for (let n = 0; n < 20; n++) yield memory.fill(n)
    }
    for (const size of [0, 1, 2000, 60_000, 70_000, 1_000_000]) {
      await ask({ method: 'PUT', headers: { 'content-length': `${size}` }, body: Buffer.alloc(size) })
    }
    await ask({ method: 'PUT', headers: { 'content-length': '1000000' }, body: pieces() })
    await ask()
    expect(sockets.size).toBe(1)
  })

  it('that the server has closed meanwhile are opened anew', async () => {
    connections.warm(origin, 4)
    await opened(4)
    // A server may see a reset first, which `once` would take for a failure.
    const closed = [...sockets].map((socket) => new Promise((done) => socket.on('error', () => {}).once('close', done)))
    for (const socket of sockets) socket.destroy()
    await Promise.all(closed)
    // Our side hears of it a moment later; a request in that moment fails, and is sent again.
    await vi.waitFor(async () => expect(await ask()).toBe('answer'), patience)
  })

  it('are not trusted when another one breaks: a request that is sent again at once arrives', async () => {
    connections.warm(origin, 6)
    await opened(6)
    await answers(6)
    server.removeAllListeners('request')
    server.once('request', () => {
      server.on('request', (_request, response) => response.end('again'))
      for (const socket of sockets) socket.destroy()
    })
    await expect(ask()).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect(await ask()).toBe('again')
  })

  it('that a server has given up with a last word are not used', async () => {
    connections.warm(origin, 4)
    await opened(4)
    // A server may see a reset first, which `once` would take for a failure.
    const closed = [...sockets].map((socket) => new Promise((done) => socket.on('error', () => {}).once('close', done)))
    for (const socket of sockets) socket.end('HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n')
    await Promise.all(closed)
    const answers = await Promise.all([1, 2, 3].map(() => vi.waitFor(() => ask(), patience)))
    expect(answers).toEqual(['answer', 'answer', 'answer'])
  })

  it('are closed in the end, and none is opened after it', async () => {
    connections.warm(origin, 4)
    await opened(4)
    // A server may see a reset first, which `once` would take for a failure.
    const closed = [...sockets].map((socket) => new Promise((done) => socket.on('error', () => {}).once('close', done)))
    connections.close()
    await Promise.all(closed)
    await expect(ask()).rejects.toMatchObject({ code: 'ERR_SOCKET_CLOSED' })
    connections.warm(origin, 4)
    expect(sockets.size).toBe(4)
  })

  it('resume their TLS session', async () => {
    if (protocol === 'http') return
    const resumed: boolean[] = []
    server.on('secureConnection', (socket) => resumed.push(socket.isSessionReused()))
    await ask()
    connections.warm(origin, 3)
    await opened(3)
    expect(resumed).toEqual([false, true, true])
  })
})

describe('a request', () => {
  it('is checked immediately before its first byte, and leaves nothing where that throws', async () => {
    let seen = ''
    const origin = await rawServer((socket) => {
      socket.on('data', (piece) => {
        seen += piece
        socket.write(ok())
      })
    })
    const connections = connect(1)
    const order: string[] = []
    const checked = (name: string) => ({
      path: `/${name}`,
      check() {
        order.push(`${name} after ${seen.match(/GET/g)?.length ?? 0}`)
        if (name === 'lost') throw new Error('the lock is lost')
      },
    })
    const results = await Promise.allSettled(
      ['first', 'lost', 'last'].map((name) => connections.send(get(origin, checked(name)))),
    )
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(order).toEqual(['first after 0', 'lost after 1', 'last after 1'])
    expect(seen).not.toContain('/lost')
    expect(origin.sockets).toHaveLength(1)
  })

  it('with a body of no pieces is checked too', async () => {
    let received = 0
    const origin = await rawServer((socket) => {
      socket.on('data', ({ length }) => {
        received += length
        socket.write(ok())
      })
    })
    const body = (async function* (): AsyncGenerator<Buffer> {})()
    const check = () => {
      throw new Error('the lock is lost')
    }
    const sending = connect(1).send(get(origin, { method: 'PUT', headers: { 'content-length': '0' }, body, check }))
    await expect(sending).rejects.toThrow('the lock is lost')
    await vi.waitFor(() => expect(origin.sockets[0]?.destroyed).toBe(true), patience)
    expect(received).toBe(0)
  })

  const inPieces = async function* () {
    for (let n = 0; n < 4; n++) yield Buffer.alloc(50_000)
  }
  it.each<[what: string, body: () => HttpRequest['body']]>([
    ['in one piece', () => Buffer.alloc(200_000)],
    ['in several pieces', inPieces],
  ])(
    'with a large body %s is checked before each piece, and stays incomplete where that throws',
    async (_what, body) => {
      let received = 0
      const origin = await rawServer((socket) => {
        socket.on('data', ({ length }) => {
          received += length
          if (received > 200_000) socket.write(ok())
        })
      })
      const request = { method: 'PUT', headers: { 'content-length': '200000' } }
      let checks = 0
      await connect(1).send(get(origin, { ...request, body: body(), check: () => void checks++ }))
      expect(checks).toBe(4)
      const whole = received
      received = 0
      const lose = () => {
        if (--checks === 0) throw new Error('the lock is lost')
      }
      const sending = connect(1).send(get(origin, { ...request, body: body(), check: lose }))
      await expect(sending).rejects.toThrow('the lock is lost')
      await vi.waitFor(() => expect(origin.sockets[1]?.destroyed).toBe(true), patience)
      expect(received).toBeGreaterThan(0)
      expect(received).toBeLessThan(whole)
    },
  )

  it('whose own check aborts its signal ends no other request', async () => {
    const origin = await rawServer((socket) => socket.on('data', () => socket.write(ok('answer'))))
    const connections = connect(1)
    const stop = new AbortController()
    const check = () => {
      stop.abort(new Error('the lock is lost'))
      stop.signal.throwIfAborted()
    }
    const [lost, ...others] = [{ signal: stop.signal, check }, {}, {}].map((more) =>
      connections.send(get(origin, more)),
    )
    await expect(lost).rejects.toThrow('the lock is lost')
    for (const other of others) expect((await other).body.toString()).toBe('answer')
  })

  it('that has its response is not ended, and neither is the next one on its connection', async () => {
    const origin = await rawServer((socket) => socket.on('data', () => socket.write(ok('answer'))))
    const connections = connect(1)
    const stop = new AbortController()
    const first = connections.send(get(origin, { signal: stop.signal }))
    // Begins as soon as the first response is there, and before anybody has read that.
    const next = connections.send(get(origin, { check: () => stop.abort(new Error('stopped')) }))
    expect((await first).body.toString()).toBe('answer')
    expect((await next).body.toString()).toBe('answer')
    expect(origin.sockets).toHaveLength(1)
  })

  it.each(['before it is sent', 'while it waits for a connection', 'while it waits for a response'])(
    'ends when its signal aborts %s, alone',
    async (when) => {
      const origin = await rawServer((socket) => {
        socket.on('data', (piece) => {
          if (String(piece).includes('/other')) setTimeout(() => socket.write(ok('other')), 50)
        })
      })
      const connections = connect(when === 'while it waits for a connection' ? 1 : 2)
      const stop = new AbortController()
      if (when === 'before it is sent') stop.abort(new Error('stopped'))
      const other = connections.send(get(origin, { path: '/other' }))
      const ended = connections.send(get(origin, { signal: stop.signal }))
      if (when === 'while it waits for a response')
        await vi.waitFor(() => expect(origin.sockets).toHaveLength(2), patience)
      stop.abort(new Error('stopped'))
      await expect(ended).rejects.toThrow('stopped')
      expect((await other).body.toString()).toBe('other')
    },
  )

  it('ends under a signal that many share, and later ones go on under another', async () => {
    const origin = await rawServer((socket) => {
      socket.on('data', (piece) => void (String(piece).includes('/silent') || socket.write(ok())))
    })
    const connections = connect(4)
    const [one, two] = [new AbortController(), new AbortController()]
    for (let n = 0; n < 5; n++) await connections.send(get(origin, { signal: one.signal }))
    await connections.send(get(origin, { signal: two.signal }))
    const silent = [one, two].map(({ signal }) => connections.send(get(origin, { path: '/silent', signal })))
    one.abort(new Error('one'))
    await expect(silent[0]).rejects.toThrow('one')
    two.abort(new Error('two'))
    await expect(silent[1]).rejects.toThrow('two')
  })

  it('that is answered before its body is sent has its answer, and its connection is closed', async () => {
    const origin = await rawServer((socket) => {
      socket.once('data', () => {
        socket.pause()
        socket.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno')
      })
    })
    const connections = connect(1)
    let ended = 0
    const pieces = async function* () {
      try {
        for (let n = 0; n < 200; n++) yield Buffer.alloc(100_000)
      } finally {
        ended++
      }
    }
    const headers = { 'content-length': '20000000' }
    for (const body of [pieces(), Buffer.alloc(20_000_000), pieces()]) {
      expect(await connections.send(get(origin, { method: 'PUT', headers, body }))).toMatchObject({ status: 403 })
    }
    expect(origin.sockets).toHaveLength(3)
    await vi.waitFor(() => expect(ended).toBe(2), patience)
  })

  it('whose pieces break cuts its connection, and fails with their error', async () => {
    const closed: boolean[] = []
    const origin = await rawServer((socket) => socket.on('close', () => closed.push(true)).resume())
    const pieces = async function* () {
      yield Buffer.from('a')
      throw new Error('the file is gone')
    }
    const sending = connect().send(get(origin, { method: 'PUT', headers: { 'content-length': '2' }, body: pieces() }))
    await expect(sending).rejects.toThrow('the file is gone')
    await vi.waitFor(() => expect(closed).toEqual([true]), patience)
  })

  it.each<[what: string, request: Partial<HttpRequest>, code: string]>([
    ['a line break in a header', { headers: { a: 'b\r\nc: d' } }, 'ERR_INVALID_CHAR'],
    ['a character beyond Latin-1', { headers: { a: '€' } }, 'ERR_INVALID_CHAR'],
    ['a blank in a path', { path: '/a b' }, 'ERR_UNESCAPED_CHARACTERS'],
  ])('with %s is not sent', async (_what, request, code) => {
    const origin = await rawServer(() => {})
    await expect(connect().send(get(origin, request))).rejects.toMatchObject({ code })
    expect(origin.sockets).toEqual([])
  })
})

describe('a response', () => {
  const answered = async (
    bytes: string,
    options?: Parameters<typeof openConnections>[1],
    more?: Partial<HttpRequest>,
  ) => {
    const origin = await rawServer((socket) => socket.once('data', () => socket.end(bytes, 'latin1')))
    return connect(1, options).send(get(origin, more))
  }

  it.each<[what: string, bytes: string, code: string]>([
    ['none', '', 'ECONNRESET'],
    ['half a head', 'HTTP/1.1 200 OK\r\nConte', 'ECONNRESET'],
    ['half a body', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab', 'ECONNRESET'],
    ['half a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab', 'ECONNRESET'],
    ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n\r\n\r\n', 'MalformedResponse'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef', 'MalformedResponse'],
    ['a head without end', `HTTP/1.1 200 OK\r\na: ${'x'.repeat(100_000)}`, 'ResponseTooLarge'],
    ['a body without end', `HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(9_000_000)}`, 'ResponseTooLarge'],
    ['an error without end', `HTTP/1.1 502 Bad\r\n\r\n${'x'.repeat(1_100_000)}`, 'ResponseTooLarge'],
    ['a body of a terabyte', 'HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n', 'ResponseTooLarge'],
  ])('that is %s is an error', async (_what, bytes, code) => {
    await expect(answered(bytes)).rejects.toMatchObject({ code })
  })

  it('longer than it may be is an error', async () => {
    await expect(answered('HTTP/1.1 200 OK\r\n\r\nabcdef', {}, { mostBytes: 5 })).rejects.toMatchObject({
      code: 'ResponseTooLarge',
    })
    expect((await answered('HTTP/1.1 200 OK\r\n\r\nabcde', {}, { mostBytes: 5 })).body.toString()).toBe('abcde')
  })

  it('that does not come is waited for as long as it may be silent', async () => {
    const origin = await rawServer((socket) => {
      socket.on('data', () => {
        const bytes = ok('slow')
        // Slower as a whole, but never as silent.
        const timers = [...bytes].map((byte, n) => setTimeout(() => socket.write(byte), n * 40))
        socket.on('close', () => timers.forEach(clearTimeout))
      })
    })
    const silent = await rawServer(() => {})
    const connections = connect(2, { idleTimeout: 1000 })
    expect((await connections.send(get(origin))).body.toString()).toBe('slow')
    await expect(connections.send(get(silent))).rejects.toMatchObject({ name: 'TimeoutError' })
  })

  const head = 'HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n'
  it.each<[what: string, method: string, start: string, seconds: number]>([
    ['whose head trickles', 'PUT', 'HTTP/1.1 200 OK\r\na: ', 30],
    ['to a GET that trickles', 'GET', head, 30],
    ['to a GET of which 400 kB came', 'GET', head + 'a'.repeat(400_000), 80],
    ['to a POST, of which S3 sends blanks while it joins the parts,', 'POST', head, 600],
  ])('%s is not waited for without end', async (_what, method, start, seconds) => {
    const origin = await rawServer((socket) => {
      socket.on('data', () => {
        socket.write(start)
        const timer = setInterval(() => socket.write('a'), 10)
        socket.on('close', () => clearInterval(timer))
      })
    })
    const begun = performance.now()
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => begun)
    try {
      let ended = false
      const sending = connect(1)
        .send(get(origin, { method }))
        .finally(() => {
          ended = true
        })
      sending.catch(() => {})
      await new Promise((done) => setTimeout(done, 200))
      clock.mockImplementation(() => begun + seconds * 1000 - 1000)
      await new Promise((done) => setTimeout(done, 50))
      expect(ended).toBe(false)
      // Further with each call: under load, the response may begin only now.
      let ahead = seconds * 1000
      clock.mockImplementation(() => {
        ahead += 600_001
        return begun + ahead
      })
      await expect(sending).rejects.toMatchObject({ name: 'TimeoutError' })
    } finally {
      clock.mockRestore()
    }
  })

  it.each([
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\na',
    'HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nKeep-Alive: timeout=1\r\n\r\na',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb',
  ])('is the last on its connection: %j', async (bytes) => {
    const origin = await rawServer((socket) => socket.on('data', () => socket.write(bytes)))
    const connections = connect(1)
    for (let n = 0; n < 3; n++) expect((await connections.send(get(origin))).body.toString()).toBe('a')
    expect(origin.sockets).toHaveLength(3)
  })

  it('that nobody asked for closes the connection', async () => {
    const origin = await rawServer((socket, count) => {
      socket.on('data', () => {
        socket.write(ok(`${count}`))
        if (count === 1) setTimeout(() => socket.write(ok('unasked')), 20)
      })
    })
    const connections = connect(1)
    expect((await connections.send(get(origin))).body.toString()).toBe('1')
    await vi.waitFor(() => expect(origin.sockets[0]?.destroyed).toBe(true), patience)
    expect((await connections.send(get(origin))).body.toString()).toBe('2')
  })

  it.each<[what: string, env: (url: string) => Record<string, string>]>([
    ['a handshake', () => ({})],
    ['a tunnel', (url) => ({ HTTPS_PROXY: url })],
  ])('is not waited for longer than ten seconds where %s does not come about', async (_what, env) => {
    const silent = await rawServer((socket) => socket.resume())
    const connections = connect(4, { env: env(`http://127.0.0.1:${silent.port}`) })
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const sending = connections.send(get({ ...silent, isSecure: true }))
      sending.catch(() => {})
      while (silent.sockets.length === 0) await new Promise((done) => setImmediate(done))
      vi.advanceTimersByTime(9999)
      expect(await Promise.race([sending, new Promise((done) => setImmediate(done, 'waits'))])).toBe('waits')
      vi.advanceTimersByTime(1)
      await expect(sending).rejects.toMatchObject({ name: 'TimeoutError' })
    } finally {
      vi.useRealTimers()
    }
  })

  it('is not to be had where nobody listens', async () => {
    const origin = await rawServer(() => {})
    open.pop()?.close()
    const connections = connect()
    connections.warm(origin, 8)
    const failed = Array.from({ length: 10 }, () => connections.send(get(origin)))
    for (const each of failed) await expect(each).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })
})

describe('a proxy', () => {
  /** Tunnels, and passes on what names its host; asks for a user and password where it has them. */
  async function startProxy(status = 200, isSecure = false) {
    const asked: string[] = []
    const proxy = await rawServer((socket) => {
      socket.once('data', (head) => {
        asked.push(head.toString('latin1'))
        if (status !== 200) {
          socket.end(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\n\r\n`)
          return
        }
        const [, port] = /^CONNECT 127\.0\.0\.1:(\d+) /.exec(asked.at(-1) ?? '') ?? []
        if (port === undefined) {
          socket.write(ok('from the proxy'))
          return
        }
        const onward = connectTcp(Number(port), '127.0.0.1', () => {
          socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
          socket.pipe(onward).pipe(socket)
        })
        onward.on('error', () => socket.destroy())
      })
    }, isSecure)
    return { asked, url: `${isSecure ? 'https' : 'http'}://user:p%40ss@127.0.0.1:${proxy.port}` }
  }

  it.each([false, true])(
    'tunnels TLS, also for connections that are opened ahead; itself behind TLS: %s',
    async (isSecure) => {
      const server = createTlsServer({ key, cert }, (_request, response) => void response.end('secret'))
      await once(server.listen(0, '127.0.0.1'), 'listening')
      open.push({ close: () => server.close().closeAllConnections() })
      const { port } = server.address() as AddressInfo
      const { asked, url } = await startProxy(200, isSecure)
      const connections = connect(4, { env: { HTTPS_PROXY: url } })
      const origin = { isSecure: true, host: '127.0.0.1', port }
      connections.warm(origin, 2)
      const responses = await Promise.all([1, 2, 3].map(() => connections.send(get(origin))))
      expect(responses.map(({ body }) => body.toString())).toEqual(['secret', 'secret', 'secret'])
      expect(asked[0]).toBe(
        `CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nProxy-Authorization: Basic ${btoa('user:p@ss')}\r\n\r\n`,
      )
    },
  )

  it('gets plain requests with the whole address', async () => {
    const { asked, url } = await startProxy()
    const connections = connect(4, { env: { http_proxy: url } })
    const { body } = await connections.send(
      get({ isSecure: false, host: 'store.test', port: 9000 }, { path: '/a?b=', headers: { host: 'store.test:9000' } }),
    )
    expect(body.toString()).toBe('from the proxy')
    expect(asked[0]).toMatch(/^GET http:\/\/store\.test:9000\/a\?b= HTTP\/1\.1\r\nhost: store\.test:9000\r\n/)
    expect(asked[0]).toContain(`proxy-authorization: Basic ${btoa('user:p@ss')}\r\n`)
  })

  it('that refuses is named, without its password', async () => {
    const { url } = await startProxy(407)
    const sending = connect(4, { env: { https_proxy: url } }).send(get({ isSecure: true, host: 'a.test', port: 443 }))
    const error: Error & { proxy?: string } = await sending.then(
      () => new Error('sent'),
      (error) => error,
    )
    expect(error).toMatchObject({ code: 'ProxyRefused', proxy: new URL(url).host, message: 'status 407' })
    expect(JSON.stringify(error) + error.stack).not.toMatch(/p(@|%40)ss/)
  })

  it.each<[url: string, env: Record<string, string>, proxy: string | undefined]>([
    ['https://a.test', {}, undefined],
    ['https://a.test', { HTTPS_PROXY: 'http://p.test:3128' }, 'p.test:3128'],
    ['https://a.test', { HTTPS_PROXY: 'p.test:3128' }, 'p.test:3128'],
    ['https://a.test', { https_proxy: 'http://one.test', HTTPS_PROXY: 'http://two.test' }, 'one.test:80'],
    ['https://a.test', { HTTPS_PROXY: 'https://p.test' }, 'p.test:443'],
    ['https://a.test', { HTTP_PROXY: 'http://p.test' }, undefined],
    ['http://a.test', { HTTP_PROXY: 'http://p.test' }, 'p.test:80'],
    ['http://localhost:9000', { HTTP_PROXY: 'http://p.test' }, 'p.test:80'],
    ['http://localhost:9000', { HTTP_PROXY: 'http://p.test', NO_PROXY: 'localhost,127.0.0.1' }, undefined],
    ['http://a.test', { HTTP_PROXY: 'http://p.test', NO_PROXY: '*' }, undefined],
    ['http://a.test', { HTTP_PROXY: 'http://p.test', NO_PROXY: 'b.test, A.test' }, undefined],
    ['http://x.a.test', { HTTP_PROXY: 'http://p.test', no_proxy: 'a.test' }, undefined],
    ['http://x.a.test', { HTTP_PROXY: 'http://p.test', no_proxy: '.a.test' }, undefined],
    ['http://x.a.test', { HTTP_PROXY: 'http://p.test', no_proxy: '*.a.test' }, undefined],
    ['http://xa.test', { HTTP_PROXY: 'http://p.test', no_proxy: 'a.test' }, 'p.test:80'],
    ['http://a.test:81', { HTTP_PROXY: 'http://p.test', no_proxy: 'a.test:80' }, 'p.test:80'],
    ['http://a.test:80', { HTTP_PROXY: 'http://p.test', no_proxy: 'a.test:80' }, undefined],
    ['http://10.1.2.3', { HTTP_PROXY: 'http://p.test', no_proxy: '10.0.0.0/8' }, undefined],
    ['http://10.1.2.3', { HTTP_PROXY: 'http://p.test', no_proxy: '11.0.0.0/ 10.0.0.0/33 a/8' }, 'p.test:80'],
    ['http://11.1.2.3', { HTTP_PROXY: 'http://p.test', no_proxy: '10.0.0.0/8,10.0.0.0/99' }, 'p.test:80'],
    ['https://a.test', { ALL_PROXY: 'http://p.test' }, 'p.test:80'],
    ['http://a.test', { all_proxy: 'p.test:1', ALL_PROXY: 'p.test:2' }, 'p.test:1'],
    ['https://a.test', { https_proxy: 'http://one.test', all_proxy: 'socks5://two.test' }, 'one.test:80'],
    ['https://a.test', { https_proxy: '', HTTPS_PROXY: 'http://p.test' }, 'p.test:80'],
    ['https://a.test', { all_proxy: 'socks5://two.test', no_proxy: 'test' }, undefined],
    ['https://a.test', { HTTPS_PROXY: 'http://us%er:100%@p.test' }, 'p.test:80'],
    ['http://x.a.test', { HTTP_PROXY: 'http://p.test', no_proxy: 'a.test.' }, undefined],
    ['http://x.a.test.', { HTTP_PROXY: 'http://p.test', no_proxy: '.a.test' }, undefined],
    ['http://a.test', { HTTP_PROXY: 'http://p.test', no_proxy: ' . ,.., *.' }, 'p.test:80'],
    ['http://1.2.3.4', { HTTP_PROXY: 'http://p.test', no_proxy: '3.4,.4' }, 'p.test:80'],
    ['http://1.2.3.4', { HTTP_PROXY: 'http://p.test', no_proxy: '1.2.3.4' }, undefined],
    ['http://1.2.3.4:81', { HTTP_PROXY: 'http://p.test', no_proxy: '1.2.3.4:80' }, 'p.test:80'],
    ['http://1.2.3.4', { HTTP_PROXY: 'http://p.test', no_proxy: '10.0.0.0/8,1.2.3.0/24x' }, 'p.test:80'],
    ['http://[::1]', { HTTP_PROXY: 'http://p.test', no_proxy: '0:0:0:0:0:0:0:1' }, undefined],
    ['http://[fd01::7]', { HTTP_PROXY: 'http://p.test', no_proxy: 'fd00::/16' }, 'p.test:80'],
    ['http://[::1]', { HTTP_PROXY: 'http://p.test', no_proxy: '::1' }, undefined],
    ['http://[::1]:9000', { HTTP_PROXY: 'http://p.test', no_proxy: '[::1]:9000' }, undefined],
    ['http://[fd00::7]', { HTTP_PROXY: 'http://p.test', no_proxy: 'fd00::/8' }, undefined],
  ])('for %s with %j is %s', (url, env, proxy) => {
    const { protocol, hostname, port } = new URL(url)
    const isSecure = protocol === 'https:'
    const origin = { isSecure, host: hostname.replace(/[[\]]/g, ''), port: Number(port || (isSecure ? 443 : 80)) }
    const found = proxyFor(origin, env)?.origin
    expect(found && `${found.host}:${found.port}`).toBe(proxy)
  })

  it.each(['socks5://p.test', 'http://', 'http://p.test:port'])('cannot be %s', (url) => {
    for (const name of ['HTTPS_PROXY', 'ALL_PROXY']) {
      const find = () => proxyFor({ isSecure: true, host: 'a.test', port: 443 }, { [name]: url })
      expect(find).toThrow(expect.objectContaining({ code: 'BadProxy', message: name }))
    }
  })
})
