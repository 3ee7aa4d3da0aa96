import { hash } from 'node:crypto'
import type { Settings } from '../../settings/settings.js'
import { credentialsOf, type Identity } from '../aws/credentials.js'
import { bucketUrl } from '../aws/endpoint.js'
import type { RequestHandler } from '../aws/sdk.js'
import { type Origin, originOf } from './connect.js'
import { type Connections, openConnections } from './connections.js'
import { requestHandlerOf } from './request-handler.js'
import type { HttpResponse } from './response.js'
import type { Clock } from './retry.js'
import { encode, queryString, sign } from './sign.js'
import { plainXml, rootOf, textsOf } from './xml.js'

/** What of the settings the connection goes by. */
export type S3Settings = Pick<
  Settings,
  'bucket' | 'region' | 'endpoint' | 'addressingStyle' | 'credentials' | 'concurrency'
>

export interface HttpCall {
  method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'
  /** Undefined for the bucket itself. */
  key?: string
  query?: Record<string, string>
  headers?: Record<string, string>
  /** Pieces need `content-length` and `x-amz-content-sha256` among the headers. */
  body?: Buffer | AsyncIterable<Buffer>
  /** Called immediately before the first byte is sent. When it throws, nothing is. */
  check?: (() => void) | undefined
}

/** Signs requests to the bucket and sends them. */
export interface Transport {
  /** For the SDK's client: it sends over the same connections. */
  handler: RequestHandler
  credentials(): Promise<Identity>
  /** Signs a request to the bucket and sends it. Rejects as a command of the SDK does. */
  send(call: HttpCall, signal: AbortSignal | undefined): Promise<HttpResponse>
  /** The store's clock, as far as its last answer told, refusals included. The local one stands in until one has come. */
  now(): number
  /** Opens connections for so many requests at a time. */
  warm(count: number): void
  close(): void
}

/** Bytes of a refusal that are looked into. S3's have a few hundred. */
const LONGEST_REFUSAL = 16 * 1024

/** For the lock, beside those for files. */
export const lockSockets = 2

const hashOfNothing = hash('sha256', '')

export function openTransport(
  settings: S3Settings,
  clock: Pick<Clock, 'now'>,
  connections: Connections = openConnections(settings.concurrency + lockSockets),
): Transport {
  const { region } = settings
  const credentials = credentialsOf(settings, requestHandlerOf(connections.send))
  const { send, now } = keepStoreTime(connections.send, clock)
  let place: Promise<Place> | undefined
  const findPlace = () => (place ??= bucketUrl(settings).then(placeOf))

  return {
    handler: requestHandlerOf(send),
    credentials,
    async send({ method, key = '', query = {}, headers, body, check }, signal) {
      const [{ origin, host, root }, identity] = await Promise.all([findPlace(), credentials()])
      const path = `${root}/${key.split('/').map(encode).join('/')}`
      // Not spread, as in `putObject`.
      const all: Record<string, string> = Object.assign({ host, 'user-agent': 'static-s3' }, headers)
      const payloadHash =
        all['x-amz-content-sha256'] ?? (body === undefined ? hashOfNothing : hash('sha256', body as Buffer))
      const scope = { date: new Date(now()), region, credentials: identity }
      Object.assign(all, sign({ method, path, query, headers: all, payloadHash }, scope))
      const search = queryString(query)
      const response = await send({
        origin,
        method,
        path: search === '' ? path : `${path}?${search}`,
        headers: all,
        body,
        signal,
        beforeFirstByte: check,
      })
      if (response.status >= 300) throw refusal(response)
      return response
    },
    now,
    warm(count) {
      const open = async () => connections.warm((await findPlace()).origin, count)
      // The next request reports a wrong address.
      open().catch(() => {})
    },
    close: connections.close,
  }
}

interface Place {
  origin: Origin
  host: string
  /** What a key's path goes on from. */
  root: string
}

function placeOf(url: URL): Place {
  return { origin: originOf(url), host: url.host, root: url.pathname.replace(/\/$/, '') }
}

/**
 * Reads the store's clock off the `Date` of each answer. Between answers, a monotonic clock counts.
 */
function keepStoreTime(send: Connections['send'], local: Pick<Clock, 'now'>): { send: typeof send; now(): number } {
  let ahead: number | undefined
  return {
    async send(request) {
      const response = await send(request)
      const date = Date.parse(response.headers.date ?? '')
      if (!Number.isNaN(date)) ahead = date - performance.now()
      return response
    },
    now: () => (ahead === undefined ? local.now() : Math.round(performance.now() + ahead)),
  }
}

/**
 * The error that a command of the SDK would fail with.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
 */
function refusal({ status, headers, body }: HttpResponse): Error {
  const xml = plainXml(body.toString('utf8', 0, LONGEST_REFUSAL))
  const { Message = '', Code = 'UnknownError', RequestId, ...fields } = rootOf(xml) === 'Error' ? textsOf(xml) : {}
  // S3's own begin with a capital letter. Others would be an error's own, such as its stack, or Node's.
  const ofS3 = Object.entries(fields).filter(([name]) => /^[A-Z]/.test(name))
  return Object.assign(new Error(Message), Object.fromEntries(ofS3), {
    name: Code,
    $metadata: { httpStatusCode: status, requestId: headers['x-amz-request-id'] ?? RequestId },
    $response: { headers },
  })
}
