/** What S3, the SDK or the network said, read once, so that retrying and explaining go by the same facts. */
export interface S3Answer {
  /** S3's own code (`AccessDenied`), else the SDK's or Node's (`ENOTFOUND`, `TimeoutError`), else ''. */
  code: string
  /** HTTP status, or undefined where no answer came. */
  status: number | undefined
  /** As it came: it may hold a key id or a signature. */
  message: string
  /** S3's name for the request, which its support asks for, or ''. */
  requestId: string
  /** A field of S3's error document, such as `Region`, or ''. */
  field(name: string): string
  /** A header of the answer, by its lower-case name, or ''. */
  header(name: string): string
}

/** What the SDK and other layers call an error that they have no name for. */
const NAMELESS = new Set(['', 'Error', 'Unknown', 'UnknownError', 'AggregateError'])

/** Whether it is a code, and not something that whoever answered instead of S3 put in its place. */
function isName(said: string): boolean {
  return /^[\w.:-]{1,100}$/.test(said) && !NAMELESS.has(said)
}

/**
 * Reads any thrown value. S3's error documents come from the SDK as properties of the error, its headers in
 * `$response`. A connection tried on several addresses fails with an AggregateError whose own message is empty: its
 * first error counts.
 */
export function readAnswer(thrown: unknown): S3Answer {
  const error = asRecord(thrown)
  const first = asRecord(Array.isArray(error.errors) ? error.errors[0] : undefined)
  const { httpStatusCode: status, requestId } = asRecord(error.$metadata)
  const headers = asRecord(asRecord(error.$response).headers)
  // `code` before `name`: the SDK renames ECONNRESET and EPIPE to TimeoutError.
  const code = [error.Code, error.code, first.code, error.name].map(text).find((said) => isName(said)) ?? ''
  return {
    code,
    status: typeof status === 'number' ? status : undefined,
    message: (text(error.message) || text(first.message)).replace(/\s+Deserialization error: .*/s, ''),
    requestId: /^[\w+/=.:-]{1,200}$/.test(text(requestId)) ? text(requestId) : '',
    field: (name) => text(error[name]),
    header: (name) => text(headers[name]),
  }
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : value instanceof Date ? value.toISOString() : ''
}
