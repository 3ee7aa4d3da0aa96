import type { S3Client } from '@aws-sdk/client-s3'
import { usesPathStyle } from '../../urls/public-url.js'
import { createSdkClient, type Sdk, SILENT } from '../aws/sdk.js'
import type { S3Settings, Transport } from '../http/transport.js'

/** The field of a command's input for the options of its request. */
const OPTIONS = Symbol('options')

export interface RequestOptions {
  signal?: AbortSignal | undefined
  /** Called immediately before the first byte. If it throws, nothing is sent. */
  check?: (() => void) | undefined
}

/** The SDK's client, for copies and multipart uploads. It does not retry, because each attempt must open the body anew. */
export function createClient(sdk: Sdk, settings: S3Settings, transport: Transport): S3Client {
  const { bucket, region, endpoint, addressingStyle, credentials } = settings
  const client = createSdkClient(sdk, {
    region,
    // The SDK's own AWS_ENDPOINT_URL would separate files and public URL.
    ...(endpoint === undefined ? { ignoreConfiguredEndpointUrls: true } : { endpoint }),
    ...(credentials && 'profile' in credentials ? credentials : {}),
    credentials: transport.credentials,
    forcePathStyle: usesPathStyle(bucket, endpoint, addressingStyle),
    maxAttempts: 1,
    // Every store accepts Content-MD5, but not the SDK's checksums and `aws-chunked`.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // Our connections do not wait for "100 Continue".
    expectContinueHeader: false,
    cacheMiddleware: true,
    logger: SILENT,
    requestHandler: transport.handler,
    systemClockOffset: transport.now() - Date.now(),
  })
  // `client.send(command, { abortSignal })` would rebuild the middleware stack for every request, a fifth of its CPU time.
  client.middlewareStack.add(
    (next) => async (args) => {
      const options = (args.input as { [OPTIONS]?: RequestOptions })[OPTIONS]
      if (!options) return next(args)
      const handlerOptions = { abortSignal: options.signal, beforeFirstByte: options.check } as object
      const { response } = await client.config.requestHandler.handle(args.request as never, handlerOptions)
      // The deserializer adds the output.
      return { response } as Awaited<ReturnType<typeof next>>
    },
    { name: 'takeOptionsFromInput', step: 'deserialize', priority: 'low' },
  )
  return client
}

export function withOptions<Input extends object>(input: Input, options: RequestOptions): Input {
  return Object.assign(input, { [OPTIONS]: options })
}
