import type { ObjectParameters } from './bucket.js'

/** Parameters of each request: S3 accepts them with every operation, and stores none of them with the object. */
export const requestParameters: readonly string[] = ['ExpectedBucketOwner', 'RequestPayer']

const written = new WeakMap<ObjectParameters, string>()

/** The parameters that an object keeps, as text: sorted, with dates as text. Equal parameters have equal texts. */
export function canonicalHeaders(parameters: Readonly<ObjectParameters>): string {
  const text = written.get(parameters) ?? JSON.stringify(sorted(parameters))
  written.set(parameters, text)
  return text
}

const dates: readonly string[] = ['Expires', 'ObjectLockRetainUntilDate']

/** The parameters in a text of `canonicalHeaders`. */
export function parametersIn(text: string): ObjectParameters {
  const parameters = JSON.parse(text) as ObjectParameters
  const found = dates.filter((name) => parameters[name] !== undefined)
  return { ...parameters, ...Object.fromEntries(found.map((name) => [name, new Date(String(parameters[name]))])) }
}

function sorted(parameters: ObjectParameters): ObjectParameters {
  return Object.fromEntries(
    Object.keys(parameters)
      .filter((name) => parameters[name] !== undefined && !requestParameters.includes(name))
      .sort()
      .map((name) => [name, isRecord(parameters[name]) ? sorted(parameters[name]) : parameters[name]]),
  )
}

/** Dates are objects too. */
function isRecord(value: unknown): value is ObjectParameters {
  return typeof value === 'object' && value !== null && [Object.prototype, null].includes(Object.getPrototypeOf(value))
}

/** The bucket decides about these parameters if a request has none of them. */
const byDefault: readonly string[] = [
  'BucketKeyEnabled',
  'ObjectLockLegalHoldStatus',
  'ObjectLockMode',
  'ObjectLockRetainUntilDate',
  'SSEKMSKeyId',
  'ServerSideEncryption',
]
/** An object's parameters if its request had none. */
const defaults: ObjectParameters = { Metadata: {}, StorageClass: 'STANDARD', BucketKeyEnabled: false }

/** True if an object has exactly the wanted headers. A wanted parameter that S3 does not return, such as an ACL, never matches. */
export function showsHeaders(shown: Readonly<ObjectParameters>, wanted: Readonly<ObjectParameters>): boolean {
  const names = new Set([...Object.keys(shown), ...Object.keys(wanted)])
  return [...names].every((name) => {
    if (requestParameters.includes(name) || (wanted[name] === undefined && byDefault.includes(name))) return true
    const [there, ours] = [shown, wanted].map((each) => comparable(each[name] ?? defaults[name]))
    // S3 returns the key's ARN for any of its names.
    return name === 'SSEKMSKeyId' ? there === ours || there?.endsWith(`/${ours}`) : there === ours
  })
}

/** S3 keeps names of metadata in lower case. */
function comparable(value: unknown): string | undefined {
  if (value === undefined || typeof value === 'string') return value
  if (!isRecord(value)) return JSON.stringify(value)
  const entries = Object.entries(value).map(([name, text]) => [name.toLowerCase(), text] as const)
  return JSON.stringify(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}
