import type { S3Client } from '@aws-sdk/client-s3'
import { usesPathStyle } from '../../urls/public-url.js'
import { createSdkClient, type Sdk, SILENT } from '../aws/sdk.js'
import type { S3Settings, Transport } from '../http/transport.js'

/** Where a command's input carries the options of its request. */
const OPTIONS = Symbol('options')

export interface RequestOptions {
  signal?: AbortSignal | undefined
  /** Called immediately before the first byte is sent. When it throws, nothing is. */
  check?: (() => void) | undefined
}

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
    // Our connections wait for no answer to that header.
    expectContinueHeader: false,
    cacheMiddleware: true,
    logger: SILENT,
    requestHandler: transport.handler,
    systemClockOffset: transport.now() - Date.now(),
  })
  takeOptionsFromInput(client)
  return client
}

/** Puts a request's options where a cached middleware stack finds them. */
export function withOptions<Input extends object>(input: Input, options: RequestOptions): Input {
  return Object.assign(input, { [OPTIONS]: options })
}

/**
 * `client.send(command, { abortSignal })` would drop the cached middleware stack for every request, a fifth of its CPU
 * time. So the options go along with the input, and this middleware, the last one, calls the request handler with them.
 */
function takeOptionsFromInput(client: S3Client): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      const options = (args.input as { [OPTIONS]?: RequestOptions })[OPTIONS]
      if (!options) return next(args)
      const { signal: abortSignal, check: beforeFirstByte } = options
      const handlerOptions = { abortSignal, beforeFirstByte } as object
      const { response } = await client.config.requestHandler.handle(args.request as never, handlerOptions)
      // The SDK's own last step returns no output either: the deserializer, further out, makes it.
      return { response } as Awaited<ReturnType<typeof next>>
    },
    { name: 'takeOptionsFromInput', step: 'deserialize', priority: 'low' },
  )
}
