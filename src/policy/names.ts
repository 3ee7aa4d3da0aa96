import { hash } from 'node:crypto'
import type { PolicyDocument, PolicyStatement } from '../bucket/configuration.js'
import { awsPartition, type BucketAddress } from '../urls/public-url.js'

/** The names that a policy contains. An endpoint means a store other than AWS. */
export type PolicyNames = Pick<BucketAddress, 'bucket' | 'location' | 'region' | 'endpoint'>

export function documentOf(...statements: (PolicyStatement | undefined)[]): PolicyDocument {
  return { Version: '2012-10-17', Statement: statements.filter((each) => each !== undefined) }
}

/** The name of a statement, and the location that it is for. No two locations share one. */
export function sidOf(does: string, location: string): string {
  return `StaticS3${does}${locationId(location)}`
}

/** `Static` of `static`. A Sid takes letters and digits alone, so other locations get a hash. */
function locationId(location: string): string {
  if (location === '') return ''
  const words = location.split(/[^A-Za-z0-9]+/).map((word) => word.charAt(0).toUpperCase() + word.slice(1))
  const suffix = /^[a-z]+$/.test(location) ? '' : hash('sha256', location).slice(0, 8)
  return `${words.join('')}${suffix}`
}

export function bucketArn({ bucket, region }: Pick<PolicyNames, 'bucket' | 'region'>): string {
  return `arn:${awsPartition(region)}:s3:::${bucket}`
}

/** The prefixes of the location and of its records. */
export function prefixesOf({ location }: Pick<PolicyNames, 'location'>): string[] {
  return location === '' ? [''] : [`${location}/`, `.static-s3/${location}/`]
}

/** The ARN of a CloudFront distribution, from `ACCOUNT:ID`, its ID or its ARN; undefined for anything else. An ID alone stands for every account. */
export function distributionArn(named: string, { region }: Pick<PolicyNames, 'region'>): string | undefined {
  if (/^arn:aws[a-z-]*:cloudfront::\d{12}:distribution\/[A-Z0-9]+$/.test(named)) return named
  const [, account = '*', id] = /^(?:(\d{12}):)?([A-Z0-9]+)$/.exec(named) ?? []
  return id && `arn:${awsPartition(region)}:cloudfront::${account}:distribution/${id}`
}
