import type { AddressInfo, Server } from 'node:net'
import * as net from 'node:net'
import * as tls from 'node:tls'
import { type Exchange, type Head, serveConnection } from './http.js'

/** What the clients did below HTTP. */
export interface Traffic {
  connections: number
  /** TLS handshakes, those that resumed a session included. */
  handshakes: number
  resumed: number
}

export const noTraffic: Traffic = { connections: 0, handshakes: 0, resumed: 0 }

type Begin = (head: Head) => Exchange

/** HTTP on a free port of the loopback interface. Resolves to the port. */
export function listenHttp(begin: Begin, traffic: Traffic): Promise<number> {
  const server = net.createServer({ noDelay: true }, (socket) => {
    traffic.connections++
    serveConnection(socket, begin)
  })
  return listen(server)
}

/** The same over TLS. */
export function listenHttps(
  begin: Begin,
  traffic: Traffic,
  { key, cert }: { key: string; cert: string },
): Promise<number> {
  const server = tls.createServer({ key, cert, noDelay: true }, (socket) => {
    traffic.handshakes++
    if (socket.isSessionReused()) traffic.resumed++
    serveConnection(socket, begin)
  })
  server.on('connection', () => traffic.connections++)
  return listen(server)
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', 4096, () => resolve((server.address() as AddressInfo).port))
  })
}
