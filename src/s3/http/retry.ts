import { setTimeout as wait } from 'node:timers/promises'
import { readAnswer, type S3Answer } from '../errors/s3-answer.js'

/** Time and chance, so that a test needs neither. Times are in milliseconds. */
export interface Clock {
  now(): number
  /** From 0 up to, not including, 1. */
  random(): number
  /** Rejects as soon as the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: Date.now,
  random: Math.random,
  // Whoever waits for the answer keeps the process alive.
  sleep: (ms, signal) => wait(ms, undefined, { signal, ref: false }),
}

/** Why a request failed, as far as sending it again is concerned. */
export type Failure = 'final' | 'unreachable' | 'skewed' | 'damaged' | 'stalled' | 'passing'

/**
 * How often a request is sent in all.
 *
 * - final: S3 said no, and will say no again.
 * - unreachable: no answer yet from this endpoint and no such host, or nobody listening: no network, or a typing error.
 * - skewed: S3 says that the clock is wrong. The next one is signed by S3's clock, as that answer tells it.
 * - damaged: what arrived isn't what was sent: by accident on the way (again is fine), or the file is changing (it
 * never will be).
 * - stalled: nothing went either way for so long that each try costs minutes.
 * - passing: too many requests, a server in trouble, a connection cut.
 */
const TRIES: Record<Failure, number> = { final: 1, unreachable: 2, skewed: 2, damaged: 3, stalled: 2, passing: 5 }

/** Waits of 1, 2, 4 and 8 seconds at most: 15 seconds over five tries, half of it on average. */
const FIRST_WAIT = 1000
const LONGEST_WAIT = 8000
/** A server may ask for more than that, but a build doesn't wait for hours. */
const LONGEST_RETRY_AFTER = 20_000

const PASSING_CODES = new Set([
  // S3, https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
  'BandwidthLimitExceeded',
  'ConditionalRequestConflict',
  'InternalError',
  'OperationAborted',
  'RequestTimeout',
  'ServiceUnavailable',
  'SlowDown',
  'Throttling',
  // What other services behind the credentials and S3-compatible stores say for the same.
  'RequestLimitExceeded',
  'RequestThrottled',
  'RequestThrottledException',
  'RequestTimeoutException',
  'ThrottledException',
  'ThrottlingException',
  'TooManyRequests',
  'TooManyRequestsException',
  // Node: the connection was cut.
  'ECONNABORTED',
  'ECONNRESET',
  'EPIPE',
  'ERR_STREAM_PREMATURE_CLOSE',
])
const DAMAGED_CODES = new Set(['BadDigest', 'IncompleteBody', 'XAmzContentSHA256Mismatch'])
const UNREACHABLE_CODES = new Set([
  'EAI_AGAIN',
  'EAI_FAIL',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'ProxyRefused',
])
const STALLED_CODES = new Set(['ETIMEDOUT', 'TimeoutError'])
/** 5xx that mean "never", not "not now". */
const FINAL_5XX = new Set([501, 505])

/**
 * Sorts a failure. `reached` tells whether the endpoint has ever answered: then a refused connection is a restart, not
 * a typing error.
 */
export function classifyFailure(answer: S3Answer, reached: boolean): Failure {
  if (answer.code === 'RequestTimeTooSkewed') return 'skewed'
  if (DAMAGED_CODES.has(answer.code)) return 'damaged'
  if (PASSING_CODES.has(answer.code)) return 'passing'
  if (answer.status !== undefined) {
    if (answer.status === 408 || answer.status === 429) return 'passing'
    return answer.status >= 500 && !FINAL_5XX.has(answer.status) ? 'passing' : 'final'
  }
  if (UNREACHABLE_CODES.has(answer.code)) return reached ? 'passing' : 'unreachable'
  return STALLED_CODES.has(answer.code) ? 'stalled' : 'final'
}

/** Whether the store asks for fewer requests. https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html */
export function asksForLess(error: unknown): boolean {
  const { status } = readAnswer(error)
  return status === 503 || status === 429
}

/**
 * Runs `attempt` until it succeeds, fails for good, or was tried often enough, and rejects with its last error. An
 * aborted signal ends it at once, waits included, with the signal's reason.
 *
 * Waits are exponential with full jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/),
 * and at least what a Retry-After header asks for (RFC 9110, 10.2.3: seconds or a date).
 */
export async function retry<T>(
  attempt: () => Promise<T>,
  options: { reached: () => boolean; signal?: AbortSignal | undefined; clock?: Clock },
): Promise<T> {
  const { reached, signal, clock = systemClock } = options
  for (let tried = 1; ; tried++) {
    signal?.throwIfAborted()
    try {
      return await attempt()
    } catch (error) {
      signal?.throwIfAborted()
      const answer = readAnswer(error)
      if (tried >= TRIES[classifyFailure(answer, reached())]) throw error
      const backOff = clock.random() * Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** (tried - 1))
      const pause = Math.max(
        backOff,
        Math.min(LONGEST_RETRY_AFTER, retryAfter(answer.header('retry-after'), clock.now())),
      )
      try {
        await clock.sleep(pause, signal)
      } catch (interrupted) {
        signal?.throwIfAborted()
        throw interrupted
      }
    }
  }
}

/**
 * Milliseconds from `now` that a Retry-After header asks for; 0 for none, one in the past, or one that can't be read.
 */
function retryAfter(header: string, now: number): number {
  const ms = /^\s*\d+\s*$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now
  return ms > 0 ? ms : 0
}
