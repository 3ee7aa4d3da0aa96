import { StaticS3Error } from '../../runtime/error.js'
import { loadConfigReader } from './sdk.js'

/**
 * The region that the SDK finds: `AWS_REGION`, the profile's in the shared config files, the EC2 instance's own. Where
 * it finds none: us-east-1, S3's default. It doesn't read `AWS_DEFAULT_REGION`, which is Python's and the AWS CLI's:
 * settings read that before.
 *
 * @param profile the profile to look in; without it `AWS_PROFILE`, then `default`
 * @throws StaticS3Error for a region that can't be one
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
    throw new StaticS3Error(
      `static-s3: the AWS region can't be used: ${message.replace(/\.$/, '')}. Set AWS_S3_REGION_NAME to the bucket's region, such as eu-west-1.`,
      { cause: error },
    )
  }
}
