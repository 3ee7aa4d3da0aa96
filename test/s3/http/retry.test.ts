import { describe, expect, it } from 'vitest'
import { readError } from '../../../src/s3/errors/s3-error.js'
import { asksForLess, type Clock, classifyFailure, retry } from '../../../src/s3/http/retry.js'

/** A clock that only remembers how long it would have slept. */
function testClock({ random = 1 } = {}): Clock & { slept: number[] } {
  const slept: number[] = []
  return {
    slept,
    now: () => Date.UTC(2026, 0, 1),
    random: () => random,
    sleep: async (ms) => {
      slept.push(ms)
    },
  }
}

const s3Error = (code: string, status: number, headers: Record<string, string> = {}) =>
  Object.assign(
    new Error('said S3'),
    { name: code, Code: code, $metadata: { httpStatusCode: status } },
    { $response: { headers } },
  )
const networkError = (code: string) => Object.assign(new Error('said Node'), { code })
const named = (name: string) => Object.assign(new Error('said the SDK'), { name })

/** Fails with these errors in turn, then succeeds. */
const failing = (...errors: Error[]) => {
  let calls = 0
  return Object.assign(
    async () => {
      const error = errors[calls++]
      if (error) throw error
      return 'done'
    },
    { calls: () => calls },
  )
}

/** How often each failure is sent in all, on an endpoint that never answered, and on one that has. */
const table: [name: string, error: Error, neverAnswered: number, answered: number][] = [
  ['500', s3Error('InternalError', 500), 5, 5],
  ['502 with a web page', s3Error('Unknown', 502), 5, 5],
  ['503 SlowDown', s3Error('SlowDown', 503), 5, 5],
  ['503 without code', s3Error('Unknown', 503), 5, 5],
  ['504', s3Error('Unknown', 504), 5, 5],
  ['429', s3Error('Unknown', 429), 5, 5],
  ['408', s3Error('Unknown', 408), 5, 5],
  ['Throttling as 400', s3Error('Throttling', 400), 5, 5],
  ['ThrottlingException', s3Error('ThrottlingException', 400), 5, 5],
  ['RequestTimeout, S3 has waited for the body', s3Error('RequestTimeout', 400), 5, 5],
  ['OperationAborted', s3Error('OperationAborted', 409), 5, 5],
  ['a key of DeleteObjects that failed inside a 200', named('InternalError'), 5, 5],
  ['connection reset', networkError('ECONNRESET'), 5, 5],
  ['connection reset, as the SDK renames it', Object.assign(named('TimeoutError'), { code: 'ECONNRESET' }), 5, 5],
  ['broken pipe', networkError('EPIPE'), 5, 5],
  ['BadDigest', s3Error('BadDigest', 400), 3, 3],
  ['XAmzContentSHA256Mismatch', s3Error('XAmzContentSHA256Mismatch', 400), 3, 3],
  ['IncompleteBody', s3Error('IncompleteBody', 400), 3, 3],
  ['clock, which the SDK has corrected', s3Error('RequestTimeTooSkewed', 403), 2, 2],
  ['no time-out of ours: silence', named('TimeoutError'), 2, 2],
  ['connection time-out', networkError('ETIMEDOUT'), 2, 2],
  ['no such host', networkError('ENOTFOUND'), 2, 5],
  ['no name server', networkError('EAI_AGAIN'), 2, 5],
  ['nobody listens', networkError('ECONNREFUSED'), 2, 5],
  ['nobody listens on any address', Object.assign(new AggregateError([networkError('ECONNREFUSED')]), {}), 2, 5],
  ['no route', networkError('ENETUNREACH'), 2, 5],
  ['AccessDenied', s3Error('AccessDenied', 403), 1, 1],
  ['NoSuchBucket', s3Error('NoSuchBucket', 404), 1, 1],
  ['PermanentRedirect', s3Error('PermanentRedirect', 301), 1, 1],
  ['SignatureDoesNotMatch', s3Error('SignatureDoesNotMatch', 403), 1, 1],
  ['ExpiredToken', s3Error('ExpiredToken', 400), 1, 1],
  ['PreconditionFailed', s3Error('PreconditionFailed', 412), 1, 1],
  ['NotImplemented', s3Error('NotImplemented', 501), 1, 1],
  ['no credentials', named('CredentialsProviderError'), 1, 1],
  ['certificate', networkError('DEPTH_ZERO_SELF_SIGNED_CERT'), 1, 1],
  ['a file that went away', named('BodyUnreadable'), 1, 1],
  ['a file that changed', named('BodyChanged'), 1, 1],
  ['a mistake in the code', new TypeError('undefined is not a function'), 1, 1],
]

describe('retry', () => {
  it.each(table)('%s', async (_name, error, neverAnswered, answered) => {
    for (const [reached, tries] of [
      [false, neverAnswered],
      [true, answered],
    ] as const) {
      const attempt = failing(...Array.from({ length: 9 }, () => error))
      await expect(retry(attempt, { reached: () => reached, clock: testClock() })).rejects.toBe(error)
      expect(attempt.calls()).toBe(tries)
    }
  })

  it('goes on after a failure that passes', async () => {
    const attempt = failing(networkError('ECONNRESET'), s3Error('SlowDown', 503))
    const clock = testClock()
    await expect(retry(attempt, { reached: () => true, clock })).resolves.toBe('done')
    expect(clock.slept).toHaveLength(2)
  })

  it('stops at a failure that is final, whatever came before', async () => {
    const attempt = failing(s3Error('SlowDown', 503), s3Error('AccessDenied', 403))
    await expect(retry(attempt, { reached: () => true, clock: testClock() })).rejects.toThrow()
    expect(attempt.calls()).toBe(2)
  })

  it('waits twice as long each time, with full jitter', async () => {
    const errors = Array.from({ length: 5 }, () => s3Error('SlowDown', 503))
    const longest = testClock()
    await retry(failing(...errors), { reached: () => true, clock: longest }).catch(() => {})
    expect(longest.slept).toEqual([1000, 2000, 4000, 8000])
    const tenth = testClock({ random: 0.1 })
    await retry(failing(...errors), { reached: () => true, clock: tenth }).catch(() => {})
    expect(tenth.slept).toEqual([100, 200, 400, 800])
  })

  it.each([
    ['seconds', '3', 3000],
    ['a date', 'Thu, 01 Jan 2026 00:00:07 GMT', 7000],
    ['more than a build waits for', '3600', 20_000],
    ['less than the back-off', '0', 100],
    ['a date in the past', 'Thu, 01 Jan 1970 00:00:07 GMT', 100],
    ['nonsense', 'soon', 100],
  ])('Retry-After: %s', async (_name, header, expected) => {
    const clock = testClock({ random: 0.1 })
    const attempt = failing(s3Error('SlowDown', 503, { 'retry-after': header }))
    await retry(attempt, { reached: () => true, clock })
    expect(clock.slept).toEqual([expected])
  })

  it('ends a wait at once when it is aborted, with the reason of the signal', async () => {
    const stop = new AbortController()
    const reason = new Error('another upload failed')
    const attempt = failing(s3Error('SlowDown', 503, { 'retry-after': '20' }))
    const began = performance.now()
    setTimeout(() => stop.abort(reason), 20)
    await expect(retry(attempt, { reached: () => true, signal: stop.signal })).rejects.toBe(reason)
    expect(performance.now() - began).toBeLessThan(15_000)
    expect(attempt.calls()).toBe(1)
  })

  it('does not begin when it is aborted already', async () => {
    const attempt = failing()
    await expect(retry(attempt, { reached: () => true, signal: AbortSignal.abort(new Error('no')) })).rejects.toThrow(
      'no',
    )
    expect(attempt.calls()).toBe(0)
  })
})

describe('readError', () => {
  it.each([undefined, null, 'text', 7, {}, new Error('')])('takes anything that is thrown: %s', (thrown) => {
    const error = readError(thrown)
    expect(error).toMatchObject({ code: '', status: undefined, message: '' })
    expect(classifyFailure(error, true)).toBe('final')
  })
})

it.each([
  ['SlowDown', 503, true],
  ['SlowDown', 500, true],
  ['ServiceUnavailable', 503, true],
  ['', 429, true],
  ['InternalError', 500, false],
  ['AccessDenied', 403, false],
])('%s with status %s asks for fewer requests: %s', (code, status, asks) => {
  expect(asksForLess(s3Error(code, status))).toBe(asks)
})
