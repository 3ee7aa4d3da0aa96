import { setTimeout as wait } from 'node:timers/promises'
import type { Bucket, WrittenObject } from '../../bucket/bucket.js'
import { groups } from '../../files/built-file.js'
import { responseOf, StaticS3Error } from '../../runtime/error.js'
import { eachInParallel } from '../../runtime/parallel.js'
import { type Stop, unstoppable } from '../../runtime/stop.js'
import type { Permit } from '../lock/hold-lock.js'
import type { Backup, Decision, Plan } from '../plan.js'
import { type BackupPlace, type Backups, openBackups } from './backups.js'
import { type Part, wavesOf } from './waves.js'
import { type Done, WriteCounts } from './what-visitors-see.js'
import { objectWriter } from './write-object.js'

export interface Upload {
  /** The written objects, by key. */
  written: Map<string, WrittenObject>
  /** Undefined if nothing is backed up. */
  backups: Backups | undefined
  /** True if another deploy created one of our new files first: the plan is then out of date. */
  wasForestalled(): boolean
  /** True if a request under a permit got no response: the store may still carry it out. */
  leftUnanswered(): boolean
  /** An error that ends the deploy. It describes the site as visitors see it now. */
  failure(reason: unknown): StaticS3Error
  /**
   * Carries out a part of a plan, one group after the other. Each group waits for the previous one. The first failure stops everything, so that
   * no page refers to a missing file.
   *
   * @param beforeManifests called when all fingerprinted files and other assets are uploaded; if it rejects, no manifest or page changes
   * @throws StaticS3Error of `failure`
   */
  run(plan: Plan, part: Part, permit?: Permit, beforeManifests?: () => Promise<void> | undefined): Promise<void>
}

/** Large files to upload at the same time. They fill a line, and each takes memory of its own. */
const largeAtOnce = 16

/** @param backUp undefined to store no backups */
export function startUpload(
  bucket: Bucket,
  concurrency: number,
  onProgress: (done: Done, all: Done) => void,
  asked: Stop = unstoppable,
  backUp?: BackupPlace,
): Upload {
  const writer = objectWriter(bucket)
  const backups = backUp && openBackups(bucket, writer, backUp)
  const counts = new WriteCounts()
  const written = new Map<string, WrittenObject>()
  let forestalled = false
  let leftUnanswered = false
  const failure = (reason: unknown) =>
    new StaticS3Error(`${(reason as Error).message}\n${counts.whatVisitorsSee()}`, { cause: reason })

  const store = async ({ file, from }: Backup, { expired, permit, stop, signal, fail }: PartInWork): Promise<void> => {
    if (stop.aborted) return
    await backups?.store(file, { signal, stop, check: () => permit?.check(), backup: from }, expired).catch(fail)
  }

  const carryOut = async (decision: Decision, { part, permit, stop, signal, fail }: PartInWork): Promise<void> => {
    if (stop.aborted) return
    let isSent = false
    const check = () => {
      permit?.check()
      isSent = true
    }
    try {
      const isCreation = part === 'creations' || (decision.file.createOnly && decision.reason !== 'expired')
      const write = isCreation ? writer.create : writer.write
      const object = await write(decision, { signal, stop, check, backup: backups?.of(decision.file) })
      if (!object) {
        forestalled = true
        return
      }
      written.set(decision.file.key, object)
    } catch (error) {
      if (isSent && (signal.aborted || responseOf(error).unanswered)) {
        counts.unanswered(decision.file)
        leftUnanswered ||= permit !== undefined
      }
      fail(error)
      return
    }
    counts.written(decision.file)
    onProgress(counts.done, counts.all)
  }

  return {
    written,
    backups,
    wasForestalled: () => forestalled,
    leftUnanswered: () => leftUnanswered,
    failure,
    async run(plan, part, permit, beforeManifests) {
      const inWork = startPart(part, plan.expired, permit, asked)
      const { stop } = inWork
      const { waves, total } = wavesOf(plan, part)
      await laterThan(plan.notBefore, bucket)
      counts.plan(total)
      const carryOutAll = (atOnce: number, wave: readonly (Decision | Backup)[]) =>
        eachInParallel(atOnce, wave, (each) =>
          each.action === 'back up' ? store(each, inWork) : carryOut(each, inWork),
        )
      for (const group of groups) {
        if (group === 'manifest') await beforeManifests?.()?.catch((error) => Promise.reject(failure(error)))
        for (const { small, large } of waves[group]) {
          // Large files start at once, beside small ones, so that none is left over for the end.
          await Promise.all([carryOutAll(largeAtOnce, large), carryOutAll(concurrency, small)])
        }
        if (stop.aborted) throw failure(stop.reason)
      }
    },
  }
}

/** A part of a plan that is being carried out. */
interface PartInWork {
  part: Part
  expired: Plan['expired']
  permit: Permit | undefined
  /** Aborted if no more requests are to begin. */
  stop: AbortSignal
  /** Cuts off requests that have begun. */
  signal: AbortSignal
  /** Stops the part. Only the first failure counts: the others follow from it. */
  fail(error: unknown): void
}

function startPart(part: Part, expired: Plan['expired'], permit: Permit | undefined, asked: Stop): PartInWork {
  const failed = new AbortController()
  const stop = AbortSignal.any([failed.signal, asked.begun, ...(permit ? [permit.signal] : [])])
  // The store may still carry out an aborted request, and overwrite an object of the next deploy. So a failure aborts no request under a permit.
  const signal = permit ? AbortSignal.any([permit.signal, asked.cut]) : stop
  const fail = (error: unknown) => {
    if (!stop.aborted) failed.abort(error)
  }
  return { part, expired, permit, stop, signal, fail }
}

/**
 * Waits until the store's clock is past a time. If this deploy dies before its record, headers of the same second would look like the recorded
 * ones. It does not wait for a clock that was set back.
 */
async function laterThan(time: number, bucket: Bucket): Promise<void> {
  const left = time - bucket.now()
  if (left >= 0 && left < 2000) await wait(left + 1)
}
