import { setTimeout as wait } from 'node:timers/promises'
import type { Body, Bucket, ObjectParameters } from '../../bucket/bucket.js'
import { refusedCondition, StaticS3Error } from '../../runtime/error.js'
import { orUndefined } from '../../runtime/or-undefined.js'
import { printableLine } from '../../runtime/printable.js'
import { unlessAborted } from '../../runtime/stop.js'
import { locationName } from '../../urls/paths.js'
import type { Deployer } from '../records/record.js'
import {
  latestRelease,
  lockKey,
  type NumberedObject,
  openLock,
  type ReleasesFolder,
  readReleases,
  releasesFolder,
} from '../records/releases-folder.js'
import { type HeldLock, type Holder, holderBody, holdLock, term, type WriteLock } from './hold-lock.js'

/*
 * One release at a time changes the files that visitors see. Its lock is the object of its number, made by a write that fails if the object is there
 * already (`If-None-Match: *`). Numbers only go up, and lock objects stay: no number is taken twice, so that a late or repeated request of a
 * deploy that was cut off does no harm. No other conditional write is needed: more stores support this one than `If-Match`.
 *
 * A lock has ended if its release's record is there, or if it is empty: then its deploy failed. It has expired if the store's own clock is
 * more than its term past its last writing: then the next number may be taken.
 *
 * No lock in S3 can stop a request that the store carries out long after its sender was cut off: a holder stops five seconds before others may
 * begin, and waits for the answers to the requests that it has sent.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
 */

export interface Lock extends HeldLock {
  /** The number of its release. */
  release: number
  /** The folder at its last reading. */
  folder: ReleasesFolder
  /** Whether the store respects `If-None-Match`. */
  conditionalWrites: boolean
}

export interface LockInput {
  bucket: Bucket
  location: string
  deployer: Deployer
  /** The folder as the survey read it. */
  folder: ReleasesFolder
  /** Whether an earlier release found that the store respects `If-None-Match`. */
  conditionalWrites: boolean
  /** Parameters that the bucket requires for every object. */
  parameters: ObjectParameters
  /** The time for which the deploy has waited only for the lock, and its limit: milliseconds. */
  waited: () => number
  patience: number
  /** Ends the wait. */
  stop: AbortSignal
  /** Called once for each other deploy that has the lock. */
  onWait: (whom: string) => void
}

/**
 * Takes the lock of a location. Waits while another deploy has it.
 *
 * @throws StaticS3Error if they take too long
 */
export async function takeLock(input: LockInput): Promise<Lock> {
  const { bucket, location, patience, waited, stop, onWait } = input
  let { folder, conditionalWrites } = input
  // By the store's clock. A lock may have been renewed since the survey.
  let seenAt = Number.NEGATIVE_INFINITY
  let told: string | undefined

  for (let attempt = 0; ; attempt++) {
    stop.throwIfAborted()
    if (attempt > 0) {
      if (attempt > 1) await unlessAborted(stop, wait(Math.min(2000, 50 * 2 ** attempt)))
      seenAt = bucket.now()
      folder = await readReleases(bucket, location)
    }
    const isLate = waited() >= patience
    const other = openLock(folder)
    const isHeld = other !== undefined && !hasExpired(other, seenAt)
    // The survey's lock may have ended long ago.
    const unreadable = (): Partial<Holder> => ({})
    const holder = isHeld && attempt > 0 ? await readHolder(bucket, other.key).catch(unreadable) : undefined
    if (isHeld && holder) {
      const adopted = adopt(input, other, holder)
      if (adopted) return { ...adopted, folder }
      const whom = describe(holder)
      if (isLate) throw tooLong(whom, location, patience)
      if (whom !== told) onWait(whom)
      told = whom
      continue
    }
    if (!isHeld) {
      const taken = await takeNumber(input, latestRelease(folder) + 1, conditionalWrites)
      if (taken) {
        if (taken.isAlone) return { ...taken, folder }
        conditionalWrites = false
        const now = await lookAround(bucket, location, taken)
        if (now) return { ...taken, folder: now }
      }
    }
    // A store may respond differently each time.
    if (isLate && attempt > 10) throw tooLong(told ?? 'another deploy', location, patience)
  }
}

/** @param seenAt the store's time when the lock was listed: milliseconds since 1970 */
export function hasExpired({ lastModified }: NumberedObject, seenAt: number): boolean {
  return lastModified !== undefined && seenAt - lastModified > term
}

interface Taken extends HeldLock {
  release: number
  conditionalWrites: boolean
  /** True if nobody else can have taken the number before. */
  isAlone: boolean
}

/** Takes the lock of a number; undefined if it is taken already. */
async function takeNumber(input: LockInput, release: number, conditionalWrites: boolean): Promise<Taken | undefined> {
  const { location, deployer } = input
  const key = lockKey(releasesFolder(location), release)
  const start = new Date()
  const write = writerOf(input, key)
  const content = () => holderBody(deployer, start)
  const sentAt = Date.now()
  const created = await create(input, key, write, content, conditionalWrites)
  if (created === 'no') return undefined
  const isAlone = created === 'yes'
  return { ...holdLock(key, sentAt, write, content), release, conditionalWrites: isAlone, isAlone }
}

const writerOf =
  ({ bucket, parameters }: LockInput, key: string): WriteLock =>
  (body, more, signal) =>
    bucket.put(key, body, { ...parameters, ...more }, signal)

/**
 * Our own lock: the answer to its first write was lost, and the lock was not readable when the store refused the second write. It is held since
 * that first write, so an old lock is left to expire.
 */
function adopt(input: LockInput, { key, release }: NumberedObject, holder: Partial<Holder>): Taken | undefined {
  const { id, start = '', renewed = '' } = holder
  const sentAt = Date.parse(renewed)
  if (id !== input.deployer.id || !(Date.now() - sentAt < term / 2)) return undefined
  const content = () => holderBody(input.deployer, new Date(start))
  // The refusal shows that the store respects conditions.
  return { ...holdLock(key, sentAt, writerOf(input, key), content), release, conditionalWrites: true, isAlone: true }
}

/** `yes` if this call made the lock, `no` if the lock existed, `unknown` if the store ignores conditions. */
async function create(
  { bucket, deployer }: LockInput,
  key: string,
  write: WriteLock,
  content: () => Body,
  conditionalWrites: boolean,
): Promise<'yes' | 'no' | 'unknown'> {
  const once = () =>
    write(content(), { IfNoneMatch: '*' }).then(
      () => 'written' as const,
      (error: unknown) => {
        const refused = refusedCondition(error)
        if (refused) return refused
        throw error
      },
    )
  const first = await once()
  if (first === 'unsupported') {
    if (await bucket.get(key)) return 'no'
    await write(content(), {})
    return 'unknown'
  }
  // The 412 may come from our own write whose answer was lost.
  if (first === 'exists') {
    return (await readHolder(bucket, key).catch(() => undefined))?.id === deployer.id ? 'yes' : 'no'
  }
  if (conditionalWrites) return 'yes'
  return (await once()) === 'exists' ? 'yes' : 'unknown'
}

/**
 * A store that ignores conditions lets a deploy with an old state of the folder take a used number. The folder then has a newer record or lock.
 *
 * @returns the folder under the lock; undefined if the lock was let go of
 */
async function lookAround(bucket: Bucket, location: string, lock: Taken): Promise<ReleasesFolder | undefined> {
  try {
    const folder = await readReleases(bucket, location)
    const [record, newest] = [folder.records[0]?.release ?? 0, folder.locks[0]?.release ?? 0]
    if (record < lock.release && newest <= lock.release) return folder
  } catch (error) {
    await lock.giveUp().catch(() => {})
    throw error
  }
  await lock.letGo()
  return undefined
}

/** Undefined if the lock was given up. */
async function readHolder(bucket: Bucket, key: string): Promise<Partial<Holder> | undefined> {
  const bytes = await bucket.get(key)
  if (!bytes || bytes.length === 0) return undefined
  return orUndefined(() => Object(JSON.parse(Buffer.from(bytes).toString()))) ?? {}
}

function describe({ by, start }: Partial<Holder>): string {
  // Anybody with write access to the folder may have written these printed texts.
  const whom = typeof by === 'string' ? by.slice(0, 200) : 'another deploy'
  return printableLine(`${whom}${typeof start === 'string' ? `, running since ${start.slice(0, 40)}` : ''}`)
}

function tooLong(whom: string, location: string, patience: number): StaticS3Error {
  const where = locationName(location)
  return new StaticS3Error(
    `static-s3: ${where} is locked by ${whom}. This deploy waited ${patience / 1000} seconds (lockTimeout): run it again later, or raise lockTimeout. The lock of a killed deploy expires ${term / 1000} seconds after its last renewal.`,
  )
}
