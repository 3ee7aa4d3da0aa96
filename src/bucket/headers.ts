import type { ObjectParameters } from './bucket.js'

/** Parameters of each request: S3 accepts them with every operation, and stores none of them with the object. */
export const requestParameters: readonly string[] = ['ExpectedBucketOwner', 'RequestPayer']

const written = new WeakMap<ObjectParameters, string>()

/** What an object keeps of its parameters, in one form for all that mean the same: sorted, with dates as text. */
export function canonicalHeaders(parameters: Readonly<ObjectParameters>): string {
  const text = written.get(parameters) ?? JSON.stringify(sorted(parameters))
  written.set(parameters, text)
  return text
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

/** What the bucket decides by itself where a request doesn't ask for it. */
const byDefault: readonly string[] = [
  'BucketKeyEnabled',
  'ObjectLockLegalHoldStatus',
  'ObjectLockMode',
  'ObjectLockRetainUntilDate',
  'SSEKMSKeyId',
  'ServerSideEncryption',
]
/** What an object has where its request said nothing else. */
const defaults: ObjectParameters = { Metadata: {}, StorageClass: 'STANDARD', BucketKeyEnabled: false }

/** Whether an object shows exactly the headers that are wanted. Parameters that an object doesn't show, such as an ACL, are never the same. */
export function showsHeaders(shown: Readonly<ObjectParameters>, wanted: Readonly<ObjectParameters>): boolean {
  const names = new Set([...Object.keys(shown), ...Object.keys(wanted)])
  return [...names].every((name) => {
    if (requestParameters.includes(name) || (wanted[name] === undefined && byDefault.includes(name))) return true
    const [there, ours] = [shown, wanted].map((each) => comparable(each[name] ?? defaults[name]))
    // S3 answers with the key's ARN, whichever name it was given.
    return name === 'SSEKMSKeyId' ? there === ours || there?.endsWith(`/${ours}`) : there === ours
  })
}

/** Names of metadata are headers, which S3 keeps in lower case. */
function comparable(value: unknown): string | undefined {
  if (value === undefined || typeof value === 'string') return value
  if (!isRecord(value)) return JSON.stringify(value)
  const entries = Object.entries(value).map(([name, text]) => [name.toLowerCase(), text] as const)
  return JSON.stringify(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}
