import type { ObjectParameters } from '../bucket/bucket.js'
import { suggestion } from '../runtime/suggestion.js'
import type { Rule } from './options.js'
import { show } from './setting-reader.js'

/** @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl */
const cannedAcls: readonly string[] = [
  'private',
  'public-read',
  'public-read-write',
  'authenticated-read',
  'aws-exec-read',
  'bucket-owner-read',
  'bucket-owner-full-control',
]

/** PutObject's parameters that make sense for many objects at once, and what kind of value they take. */
export const parameterKinds: Record<string, keyof typeof kindRules> = {
  ACL: 'acl',
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
  acl: `has to be one of ${cannedAcls.join(', ')}`,
  string: 'has to be a string of printable ASCII characters',
  boolean: 'has to be true or false',
  date: 'has to be a date such as "2030-12-31T00:00:00Z"',
  metadata:
    'has to be an object of strings, under names of letters, digits and hyphens that differ in more than their case',
}

const kindChecks: Record<keyof typeof kindRules, (value: unknown) => boolean> = {
  acl: (value) => cannedAcls.includes(value as string),
  // A line break would end the header and begin another one. With other letters, S3 sees another signature than was made.
  string: (value) => typeof value === 'string' && /^[\t\x20-\x7e]*$/.test(value),
  boolean: (value) => typeof value === 'boolean',
  date: (value) => value instanceof Date && !Number.isNaN(value.getTime()),
  metadata: (value) =>
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((entry) => kindChecks.string(entry)) &&
    areNames(Object.keys(value)),
}

/** Whether each can be a header of its own. Headers go by their names in lower case, and the SDK loses `__proto__`. */
function areNames(names: readonly string[]): boolean {
  return (
    new Set(names.map((name) => name.toLowerCase())).size === names.length &&
    names.every((name) => /^[!#$%&'*+.^_`|~0-9a-z-]+$/i.test(name) && name !== '__proto__')
  )
}

/** Parameters with dates in place of their strings (JSON has none), and without those that are undefined. */
export function withDates(parameters: ObjectParameters): ObjectParameters {
  return Object.fromEntries(
    Object.entries(parameters)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, kindOf(name) === 'date' && typeof value === 'string' ? new Date(value) : value]),
  )
}

/** One sentence for each parameter that PutObject doesn't know, that static-s3 sets itself, or whose value is of the wrong kind. */
export function problemsOfParameters(name: string, parameters: ObjectParameters): string[] {
  return Object.entries(parameters).flatMap(([parameter, value]) => {
    const kind = kindOf(parameter)
    if (!kind) return [`${name} has ${parameter}, which is not a PutObject parameter for many files: leave it out`]
    return kindChecks[kind](value) ? [] : [wrong(name, parameter, kind, value)]
  })
}

function kindOf(parameter: string): keyof typeof kindRules | undefined {
  return Object.hasOwn(parameterKinds, parameter) ? parameterKinds[parameter] : undefined
}

function wrong(name: string, parameter: string, kind: keyof typeof kindRules, value: unknown): string {
  return `${name} has a wrong ${parameter}: it ${kindRules[kind]}, and is ${show(value)}`
}

/** The same for a setting that is one parameter. */
export function problemOfParameter(name: string, parameter: string, value: unknown): string[] {
  const kind = kindOf(parameter) as keyof typeof kindRules
  return kindChecks[kind](value) ? [] : [`${name} ${kindRules[kind]}, and is ${show(value)}`]
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
} satisfies Record<keyof Omit<Rule, 'match'>, keyof typeof parameterKinds>

/** A rule's headers as PutObject parameters, and a sentence for each field that no rule has or whose value is of the wrong kind. */
export function parametersOfRule(name: string, rule: object): { parameters: ObjectParameters; problems: string[] } {
  const parameters: ObjectParameters = {}
  const problems: string[] = []
  for (const [field, value] of Object.entries(rule)) {
    if (field === 'match' || value === undefined) continue
    if (!Object.hasOwn(ruleFields, field)) {
      problems.push(`${name} has an unknown \`${field}\`${suggestion(field, ['match', ...Object.keys(ruleFields)])}`)
      continue
    }
    const parameter = ruleFields[field as keyof typeof ruleFields]
    const kind = kindOf(parameter) as keyof typeof kindRules
    Object.assign(parameters, withDates({ [parameter]: value }))
    if (!kindChecks[kind](parameters[parameter])) problems.push(wrong(name, field, kind, value))
  }
  return { parameters, problems }
}
