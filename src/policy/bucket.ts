import type { PolicyDocument, PolicyStatement } from '../bucket/configuration.js'
import { bucketArn, documentOf, literalPrefix, type PolicyNames, sidOf } from './names.js'

export interface Readers {
  /** The ARN of the CloudFront distribution that may read; undefined for everybody. */
  distribution?: string | undefined
  /** Only requests from these addresses. */
  from?: readonly string[]
  /** Only requests whose Referer is like one of these. */
  referers?: readonly string[]
  /** Names below the location that nobody may overwrite; `*` and `?` as IAM reads them. */
  immutable?: readonly string[]
}

/** The statements that we may write into a bucket's policy, by the words in their Sids. */
const statements = ['Read', 'DenyRecords', 'KeepFiles'] as const

/** The Sids of all statements that a location may have in its bucket's policy. */
export function bucketPolicySids(location: string): string[] {
  return statements.map((does) => sidOf(does, location))
}

/** Lets everybody, or one distribution, read the location alone. */
export function bucketPolicy(names: PolicyNames, readers: Readers = {}): PolicyDocument {
  const isAws = names.endpoint === undefined
  return documentOf(readStatement(names, readers), isAws ? denyRecords(names) : undefined, keepFiles(names, readers))
}

/** @see https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-s3.html */
export function readStatement(names: PolicyNames, { distribution, from, referers }: Readers): PolicyStatement {
  const { location } = names
  const condition = {
    ...(distribution === undefined ? {} : { StringEquals: { 'aws:SourceArn': distribution } }),
    ...(from?.length ? { IpAddress: { 'aws:SourceIp': [...from] } } : {}),
    ...(referers?.length ? { StringLike: { 'aws:Referer': [...referers] } } : {}),
  }
  const arn = bucketArn(names)
  return {
    Sid: sidOf('Read', location),
    Effect: 'Allow',
    Principal: distribution === undefined ? '*' : { Service: 'cloudfront.amazonaws.com' },
    Action: 's3:GetObject',
    ...(literalPrefix(location) === '' ? { NotResource: `${arn}/.static-s3/*` } : { Resource: `${arn}/${location}/*` }),
    ...(Object.keys(condition).length > 0 ? { Condition: condition } : {}),
  }
}

/**
 * Keeps the records from the public and from CloudFront, even if another statement allows more. An anonymous request has another account than the
 * bucket, and so has a service.
 *
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
 */
function denyRecords(names: PolicyNames): PolicyStatement {
  return {
    Sid: sidOf('DenyRecords', names.location),
    Effect: 'Deny',
    Principal: '*',
    Action: ['s3:GetObject', 's3:GetObjectVersion'],
    Resource: `${bucketArn(names)}/.static-s3/*`,
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a policy variable
    Condition: { StringNotEquals: { 'aws:PrincipalAccount': '${aws:ResourceAccount}' } },
  }
}

/** @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html */
function keepFiles(names: PolicyNames, { immutable = [] }: Readers): PolicyStatement | undefined {
  if (immutable.length === 0) return undefined
  const prefix = names.location === '' ? '' : `${names.location}/`
  return {
    Sid: sidOf('KeepFiles', names.location),
    Effect: 'Deny',
    Principal: '*',
    Action: 's3:PutObject',
    Resource: immutable.map((glob) => `${bucketArn(names)}/${prefix}${glob}`),
    // The parts of a multipart upload take no condition, but its completion does.
    Condition: { Null: { 's3:if-none-match': 'true' }, Bool: { 's3:ObjectCreationOperation': 'true' } },
  }
}
