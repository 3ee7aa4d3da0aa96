import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Settings } from '../../settings/settings.js'
import { awsDomain, bucketUrlAt } from '../../urls/public-url.js'
import { loadConfigReader } from './sdk.js'

export type Endpoint = Pick<Settings, 'bucket' | 'region' | 'endpoint' | 'addressingStyle' | 'credentials'>

/**
 * Where the bucket is reached, without a slash at the end. On AWS that heeds the SDK's `AWS_USE_FIPS_ENDPOINT` and
 * `AWS_USE_DUALSTACK_ENDPOINT`, which may also stand in the profile.
 *
 * @see https://docs.aws.amazon.com/general/latest/gr/s3.html
 */
export async function bucketUrl({ bucket, region, endpoint, addressingStyle, credentials }: Endpoint): Promise<URL> {
  if (!/^(?!-)[a-z\d-]{1,63}(?<!-)$/i.test(region)) throw Object.assign(new Error(region), { code: 'InvalidRegion' })
  const store = endpoint ?? `https://${await awsHost(region, credentials)}`
  // As the SDK has it, whatever style was asked for: no certificate covers names with dots.
  const style = bucket.includes('.') ? 'path' : addressingStyle
  return bucketUrlAt(store, { bucket, endpoint, addressingStyle: style })
}

/** Whether there is anything that the SDK's reader, which takes 15 ms to load, would find. */
function isConfigured(): boolean {
  const names = ['USE_FIPS_ENDPOINT', 'USE_DUALSTACK_ENDPOINT', 'CONFIG_FILE', 'SHARED_CREDENTIALS_FILE']
  return names.some((name) => process.env[`AWS_${name}`]) || existsSync(join(homedir(), '.aws'))
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
