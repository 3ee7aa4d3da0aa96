import type { Readable } from 'node:stream'
import type { defaultProvider } from '@aws-sdk/credential-provider-node'
import type { Settings } from '../core/settings.js'
import { openConnections } from './connections.js'
import { bucketUrl } from './endpoint.js'
import type { Clock } from './retry.js'
import { loadCredentialChain } from './sdk.js'
import { extendedEncodeURIComponent, HttpRequest, NodeHttpHandler, SignatureV4 } from './sdk-parts.js'
import { Sha256 } from './sha256.js'
import { underShared } from './shared-signal.js'
import { plainXml, rootOf, textsOf } from './xml.js'

/** What of the settings the connection goes by. */
export type S3Settings = Pick<
  Settings,
  'bucket' | 'region' | 'endpoint' | 'addressingStyle' | 'credentials' | 'concurrency'
>

type Identity = Awaited<ReturnType<ReturnType<typeof defaultProvider>>>

export interface HttpCall {
  method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'
  /** Called immediately before it is sent. */
  check?: (() => void) | undefined
  /** Undefined for the bucket itself. */
  key?: string
  query?: Record<string, string>
  headers?: Record<string, string>
  body?: Buffer | Readable
}

export interface Answer {
  headers: Record<string, string>
  body: Buffer
}

/** Signs requests and sends them, with the SDK's own signer, credentials and request handler. */
export interface Transport {
  handler: NodeHttpHandler
  credentials(): Promise<Identity>
  /** Signs a request to the bucket and sends it. Rejects as a command of the SDK does. */
  send(call: HttpCall, signal: AbortSignal | undefined): Promise<Answer>
  /** The store's clock, as far as its last answer told, refusals included. The local one stands in until one has come. */
  now(): number
  /** Opens connections for so many requests at a time. */
  warm(count: number): void
  close(): void
}

/**
 * Milliseconds until a TCP connection has to stand. The SDK counts from before a socket is free: no more requests than
 * sockets may be under way (see `createSlots`).
 */
const CONNECT_TIMEOUT = 10_000

/**
 * Milliseconds without a byte either way, the SDK's `socketTimeout`. Its `requestTimeout` is the time from the start to
 * the answer, and would end a large upload on a slow line, so it stays off.
 *
 * What the kernel has taken counts as sent: with some MB in its buffers and many connections sharing a slow line, a
 * socket that is doing well shows nothing for a minute. S3 itself hangs up on a silent client after about 20 seconds.
 */
const IDLE_TIMEOUT = 120_000

/** Bytes of a refusal that are looked into. S3's have a few hundred. */
const LONGEST_REFUSAL = 16 * 1024

/** Beside those for files. */
export const socketsAside = 2

/** Without it, the SDK writes of each stream that failed to the console, past the bundler's output and before our retry. */
export const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {} }

export function openTransport(settings: S3Settings, clock: Pick<Clock, 'now'>): Transport {
  const credentials = credentialsOf(settings)
  const signer = new SignatureV4({
    service: 's3',
    region: settings.region,
    credentials,
    sha256: Sha256,
    // Keys are encoded once: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
    uriEscapePath: false,
  })
  const { httpAgent, httpsAgent, ...connections } = openConnections(settings.concurrency + socketsAside)
  const handler = new NodeHttpHandler({
    httpAgent,
    httpsAgent,
    connectionTimeout: CONNECT_TIMEOUT,
    socketTimeout: IDLE_TIMEOUT,
    // The timer of a warning that nobody gets: by default it holds the process for twelve seconds.
    socketAcquisitionWarningTimeout: 0,
    logger: SILENT,
  })
  const now = keepStoreTime(handler, clock)
  let place: Promise<Place> | undefined
  const send: Transport['send'] = async (
    { method, key = '', query = {}, headers = {}, body: content, check },
    signal,
  ) => {
    place ??= bucketUrl(settings).then(placeOf)
    const { protocol, hostname, port, host, root } = await place
    const request = new HttpRequest({
      protocol,
      hostname,
      port,
      method,
      path: `${root}/${key.split('/').map(extendedEncodeURIComponent).join('/')}`,
      query,
      // Not spread, as in `putObject`.
      headers: Object.assign({ host, 'user-agent': 'static-s3' }, headers),
      body: content,
    })
    const signed = await signer.sign(request, { signingDate: new Date(now()) })
    return underShared(signal, async (ending) => {
      check?.()
      const { response } = await handler.handle(signed as typeof request, ending ? { abortSignal: ending } : {})
      const body = await read(response.body as Readable)
      if (response.statusCode >= 300)
        throw refusal(response.statusCode, response.headers, body.toString('utf8', 0, LONGEST_REFUSAL))
      return { headers: response.headers, body }
    })
  }

  return {
    handler,
    credentials,
    send,
    now,
    warm: connections.warm,
    close() {
      connections.close()
      handler.destroy()
    },
  }
}

interface Place {
  protocol: string
  hostname: string
  port: number | undefined
  host: string
  /** What a key's path goes on from. */
  root: string
}

function placeOf({ protocol, hostname, port, host, pathname }: URL): Place {
  return { protocol, hostname, port: port === '' ? undefined : Number(port), host, root: pathname.replace(/\/$/, '') }
}

/** Where none are given, the SDK's own chain, whose roles are assumed in the bucket's region. */
function credentialsOf({ credentials, region }: S3Settings): () => Promise<Identity> {
  if (credentials !== undefined && !('profile' in credentials)) {
    const { accessKeyId, secretAccessKey, sessionToken } = credentials
    return async () => ({ accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) })
  }
  const config = { ...credentials, region: async () => region, logger: SILENT }
  const provider = loadCredentialChain().defaultProvider({ ...credentials, logger: SILENT, parentClientConfig: config })
  return () => provider({ callerClientConfig: config })
}

/**
 * Keeps track of the store's clock by the `Date` of each answer, and returns what reads it. In between, time is counted
 * by a clock that nobody sets.
 */
function keepStoreTime(handler: NodeHttpHandler, local: Pick<Clock, 'now'>): () => number {
  const handle = handler.handle.bind(handler)
  let ahead: number | undefined
  handler.handle = async (...args) => {
    const result = await handle(...args)
    const date = Date.parse(result.response.headers.date ?? '')
    if (!Number.isNaN(date)) ahead = date - performance.now()
    return result
  }
  return () => (ahead === undefined ? local.now() : Math.round(performance.now() + ahead))
}

const nothing = Buffer.alloc(0)

/** Without an iterator, which would take as long as all else about an answer. */
function read(stream: Readable): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.once('end', () => resolve(chunks.length === 0 ? nothing : Buffer.concat(chunks)))
    stream.once('error', reject)
    stream.once('close', () => {
      if (!stream.readableEnded) reject(Object.assign(new Error('aborted'), { code: 'ECONNRESET' }))
    })
  })
}

/**
 * The error that a command of the SDK would fail with.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
 */
function refusal(status: number, headers: Record<string, string>, body: string): Error {
  const xml = plainXml(body)
  const { Message = '', Code = 'UnknownError', RequestId, ...fields } = rootOf(xml) === 'Error' ? textsOf(xml) : {}
  // S3's own begin with a capital letter. Others would be an error's own, such as its stack, or Node's.
  const ofS3 = Object.entries(fields).filter(([name]) => /^[A-Z]/.test(name))
  return Object.assign(new Error(Message), Object.fromEntries(ofS3), {
    name: Code,
    $metadata: { httpStatusCode: status, requestId: headers['x-amz-request-id'] ?? RequestId },
    $response: { headers },
  })
}
