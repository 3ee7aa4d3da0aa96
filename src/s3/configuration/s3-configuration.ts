import type { BucketLocationConstraint, ObjectOwnership, LifecycleRule as SdkRule } from '@aws-sdk/client-s3'
import type { BucketConfiguration, LifecycleRule } from '../../bucket/configuration.js'
import { responseOf, StaticS3Error } from '../../runtime/error.js'
import type { Settings } from '../../settings/settings.js'
import { type Operations, openOperations } from './operations.js'

type Address = Pick<Settings, 'bucket' | 'region' | 'endpoint' | 'addressingStyle' | 'credentials'>

/** Opens the configuration of a bucket, which need not exist. Sends nothing. `close` makes requests under way fail. */
export function openConfiguration(settings: Address): { configuration: BucketConfiguration; close(): void } {
  const operations = openOperations(settings)
  const configuration = { ...bucketItself(settings, operations), ...rules(operations), ...access(settings, operations) }
  return { configuration, close: operations.close }
}

function bucketItself(
  { region, endpoint }: Address,
  { run }: Operations,
): Pick<BucketConfiguration, 'region' | 'create'> {
  return {
    async region() {
      try {
        return (await run('HeadBucket')).BucketRegion ?? region
      } catch (error) {
        const { status, region: elsewhere } = responseOf(error)
        if (status === 404) return undefined
        if (elsewhere !== undefined && elsewhere !== region) return elsewhere
        if (status !== 403) throw error
      }
      // A right to list that depends on s3:prefix does not allow HEAD, whose response has no code.
      const { LocationConstraint: named } = await run('GetBucketLocation')
      if (endpoint !== undefined) return region
      // The oldest buckets have these names.
      return named === undefined ? 'us-east-1' : named === 'EU' ? 'eu-west-1' : named
    },
    async create() {
      // Other stores have an endpoint for each region, and names of regions that differ from those in signatures.
      const named = endpoint === undefined && region !== 'us-east-1'
      const constraint = { LocationConstraint: region as BucketLocationConstraint }
      await run('CreateBucket', named ? { CreateBucketConfiguration: constraint } : {})
    },
  }
}

function rules({
  run,
  find,
}: Operations): Pick<BucketConfiguration, 'corsRules' | 'putCorsRules' | 'lifecycleRules' | 'putLifecycleRules'> {
  const lifecycle = () => find('GetBucketLifecycleConfiguration', 'NoSuchLifecycleConfiguration')
  return {
    async corsRules() {
      return (await find('GetBucketCors', 'NoSuchCORSConfiguration'))?.CORSRules ?? []
    },
    async putCorsRules(rules) {
      await run('PutBucketCors', { CORSConfiguration: { CORSRules: [...rules] } })
    },
    async lifecycleRules() {
      return ((await lifecycle())?.Rules ?? []) as LifecycleRule[]
    },
    async putLifecycleRules(rules) {
      // S3 would reset this field of the configuration to its default.
      const { TransitionDefaultMinimumObjectSize: size } = (await lifecycle()) ?? {}
      await run('PutBucketLifecycleConfiguration', {
        ...(size === undefined ? {} : { TransitionDefaultMinimumObjectSize: size }),
        LifecycleConfiguration: { Rules: rules as SdkRule[] },
      })
    },
  }
}

function access(
  { bucket }: Address,
  { run, find }: Operations,
): Omit<BucketConfiguration, keyof ReturnType<typeof bucketItself> | keyof ReturnType<typeof rules>> {
  return {
    async policy() {
      const { Policy: text } = (await find('GetBucketPolicy', 'NoSuchBucketPolicy')) ?? {}
      if (text === undefined) return undefined
      try {
        return JSON.parse(text)
      } catch (cause) {
        const problem = `static-s3: the policy of s3://${bucket} is no JSON: check AWS_S3_ENDPOINT_URL`
        throw new StaticS3Error(problem, { cause })
      }
    },
    async putPolicy(document) {
      await run('PutBucketPolicy', { Policy: JSON.stringify(document) })
    },
    async ownership() {
      const found = await find('GetBucketOwnershipControls', 'OwnershipControlsNotFoundError')
      return found?.OwnershipControls?.Rules?.[0]?.ObjectOwnership
    },
    async putOwnership(ownership) {
      const rule = { ObjectOwnership: ownership as ObjectOwnership }
      await run('PutBucketOwnershipControls', { OwnershipControls: { Rules: [rule] } })
    },
    async publicAccessBlock() {
      const found = await find('GetPublicAccessBlock', 'NoSuchPublicAccessBlockConfiguration')
      return found?.PublicAccessBlockConfiguration
    },
    async putPublicAccessBlock(block) {
      await run('PutPublicAccessBlock', { PublicAccessBlockConfiguration: block })
    },
  }
}
