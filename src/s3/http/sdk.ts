import { createRequire } from 'node:module'
import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3'

export type Sdk = typeof import('@aws-sdk/client-s3')

// Not `import()`: Node reads CommonJS twice for it, to find the names of its exports, which takes half as long again.
const require = createRequire(import.meta.url)

/** The SDK is 22 MB and takes 50 to 100 ms: it is loaded when there is something to write, and not to read what is there. */
export function loadSdk(): Sdk {
  return require('@aws-sdk/client-s3')
}

/** The part of the SDK that finds credentials. */
export function loadCredentialChain() {
  return require('@aws-sdk/credential-provider-node') as typeof import('@aws-sdk/credential-provider-node')
}

/** The part of the SDK that reads its environment variables and shared config files. */
export function loadConfigReader() {
  return require('@smithy/core/config') as typeof import('@smithy/core/config')
}

const NODE_NOTICE = 'AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'

/**
 * A client without the SDK's notice about future Node versions: which SDK is used is our affair, not the user's, and a
 * build's output is no place for it. The SDK looks at the environment inside the constructor only.
 */
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
