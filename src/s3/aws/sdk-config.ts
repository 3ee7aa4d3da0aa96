import { StaticS3Error } from '../../runtime/error.js'
import type { ConfiguredEndpoint } from '../../settings/address.js'
import { isConfigured } from './endpoint.js'
import { loadConfigReader } from './sdk.js'

type Section = Record<string, string | undefined>

/**
 * The endpoint in the AWS SDK's configuration files: in the profile's `services` section for S3, or in the profile for all services. Without it,
 * requests with another store's keys would go to AWS.
 *
 * @param profile by default `AWS_PROFILE`, then `default`
 * @throws StaticS3Error if the `services` section does not exist: the SDK would then use AWS
 * @see https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
 */
export async function findEndpoint(profile?: string): Promise<ConfiguredEndpoint> {
  if (!isConfigured()) return { ignored: false }
  const { loadConfig } = loadConfigReader()
  let missing: string | undefined
  const read = loadConfig<ConfiguredEndpoint>(
    {
      environmentVariableSelector: () => undefined,
      configFileSelector: ({ services, endpoint_url, ignore_configured_endpoint_urls }: Section, file) => {
        const section = (file as Record<string, Section> | undefined)?.[`services.${services}`]
        if (services !== undefined && !section) missing = services
        return {
          ignored: ignore_configured_endpoint_urls?.toLowerCase() === 'true',
          url: section?.['s3.endpoint_url'] ?? endpoint_url,
        }
      },
      default: { ignored: false },
    },
    { profile },
  )
  const configured = await read()
  if (missing === undefined || configured.ignored) return configured
  throw new StaticS3Error(
    `static-s3: services is "${missing}" in the AWS profile: add [services ${missing}] to ~/.aws/config`,
  )
}
