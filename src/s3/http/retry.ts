import { setTimeout as wait } from 'node:timers/promises'
import { readError, type S3Error } from '../errors/s3-error.js'

/** For tests. Times are in milliseconds. */
export interface Clock {
  now(): number
  /** 0 ≤ x < 1 */
  random(): number
  /** Rejects as soon as the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: Date.now,
  random: Math.random,
  // The caller keeps the process alive.
  sleep: (ms, signal) => wait(ms, undefined, { signal, ref: false }),
}

/**
 * - final: another try would fail alike.
 * - unreachable: the endpoint never sent a response; its address may be mistyped.
 * - skewed: the response has S3's time, and the next request uses it.
 * - damaged: the network changed the content, or the file is changing.
 * - stalled: each try takes minutes.
 * - passing: the store is overloaded or restarts, or the connection broke.
 */
export type Failure = keyof typeof TRIES

/** How often a request is sent in all. */
const TRIES = { final: 1, unreachable: 2, skewed: 2, damaged: 3, stalled: 2, passing: 5 }

/** Milliseconds: 15 seconds over five tries at most, half of it on average. */
const FIRST_WAIT = 1000
const LONGEST_WAIT = 8000
const LONGEST_RETRY_AFTER = 20_000

/** @param reached whether the endpoint has ever sent a response: then a refused connection is a restart, not a typing error */
export function classifyFailure({ kind }: S3Error, reached: boolean): Failure {
  if (kind === undefined) return 'final'
  if (kind === 'skewed' || kind === 'damaged') return kind
  if (kind === 'silent') return 'stalled'
  return kind === 'unreachable' && !reached ? 'unreachable' : 'passing'
}

/** @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html */
export function asksForLess(error: unknown): boolean {
  const { kind, status } = readError(error)
  return kind === 'throttled' || status === 503 || status === 429
}

/**
 * Runs `attempt` until it succeeds, and rejects with the last error. An aborted signal ends it at once, with the signal's reason.
 *
 * Waits grow exponentially with full jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), and respect Retry-After.
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
    } catch (thrown) {
      signal?.throwIfAborted()
      const error = readError(thrown)
      if (tried >= TRIES[classifyFailure(error, reached())]) throw thrown
      const backOff = clock.random() * Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** (tried - 1))
      const asked = Math.min(LONGEST_RETRY_AFTER, retryAfter(error.header('retry-after'), clock.now()))
      try {
        await clock.sleep(Math.max(backOff, asked), signal)
      } catch (interrupted) {
        signal?.throwIfAborted()
        throw interrupted
      }
    }
  }
}

/** Milliseconds from `now`; 0 for a header that is missing, in the past or unreadable (RFC 9110, 10.2.3). */
function retryAfter(header: string, now: number): number {
  const ms = /^\s*\d+\s*$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now
  return ms > 0 ? ms : 0
}
