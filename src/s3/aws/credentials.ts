import { createRequire } from 'node:module'
import type { defaultProvider } from '@aws-sdk/credential-provider-node'
import type { Settings } from '../../settings/settings.js'

// Not `import()`: Node parses CommonJS twice for it, which takes half as long again.
const require = createRequire(import.meta.url)

type ChainOptions = NonNullable<Parameters<typeof defaultProvider>[0]>

export type RequestHandler = Extract<
  NonNullable<ChainOptions['parentClientConfig']>['requestHandler'],
  { handle: unknown }
>

export type Identity = Awaited<ReturnType<ReturnType<typeof defaultProvider>>>

/** By default, the SDK prints failed requests to the console, outside the bundler's log. */
const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {} }

/** The keys of the settings, or the SDK's credential chain, which assumes roles in the bucket's region. */
export function credentialsOf(
  { credentials, region }: Pick<Settings, 'credentials' | 'region'>,
  requestHandler: RequestHandler,
): () => Promise<Identity> {
  if (credentials !== undefined && !('profile' in credentials)) {
    const { accessKeyId, secretAccessKey, sessionToken } = credentials
    return async () => ({ accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) })
  }
  const { debug, explain } = keepReason()
  const config = { ...credentials, region: async () => region, logger: SILENT, requestHandler }
  const chain = require('@aws-sdk/credential-provider-node') as typeof import('@aws-sdk/credential-provider-node')
  const provider = chain.defaultProvider({
    ...credentials,
    logger: { ...SILENT, debug },
    // SSO reads the first, STS the second.
    clientConfig: { requestHandler },
    parentClientConfig: config,
  })
  return () => provider({ callerClientConfig: config }).catch(explain)
}

/**
 * Keeps the error of a `credential_process`. The SDK's chain continues with the next source of credentials, and its last error does not give
 * the reason.
 */
function keepReason(): { debug(text: unknown): void; explain(error: unknown): never } {
  let reason: string | undefined
  return {
    debug(text) {
      // The command line may contain a password: only the command's own output is kept.
      const [, failed, words = ''] =
        /-> (Command failed: [^\n]*|(?=Profile \S+ credential_process (?:returned|did not return)))(.*)/s.exec(
          String(text),
        ) ?? []
      if (failed !== undefined)
        reason ??= words.replace(/^Profile \S+ credential_process /, 'it ').trim() || 'it failed'
    },
    explain(error) {
      const message = `credential_process: ${reason}`
      throw reason !== undefined && error instanceof Error ? Object.assign(error, { message }) : error
    },
  }
}
