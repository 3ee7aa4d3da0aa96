/** Documents and rules of a bucket, under S3's own names. Fields that are not named here are kept. */
export interface PolicyDocument {
  Version?: string
  Id?: string
  Statement: PolicyStatement[]
}

export interface PolicyStatement {
  Sid?: string
  Effect: 'Allow' | 'Deny'
  Principal?: unknown
  NotPrincipal?: unknown
  Action?: string | string[]
  NotAction?: string | string[]
  Resource?: string | string[]
  NotResource?: string | string[]
  Condition?: Record<string, Record<string, unknown>>
}

export interface CorsRule {
  ID?: string | undefined
  AllowedHeaders?: string[] | undefined
  AllowedMethods: string[] | undefined
  AllowedOrigins: string[] | undefined
  ExposeHeaders?: string[] | undefined
  MaxAgeSeconds?: number | undefined
}

export interface PublicAccessBlock {
  BlockPublicAcls?: boolean | undefined
  IgnorePublicAcls?: boolean | undefined
  BlockPublicPolicy?: boolean | undefined
  RestrictPublicBuckets?: boolean | undefined
}

export interface LifecycleRule {
  ID?: string | undefined
  Status: string | undefined
  /** The form before `Filter`. */
  Prefix?: string | undefined
  Filter?: { Prefix?: string | undefined; Tag?: unknown; And?: { Prefix?: string | undefined } | undefined } | undefined
  Expiration?: { Days?: number | undefined; Date?: Date | undefined } | undefined
  AbortIncompleteMultipartUpload?: { DaysAfterInitiation?: number | undefined } | undefined
}

/** True if S3 removes the parts of every abandoned upload below the prefix. */
export function abortsUploads(rule: LifecycleRule, prefix: string): boolean {
  const { Status, Prefix, Filter = {}, AbortIncompleteMultipartUpload } = rule
  const { Prefix: filtered, ...others } = Filter
  const isLimited = Object.values(others).some((each) => each !== undefined)
  const abortsAny = Status === 'Enabled' && AbortIncompleteMultipartUpload?.DaysAfterInitiation !== undefined
  return abortsAny && !isLimited && prefix.startsWith(Prefix ?? filtered ?? '')
}

/**
 * The port to a bucket's configuration. A read resolves to undefined, or to no rules, if the bucket has none. Each call rejects with a
 * `StaticS3Error` for the user, whose `cause.name` is S3's code.
 */
export interface BucketConfiguration {
  /** The bucket's region. Undefined if the bucket does not exist. */
  region(): Promise<string | undefined>
  /** Creates the bucket in the settings' region. */
  create(): Promise<void>
  policy(): Promise<PolicyDocument | undefined>
  putPolicy(document: PolicyDocument): Promise<void>
  corsRules(): Promise<CorsRule[]>
  putCorsRules(rules: readonly CorsRule[]): Promise<void>
  lifecycleRules(): Promise<LifecycleRule[]>
  putLifecycleRules(rules: readonly LifecycleRule[]): Promise<void>
  /** AWS only: Ceph 16 takes this request for the creation of a bucket. */
  ownership(): Promise<string | undefined>
  /** AWS only. */
  putOwnership(ownership: string): Promise<void>
  /** AWS only. */
  publicAccessBlock(): Promise<PublicAccessBlock | undefined>
  /** AWS only. */
  putPublicAccessBlock(block: PublicAccessBlock): Promise<void>
}
