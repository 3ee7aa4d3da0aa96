import type { ObjectParameters } from '../bucket/bucket.js'
import type { PolicyDocument, PolicyStatement } from '../bucket/configuration.js'
import { bucketArn, documentOf, literalPrefix, type PolicyNames, prefixesOf, sidOf } from './names.js'

export interface DeployRights {
  /** Parameters that the settings give to objects: some need rights of their own. */
  parameters?: readonly ObjectParameters[]
  /** The right to delete objects. */
  prune?: boolean
  /** The rights to tag objects. */
  tag?: boolean
  /** The rights to create and configure the bucket. */
  setup?: boolean
  /** The ARNs of the distributions to invalidate. */
  distribution?: string | string[] | undefined
}

/** @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html */
const actionsOfParameters: [parameter: RegExp, action: string][] = [
  [/^(ACL|Grant.+)$/, 's3:PutObjectAcl'],
  [/^Tagging$/, 's3:PutObjectTagging'],
  [/^ObjectLock(Mode|RetainUntilDate)$/, 's3:PutObjectRetention'],
  [/^ObjectLockLegalHoldStatus$/, 's3:PutObjectLegalHold'],
]

const setupActions = [
  ...['s3:CreateBucket', 's3:ListBucket', 's3:GetBucketLocation'],
  ...['s3:GetBucketPolicy', 's3:PutBucketPolicy', 's3:GetBucketCORS', 's3:PutBucketCORS'],
  ...['s3:GetBucketOwnershipControls', 's3:PutBucketOwnershipControls'],
  ...['s3:GetBucketPublicAccessBlock', 's3:PutBucketPublicAccessBlock'],
  ...['s3:GetLifecycleConfiguration', 's3:PutLifecycleConfiguration'],
]

/** Exactly the rights that a deploy of these settings needs, for a user, a role or a group. */
export function deployPolicy(names: PolicyNames, rights: DeployRights = {}): PolicyDocument {
  const { location } = names
  const { parameters = [], prune, tag, setup, distribution } = rights
  const arn = bucketArn(names)
  const allow = (does: string, Action: string[], Resource: string | string[]): PolicyStatement => ({
    ...{ Sid: sidOf(does, location), Effect: 'Allow', Action, Resource },
  })
  const given = parameters.flatMap((each) => Object.keys(each))
  const more = actionsOfParameters.flatMap(([name, action]) => (given.some((each) => name.test(each)) ? [action] : []))
  const keys = [...new Set(parameters.flatMap(({ SSEKMSKeyId }) => (SSEKMSKeyId ? [String(SSEKMSKeyId)] : [])))]
  const write = [
    ...['s3:GetObject', 's3:PutObject', 's3:AbortMultipartUpload', ...more],
    ...(tag ? ['s3:GetObjectTagging', 's3:PutObjectTagging'] : []),
    ...(prune ? ['s3:DeleteObject'] : []),
  ]
  return documentOf(
    { ...allow('List', ['s3:ListBucket'], arn), ...listed(names) },
    // S3 knows no s3:prefix for this listing of uploads.
    allow('ReadBucket', ['s3:ListBucketMultipartUploads', 's3:GetBucketCORS'], arn),
    allow(
      'Write',
      [...new Set(write)],
      prefixesOf(names).map((prefix) => `${arn}/${prefix}*`),
    ),
    keys.length > 0 ? allow('Encrypt', ['kms:GenerateDataKey', 'kms:Decrypt'], keys) : undefined,
    distribution === undefined ? undefined : allow('Invalidate', ['cloudfront:CreateInvalidation'], distribution),
    setup ? allow('Setup', setupActions, arn) : undefined,
  )
}

/** A location that is the bucket's root lists the whole bucket. */
function listed(names: PolicyNames): Pick<PolicyStatement, 'Condition'> {
  const prefixes = prefixesOf(names).map(literalPrefix)
  if (prefixes.includes('')) return {}
  return { Condition: { StringLike: { 's3:prefix': prefixes.map((prefix) => `${prefix}*`) } } }
}
