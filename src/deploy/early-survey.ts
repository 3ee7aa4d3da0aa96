import { type Survey, takeSurvey } from '../release/survey.js'
import { responseOf } from '../runtime/error.js'
import type { S3Connection } from '../s3/objects/s3-bucket.js'
import type { Settings } from '../settings/settings.js'

/** A survey of the bucket that begins before the build's files are there. */
export interface EarlySurvey {
  connection: Promise<S3Connection>
  /** Keeps the process alive until `stop`, because the caller waits for the result. */
  keepAlive(): void
  /** Surveys once more if the first survey failed: credentials may have come since, or the network. */
  result(): Promise<Survey>
  /** The error by which the store has refused the survey; undefined if it has not, or not yet. */
  refusal(): Error | undefined
  /** Ends all requests. Call it in any case, whatever became of the build. */
  stop(): void
}

/** Starts to survey the bucket. This call never throws: `result` rejects instead. */
export function startEarlySurvey({ location, ...settings }: Settings): EarlySurvey {
  const stop = new AbortController()
  const connection = import('../s3/objects/s3-bucket.js').then(({ openBucket }) => openBucket({ ...settings }))
  const survey = async () => {
    const { bucket } = await connection
    stop.signal.throwIfAborted()
    return takeSurvey(bucket, location, { signal: stop.signal })
  }
  const first = survey()
  let refusal: Error | undefined
  first.catch((error: Error) => {
    const { status = 500 } = responseOf(error)
    // A store in trouble, or one that asks to wait, may say something else later.
    if (status < 500 && status !== 408 && status !== 429) refusal = error
  })
  // Until `keepAlive`, no request keeps the process alive: a build can end without telling its plugins.
  let timer: NodeJS.Timeout | undefined
  return {
    connection,
    keepAlive() {
      timer ??= setInterval(() => {}, 2 ** 30)
    },
    refusal: () => refusal,
    result: () => first.then((found) => (found.folder ? found : survey()), survey),
    stop() {
      clearInterval(timer)
      stop.abort()
      connection.then(
        ({ close }) => close(),
        () => {},
      )
    },
  }
}
