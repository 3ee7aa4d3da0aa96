import type { ObjectParameters } from './bucket.js'
import type { Rule } from './options.js'

/** @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl */
export const cannedAcls: readonly string[] = [
  'private',
  'public-read',
  'public-read-write',
  'authenticated-read',
  'aws-exec-read',
  'bucket-owner-read',
  'bucket-owner-full-control',
]

/** PutObject's parameters that make sense for many objects at once, and what kind of value they take. */
const parameterKinds: Record<string, 'string' | 'boolean' | 'date' | 'metadata'> = {
  ACL: 'string',
  BucketKeyEnabled: 'boolean',
  CacheControl: 'string',
  ContentDisposition: 'string',
  ContentEncoding: 'string',
  ContentLanguage: 'string',
  ContentType: 'string',
  ExpectedBucketOwner: 'string',
  Expires: 'date',
  GrantFullControl: 'string',
  GrantRead: 'string',
  GrantReadACP: 'string',
  GrantWriteACP: 'string',
  Metadata: 'metadata',
  ObjectLockLegalHoldStatus: 'string',
  ObjectLockMode: 'string',
  ObjectLockRetainUntilDate: 'date',
  RequestPayer: 'string',
  SSEKMSEncryptionContext: 'string',
  SSEKMSKeyId: 'string',
  ServerSideEncryption: 'string',
  StorageClass: 'string',
  Tagging: 'string',
  WebsiteRedirectLocation: 'string',
}

const kindRules = {
  string: 'has to be a string',
  boolean: 'has to be true or false',
  date: 'has to be a date such as "2030-12-31T00:00:00Z"',
  metadata: 'has to be an object of strings',
}

const kindChecks: Record<keyof typeof kindRules, (value: unknown) => boolean> = {
  // A line break would end the header and begin another one.
  string: (value) => typeof value === 'string' && !/[\r\n]/.test(value),
  boolean: (value) => typeof value === 'boolean',
  date: (value) => !Number.isNaN(new Date(value as string).getTime()),
  metadata: (value) =>
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((entry) => kindChecks.string(entry)),
}

/** One sentence for each parameter that PutObject doesn't know, that static-s3 sets itself, or whose value is of the wrong kind. */
export function problemsOfParameters(name: string, parameters: ObjectParameters): string[] {
  return Object.entries(parameters).flatMap(([parameter, value]) => {
    const kind = parameterKinds[parameter]
    if (!kind) return [`${name} has ${parameter}, which is not a PutObject parameter for many files: leave it out`]
    if (value === undefined || kindChecks[kind](value)) return []
    return [`${name} has a wrong ${parameter}: it ${kindRules[kind]}, and is ${JSON.stringify(value)}`]
  })
}

/** A rule's fields under S3's names. */
const ruleFields = {
  cacheControl: 'CacheControl',
  contentType: 'ContentType',
  contentDisposition: 'ContentDisposition',
  contentEncoding: 'ContentEncoding',
  contentLanguage: 'ContentLanguage',
  expires: 'Expires',
  metadata: 'Metadata',
  storageClass: 'StorageClass',
  tagging: 'Tagging',
  websiteRedirectLocation: 'WebsiteRedirectLocation',
  acl: 'ACL',
} satisfies Record<keyof Omit<Rule, 'match'>, string>

/** A rule's headers as PutObject parameters, and the fields that no rule has. */
export function parametersOfRule(rule: object): { parameters: ObjectParameters; unknown: string[]; known: string[] } {
  const parameters: ObjectParameters = {}
  const unknown: string[] = []
  for (const [field, value] of Object.entries(rule)) {
    if (field === 'match' || value === undefined) continue
    const parameter = (ruleFields as Record<string, string>)[field]
    if (parameter === undefined) unknown.push(field)
    else parameters[parameter] = field === 'expires' && typeof value === 'string' ? new Date(value) : value
  }
  return { parameters, unknown, known: ['match', ...Object.keys(ruleFields)] }
}
