import type { ObjectParameters } from './bucket.js'

/** Parameters that are the request's alone: the object keeps nothing of them. */
const ofTheRequest: readonly string[] = ['ExpectedBucketOwner', 'RequestPayer']

const written = new WeakMap<ObjectParameters, string>()

/** What an object keeps of its parameters, in one form for all that mean the same: sorted, with dates as text. */
export function headersOf(parameters: Readonly<ObjectParameters>): string {
  const text = written.get(parameters) ?? JSON.stringify(sorted(parameters))
  written.set(parameters, text)
  return text
}

function sorted(parameters: ObjectParameters): ObjectParameters {
  return Object.fromEntries(
    Object.keys(parameters)
      .filter((name) => parameters[name] !== undefined && !ofTheRequest.includes(name))
      .sort()
      .map((name) => [name, isRecord(parameters[name]) ? sorted(parameters[name]) : parameters[name]]),
  )
}

/** Dates are objects too. */
function isRecord(value: unknown): value is ObjectParameters {
  return typeof value === 'object' && value !== null && [Object.prototype, null].includes(Object.getPrototypeOf(value))
}
