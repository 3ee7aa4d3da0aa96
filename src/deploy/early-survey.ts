import { type Survey, takeSurvey } from '../release/survey.js'
import { type ErrorResponse, responseOf, StaticS3Error } from '../runtime/error.js'
import type { S3Connection } from '../s3/objects/s3-bucket.js'
import type { Settings } from '../settings/settings.js'
import { type Kind, refuseAround, refuseOtherKind } from '../sync/own-location.js'

/** A survey of the bucket that begins before the build's files are there. */
export interface EarlySurvey {
  connection: Promise<S3Connection>
  /** Keeps the process alive until `stop`, because the caller waits for the result. */
  keepAlive(): void
  /** The reason why no later survey can succeed: the bucket, a key or the endpoint is wrong. Undefined if a later one may. */
  readonly refusal: StaticS3Error | undefined
  /** Surveys once more if the first survey failed: credentials may have come since, or the network. */
  result(): Promise<Survey>
  /** Ends all requests. Call it in any case, whatever became of the build. */
  stop(): void
}

/** Starts to survey the bucket. This call never throws: `result` rejects instead, also if a build and a sync would mix. */
export function startEarlySurvey({ location, ...settings }: Settings, kind: Kind = 'build'): EarlySurvey {
  const stop = new AbortController()
  const connection = import('../s3/objects/s3-bucket.js').then(({ openBucket }) => openBucket(settings))
  const survey = async () => {
    const { bucket } = await connection
    stop.signal.throwIfAborted()
    const taken = await takeSurvey(bucket, location, { signal: stop.signal })
    refuseOtherKind(kind, location, taken.record)
    // A location that has a record refuses the other kind around it.
    if (taken.folder && !taken.record) await refuseAround(kind, bucket, location, stop.signal)
    return taken
  }
  const first = survey()
  let refusal: StaticS3Error | undefined
  first.catch((error) => {
    if (error instanceof StaticS3Error && isFinal(responseOf(error))) refusal = error
  })
  // Until `keepAlive`, no request keeps the process alive: a build can end without telling its plugins.
  let timer: NodeJS.Timeout | undefined
  return {
    connection,
    get refusal() {
      return refusal
    },
    keepAlive() {
      timer ??= setInterval(() => {}, 2 ** 30)
    },
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

function isFinal({ status, code }: ErrorResponse): boolean {
  // A refused connection may be a store that starts. An unknown host is a wrong name.
  if (status === undefined) return code === 'ENOTFOUND'
  // A store that is in trouble, or that asks to slow down, may answer differently later.
  return status < 500 && status !== 408 && status !== 429
}
