import { hash } from 'node:crypto'
import type { Settings } from '../../settings/settings.js'
import { credentialsOf, type Identity } from '../aws/credentials.js'
import { bucketUrl } from '../aws/endpoint.js'
import { type Origin, originOf } from './connect.js'
import { type Connections, openConnections, type TlsFacts } from './connections.js'
import { requestHandlerOf } from './request-handler.js'
import type { HttpResponse } from './response.js'
import type { Clock } from './retry.js'
import { encodeKey, queryString, sign } from './sign.js'
import type { Silence } from './silence.js'
import { plainXml, rootOf, textsOf } from './xml.js'

export interface TransportSettings
  extends Pick<Settings, 'bucket' | 'region' | 'endpoint' | 'addressingStyle' | 'credentials' | 'concurrency'> {
  /** Headers of every request. */
  headers?: Readonly<Record<string, string>>
}

export interface HttpCall {
  method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'
  /** Undefined for the bucket itself. */
  key?: string
  query?: Record<string, string>
  headers?: Record<string, string>
  /** Pieces require the headers `content-length` and `x-amz-content-sha256`. */
  body?: Buffer | AsyncIterable<Buffer>
  /** Called immediately before each write to the socket. If it throws, nothing more is sent. */
  check?: (() => void) | undefined
  /** Limit for the body of the response: bytes. */
  mostBytes?: number
}

/** A request to another service of AWS. */
export interface ServiceCall {
  service: string
  region: string
  method: 'GET' | 'POST'
  /** Its path needs no encoding. */
  url: URL
  headers: Record<string, string>
  body?: Buffer
}

export interface UnsignedCall {
  method: 'GET' | 'HEAD'
  url: URL
  headers: Record<string, string>
}

export interface Transport {
  credentials(): Promise<Identity>
  /** Signs and sends a request to the bucket. Rejects with the same errors as the SDK. */
  send(call: HttpCall, signal: AbortSignal | undefined): Promise<HttpResponse>
  /**
   * Like `send`, and returns the document in the response. S3 sends the status before it copies an object or joins its parts, so an error may
   * have status 200.
   */
  sendForXml(call: HttpCall, signal: AbortSignal | undefined): Promise<string>
  /** Signs and sends a request to another service. Rejects like `send`. */
  sendToService(call: ServiceCall, signal: AbortSignal | undefined): Promise<HttpResponse>
  /** Sends a request without credentials, to any host. */
  sendUnsigned(call: UnsignedCall, signal: AbortSignal): Promise<HttpResponse>
  /** The protocol and the certificate of any host. */
  inspectTls(url: URL): Promise<TlsFacts>
  /** The store's clock, by its last response; the local clock before that. */
  now(): number
  silence: Silence
  /** Opens connections until there are `count`. */
  warm(count: number): void
  close(): void
}

/** Bytes. S3's error documents have a few hundred. */
const LONGEST_ERROR = 16 * 1024

/** Bytes of an unsigned response's body. */
const MOST_UNSIGNED = 16 * 1024 ** 2

/** For the lock, beside those for files. */
export const lockSockets = 2

const hashOfNothing = hash('sha256', '')

export function openTransport(
  settings: TransportSettings,
  clock: Pick<Clock, 'now'>,
  connections: Connections = openConnections(settings.concurrency + lockSockets),
): Transport {
  const { region, headers: always = {} } = settings
  const credentials = chainOf(settings, connections)
  let address: Promise<BucketRoot> | undefined
  const findAddress = () => (address ??= bucketUrl(settings).then(rootOfBucket))
  /** Milliseconds by which the store's clock is ahead of this process's monotonic clock. */
  let ahead: number | undefined
  const now = () => (ahead === undefined ? clock.now() : Math.round(performance.now() + ahead))

  const transport: Transport = {
    credentials,
    async send({ method, key = '', query, headers, body, check, mostBytes }, signal) {
      const { origin, host, root } = await findAddress()
      const identity = await credentials()
      const path = `${root}/${encodeKey(key)}`
      // A literal that begins with a spread takes fifty times as long.
      const unsigned: Record<string, string> = Object.assign({ host, 'user-agent': 'static-s3' }, always, headers)
      const payloadHash =
        unsigned['x-amz-content-sha256'] ?? (body === undefined ? hashOfNothing : hash('sha256', body as Buffer))
      // V8 would compile this function three times if arrays without elements went through it.
      const search = query === undefined ? '' : queryString(query)
      const scope = { date: new Date(now()), service: 's3', region, credentials: identity }
      const response = await connections.send({
        origin,
        method,
        path: search === '' ? path : `${path}?${search}`,
        headers: sign({ method, path, query: search, headers: unsigned, payloadHash }, scope),
        body,
        signal,
        check,
        mostBytes,
      })
      const date = Date.parse(response.headers.date ?? '')
      if (!Number.isNaN(date)) ahead = date - performance.now()
      if (response.status >= 300) throw errorOf(response)
      return response
    },
    async sendForXml(call, signal) {
      const response = await transport.send(call, signal)
      const xml = plainXml(response.body.toString())
      if (xml === '' || rootOf(xml) === 'Error') throw errorOf({ ...response, status: 500 })
      return xml
    },
    async sendToService({ service, region, method, url, headers, body }, signal) {
      const { host, pathname } = url
      const payloadHash = body === undefined ? hashOfNothing : hash('sha256', body)
      const unsigned = { host, 'user-agent': 'static-s3', ...headers }
      const scope = { date: new Date(now()), service, region, credentials: await credentials() }
      const signed = sign({ method, path: pathname, query: '', headers: unsigned, payloadHash }, scope)
      const request = { origin: originOf(url), method, path: pathname, headers: signed, body, signal }
      const response = await connections.send(request)
      if (response.status >= 300) throw errorOf(response)
      return response
    },
    sendUnsigned: ({ method, url, headers }, signal) =>
      connections.send({
        origin: originOf(url),
        method,
        path: url.pathname + url.search,
        headers: { host: url.host, 'user-agent': 'static-s3', ...headers },
        signal,
        mostBytes: MOST_UNSIGNED,
      }),
    inspectTls: (url) => connections.inspectTls(originOf(url)),
    now,
    silence: connections.silence,
    warm(count) {
      const open = async () => connections.warm((await findAddress()).origin, count)
      // The next request reports a wrong address.
      open().catch(() => {})
    },
    close: connections.close,
  }
  return transport
}

/** The credential chain. If its service was unreachable, it rejects with the network's error and the service's host. */
function chainOf(settings: TransportSettings, { send }: Connections): () => Promise<Identity> {
  let unreached: Error | undefined
  const find = credentialsOf(
    settings,
    requestHandlerOf(async (request) => {
      try {
        const response = await send(request)
        unreached = undefined
        return response
      } catch (error) {
        unreached = Object.assign(error as Error, { service: request.origin.host })
        throw error
      }
    }),
  )
  return () =>
    find().catch((error: unknown) => {
      // The chain hides the network's error, or blames an expired SSO session.
      throw unreached ?? error
    })
}

interface BucketRoot {
  origin: Origin
  host: string
  /** The path before the key. */
  root: string
}

function rootOfBucket(url: URL): BucketRoot {
  return { origin: originOf(url), host: url.host, root: url.pathname.replace(/\/$/, '') }
}

/**
 * The error that the SDK would throw.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
 */
function errorOf({ status, headers, body }: HttpResponse): Error {
  const xml = plainXml(body.toString('utf8', 0, LONGEST_ERROR))
  // CloudFront wraps the error.
  const isError = /^Error(Response)?$/.test(rootOf(xml) ?? '')
  const { Message = '', Code = 'UnknownError', RequestId, ...fields } = isError ? textsOf(xml) : {}
  // S3's fields begin with a capital letter. Others could replace the error's own fields, such as its stack.
  const ofS3 = Object.entries(fields).filter(([name]) => /^[A-Z]/.test(name))
  return Object.assign(new Error(Message), Object.fromEntries(ofS3), {
    name: Code,
    $metadata: { httpStatusCode: status, requestId: headers['x-amz-request-id'] ?? RequestId },
    $response: { headers },
  })
}
