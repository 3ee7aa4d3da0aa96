import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import type { Socket } from 'node:net'

export interface Connections {
  httpAgent: HttpAgent
  httpsAgent: HttpsAgent
  /** Opens what is missing to so many to where the last one went, busy ones included. */
  warm(count: number): void
  /** Closes those that are ready. The agents' own are the agents'. */
  close(): void
}

/** Kept-alive connections that don't keep the process alive: whoever waits for an answer does that (see `Asked`). */
export function openConnections(most: number): Connections {
  // An agent of one's own knows of a proxy only when told: https://nodejs.org/api/cli.html#node_use_env_proxy1
  const proxied = process.env.NODE_USE_ENV_PROXY === '1'
  const options = { keepAlive: true, maxSockets: most, ...(proxied ? { proxyEnv: process.env } : {}) }
  const agents = [withReady(new HttpAgent(options)), withReady(new HttpsAgent(options))] as const
  const [{ agent: httpAgent }, { agent: httpsAgent }] = agents
  return {
    httpAgent,
    httpsAgent: httpsAgent as HttpsAgent,
    warm(count) {
      // A tunnel through a proxy is made for a request.
      if (!proxied) for (const { warm } of agents) warm(count)
    },
    close() {
      for (const { close } of agents) close()
    },
  }
}

type Options = Parameters<HttpAgent['getName']>[0]

interface Connecting {
  createConnection(options: Options, callback?: unknown): Socket | undefined
  reuseSocket(socket: Socket, request: unknown): void
}

/** An agent that takes a connection which was opened ahead, where there is one. */
function withReady(agent: HttpAgent) {
  const { createConnection, reuseSocket } = agent as unknown as Connecting
  /** With the agent's name for where each leads. */
  const ready = new Map<Socket, string>()
  let last: Options | undefined
  const connect: Connecting['createConnection'] = (options, callback) => {
    const socket = createConnection.call(agent, options, callback)
    // Behind a proxy it comes later, by the callback.
    socket?.unref()
    return socket
  }
  const own: Connecting = {
    createConnection(options, callback) {
      // Without the request's own signature.
      const { headers: _, ...where } = options as Options & { headers?: object }
      last = where
      const name = agent.getName(options)
      for (const [socket, itsName] of ready) {
        if (itsName !== name || !socket.writable) continue
        ready.delete(socket)
        return socket
      }
      return connect(options, callback)
    },
    reuseSocket(socket, request) {
      reuseSocket.call(agent, socket, request)
      socket.unref()
    },
  }
  const close = () => {
    for (const socket of ready.keys()) socket.destroy()
    ready.clear()
  }
  return {
    agent: Object.assign(agent, own),
    warm(count: number) {
      if (!last) return
      const name = agent.getName(last)
      const open = [agent.sockets, agent.freeSockets].flatMap((each) => each[name] ?? [])
      const there = [...ready.values()].filter((itsName) => itsName === name)
      for (let n = open.length + there.length; n < count; n++) {
        const socket = connect({ ...last })
        if (!socket) return
        ready.set(socket, name)
        // Unread, what a server says before it closes (408) would hide that it did, and pass for the answer to the first request.
        socket.resume()
        // What broke one may have broken all, and not all have heard of it yet. Whoever needs one opens it anew, and gets the error.
        socket.once('error', close).once('close', () => ready.delete(socket))
      }
    },
    close,
  }
}
