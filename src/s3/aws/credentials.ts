import type { defaultProvider } from '@aws-sdk/credential-provider-node'
import type { Settings } from '../../settings/settings.js'
import { keepReason } from './chain-reason.js'
import { loadCredentialChain } from './sdk.js'

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
  const provider = loadCredentialChain().defaultProvider({
    ...credentials,
    logger: { ...SILENT, debug },
    // SSO reads the first, STS the second.
    clientConfig: { requestHandler },
    parentClientConfig: config,
  })
  return () => provider({ callerClientConfig: config }).catch(explain)
}
