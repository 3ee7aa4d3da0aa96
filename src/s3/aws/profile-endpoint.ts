import { StaticS3Error } from '../../runtime/error.js'
import type { ConfiguredEndpoint } from '../../settings/address.js'
import { isConfigured } from './endpoint.js'
import { loadConfigReader } from './sdk.js'

type Section = Record<string, string | undefined>

/**
 * The endpoint in the profile of the AWS SDK's configuration files: its `services` section's for S3, or else its own. Without it, keys of another
 * store would go to AWS.
 *
 * @param profile otherwise `AWS_PROFILE`, then `default`
 * @throws StaticS3Error if the profile names a section that does not exist
 * @see https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
 */
export async function findEndpoint(profile?: string): Promise<ConfiguredEndpoint> {
  if (!isConfigured()) return { ignored: false }
  const { loadConfig } = loadConfigReader()
  const read = loadConfig<ConfiguredEndpoint>(
    {
      environmentVariableSelector: () => undefined,
      configFileSelector: (section: Section, file?: Record<string, Section>) => ({
        ignored: section.ignore_configured_endpoint_urls === 'true',
        url: serviceEndpoint(section.services, file) ?? section.endpoint_url,
      }),
      default: { ignored: false },
    },
    { profile },
  )
  return read()
}

function serviceEndpoint(services: string | undefined, file: Record<string, Section> = {}): string | undefined {
  if (services === undefined) return undefined
  const section = file[`services.${services}`]
  if (section) return section['s3.endpoint_url']
  throw new StaticS3Error(
    `static-s3: the AWS profile names services = ${services}: add [services ${services}] to ~/.aws/config.`,
  )
}
