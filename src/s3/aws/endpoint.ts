import type { Settings } from '../../settings/settings.js'
import { awsDomain, bucketUrlAt } from '../../urls/public-url.js'
import { isConfigured, loadConfigReader } from './sdk-config.js'

type Endpoint = Pick<Settings, 'bucket' | 'region' | 'endpoint' | 'addressingStyle' | 'credentials'>

/**
 * The bucket's URL for requests, without a slash at the end. On AWS, it respects `AWS_USE_FIPS_ENDPOINT` and
 * `AWS_USE_DUALSTACK_ENDPOINT` from the environment and the profile.
 *
 * @see https://docs.aws.amazon.com/general/latest/gr/s3.html
 */
export async function bucketUrl({ bucket, region, endpoint, addressingStyle, credentials }: Endpoint): Promise<URL> {
  if (!/^(?!-)[a-z\d-]{1,63}(?<!-)$/i.test(region)) throw Object.assign(new Error(region), { code: 'InvalidRegion' })
  const store = endpoint ?? `https://${await awsHost(region, credentials)}`
  // As in the SDK: no certificate covers bucket names with dots.
  const style = bucket.includes('.') ? 'path' : addressingStyle
  return bucketUrlAt(store, { bucket, endpoint, addressingStyle: style })
}

async function awsHost(region: string, credentials: Endpoint['credentials']): Promise<string> {
  if (!isConfigured()) return `s3.${region}.${awsDomain(region)}`
  const source = credentials && 'profile' in credentials ? { profile: credentials.profile } : {}
  const { loadConfig, NODE_USE_DUALSTACK_ENDPOINT_CONFIG_OPTIONS, NODE_USE_FIPS_ENDPOINT_CONFIG_OPTIONS } =
    loadConfigReader()
  const [fips, dualStack] = await Promise.all([
    loadConfig(NODE_USE_FIPS_ENDPOINT_CONFIG_OPTIONS, source)(),
    loadConfig(NODE_USE_DUALSTACK_ENDPOINT_CONFIG_OPTIONS, source)(),
  ])
  return `s3${fips ? '-fips' : ''}.${dualStack ? 'dualstack.' : ''}${region}.${awsDomain(region)}`
}
