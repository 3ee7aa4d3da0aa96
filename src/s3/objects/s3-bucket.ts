import { setMaxListeners } from 'node:events'
import type { CopyObjectCommandInput } from '@aws-sdk/client-s3'
import type { Body, Bucket, ObjectParameters, WrittenObject } from '../../bucket/bucket.js'
import type { Credentials } from '../../settings/settings.js'
import { loadSdk } from '../aws/sdk.js'
import { explain, explainAbort } from '../errors/explain.js'
import type { ExplainContext, Request } from '../errors/request.js'
import { notS3, readError } from '../errors/s3-error.js'
import { type Concurrency, createConcurrency, START } from '../http/concurrency.js'
import { asksForLess, type Clock, classifyFailure, type Failure, retry, systemClock } from '../http/retry.js'
import { lockSockets, openTransport, type S3Settings } from '../http/transport.js'
import { withBody } from './body.js'
import { createClient, type RequestOptions, withOptions } from './client.js'
import { addMd5IfRequired } from './content-md5.js'
import { listObjects } from './list-objects.js'
import { pageQuery, readPage, unquote } from './list-page.js'
import { type Multipart, multipartBytes, PartBuffers, putInParts } from './multipart.js'
import { parametersOf, putObject } from './put-object.js'

export type { S3Settings } from '../http/transport.js'

export interface S3Connection {
  bucket: Bucket
  /** The same one, whose requests don't wait for those of the other. */
  lockChannel: Bucket
  /** The credentials in use: no published file may contain them. Resolved once. */
  credentials(): Promise<Credentials>
  /** Opens connections for requests that will follow. */
  warm(requests: number): void
  /** Closes the sockets. Requests under way fail. */
  close(): void
}

/** After these failures, the store may have executed the request. */
const mayHaveArrived: readonly Failure[] = ['passing', 'stalled']

/**
 * Opens a bucket. Sends nothing, and looks for no credentials.
 *
 * Requests wait for their turn (`createConcurrency`), and a body is opened only then. After its retries, a request fails with an error of
 * `explain`, whose `cause.name` is S3's code. An aborted signal cuts the connection; the call rejects with the signal's reason if that is a
 * StaticS3Error.
 */
export async function openBucket(settings: S3Settings, clock: Clock = systemClock): Promise<S3Connection> {
  const transport = openTransport(settings, clock)
  const { credentials, now } = transport
  const openClient = () => {
    const sdk = loadSdk()
    return { sdk, client: createClient(sdk, settings, transport) }
  }
  let opened: ReturnType<typeof openClient> | undefined
  const loadClient = () => (opened ??= openClient())
  const { bucket: name, region, endpoint, credentials: given } = settings
  const named = given && 'profile' in given ? given.profile : undefined
  const profile = given === undefined ? process.env.AWS_PROFILE : named
  const situation = { bucket: name, region, endpoint, profile }
  const explainOnce = (request: Request) => (error: unknown) => {
    throw explain(error, { ...situation, request, attempts: 1, secrets: [] })
  }
  let reached = false
  let resolved: Promise<Credentials> | undefined

  const callIn = async <T>(
    concurrency: Concurrency,
    request: Request,
    signal: AbortSignal | undefined,
    attempt: () => Promise<T>,
    bodyBytes = 0,
  ): Promise<T> => {
    // All uploads share a signal, and Node would warn of a leak.
    if (signal) setMaxListeners(0, signal)
    let attempts = 0
    let unanswered = false
    const once = () =>
      concurrency.run(async () => {
        signal?.throwIfAborted()
        attempts++
        try {
          return await attempt()
        } catch (error) {
          const read = readError(error)
          reached ||= read.status !== undefined
          unanswered ||= read.status === undefined && mayHaveArrived.includes(classifyFailure(read, false))
          throw error
        }
      }, bodyBytes)
    try {
      const result = await retry(once, { reached: () => reached, signal, clock })
      reached = true
      return result
    } catch (error) {
      const context: ExplainContext = { ...situation, request, attempts, secrets: await secretsInUse(error) }
      if (signal?.aborted) throw explainAbort(signal.reason, context)
      const explained = explain(error, context)
      if (explained.cause instanceof Error) Object.assign(explained.cause, { unanswered })
      throw explained
    }
  }

  /** Only after a response of S3: a chain without credentials would search for seconds again. */
  const secretsInUse = async (error: unknown): Promise<string[]> => {
    if (readError(error).status === undefined) return []
    const inUse = await credentials().catch(() => undefined)
    return inUse ? [inUse.accessKeyId, inUse.secretAccessKey, inUse.sessionToken ?? ''] : []
  }

  const withMd5 = addMd5IfRequired()
  const buffers = new PartBuffers()
  const putLarge = async (
    concurrency: Concurrency,
    key: string,
    body: Body,
    parameters: ObjectParameters,
    options: RequestOptions,
  ): Promise<string> => {
    const request = { verb: 'PUT' as const, key, parameters }
    const multipart: Multipart = {
      ...loadClient(),
      bucket: name,
      buffers,
      call: (ending, attempt, bodyBytes) => callIn(concurrency, request, ending, attempt, bodyBytes),
      etagOf: async (key) => {
        const query = pageQuery(key, { 'max-keys': '1' })
        const { body } = await transport.send({ method: 'GET', query }, options.signal)
        return [...readPage(body.toString(), key).objects].find((object) => object.key === key)?.etag
      },
    }
    return putInParts(multipart, key, body, parameters, options).catch(explainOnce(request))
  }

  // The Date header has no milliseconds: the write may be as late as the end of that second.
  const written = (etag: string): WrittenObject => ({ etag, writtenAt: Math.floor(now() / 1000) * 1000 + 999 })

  const bucketIn = (concurrency: Concurrency): Bucket => {
    const call = <T>(
      request: Request,
      signal: AbortSignal | undefined,
      attempt: () => Promise<T>,
      bodyBytes?: number,
    ) => callIn(concurrency, request, signal, attempt, bodyBytes)
    return {
      list: (prefix, options = {}) =>
        listObjects(prefix, options, async (start, signal) => {
          const send = () => transport.send({ method: 'GET', query: pageQuery(prefix, start) }, signal)
          return readPage((await call({ verb: 'LIST', prefix }, signal, send)).body.toString(), prefix)
        }).catch(explainOnce({ verb: 'LIST', prefix })),

      get: (key, signal) =>
        call({ verb: 'GET', key }, signal, async () => {
          try {
            return (await transport.send({ method: 'GET', key }, signal)).body
          } catch (error) {
            if (readError(error).code === 'NoSuchKey') return undefined
            throw error
          }
        }),

      head: (key, signal) =>
        call({ verb: 'HEAD', key }, signal, async () => {
          try {
            const { headers } = await transport.send({ method: 'HEAD', key }, signal)
            return { etag: etagOf(headers.etag), parameters: parametersOf(headers) }
          } catch (error) {
            if (readError(error).status === 404) return undefined
            throw error
          }
        }),

      put: async (key, body, parameters, signal, check) =>
        written(
          body.size > multipartBytes
            ? await putLarge(concurrency, key, body, parameters, { signal, check })
            : await call(
                { verb: 'PUT', key, parameters },
                signal,
                () =>
                  withMd5(body, parameters, signal, (guarded) =>
                    withBody(guarded, async (content) =>
                      etagOf(await putObject(transport, key, content, guarded, parameters, signal, check)),
                    ),
                  ),
                body.size,
              ),
        ),

      copy: (from, key, parameters, signal, check) =>
        call({ verb: 'COPY', from, key, parameters }, signal, async () => {
          const { sdk, client } = loadClient()
          const input: CopyObjectCommandInput = {
            ...parameters,
            Bucket: name,
            Key: key,
            CopySource: `${name}/${from.split('/').map(encodeURIComponent).join('/')}`,
            MetadataDirective: 'REPLACE',
            // R2 and others refuse this header.
            ...(parameters.Tagging === undefined ? {} : { TaggingDirective: 'REPLACE' }),
          }
          const { CopyObjectResult } = await client.send(
            new sdk.CopyObjectCommand(withOptions(input, { signal, check })),
          )
          return written(etagOf(CopyObjectResult?.ETag))
        }),

      now,
    }
  }

  return {
    bucket: bucketIn(createConcurrency(settings.concurrency, asksForLess)),
    lockChannel: bucketIn(createConcurrency(lockSockets)),
    credentials() {
      resolved ??= credentials().then(
        ({ accessKeyId, secretAccessKey, sessionToken }) => ({ accessKeyId, secretAccessKey, sessionToken }),
        explainOnce({ verb: 'CREDENTIALS' }),
      )
      return resolved
    },
    warm: (requests) => transport.warm(Math.min(requests, START, settings.concurrency)),
    close: transport.close,
  }
}

/** A web server that responds 200 to everything sends no ETag. */
function etagOf(etag: string | undefined): string {
  if (etag === undefined) throw notS3('no ETag')
  return unquote(etag)
}
