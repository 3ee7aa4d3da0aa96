import { createHash } from 'node:crypto'
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import type { Socket } from 'node:net'
import type { S3Client } from '@aws-sdk/client-s3'
import { usesPathStyle } from '../core/public-url.js'
import type { Settings } from '../core/settings.js'
import type { Clock } from './retry.js'
import { createSdkClient, type Sdk } from './sdk.js'

/** What of the settings the connection goes by. */
export type S3Settings = Pick<
  Settings,
  'bucket' | 'region' | 'endpoint' | 'addressingStyle' | 'credentials' | 'concurrency'
>

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

/** Beside those for files. */
export const socketsAside = 2

/** Without it, the SDK writes of each stream that failed to the console, past the bundler's output and before our retry. */
const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {} }

/** Where a command's input carries the signal that ends it. */
const SIGNAL = Symbol('signal')

/**
 * The SDK's client for a bucket. It tries once, since a body has to be opened anew for each attempt. It adds no
 * checksums of its own and never sends `aws-chunked`: Content-MD5 does the same, and every store takes it.
 */
export function createClient(sdk: Sdk, settings: S3Settings): S3Client {
  const { bucket, region, endpoint, addressingStyle, credentials, concurrency } = settings
  // An agent of one's own knows of a proxy only when told: https://nodejs.org/api/cli.html#node_use_env_proxy1
  const proxy = process.env.NODE_USE_ENV_PROXY === '1' ? { proxyEnv: process.env } : {}
  const agent = { keepAlive: true, maxSockets: concurrency + socketsAside, ...proxy }
  const client = createSdkClient(sdk, {
    region,
    // Not the SDK's own AWS_ENDPOINT_URL: files and public URL would be on two stores.
    ...(endpoint === undefined ? { ignoreConfiguredEndpointUrls: true } : { endpoint }),
    // A copy: the SDK notes in it where it comes from.
    ...(credentials === undefined ? {} : 'profile' in credentials ? credentials : { credentials: { ...credentials } }),
    forcePathStyle: usesPathStyle(bucket, endpoint, addressingStyle),
    maxAttempts: 1,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // With agents of our own the SDK sends that header for files over 2 MB, but doesn't wait for the answer.
    expectContinueHeader: false,
    cacheMiddleware: true,
    logger: SILENT,
    requestHandler: {
      httpAgent: withoutHold(new HttpAgent(agent)),
      httpsAgent: withoutHold(new HttpsAgent(agent)),
      connectionTimeout: CONNECT_TIMEOUT,
      socketTimeout: IDLE_TIMEOUT,
      // The timer of a warning that nobody gets: by default it holds the process for twelve seconds.
      socketAcquisitionWarningTimeout: 0,
    },
  })
  endBySignalOfInput(client)
  md5ForDeleteObjects(client)
  return client
}

interface Connecting {
  createConnection(...args: unknown[]): Socket | undefined
  reuseSocket(socket: Socket, request: unknown): void
}

/** An agent whose sockets don't keep the process alive: whoever waits for an answer does that (see `Asked`). */
function withoutHold<Agent extends HttpAgent>(agent: Agent): Agent {
  const { createConnection, reuseSocket } = agent as unknown as Connecting
  const own: Connecting = {
    createConnection(...args) {
      const socket = createConnection.apply(agent, args)
      // Behind a proxy it comes later, by a callback.
      socket?.unref()
      return socket
    },
    reuseSocket(socket, request) {
      reuseSocket.call(agent, socket, request)
      socket.unref()
    },
  }
  return Object.assign(agent, own)
}

/** Puts the signal where a cached middleware stack finds it. */
export function withSignal<Input extends object>(input: Input, signal: AbortSignal | undefined): Input {
  return signal ? Object.assign(input, { [SIGNAL]: signal }) : input
}

/**
 * `client.send(command, { abortSignal })` would drop the cached middleware stack for every request, a fifth of its CPU
 * time. So the signal goes along with the input, and this middleware, the last one, calls the request handler with it.
 */
function endBySignalOfInput(client: S3Client): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      const abortSignal = (args.input as { [SIGNAL]?: AbortSignal })[SIGNAL]
      if (!abortSignal) return next(args)
      const { response } = await client.config.requestHandler.handle(args.request as never, { abortSignal })
      // The SDK's own last step returns no output either: the deserializer, further out, makes it.
      return { response } as Awaited<ReturnType<typeof next>>
    },
    { name: 'endBySignalOfInput', step: 'deserialize', priority: 'low' },
  )
}

/**
 * Keeps track of the store's clock by the `Date` of each answer, refusals included, and returns what reads it. The local
 * clock stands in until one has come. In between, time is counted by a clock that nobody sets.
 */
export function keepStoreTime(client: S3Client, local: Pick<Clock, 'now'>): () => number {
  let ahead: number | undefined
  client.middlewareStack.addRelativeTo(
    <Args, Result>(next: (args: Args) => Promise<Result>) =>
      async (args: Args) => {
        const result = await next(args)
        const { headers } = (result as { response: { headers: Record<string, string> } }).response
        const date = Date.parse(headers.date ?? '')
        if (!Number.isNaN(date)) ahead = date - performance.now()
        return result
      },
    // Further out there is the deserializer, which makes an exception of a refusal.
    { name: 'keepStoreTime', relation: 'before', toMiddleware: 'endBySignalOfInput' },
  )
  return () => (ahead === undefined ? local.now() : Math.round(performance.now() + ahead))
}

/**
 * S3 wants DeleteObjects to carry a checksum. The SDK sends CRC32, which older stores don't know; they take
 * Content-MD5, as AWS does (https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html).
 */
function md5ForDeleteObjects(client: S3Client): void {
  client.middlewareStack.add(
    (next, context) => (args) => {
      if (context.commandName === 'DeleteObjectsCommand') {
        const request = args.request as { headers: Record<string, string>; body: string | Uint8Array }
        for (const name of Object.keys(request.headers)) {
          if (/^x-amz-(sdk-)?checksum-/.test(name)) delete request.headers[name]
        }
        request.headers['content-md5'] = createHash('md5').update(request.body).digest('base64')
      }
      return next(args)
    },
    // After the SDK's own checksums, before signing.
    { name: 'md5ForDeleteObjects', step: 'build', priority: 'low' },
  )
}
