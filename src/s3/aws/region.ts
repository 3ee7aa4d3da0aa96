import { StaticS3Error } from '../../runtime/error.js'
import { loadConfigReader } from './sdk.js'

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
