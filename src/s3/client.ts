import { createHash } from 'node:crypto'
import type { S3Client } from '@aws-sdk/client-s3'
import { usesPathStyle } from '../core/public-url.js'
import { createSdkClient, type Sdk } from './sdk.js'
import { type S3Settings, SILENT, type Transport } from './transport.js'

/** Where a command's input carries the signal that ends it. */
const SIGNAL = Symbol('signal')

/**
 * The SDK's client for what is written to a bucket. It tries once, since a body has to be opened anew for each attempt. It
 * adds no checksums of its own and never sends `aws-chunked`: Content-MD5 does the same, and every store takes it.
 */
export function createClient(sdk: Sdk, settings: S3Settings, transport: Transport): S3Client {
  const { bucket, region, endpoint, addressingStyle, credentials } = settings
  const client = createSdkClient(sdk, {
    region,
    // Not the SDK's own AWS_ENDPOINT_URL: files and public URL would be on two stores.
    ...(endpoint === undefined ? { ignoreConfiguredEndpointUrls: true } : { endpoint }),
    ...(credentials && 'profile' in credentials ? credentials : {}),
    credentials: transport.credentials,
    forcePathStyle: usesPathStyle(bucket, endpoint, addressingStyle),
    maxAttempts: 1,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // With agents of our own the SDK sends that header for files over 2 MB, but doesn't wait for the answer.
    expectContinueHeader: false,
    cacheMiddleware: true,
    logger: SILENT,
    requestHandler: transport.handler,
    systemClockOffset: transport.now() - Date.now(),
  })
  endBySignalOfInput(client)
  md5ForDeleteObjects(client)
  return client
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
