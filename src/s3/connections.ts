import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import type { Socket } from 'node:net'

export interface Connections {
  httpAgent: HttpAgent
  httpsAgent: HttpsAgent
  /** Sees to it that so many are open or being opened, to where the last one went. */
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
  const ready = new Set<Socket>()
  let last: Options | undefined
  const connect: Connecting['createConnection'] = (options, callback) => {
    const socket = createConnection.call(agent, options, callback)
    // Behind a proxy it comes later, by the callback.
    socket?.unref()
    return socket
  }
  const own: Connecting = {
    createConnection(options, callback) {
      const isSame = last !== undefined && agent.getName(last) === agent.getName(options)
      last = options
      const [socket] = isSame ? ready : []
      if (!socket) return connect(options, callback)
      ready.delete(socket)
      return socket
    },
    reuseSocket(socket, request) {
      reuseSocket.call(agent, socket, request)
      socket.unref()
    },
  }
  const close = () => {
    for (const socket of ready) socket.destroy()
    ready.clear()
  }
  return {
    agent: Object.assign(agent, own),
    warm(count: number) {
      if (!last) return
      const open = [agent.sockets, agent.freeSockets].flatMap((each) => Object.values(each)).flat().length
      for (let n = open + ready.size; n < count; n++) {
        const socket = connect({ ...last })
        if (!socket) return
        ready.add(socket)
        // What broke one may have broken all, and not all have heard of it yet. Whoever needs one opens it anew, and gets the error.
        socket.once('error', close).once('close', () => ready.delete(socket))
      }
    },
    close,
  }
}
