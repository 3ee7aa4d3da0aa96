import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { selfSigned } from '../fixtures/self-signed.js'
import { openConnections } from '../src/s3/connections.js'

const { key, cert } = selfSigned()

describe.each(['http', 'https'] as const)('connections over %s', (protocol) => {
  let server: Server
  let port: number
  let sockets: Set<Socket>
  let connections: ReturnType<typeof openConnections>

  beforeEach(async () => {
    const answer = (_request: unknown, response: { end(text: string): void }) => response.end('answer')
    server = protocol === 'http' ? createServer(answer) : createTlsServer({ key, cert }, answer)
    sockets = new Set()
    server.on(protocol === 'http' ? 'connection' : 'secureConnection', (socket) => sockets.add(socket))
    await once(server.listen(0, '127.0.0.1'), 'listening')
    port = (server.address() as AddressInfo).port
    connections = openConnections(64)
  })
  afterEach(() => {
    connections.close()
    for (const agent of [connections.httpAgent, connections.httpsAgent]) agent.destroy()
    server.close().closeAllConnections()
  })
  afterAll(() => vi.unstubAllEnvs())

  async function ask(host = '127.0.0.1'): Promise<string> {
    const agent = protocol === 'http' ? connections.httpAgent : connections.httpsAgent
    const { request } = await import(`node:${protocol}`)
    const [answer] = await once(request({ host, port, agent, rejectUnauthorized: false }).end(), 'response')
    return (await answer.setEncoding('utf8').toArray()).join('')
  }
  const opened = (count: number) => vi.waitFor(() => expect(sockets.size).toBe(count))

  it('are opened ahead, and then used', async () => {
    await ask()
    connections.warm(8)
    await opened(8)
    expect(await Promise.all(Array.from({ length: 8 }, () => ask()))).toEqual(Array(8).fill('answer'))
    expect(sockets.size).toBe(8)
  })

  it('are not opened where as many are there', async () => {
    await Promise.all([ask(), ask(), ask()])
    connections.warm(3)
    connections.warm(3)
    connections.warm(5)
    connections.warm(5)
    await opened(5)
    expect(await Promise.all(Array.from({ length: 5 }, () => ask()))).toHaveLength(5)
    expect(sockets.size).toBe(5)
  })

  it('are not opened before it is known where to', () => {
    connections.warm(8)
    expect(sockets.size).toBe(0)
  })

  it('that the server has closed meanwhile are opened anew', async () => {
    await ask()
    connections.warm(4)
    await opened(4)
    const closed = [...sockets].map((socket) => once(socket, 'close'))
    for (const socket of sockets) socket.destroy()
    await Promise.all(closed)
    // Our side hears of it a moment later; a request in that moment fails, and is sent again.
    await vi.waitFor(async () => expect(await ask()).toBe('answer'))
  })

  it('are for one place', async () => {
    await ask()
    connections.warm(4)
    await opened(4)
    expect(await ask('localhost')).toBe('answer')
    expect(sockets.size).toBe(5)
  })

  it('lead to the one place also when another was asked since', async () => {
    await ask()
    connections.warm(4)
    await opened(4)
    expect([await ask('localhost'), await ask('localhost')]).toEqual(['answer', 'answer'])
    // Kept alive, one is enough for both; none of those that lead elsewhere was taken.
    expect(sockets.size).toBe(5)
    connections.warm(4)
    await opened(8)
  })

  it('that a server has given up with a last word are not used', async () => {
    await ask()
    connections.warm(4)
    await opened(4)
    const [used, ...unused] = sockets
    const closed = unused.map((socket) => once(socket, 'close'))
    for (const socket of unused) socket.end('HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n')
    await Promise.all(closed)
    used?.destroy()
    const answers = await Promise.all([1, 2, 3].map(() => vi.waitFor(() => ask())))
    expect(answers).toEqual(['answer', 'answer', 'answer'])
  })

  it('are closed in the end', async () => {
    await ask()
    connections.warm(4)
    await opened(4)
    const closed = [...sockets].map((socket) => once(socket, 'close'))
    connections.close()
    for (const agent of [connections.httpAgent, connections.httpsAgent]) agent.destroy()
    await Promise.all(closed)
  })
})
