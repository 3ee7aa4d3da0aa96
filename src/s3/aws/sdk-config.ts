import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { StaticS3Error } from '../../runtime/error.js'
import type { ConfiguredEndpoint } from '../../settings/address.js'

// Not `import()`: Node parses CommonJS twice for it, which takes half as long again.
const require = createRequire(import.meta.url)

/** Reads the SDK's environment variables and shared config files. */
export function loadConfigReader() {
  return require('@smithy/core/config') as typeof import('@smithy/core/config')
}

/** False if the SDK's reader, which takes 15 ms to load, would find nothing. */
export function isConfigured(): boolean {
  const names = ['USE_FIPS_ENDPOINT', 'USE_DUALSTACK_ENDPOINT', 'CONFIG_FILE', 'SHARED_CREDENTIALS_FILE']
  return names.some((name) => process.env[`AWS_${name}`]) || existsSync(join(homedir(), '.aws'))
}

/**
 * The region that the SDK finds in `AWS_REGION`, the profile or the EC2 instance's metadata; otherwise us-east-1.
 *
 * @param profile otherwise `AWS_PROFILE`, then `default`
 * @throws StaticS3Error if the region has an impossible name
 */
export async function findRegion(profile?: string): Promise<string> {
  const { loadConfig, NODE_REGION_CONFIG_FILE_OPTIONS, NODE_REGION_CONFIG_OPTIONS, resolveRegionConfig } =
    loadConfigReader()
  const region = loadConfig(NODE_REGION_CONFIG_OPTIONS, { ...NODE_REGION_CONFIG_FILE_OPTIONS, profile })
  try {
    return await resolveRegionConfig({ region, useFipsEndpoint: false }).region()
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    if (message === 'Region is missing') return 'us-east-1'
    const reason = message.replace(/\.$/, '')
    throw new StaticS3Error(
      `static-s3: the AWS region is invalid: ${reason}. Set AWS_S3_REGION_NAME to the bucket's region, such as eu-west-1.`,
      { cause: error },
    )
  }
}

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
