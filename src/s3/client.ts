import type { S3Client } from '@aws-sdk/client-s3'
import { usesPathStyle } from '../core/public-url.js'
import { createSdkClient, type Sdk } from './sdk.js'
import { type S3Settings, SILENT, type Transport } from './transport.js'

/** Where a command's input carries the signal that ends it. */
const SIGNAL = Symbol('signal')

/**
 * The SDK's client, for copies and for what goes up in parts. It tries once, since a body has to be opened anew for each attempt. It
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
