import type { BucketAddress } from '../urls/public-url.js'

// Commands and policies to paste. Each grants no more than visitors need.

/** New AWS buckets refuse public policies. Other stores need no such step: on Ceph 16 it would lock out the owner. */
export function blockCommand({ bucket }: BucketAddress): string {
  return (
    `aws s3api put-public-access-block --bucket ${bucket} --public-access-block-configuration ` +
    'BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=false,RestrictPublicBuckets=false'
  )
}

export function publicReadCommand(address: BucketAddress): string {
  const statement = { Effect: 'Allow', Principal: '*', Action: 's3:GetObject', ...publicFiles(address) }
  return command('put-bucket-policy --policy', { Version: '2012-10-17', Statement: [statement] }, address)
}

/** @see https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-s3.html */
export function cloudFrontStatement(address: BucketAddress): string {
  return JSON.stringify({
    Effect: 'Allow',
    Principal: { Service: 'cloudfront.amazonaws.com' },
    Action: 's3:GetObject',
    ...publicFiles(address),
    Condition: { StringEquals: { 'AWS:SourceArn': 'arn:aws:cloudfront::ACCOUNT:distribution/ID' } },
  })
}

export function corsCommand(address: BucketAddress): string {
  const rule = { AllowedMethods: ['GET', 'HEAD'], AllowedOrigins: ['*'], AllowedHeaders: ['*'] }
  return command('put-bucket-cors --cors-configuration', { CORSRules: [rule] }, address)
}

function command(operation: string, value: unknown, { bucket, endpoint }: BucketAddress): string {
  const [name, parameter] = operation.split(' ')
  const store = endpoint === undefined ? '' : ` --endpoint-url ${endpoint}`
  return `aws${store} s3api ${name} --bucket ${bucket} ${parameter} '${JSON.stringify(value)}'`
}

/** The location, or everything but the records. */
function publicFiles({ bucket, region, location }: BucketAddress): Record<string, string> {
  const partition = /^(cn|us-gov)-/.exec(region)?.[1]
  const objects = `arn:aws${partition === undefined ? '' : `-${partition}`}:s3:::${bucket}`
  return location === '' ? { NotResource: `${objects}/.static-s3/*` } : { Resource: `${objects}/${location}/*` }
}
