import type { Body, ObjectParameters } from '../bucket/bucket.js'
import { bodyOfBytes } from '../bucket/bucket.js'
import { forSlowLine, StaticS3Error } from '../runtime/error.js'
import type { Deployer } from './record.js'

/** Milliseconds that a lock holds after it was written. */
export const term = 30_000
/** Milliseconds after which it is written again. */
const renewal = term / 3
/** Milliseconds before its end at which its holder stops: clocks differ, and a request takes a while. */
const margin = 5000

/** Something that has to be held while files are written, such as a lock. */
export interface Permit {
  /** Aborted when it is lost, with the reason. */
  signal: AbortSignal
  /** @throws StaticS3Error when it is lost */
  check(): void
}

export interface HeldLock extends Permit {
  /** Ends its renewal. */
  letGo(): Promise<void>
  /** Ends it if there will be no record of its release: the lock object becomes empty. */
  giveUp(): Promise<void>
}

/** Writes the lock object. */
export type WriteLock = (body: Body, more: ObjectParameters, signal?: AbortSignal) => Promise<unknown>

/** What a lock object says of its holder. */
export interface Holder {
  id: string
  by: string
  start: string
  /** When it was last written, and until when it then holds, by its owner's clock. */
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
 * Renews a lock until it is let go of, given up or lost.
 *
 * @param sentAt when the request that took it was sent, by this machine's clock
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
  // The timer alone isn't enough: after a machine has slept, requests may be sent before its timers run.
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
    // A renewal that fails may be followed by one that succeeds.
    renewing = renewing.then(renew).catch(() => {})
  }
  // On a slow line, the lock is seconds old when the answer comes.
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
