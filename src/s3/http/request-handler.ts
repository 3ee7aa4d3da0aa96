import { Readable } from 'node:stream'
import type { RequestHandler } from '../aws/credentials.js'
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
  body?: string | Uint8Array
}

/** Sends the requests of the SDK's credential chain over our connections. `destroy` leaves them open, because several SDK clients share them. */
export function requestHandlerOf(send: Connections['send']): RequestHandler {
  const handle = async (request: SdkRequest, { abortSignal }: { abortSignal?: AbortSignal } = {}) => {
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

function bodyOf(body: string | Uint8Array | undefined): Buffer | undefined {
  if (typeof body === 'string') return Buffer.from(body)
  // `Buffer.from(body)` would use the body like a string, and the SDK warns about that.
  return body && Buffer.from(body.buffer, body.byteOffset, body.byteLength)
}
