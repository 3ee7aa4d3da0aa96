import { BlockList, connect as connectTcp, isIP, isIPv6, type Socket } from 'node:net'
import { unescape as decode } from 'node:querystring'
import { connect as connectTls, createSecureContext, type SecureContext } from 'node:tls'
import { ResponseReader } from './response.js'

export interface Origin {
  isSecure: boolean
  /** Without the brackets of an IPv6 address. */
  host: string
  port: number
}

export type Environment = Readonly<Record<string, string | undefined>>

export interface ProxyServer {
  origin: Origin
  /** The value of the header Proxy-Authorization. */
  authorization: string | undefined
}

/** State that TLS connections to one origin share. */
export interface TlsState {
  session?: Buffer | undefined
  /** The protocols to offer; HTTP/1.1 alone by default, because `Connection` speaks no other. */
  protocols?: readonly string[]
}

/** Milliseconds for TCP, the proxy's tunnel and TLS together. */
const CONNECT_TIMEOUT = 10_000

export function originOf({ protocol, hostname, port }: Pick<URL, 'protocol' | 'hostname' | 'port'>): Origin {
  const isSecure = protocol === 'https:'
  return { isSecure, host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || (isSecure ? 443 : 80)) }
}

/**
 * Opens a connection that does not keep the process alive: the caller of a request does.
 *
 * @param opening takes the socket before it is connected, so that it can be destroyed meanwhile
 */
export async function connect(
  origin: Origin,
  proxy: ProxyServer | undefined,
  tls: TlsState,
  opening: (socket: Socket) => void,
): Promise<Socket> {
  const { host, port } = proxy?.origin ?? origin
  const socket = connectTcp({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 1000 })
  socket.unref()
  opening(socket)
  let isLate = false
  const giveUp = () => {
    isLate = true
    socket.destroy()
  }
  const timer = setTimeout(giveUp, CONNECT_TIMEOUT).unref()
  try {
    await connected(socket, 'connect')
    const stream = proxy?.origin.isSecure ? await encrypt(socket, proxy.origin, {}) : socket
    if (!origin.isSecure) return stream
    if (proxy) await openTunnel(stream, origin, proxy)
    return await encrypt(stream, origin, tls)
  } catch (thrown) {
    socket.destroy()
    const error = isLate ? Object.assign(new Error(`no connection to ${host}`), { name: 'TimeoutError' }) : thrown
    throw proxy ? Object.assign(error as Error, { proxy: nameOf(proxy.origin) }) : error
  } finally {
    clearTimeout(timer)
  }
}

function connected(socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  return new Promise((resolve, reject) => {
    // Not `once`: an error without a listener ends the process.
    socket.once(event, resolve).on('error', reject)
    socket.once('close', () => reject(Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' })))
  })
}

let context: SecureContext | undefined

async function encrypt(socket: Socket, { host }: Origin, tls: TlsState): Promise<Socket> {
  // Shared, because each context reads the certificates of all authorities.
  context ??= createSecureContext()
  const secured = connectTls({
    socket,
    host,
    secureContext: context,
    ALPNProtocols: [...(tls.protocols ?? ['http/1.1'])],
    ...(isIP(host) ? {} : { servername: host }),
    ...(tls.session ? { session: tls.session } : {}),
  })
  secured.on('session', (session) => {
    tls.session = session
  })
  try {
    await connected(secured, 'secureConnect')
  } catch (error) {
    tls.session = undefined
    throw error
  }
  return secured
}

/** @see https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6 */
async function openTunnel(socket: Socket, origin: Origin, { authorization }: ProxyServer): Promise<void> {
  const target = nameOf(origin)
  const credentials = authorization === undefined ? '' : `Proxy-Authorization: ${authorization}\r\n`
  const reader = new ResponseReader('CONNECT', 0)
  const { status } = await new Promise<{ status: number }>((resolve, reject) => {
    socket.on('data', (piece) => {
      try {
        const response = reader.push(piece)
        if (response) resolve(response)
      } catch (error) {
        reject(error)
      }
    })
    socket.once('error', reject).once('close', () => reject(proxyRefused('it closed the connection')))
    socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${credentials}\r\n`, 'latin1')
  })
  socket.pause().removeAllListeners('data')
  if (status < 200 || status > 299) throw proxyRefused(`status ${status}`)
}

function proxyRefused(reason: string): Error {
  return Object.assign(new Error(reason), { code: 'ProxyRefused' })
}

export function nameOf({ host, port }: Origin): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`
}

/**
 * The proxy for an origin by curl's rules: HTTPS_PROXY or HTTP_PROXY, otherwise ALL_PROXY, and NO_PROXY. Lower-case names take precedence. Unlike
 * curl, HTTP_PROXY is also read in upper case, as in Node, npm and AWS's tools: a build is no CGI script, so no client sets it.
 *
 * @throws Error with the code `BadProxy`
 * @see https://everything.curl.dev/usingcurl/proxies/env.html
 */
export function proxyFor(origin: Origin, env: Environment): ProxyServer | undefined {
  const read = (name: string) => env[name] || env[name.toUpperCase()] || ''
  const name = [origin.isSecure ? 'https_proxy' : 'http_proxy', 'all_proxy'].find((each) => read(each) !== '')
  if (name === undefined || isExcepted(origin, read('no_proxy'))) return undefined
  const value = read(name)
  const text = value.includes('://') ? value : `http://${value}`
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw Object.assign(new Error(name.toUpperCase()), { code: 'BadProxy' })
  }
  const { username, password } = url
  // An invalid % escape is no error.
  const user = Buffer.from(`${decode(username)}:${decode(password)}`).toString('base64')
  return { origin: originOf(url), authorization: username === '' && password === '' ? undefined : `Basic ${user}` }
}

/** NO_PROXY lists hosts, domains, addresses and networks (`10.0.0.0/8`), each with an optional port, or everything (`*`). */
function isExcepted({ host, port }: Origin, list: string): boolean {
  return list.split(/[\s,]+/).some((entry) => {
    if (entry === '*' || entry === '') return entry === '*'
    const [, name = '', itsPort] = isIPv6(entry) ? ['', entry] : (/^\[?(.*?)\]?(?::(\d+))?$/.exec(entry) ?? [])
    if (itsPort !== undefined && Number(itsPort) !== port) return false
    return isIP(host) === 0 ? isInDomain(host, name) : isInNetwork(host, name)
  })
}

function isInDomain(host: string, name: string): boolean {
  const domain = name.toLowerCase().replace(/^\*?\.|\.$/g, '')
  return domain !== '' && `.${host.toLowerCase().replace(/\.$/, '')}`.endsWith(`.${domain}`)
}

/** An address without a prefix length is a network of one host. */
function isInNetwork(host: string, name: string): boolean {
  const [network = '', bits = isIPv6(network) ? '128' : '32'] = name.split('/')
  const list = new BlockList()
  try {
    list.addSubnet(network, /^\d+$/.test(bits) ? Number(bits) : -1, isIPv6(network) ? 'ipv6' : 'ipv4')
  } catch {
    return false
  }
  return list.check(host, isIPv6(host) ? 'ipv6' : 'ipv4')
}
