import { createRequire } from 'node:module'
import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3'

export type Sdk = typeof import('@aws-sdk/client-s3')

export type RequestHandler = Extract<S3ClientConfig['requestHandler'], { handle: unknown }>

/** By default, the SDK prints failed streams to the console, past the bundler's output and before our retry. */
export const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {} }

// Not `import()`: Node parses CommonJS twice for it, which takes half as long again.
const require = createRequire(import.meta.url)

/** Takes 50 to 100 ms, so that only copies and large uploads load it. */
export function loadSdk(): Sdk {
  return require('@aws-sdk/client-s3')
}

export function loadCredentialChain() {
  return require('@aws-sdk/credential-provider-node') as typeof import('@aws-sdk/credential-provider-node')
}

/** Reads the SDK's environment variables and shared config files. */
export function loadConfigReader() {
  return require('@smithy/core/config') as typeof import('@smithy/core/config')
}

const NODE_NOTICE = 'AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'

/** Creates a client without the SDK's notice about Node versions. The SDK reads this variable only in the constructor. */
export function createSdkClient(sdk: Sdk, config: S3ClientConfig): S3Client {
  const before = process.env[NODE_NOTICE]
  process.env[NODE_NOTICE] = 'true'
  try {
    return new sdk.S3Client(config)
  } finally {
    if (before === undefined) delete process.env[NODE_NOTICE]
    else process.env[NODE_NOTICE] = before
  }
}
