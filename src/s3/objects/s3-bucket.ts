import { type Bucket, largestToGet, type ObjectParameters, type WrittenObject } from '../../bucket/bucket.js'
import { requestParameters } from '../../bucket/headers.js'
import type { Credentials } from '../../settings/settings.js'
import type { Request } from '../errors/request.js'
import { notS3, readError, type S3Error } from '../errors/s3-error.js'
import { type Concurrency, createConcurrency, START } from '../http/concurrency.js'
import { freeDescriptors } from '../http/descriptors.js'
import type { HttpResponse } from '../http/response.js'
import { asksForLess, type Clock, systemClock } from '../http/retry.js'
import {
  lockSockets,
  openTransport,
  type ServiceCall,
  type Transport,
  type TransportSettings,
} from '../http/transport.js'
import { withBody } from './body.js'
import { type Caller, createCaller } from './caller.js'
import { addMd5IfRequired } from './content-md5.js'
import { corsOrigins } from './cors-origins.js'
import { listObjects } from './list-objects.js'
import { pageQuery, readPage, unquote } from './list-page.js'
import { type LargeObject, multipartBytes, PartBuffers, putInParts } from './multipart.js'
import { headersOf, parametersOf } from './object-headers.js'
import { copyObject, putObject } from './put-object.js'
import { addTags } from './tagging.js'

export interface S3Settings extends Omit<TransportSettings, 'headers'> {
  objectParameters?: ObjectParameters
}

export interface S3Connection {
  bucket: Bucket
  /** The same one, whose requests don't wait for those of the other. */
  lockChannel: Bucket
  /** The credentials in use: no published file may contain them. Resolved once. */
  credentials(): Promise<Credentials>
  /** The origins whose pages may read objects, by the bucket's CORS rules. Undefined if the rules can't be read. */
  corsOrigins(signal: AbortSignal): Promise<readonly string[] | undefined>
  /** Sends a request to another service of AWS, with retries, over the same connections and proxies. */
  callService(call: ServiceCall, request: Request, signal: AbortSignal): Promise<HttpResponse>
  /** Sends a request without credentials, to any host, over the same connections and proxies. */
  sendUnsigned: Transport['sendUnsigned']
  inspectTls: Transport['inspectTls']
  /** Opens connections for requests that will follow. */
  warm(requests: number): void
  /** Calls back once with the silent host, if no byte moves for 15 seconds. */
  onSilence(tell: (whom: string) => void): void
  /** Calls back once for each right that is missing to remove the parts of failed uploads. */
  onPartsKept(tell: (action: string) => void): void
  /** Closes the sockets. Requests under way fail. */
  close(): void
}

/**
 * Opens a bucket. Sends nothing, and looks for no credentials.
 *
 * Requests wait for their turn (`createConcurrency`), and a body is opened only then. An aborted signal cuts the connection; the call rejects with
 * the signal's reason if that is a StaticS3Error.
 */
export async function openBucket(settings: S3Settings, clock: Clock = systemClock): Promise<S3Connection> {
  const { objectParameters = {} } = settings
  const ofEveryRequest = Object.fromEntries(requestParameters.map((name) => [name, objectParameters[name]]))
  // A request may need two descriptors: a socket and a file.
  const bearable = Math.max(1, Math.floor(freeDescriptors() / 2) - lockSockets)
  const concurrency = Math.min(settings.concurrency, bearable)
  const transport = openTransport({ ...settings, concurrency, headers: headersOf(ofEveryRequest) }, clock)
  const caller = createCaller(settings, transport, clock)
  const store: Store = {
    name: settings.bucket,
    transport,
    caller,
    withMd5: addMd5IfRequired(),
    buffers: new PartBuffers(),
    missing: new Set(),
    onPartsKept() {},
  }
  const callOther = caller.callWith(createConcurrency(lockSockets))
  let credentials: Promise<Credentials> | undefined
  return {
    bucket: bucketOf(store, createConcurrency(concurrency, asksForLess)),
    lockChannel: bucketOf(store, createConcurrency(lockSockets)),
    credentials: () => (credentials ??= transport.credentials().catch(caller.explainOnce({ verb: 'CREDENTIALS' }))),
    corsOrigins: (signal) => corsOrigins(transport, signal),
    callService: (call, request, signal) => callOther(request, signal, () => transport.sendToService(call, signal)),
    sendUnsigned: transport.sendUnsigned,
    inspectTls: transport.inspectTls,
    warm: (requests) => transport.warm(Math.min(requests, START, concurrency)),
    onSilence: transport.silence.watch,
    onPartsKept(tell) {
      store.onPartsKept = tell
    },
    close: transport.close,
  }
}

/** What the channels of one bucket share. */
interface Store {
  name: string
  transport: Transport
  caller: Caller
  withMd5: ReturnType<typeof addMd5IfRequired>
  buffers: PartBuffers
  /** The rights that `onPartsKept` has told. */
  missing: Set<string>
  onPartsKept(action: string): void
}

/** The bucket, with requests that wait for each other by this concurrency. */
function bucketOf(store: Store, concurrency: Concurrency): Bucket {
  const { transport, caller, buffers } = store
  const call = caller.callWith(concurrency)
  const written = (etag: string): WrittenObject => ({ etag, writtenAt: latestTime(transport.now()) })
  return {
    list: (prefix, options = {}) =>
      listObjects(prefix, options, async (start, signal) => {
        const send = () => transport.send({ method: 'GET', query: pageQuery(prefix, start) }, signal)
        return readPage((await call({ verb: 'LIST', prefix }, signal, send)).body.toString())
      }).catch(caller.explainOnce({ verb: 'LIST', prefix })),

    get: (key, signal) =>
      call({ verb: 'GET', key }, signal, async () => {
        const send = transport.send({ method: 'GET', key, mostBytes: largestToGet }, signal)
        return (await undefinedIf(({ code }) => code === 'NoSuchKey', send))?.body
      }),

    head: (key, signal) =>
      call({ verb: 'HEAD', key }, signal, async () => {
        const send = transport.send({ method: 'HEAD', key }, signal)
        const response = await undefinedIf(({ status }) => status === 404, send)
        if (!response) return undefined
        const { etag, 'x-amz-tagging-count': tags } = response.headers
        return { etag: etagOf(etag), parameters: parametersOf(response.headers), ...(tags && { tags: Number(tags) }) }
      }),

    async put(key, body, parameters, signal, check) {
      const request = { verb: 'PUT' as const, key, parameters }
      if (body.size > multipartBytes) {
        const callPart: LargeObject['call'] = (ending, attempt, bytes) => call(request, ending, attempt, bytes)
        const onPartsKept: LargeObject['onPartsKept'] = (action) => {
          if (!store.missing.has(action)) store.onPartsKept(action)
          store.missing.add(action)
        }
        const object = { transport, key, body, parameters, buffers, signal, check, call: callPart, onPartsKept }
        return written(await putInParts(object).catch(caller.explainOnce(request)))
      }
      const send = () =>
        store.withMd5(body, parameters, signal, (guarded) =>
          withBody(guarded, async (content) =>
            etagOf(await putObject(transport, key, content, guarded, parameters, { signal, check })),
          ),
        )
      return written(await call(request, signal, send, body.size))
    },

    copy: (from, key, parameters, signal, check) =>
      call({ verb: 'COPY', from, key, parameters }, signal, async () =>
        written(etagOf(await copyObject(transport, store.name, from, key, parameters, { signal, check }))),
      ),

    delete: (key, { ifMatch, signal, check } = {}) =>
      call({ verb: 'DELETE', key }, signal, async () => {
        const headers: Record<string, string> = ifMatch === undefined ? {} : { 'if-match': `"${ifMatch}"` }
        // With a condition, S3 answers NoSuchKey: also if an earlier attempt deleted the object and the reply was lost.
        const send = transport.send({ method: 'DELETE', key, headers, check }, signal)
        await undefinedIf(({ code }) => code === 'NoSuchKey', send)
      }),

    tag: (key, tags, options = {}) =>
      call({ verb: 'TAG', key }, options.signal, () => addTags(transport, key, tags, options)),

    now: transport.now,
  }
}

async function undefinedIf<T>(isIt: (error: S3Error) => boolean, work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (isIt(readError(error))) return undefined
    throw error
  }
}

/**
 * A Date header has no milliseconds. If the clocks of a store's machines differ by more, a HEAD request shows that the object is unchanged.
 */
function latestTime(time: number): number {
  return Math.floor(time / 1000) * 1000 + 999
}

/** A web server that responds 200 to everything sends no ETag. */
function etagOf(etag: string | undefined): string {
  if (etag === undefined) throw notS3('no ETag')
  return unquote(etag)
}
