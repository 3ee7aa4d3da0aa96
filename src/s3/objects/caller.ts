import { setMaxListeners } from 'node:events'
import { explain, explainAbort } from '../errors/explain.js'
import type { ExplainContext, Request } from '../errors/request.js'
import { readError } from '../errors/s3-error.js'
import type { Concurrency } from '../http/concurrency.js'
import { type Clock, classifyFailure, type Failure, retry } from '../http/retry.js'
import type { Transport, TransportSettings } from '../http/transport.js'

/**
 * Sends a request in its turn, with retries.
 *
 * @param bodyBytes of the body that it sends
 * @throws StaticS3Error of `explain`, whose `cause.name` is S3's code
 */
export type Call = <T>(
  request: Request,
  signal: AbortSignal | undefined,
  attempt: () => Promise<T>,
  bodyBytes?: number,
) => Promise<T>

export interface Caller {
  /** Requests of one such call wait for the others of the same concurrency. */
  callWith(concurrency: Concurrency): Call
  /** Explains an error that no attempt of a call threw. */
  explainOnce(request: Request): (error: unknown) => never
}

/** After these failures, the store may have executed the request. */
const mayHaveArrived: readonly Failure[] = ['passing', 'stalled']

export function createCaller(
  settings: TransportSettings,
  { credentials, silence }: Pick<Transport, 'credentials' | 'silence'>,
  clock: Clock,
): Caller {
  const { bucket, region, endpoint, credentials: given } = settings
  const named = given && 'profile' in given ? given.profile : undefined
  const profile = given === undefined ? process.env.AWS_PROFILE : named
  const situation = { bucket, region, endpoint, profile }
  let reached = false

  /** Only after a response of S3: a chain without credentials would search for seconds again. */
  const secretsInUse = async (error: unknown): Promise<string[]> => {
    if (readError(error).status === undefined) return []
    const inUse = await credentials().catch(() => undefined)
    return inUse ? [inUse.accessKeyId, inUse.secretAccessKey, inUse.sessionToken ?? ''] : []
  }

  return {
    callWith:
      (concurrency) =>
      async (request, signal, attempt, bodyBytes = 0) => {
        // All uploads share a signal, and Node would warn of a leak.
        if (signal) setMaxListeners(0, signal)
        let attempts = 0
        let unanswered = false
        const once = async () => {
          signal?.throwIfAborted()
          attempts++
          try {
            return await attempt()
          } catch (error) {
            const read = readError(error)
            reached ||= read.status !== undefined
            unanswered ||= read.status === undefined && mayHaveArrived.includes(classifyFailure(read, false))
            throw error
          }
        }
        try {
          const inTurn = () => concurrency.run(once, bodyBytes)
          const result = await silence.during(retry(inTurn, { reached: () => reached, signal, clock }))
          reached = true
          return result
        } catch (error) {
          const context: ExplainContext = { ...situation, request, attempts, secrets: await secretsInUse(error) }
          if (signal?.aborted) throw explainAbort(signal.reason, context)
          const explained = explain(error, context)
          if (explained.cause instanceof Error) Object.assign(explained.cause, { unanswered })
          throw explained
        }
      },
    explainOnce: (request) => (error) => {
      throw explain(error, { ...situation, request, attempts: 1, secrets: [] })
    },
  }
}
