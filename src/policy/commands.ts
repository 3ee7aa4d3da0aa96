import type { PolicyDocument } from '../bucket/configuration.js'
import { awsPartition } from '../urls/public-url.js'
import { bucketPolicy } from './bucket.js'
import { corsRule } from './cors.js'
import type { PolicyNames } from './names.js'

// Commands to paste. Their documents grant no more than visitors need.

/** New AWS buckets refuse public policies. Other stores need no such step: on Ceph 16 it would lock out the owner. */
export function blockCommand({ bucket }: PolicyNames): string {
  return (
    `aws s3api put-public-access-block --bucket ${bucket} --public-access-block-configuration ` +
    'BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=false,RestrictPublicBuckets=false'
  )
}

/** The command that makes a document the bucket's policy. */
export function policyCommand(names: PolicyNames, document: PolicyDocument): string {
  return command(names, 'put-bucket-policy', `--policy '${JSON.stringify(document)}'`)
}

export function publicReadCommand(names: PolicyNames): string {
  return policyCommand(names, bucketPolicy(names))
}

/** The policy for a distribution whose account and ID the reader fills in. */
export function cloudFrontPolicy(names: PolicyNames): string {
  return JSON.stringify(
    bucketPolicy(names, { distribution: `arn:${awsPartition(names.region)}:cloudfront::ACCOUNT:distribution/ID` }),
  )
}

export function corsCommand(names: PolicyNames, origins?: readonly string[]): string {
  const configuration = JSON.stringify({ CORSRules: [corsRule(origins)] })
  return command(names, 'put-bucket-cors', `--cors-configuration '${configuration}'`)
}

function command({ bucket, endpoint }: PolicyNames, operation: string, parameter: string): string {
  const store = endpoint === undefined ? '' : ` --endpoint-url ${endpoint}`
  return `aws${store} s3api ${operation} --bucket ${bucket} ${parameter}`
}
