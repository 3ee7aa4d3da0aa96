import { hash } from 'node:crypto'
import type { PolicyDocument, PolicyStatement } from '../bucket/configuration.js'
import { type Preview, patternOf } from '../previews/template.js'
import { awsPartition, type BucketAddress } from '../urls/public-url.js'

/** The names that a policy contains. `*` in a location stands for the previews' names. An endpoint means a store other than AWS. */
export interface PolicyNames extends Pick<BucketAddress, 'bucket' | 'location' | 'region' | 'endpoint'> {
  preview?: Preview | undefined
}

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

/** With the location of all previews, so that one policy serves them all. */
export function ofAllPreviews<T extends PolicyNames>(names: T): T {
  return names.preview ? { ...names, location: patternOf(names.preview.template) } : names
}

/** The value of AWS_LOCATION. */
export function locationSetting({ preview, location }: Pick<PolicyNames, 'preview' | 'location'>): string {
  return preview?.template ?? location
}

/** The part before the first `*`, which stands for the previews' names, where a rule knows no patterns. */
export function literalPrefix(prefix: string): string {
  return prefix.replace(/\*.*/s, '')
}

/** The ARN of a CloudFront distribution, from `ACCOUNT:ID`, its ID or its ARN; undefined for anything else. An ID alone stands for every account. */
export function distributionArn(named: string, { region }: Pick<PolicyNames, 'region'>): string | undefined {
  if (/^arn:aws[a-z-]*:cloudfront::\d{12}:distribution\/[A-Z0-9]+$/.test(named)) return named
  const [, account = '*', id] = /^(?:(\d{12}):)?([A-Z0-9]+)$/.exec(named) ?? []
  return id && `arn:${awsPartition(region)}:cloudfront::${account}:distribution/${id}`
}
