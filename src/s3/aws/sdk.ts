import { createRequire } from 'node:module'

// Not `import()`: Node parses CommonJS twice for it, which takes half as long again.
const require = createRequire(import.meta.url)

export function loadCredentialChain() {
  return require('@aws-sdk/credential-provider-node') as typeof import('@aws-sdk/credential-provider-node')
}

/** Reads the SDK's environment variables and shared config files. */
export function loadConfigReader() {
  return require('@smithy/core/config') as typeof import('@smithy/core/config')
}
