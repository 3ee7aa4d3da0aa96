import { isForbidden, plain } from '../../runtime/error.js'
import { type Lock, type LockInput, takeLock } from './lock.js'

/** A lock that is requested early and awaited later. */
export interface LockRequest {
  /** The lock; undefined if this bucket can keep none. `lockTimeout` begins with the first call. */
  held(): Promise<Lock | undefined>
  /** Ends the wait for the lock, or gives the lock up, so that others need not wait. */
  giveUp(): Promise<void>
  /** Ends the wait, or the lock's renewal: the lock then expires by itself. */
  letGo(): Promise<void>
}

type RequestInput = Omit<LockInput, 'waited'> & { warn: (message: string) => void }

/** Requests a lock beside the first uploads. Its errors come from `held`. */
export function requestLock(input: RequestInput): LockRequest {
  const { stop, warn } = input
  const over = new AbortController()
  let awaitedSince = Number.POSITIVE_INFINITY
  // Negative until then, and so below any limit.
  const waited = () => performance.now() - awaitedSince
  const taking = takeLock({ ...input, waited, stop: AbortSignal.any([stop, over.signal]) }).catch((error) => {
    if (!isForbidden(error)) throw error
    warn(
      `.static-s3/ can't be written, so the next deploy takes longer and two at the same time may mix: ${plain(error)}`,
    )
    return undefined
  })
  const end = (how: 'giveUp' | 'letGo') => async () => {
    over.abort()
    await taking.then((lock) => lock?.[how]()).catch(() => {})
  }
  taking.catch(() => {})
  return {
    async held() {
      awaitedSince = Math.min(awaitedSince, performance.now())
      const lock = await taking
      if (lock && !lock.conditionalWrites) {
        warn(
          'this store ignores conditional writes (If-None-Match), so two deploys at the same time may mix: let one wait for the other',
        )
      }
      return lock
    },
    giveUp: end('giveUp'),
    letGo: end('letGo'),
  }
}
