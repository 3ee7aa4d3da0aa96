import type { Bucket } from '../bucket/bucket.js'
import { type Survey, takeSurvey } from '../release/survey.js'
import type { Credentials, Settings } from '../settings/settings.js'

interface Connection {
  bucket: Bucket
  /** The same one, whose requests don't wait for those of the other. */
  aside: Bucket
  credentials(): Promise<Credentials>
  /** Opens connections for so many requests that are about to come. */
  warm(requests: number): void
  close(): void
}

/** A bucket that was asked what it holds, before the build's files are there. */
export interface Asked {
  connection: Promise<Connection>
  /** Keeps the process alive until `stop`: somebody waits for the answers. */
  hold(): void
  /** Asked once more where it failed: credentials may have come since, or the network. */
  survey(): Promise<Survey>
  /** Ends all requests. To be called in the end, whatever became of the build. */
  stop(): void
}

/** Asks the bucket what it holds. Nothing is thrown here: who needs the answer gets the error. */
export function ask({ location, ...settings }: Settings): Asked {
  const stop = new AbortController()
  const connection = import('../s3/objects/s3-bucket.js').then(({ openBucket }) => openBucket({ ...settings }))
  const take = async () => {
    const { bucket } = await connection
    stop.signal.throwIfAborted()
    return takeSurvey(bucket, location, { signal: stop.signal })
  }
  const first = take()
  first.catch(() => {})
  // Until then, what is asked doesn't keep the process alive: a build can end without a word to us.
  let holding: NodeJS.Timeout | undefined
  return {
    connection,
    hold() {
      holding ??= setInterval(() => {}, 2 ** 30)
    },
    survey: () => first.then((survey) => (survey.folder ? survey : take()), take),
    stop() {
      clearInterval(holding)
      stop.abort()
      connection.then(
        ({ close }) => close(),
        () => {},
      )
    },
  }
}
