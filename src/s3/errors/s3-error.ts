/** The facts of an error from S3, the SDK or the network. Retries and explanations both use them. */
export interface S3Error {
  /** S3's own code (`AccessDenied`), else the SDK's or Node's (`ENOTFOUND`, `TimeoutError`), else ''. */
  code: string
  /** HTTP status; undefined without a response. */
  status: number | undefined
  /** Undefined if another try would not help. */
  kind: Kind | undefined
  /** Unredacted: it may contain a key id or a signature. */
  message: string
  /** For the store's support, or ''. */
  requestId: string
  /** A field of S3's error document, such as `Region`, or ''. */
  field(name: string): string
  /** A header of the response, by its lower-case name, or ''. */
  header(name: string): string
}

/** Codes of S3 and compatible stores, of the services behind the credentials, and of Node. */
const CODES = {
  throttled:
    'SlowDown BandwidthLimitExceeded RequestLimitExceeded RequestThrottled RequestThrottledException Throttling ThrottledException ThrottlingException TooManyRequests TooManyRequestsException',
  conflict: 'ConditionalRequestConflict OperationAborted',
  serverTrouble: 'InternalError ServiceUnavailable',
  clientTooSlow: 'RequestTimeout RequestTimeoutException',
  skewed: 'RequestTimeTooSkewed',
  damaged: 'BadDigest IncompleteBody XAmzContentSHA256Mismatch',
  cut: 'ECONNABORTED ECONNRESET EPIPE ERR_STREAM_PREMATURE_CLOSE',
  unreachable: 'EAI_AGAIN EAI_FAIL ECONNREFUSED EHOSTUNREACH ENETUNREACH ENOTFOUND ProxyRefused',
  silent: 'ETIMEDOUT TimeoutError',
}

export type Kind = keyof typeof CODES

const KINDS = new Map(
  Object.entries(CODES).flatMap(([kind, codes]) => codes.split(' ').map((code) => [code, kind as Kind])),
)

/** For a response that S3 would not send. */
export function notS3(message: string): Error {
  return Object.assign(new Error(message), { name: 'NoS3Response' })
}

/** Names for errors that have none. */
const NAMELESS = new Set(['', 'Error', 'Unknown', 'UnknownError', 'AggregateError'])

/** Reads any thrown value. The SDK copies the fields of S3's error document into the error, and puts headers into `$response`. */
export function readError(thrown: unknown): S3Error {
  const error = asRecord(thrown)
  // A host with several addresses fails with an AggregateError that has no message.
  const first = asRecord(Array.isArray(error.errors) ? error.errors[0] : undefined)
  const { httpStatusCode, requestId } = asRecord(error.$metadata)
  const headers = asRecord(asRecord(error.$response).headers)
  // `code` before `name`: the SDK renames ECONNRESET and EPIPE to TimeoutError.
  const code = [error.Code, error.code, first.code, error.name].map(text).find(isCode) ?? ''
  const status = typeof httpStatusCode === 'number' ? httpStatusCode : undefined
  return {
    code,
    status,
    kind: kindOf(code, status),
    message: (text(error.message) || text(first.message)).replace(/\s+Deserialization error: .*/s, ''),
    requestId: /^[\w+/=.:-]{1,200}$/.test(text(requestId)) ? text(requestId) : '',
    field: (name) => text(error[name]),
    header: (name) => text(headers[name]),
  }
}

function kindOf(code: string, status = 0): Kind | undefined {
  const kind = KINDS.get(code)
  if (kind && !(status > 0 && (kind === 'unreachable' || kind === 'silent'))) return kind
  if (status === 408) return 'clientTooSlow'
  if (status === 429 || status === 503) return 'throttled'
  // 501 and 505 mean "never", not "not now".
  return status >= 500 && status !== 501 && status !== 505 ? 'serverTrouble' : undefined
}

/** False for text that a server other than S3 put in the place of a code. */
function isCode(said: string): boolean {
  return /^[\w.:-]{1,100}$/.test(said) && !NAMELESS.has(said)
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : value instanceof Date ? value.toISOString() : ''
}
