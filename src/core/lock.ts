import { setTimeout as wait } from 'node:timers/promises'
import type { Body, Bucket, ObjectParameters } from './bucket.js'
import { bodyOfBytes } from './bytes.js'
import { answerOf, StaticS3Error } from './error.js'
import type { Author } from './record.js'
import {
  latestRelease,
  lockKey,
  type NumberedObject,
  openLock,
  type ReleasesFolder,
  releasesFolder,
} from './releases-folder.js'
import { unlessAborted } from './stop.js'
import { readReleases } from './survey.js'
import type { Permit } from './upload.js'

/*
 * One release at a time changes what visitors see. Its lock is the object of its number, made by a write that fails where there is one already
 * (`If-None-Match: *`). Numbers only go up: no name is used twice, so that a late or repeated request of somebody who was cut off does no
 * harm, and no conditional write but this one is needed, which more stores have than `If-Match`.
 *
 * The lock of a number is over when the release's record is there, or when it is empty: the deploy failed. It has expired when the store's
 * own clock is further than its term from its last writing: then the next number may be taken.
 *
 * No lock in S3 can keep back a request that is carried out long after its sender was cut off: its holder stops five seconds before others may
 * begin, and waits for the answers to what it has sent.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
 */

/** Milliseconds that a lock holds after it was written. */
const term = 30_000
/** Milliseconds after which it is written again. */
const renewal = term / 3
/** Milliseconds before its end at which its holder stops: clocks run apart, and a request takes a while. */
const margin = 5000

export interface Lock extends Permit {
  /** The number of the release that it is for. */
  release: number
  /** The folder as it is under the lock. */
  folder: ReleasesFolder
  /** Whether the store minds `If-None-Match`. */
  conditionalWrites: boolean
  /** After this, the lock is no longer renewed. */
  letGo(): Promise<void>
  /** Ends it where there will be no record of its release. */
  giveUp(): Promise<void>
}

export interface LockInput {
  bucket: Bucket
  location: string
  author: Author
  /** The folder as it was seen last. */
  folder: ReleasesFolder
  /** Whether it is known that the store minds `If-None-Match`. */
  conditionalWrites: boolean
  /** What the bucket asks of every object. */
  parameters: ObjectParameters
  /** Milliseconds to wait for others. */
  patience: number
  /** Ends the wait. */
  stop: AbortSignal
  /** Told once for each deploy that is waited for. */
  onWait: (whom: string) => void
}

interface Holder {
  id: string
  by: string
  start: string
  /** When it was written last, and until when it then holds, by its owner's clock. */
  renewed: string
  end: string
}

/**
 * Takes the lock on a location, and waits for others where need be.
 *
 * @throws StaticS3Error when they take too long
 */
export async function takeLock(input: LockInput): Promise<Lock> {
  const { bucket, location, author, parameters, patience, stop, onWait } = input
  const folder = releasesFolder(location)
  const start = new Date()
  const begun = performance.now()
  let { folder: seen, conditionalWrites } = input
  // By the store's clock. What was seen before says nothing about now: a lock may have been renewed since.
  let seenAt = Number.NEGATIVE_INFINITY
  let told: string | undefined

  for (let attempt = 0; ; attempt++) {
    stop.throwIfAborted()
    if (attempt > 0) {
      if (attempt > 1) await unlessAborted(stop, wait(Math.min(2000, 50 * 2 ** attempt)))
      seenAt = bucket.now()
      seen = await readReleases(bucket, location)
    }
    const isLate = performance.now() - begun >= patience
    const other = openLock(seen)
    const isHeld = other !== undefined && !hasExpired(other, seenAt)
    // What was seen last may be long over.
    const whom = isHeld && attempt > 0 ? await describe(bucket, other) : undefined
    if (whom !== undefined) {
      if (isLate) throw tooLong(whom, location, patience)
      if (whom !== told) onWait(whom)
      told = whom
      continue
    }
    if (!isHeld) {
      const release = latestRelease(seen) + 1
      const key = lockKey(folder, release)
      const write: Write = (body, more, signal) => bucket.put(key, body, { ...parameters, ...more }, signal)
      const content = () => holderBody(author, start)
      const sentAt = Date.now()
      const taken = await create({ bucket, key, author, write, content, conditionalWrites })
      if (taken !== 'no') {
        conditionalWrites = taken === 'yes'
        const lock = hold({ key, release, conditionalWrites, sentAt, write, content })
        try {
          seen = await readReleases(bucket, location)
        } catch (error) {
          await lock.giveUp().catch(() => {})
          throw error
        }
        if (isMine(seen, release)) return { ...lock, folder: seen }
        await lock.letGo()
      }
    }
    // A store that says now this, now that would be asked for ever.
    if (isLate && attempt > 10) throw tooLong(told ?? 'another deploy', location, patience)
  }
}

function hasExpired({ lastModified }: NumberedObject, seenAt: number): boolean {
  return lastModified !== undefined && seenAt - lastModified > term
}

/** Who saw an old state of the folder can take a number that has been used and put away since: then there is a record of it. */
function isMine({ records, locks }: ReleasesFolder, release: number): boolean {
  return (records[0]?.release ?? 0) < release && (locks[0]?.release ?? 0) <= release
}

/** Whether the lock was made: `yes`; `no`, since it is there already; or that can't be told, because the store ignores conditions. */
async function create(input: {
  bucket: Bucket
  key: string
  author: Author
  write: Write
  content: () => Body
  conditionalWrites: boolean
}): Promise<'yes' | 'no' | 'unknown'> {
  const { bucket, key, author, write, content, conditionalWrites } = input
  const once = () =>
    write(content(), { IfNoneMatch: '*' }).then(
      () => 'written' as const,
      (error: unknown) => {
        const { status, code } = answerOf(error)
        if (status === 412) return 'refused' as const
        if (status === 501 || (status === 400 && /^Invalid(Argument|Request|Header)$/.test(code ?? ''))) {
          return 'unsupported' as const
        }
        throw error
      },
    )
  const first = await once()
  if (first === 'unsupported') {
    if (await bucket.get(key)) return 'no'
    await write(content(), {})
    return 'unknown'
  }
  // An answer may have got lost, and what is there be our own.
  if (first === 'refused')
    return (await readHolder(bucket, key).catch(() => undefined))?.id === author.id ? 'yes' : 'no'
  if (conditionalWrites) return 'yes'
  return (await once()) === 'refused' ? 'yes' : 'unknown'
}

type Write = (body: Body, more: ObjectParameters, signal?: AbortSignal) => Promise<unknown>

interface Held {
  key: string
  release: number
  conditionalWrites: boolean
  /** When the request was sent that took it, by this machine's clock. */
  sentAt: number
  write: Write
  content: () => Body
}

function hold({ key, release, conditionalWrites, sentAt, write, content }: Held): Omit<Lock, 'folder'> {
  const lost = new AbortController()
  const over = new AbortController()
  let until = sentAt + term - margin
  let renewing: Promise<unknown> = Promise.resolve()

  const lose = () =>
    lost.abort(
      new StaticS3Error(
        `static-s3: ${key} could not be renewed for ${(term - margin) / 1000} seconds: another deploy may begin`,
      ),
    )
  // Not the timer alone: in a machine that slept, it comes after what was waiting.
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
  // One that fails may be followed by one that doesn't.
  const timer = setInterval(() => {
    renewing = renewing.then(renew).catch(() => {})
  }, renewal)

  const letGo = async () => {
    clearInterval(timer)
    over.abort()
    await renewing
    clearTimeout(end)
  }
  return {
    release,
    conditionalWrites,
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

function holderBody({ id, by }: Author, start: Date): Body {
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

/** Undefined where the lock was put away or given up. */
async function readHolder(bucket: Bucket, key: string): Promise<Partial<Holder> | undefined> {
  const bytes = await bucket.get(key)
  if (!bytes || bytes.length === 0) return undefined
  try {
    return Object(JSON.parse(Buffer.from(bytes).toString())) as Partial<Holder>
  } catch {
    return {}
  }
}

async function describe(bucket: Bucket, { key }: NumberedObject): Promise<string | undefined> {
  const holder = await readHolder(bucket, key).catch((): Partial<Holder> => ({}))
  if (!holder) return undefined
  const { by, start } = holder
  return `${typeof by === 'string' ? by : 'another deploy'}${typeof start === 'string' ? `, at work since ${start}` : ''}`
}

function tooLong(whom: string, location: string, patience: number): StaticS3Error {
  const where = location === '' ? "the bucket's root" : location
  return new StaticS3Error(
    `static-s3: ${where} is locked by ${whom}. It was waited for ${patience / 1000} seconds (lockTimeout): run it again later, or wait longer. A lock whose deploy has died ends by itself after ${term / 1000} seconds.`,
  )
}
