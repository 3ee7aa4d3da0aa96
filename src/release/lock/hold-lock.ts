import type { Body, ObjectParameters } from '../../bucket/bucket.js'
import { bodyOfBytes } from '../../bucket/bucket.js'
import { forSlowLine, StaticS3Error } from '../../runtime/error.js'
import type { Deployer } from '../records/record.js'

/** Milliseconds from a lock's last write to its expiry. */
export const term = 30_000
/** Milliseconds between two writes. */
const renewal = term / 3
/** The holder stops this many milliseconds before the expiry, because clocks differ and requests take time. */
const margin = 5000

/** A condition for writing files, such as a lock. */
export interface Permit {
  /** Aborted with the reason when the permit is lost. */
  signal: AbortSignal
  /** @throws StaticS3Error if the permit is lost */
  check(): void
}

export interface HeldLock extends Permit {
  /** Ends its renewal. */
  letGo(): Promise<void>
  /** Ends the lock of a release that gets no record: the lock object becomes empty. */
  giveUp(): Promise<void>
}

/** Writes the lock object. */
export type WriteLock = (body: Body, more: ObjectParameters, signal?: AbortSignal) => Promise<unknown>

/** The content of a lock object. */
export interface Holder {
  id: string
  by: string
  start: string
  /** The times of the last write and of the expiry, by the holder's clock. */
  renewed: string
  end: string
}

export function holderBody({ id, by }: Deployer, start: Date): Body {
  const now = Date.now()
  const holder: Holder = {
    id,
    by,
    start: start.toISOString(),
    renewed: new Date(now).toISOString(),
    end: new Date(now + term).toISOString(),
  }
  return bodyOfBytes(Buffer.from(JSON.stringify(holder)))
}

/**
 * Renews a lock until `letGo`, `giveUp` or its loss.
 *
 * @param sentAt the time of the request that took the lock, by this machine's clock
 */
export function holdLock(key: string, sentAt: number, write: WriteLock, content: () => Body): HeldLock {
  const lost = new AbortController()
  const over = new AbortController()
  let until = sentAt + term - margin
  let renewing: Promise<unknown> = Promise.resolve()

  const lose = () =>
    lost.abort(
      new StaticS3Error(
        `static-s3: ${key} could not be renewed for ${(term - margin) / 1000} seconds: another deploy may begin. ${forSlowLine}`,
      ),
    )
  // After a machine has slept, requests may be sent before its timers run.
  const isHeld = () => {
    if (Date.now() > until) lose()
    return !lost.signal.aborted
  }
  let end = setTimeout(lose, until - Date.now())
  const renew = async () => {
    if (!isHeld()) return
    const renewedAt = Date.now()
    await write(content(), {}, over.signal)
    if (!isHeld()) return
    until = renewedAt + term - margin
    clearTimeout(end)
    end = setTimeout(lose, until - Date.now())
  }
  const renewAgain = () => {
    timer = setTimeout(renewAgain, renewal)
    // The next renewal may succeed.
    renewing = renewing.then(renew).catch(() => {})
  }
  // On a slow line, the lock is seconds old when the response arrives.
  let timer = setTimeout(renewAgain, Math.min(renewal, sentAt + renewal - Date.now()))

  const letGo = async () => {
    clearTimeout(timer)
    over.abort()
    await renewing
    clearTimeout(end)
  }
  return {
    signal: lost.signal,
    check() {
      if (!isHeld()) throw lost.signal.reason
    },
    letGo,
    async giveUp() {
      await letGo()
      await write(bodyOfBytes(Buffer.alloc(0)), {})
    },
  }
}
