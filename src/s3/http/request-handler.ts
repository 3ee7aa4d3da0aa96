import { Readable } from 'node:stream'
import type { RequestHandler } from '../aws/sdk.js'
import { originOf } from './connect.js'
import type { Connections } from './connections.js'
import { encode } from './sign.js'

/** A request as the SDK describes it. */
interface SdkRequest {
  protocol: string
  hostname: string
  port?: number
  method: string
  path: string
  query?: Record<string, string | string[] | null>
  headers: Record<string, string>
  body?: unknown
}

interface SdkOptions {
  abortSignal?: AbortSignal
  /** Our own: see `HttpRequest`. */
  beforeFirstByte?: (() => void) | undefined
}

/** Sends the SDK's requests over our connections. `destroy` leaves them open, because several SDK clients share them. */
export function requestHandlerOf(send: Connections['send']): RequestHandler {
  const handle = async (request: SdkRequest, { abortSignal, beforeFirstByte }: SdkOptions = {}) => {
    const { protocol, hostname, port, method, path, query = {}, headers } = request
    const pairs = Object.entries(query).flatMap(([name, values]) =>
      [values].flat().map((value) => encode(name) + (value === null ? '' : `=${encode(value)}`)),
    )
    const { status, ...response } = await send({
      origin: originOf({ protocol, hostname, port: String(port ?? '') }),
      method,
      path: path + (pairs.length > 0 ? `?${pairs.join('&')}` : ''),
      headers,
      body: bodyOf(request.body),
      signal: abortSignal,
      beforeFirstByte,
    })
    const body = Readable.from(response.body.length > 0 ? [response.body] : [])
    return { response: { statusCode: status, headers: { ...response.headers }, body } }
  }
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    handle,
    destroy() {},
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
  } as unknown as RequestHandler
}

function bodyOf(body: unknown): Buffer | AsyncIterable<Buffer> | undefined {
  if (typeof body === 'string') return Buffer.from(body)
  if (Buffer.isBuffer(body) || !ArrayBuffer.isView(body)) return body as Buffer | AsyncIterable<Buffer> | undefined
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength)
}
