import { createRequire } from 'node:module'
import type * as Sdk from '@aws-sdk/client-s3'
import { usesPathStyle } from '../../urls/public-url.js'
import { createConcurrency } from '../http/concurrency.js'
import { openConnections } from '../http/connections.js'
import { requestHandlerOf } from '../http/request-handler.js'
import { systemClock } from '../http/retry.js'
import { openTransport, type TransportSettings } from '../http/transport.js'
import { createCaller } from '../objects/caller.js'

// Not `import()`: Node parses CommonJS twice for it, which takes half as long again.
const require = createRequire(import.meta.url)

/** S3's operations on a bucket's configuration, each with the action that a policy allows. */
const actions = {
  HeadBucket: 'ListBucket',
  GetBucketLocation: 'GetBucketLocation',
  CreateBucket: 'CreateBucket',
  GetBucketPolicy: 'GetBucketPolicy',
  PutBucketPolicy: 'PutBucketPolicy',
  GetBucketCors: 'GetBucketCORS',
  PutBucketCors: 'PutBucketCORS',
  GetBucketLifecycleConfiguration: 'GetLifecycleConfiguration',
  PutBucketLifecycleConfiguration: 'PutLifecycleConfiguration',
  GetBucketOwnershipControls: 'GetBucketOwnershipControls',
  PutBucketOwnershipControls: 'PutBucketOwnershipControls',
  GetPublicAccessBlock: 'GetBucketPublicAccessBlock',
  PutPublicAccessBlock: 'PutBucketPublicAccessBlock',
}

type Operation = keyof typeof actions
type Command<O extends Operation> = (typeof Sdk)[`${O}Command`]
type Input<O extends Operation> = Omit<ConstructorParameters<Command<O>>[0], 'Bucket'>
type Output<O extends Operation> = Awaited<
  ReturnType<ReturnType<InstanceType<Command<O>>['resolveMiddleware']>>
>['output']

export interface Operations {
  /** @throws StaticS3Error whose `cause.name` is S3's code */
  run<O extends Operation>(operation: O, input?: Input<O>): Promise<Output<O>>
  /** The same, or undefined if S3 answers with this code: the bucket has no such configuration. */
  find<O extends Operation>(operation: O, codeIfNone: string): Promise<Output<O> | undefined>
  /** Closes the sockets. Requests under way fail. */
  close(): void
}

/** The SDK's operations on the bucket, over our connections and proxies. */
export function openOperations(settings: Omit<TransportSettings, 'headers' | 'concurrency'>): Operations {
  const { bucket, region, endpoint, addressingStyle, credentials } = settings
  const concurrency = 4
  const connections = openConnections(concurrency)
  const transport = openTransport({ ...settings, concurrency }, systemClock, connections)
  const call = createCaller({ ...settings, concurrency }, transport, systemClock).callWith(
    createConcurrency(concurrency),
  )
  // static-s3 supports Node 20: its users need no notice of the SDK's later versions.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'
  const sdk = require('@aws-sdk/client-s3') as typeof Sdk
  const client = new sdk.S3Client({
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials && 'profile' in credentials ? { profile: credentials.profile } : {}),
    credentials: transport.credentials,
    forcePathStyle: usesPathStyle(bucket, endpoint, addressingStyle),
    requestHandler: requestHandlerOf(connections.send),
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // `call` repeats requests.
    maxAttempts: 1,
  })
  const run: Operations['run'] = (operation, input) =>
    call({ verb: 'CONFIGURATION', operation, action: actions[operation] }, undefined, () => {
      const AnyCommand = sdk[`${operation}Command`] as unknown as new (input: object) => never
      return client.send(new AnyCommand({ ...input, Bucket: bucket }))
    })
  return {
    run,
    find: (operation, codeIfNone) =>
      run(operation).catch((error) => {
        if (error.cause?.name === codeIfNone) return undefined
        throw error
      }),
    close: transport.close,
  }
}
