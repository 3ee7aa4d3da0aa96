import type { ObjectParameters } from '../bucket/bucket.js'
import { orUndefined } from '../runtime/or-undefined.js'
import { suggestion } from '../runtime/suggestion.js'
import type { Rule } from './options.js'
import { asGlobs, globRemedy, type Named, type SettingReader } from './setting-reader.js'
import type { ResolvedRule, Settings } from './settings.js'

interface Kind {
  remedy: string
  allows(value: unknown): boolean
}

/** @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl */
const cannedAcls: unknown[] = [
  ...['private', 'public-read', 'public-read-write', 'authenticated-read'],
  ...['aws-exec-read', 'bucket-owner-read', 'bucket-owner-full-control'],
]

const acl: Kind = { remedy: `use one of ${cannedAcls.join(', ')}`, allows: (value) => cannedAcls.includes(value) }
const string: Kind = {
  remedy: 'use a string of printable ASCII characters',
  // A line break would begin another header. S3 signs other letters differently.
  allows: (value) => typeof value === 'string' && /^[\t\x20-\x7e]*$/.test(value),
}
const boolean: Kind = { remedy: 'use true or false', allows: (value) => typeof value === 'boolean' }
const date: Kind = {
  remedy: 'use a date such as "2030-12-31T00:00:00Z"',
  allows: (value) => value instanceof Date && !Number.isNaN(value.getTime()),
}
const metadata: Kind = {
  remedy: 'use an object of strings, under names of letters, digits and hyphens that differ in more than their case',
  allows: (value) =>
    isObject(value) && Object.values(value).every((entry) => string.allows(entry)) && areNames(Object.keys(value)),
}

/** True if each name can be a header. Header names are compared in lower case, and the SDK loses `__proto__`. */
function areNames(names: readonly string[]): boolean {
  return (
    new Set(names.map((name) => name.toLowerCase())).size === names.length &&
    names.every((name) => /^[!#$%&'*+.^_`|~0-9a-z-]+$/i.test(name) && name !== '__proto__')
  )
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** PutObject's parameters that may be the same for many objects. */
export const parameterKinds = {
  ACL: acl,
  BucketKeyEnabled: boolean,
  CacheControl: string,
  ContentDisposition: string,
  ContentEncoding: string,
  ContentLanguage: string,
  ContentType: string,
  ExpectedBucketOwner: string,
  Expires: date,
  GrantFullControl: string,
  GrantRead: string,
  GrantReadACP: string,
  GrantWriteACP: string,
  Metadata: metadata,
  ObjectLockLegalHoldStatus: string,
  ObjectLockMode: string,
  ObjectLockRetainUntilDate: date,
  RequestPayer: string,
  SSEKMSEncryptionContext: string,
  SSEKMSKeyId: string,
  ServerSideEncryption: string,
  StorageClass: string,
  Tagging: string,
  WebsiteRedirectLocation: string,
}
type Parameter = keyof typeof parameterKinds

/** A rule's fields, and the PutObject parameter of each. */
const ruleFields: Record<keyof Omit<Rule, 'match'>, Parameter> = {
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
}

/** The parameters of all objects: `objectParameters`, and over them `acl`. */
export function readObjectParameters(read: SettingReader): ObjectParameters {
  const parameters: ObjectParameters = {}
  const found = read.find('objectParameters', ['AWS_S3_OBJECT_PARAMETERS'])
  const text = found?.value
  const given = typeof text === 'string' ? orUndefined(() => JSON.parse(text)) : text
  if (isObject(given)) {
    for (const [name, value] of Object.entries(given)) {
      if (value === undefined) continue
      const named = { name: inside(found?.name, name), value }
      if (isParameter(name)) setParameter(read, parameters, name, named)
      else read.problems.push(`${named.name} is no PutObject parameter for many files: remove it.`)
    }
  } else if (found) {
    // Without the value: it may contain an encryption key.
    read.problems.push(`${found.name} is no JSON object: use one such as {"StorageClass": "STANDARD_IA"}.`)
  }
  const acl = read.string('acl', ['AWS_DEFAULT_ACL'])
  if (acl) setParameter(read, parameters, 'ACL', acl)
  return parameters
}

export function readRules(read: SettingReader): ResolvedRule[] {
  const found = read.find('rules')
  if (!found) return []
  if (Array.isArray(found.value))
    return found.value.map((rule, i) => readRule(read, read.nameOption(`rules[${i}]`), rule))
  read.problem(found, 'use a list of rules such as { match: "*.pdf", cacheControl: "max-age=60" }')
  return []
}

function readRule(read: SettingReader, name: string, rule: unknown): ResolvedRule {
  if (!isObject(rule)) {
    read.problem({ name, value: rule }, 'use an object such as { match: "*.pdf", cacheControl: "max-age=60" }')
    return { match: [], parameters: {} }
  }
  const match = asGlobs(rule.match) ?? []
  if (match.length === 0) {
    read.problem({ name: inside(name, 'match'), value: rule.match }, globRemedy)
  }
  const parameters: ObjectParameters = {}
  for (const [field, value] of Object.entries(rule)) {
    if (field === 'match' || value === undefined) continue
    const named = { name: inside(name, field), value }
    if (Object.hasOwn(ruleFields, field)) {
      setParameter(read, parameters, ruleFields[field as keyof typeof ruleFields], named)
    } else {
      read.problems.push(`${named.name} is unknown${suggestion(field, ['match', ...Object.keys(ruleFields)])}`)
    }
  }
  return { match, parameters }
}

export function readCacheControl(read: SettingReader): Settings['cacheControl'] {
  const cacheControl = { fingerprinted: 'public, max-age=31536000, immutable', other: 'no-cache' }
  const found = read.find('cacheControl')
  if (!found) return cacheControl
  if (!isObject(found.value)) {
    read.problem(found, 'use { fingerprinted, other }')
    return cacheControl
  }
  for (const [field, value] of Object.entries(found.value)) {
    const name = inside(found.name, field)
    if (field !== 'fingerprinted' && field !== 'other') {
      read.problems.push(`${name} is unknown${suggestion(field, Object.keys(cacheControl))}`)
    } else if (string.allows(value)) {
      cacheControl[field] = value as string
    } else if (value !== undefined) {
      read.problem({ name, value }, string.remedy)
    }
  }
  return cacheControl
}

/** Turns strings into dates where S3 needs one: JSON has no dates. */
function setParameter(read: SettingReader, parameters: ObjectParameters, parameter: Parameter, given: Named): void {
  const kind = parameterKinds[parameter]
  const value = kind === date && typeof given.value === 'string' ? new Date(given.value) : given.value
  parameters[parameter] = value
  if (!kind.allows(value)) read.problem(given, kind.remedy)
}

function isParameter(name: string): name is Parameter {
  return Object.hasOwn(parameterKinds, name)
}

/** The name of a setting's field: `rules[0].acl`, in the option's own quotes. */
export function inside(name = '', field: string): string {
  return name.endsWith('`') ? `${name.slice(0, -1)}.${field}\`` : `${name}.${field}`
}
