import { setTimeout as wait } from 'node:timers/promises'
import type { Bucket, ObjectParameters, WrittenObject } from '../bucket/bucket.js'
import { smallBytes } from '../bucket/bucket.js'
import { type Group, groups } from '../files/built-file.js'
import { bodyOfFile } from '../files/file-body.js'
import { refusedCondition, responseOf, StaticS3Error } from '../runtime/error.js'
import { eachInParallel } from '../runtime/parallel.js'
import { type Stop, unstoppable } from '../runtime/stop.js'
import type { Permit } from './hold-lock.js'
import type { Decision, Plan } from './plan.js'
import { whatVisitorsSee } from './standing.js'

/** How much is written. */
export interface Done {
  files: number
  bytes: number
}

export interface Upload {
  /** What was written, by key. */
  written: Map<string, WrittenObject>
  /** True if another deploy created one of our new files first: the plan is then out of date. */
  wasForestalled(): boolean
  /** Whether a request under a permit was sent that nobody has answered: the store may still carry it out. */
  leftUnanswered(): boolean
  /** An error that ends the deploy, with what visitors see now. */
  failure(reason: unknown): StaticS3Error
  /**
   * Carries out a part of a plan, one group after the other. Each group waits until the one before is complete. The first failure stops everything,
   * so that no page changes while a file that it may refer to is missing.
   *
   * @param beforePages called when all files that pages refer to are uploaded; if it rejects, no page changes
   * @throws StaticS3Error with what failed and what visitors see now
   */
  run(plan: Plan, part: Part, permit?: Permit, beforePages?: () => Promise<void> | undefined): Promise<void>
}

/** Creations are the new fingerprinted files: no page refers to them yet, and their writes replace nothing (`If-None-Match: *`). */
export type Part = 'creations' | 'all but creations' | 'all'

/** How many large files go up at the same time: they fill a line, and each has a piece of memory of its own. */
const largeAtOnce = 16

export function startUpload(
  bucket: Bucket,
  concurrency: number,
  onProgress: (done: Done, all: Done) => void,
  asked: Stop = unstoppable,
): Upload {
  const written = new Map<string, WrittenObject>()
  const done: Done = { files: 0, bytes: 0 }
  const known = Object.fromEntries(groups.map((group) => [group, 0])) as Record<Group, number>
  const unknown = { ...known }
  let copies = true
  let conditions = true
  let forestalled = false
  let planned = 0
  let leftUnanswered = false
  const failure = (reason: unknown) =>
    new StaticS3Error(`${(reason as Error).message}\n${whatVisitorsSee(known, unknown, planned)}`, { cause: reason })

  const write = async (decision: Decision, signal: AbortSignal, isStopped: () => boolean, check: () => void) => {
    const { file, action, etag } = decision
    if (action === 'copy' && copies) {
      try {
        const parameters = { ...file.parameters, CopySourceIfMatch: `"${etag}"` }
        return await bucket.copy(file.key, file.key, parameters, signal, check)
      } catch (error) {
        if (isStopped() || !isRefusal(error)) throw error
        // 404 and 412: somebody has deleted or changed this object. Any other refusal comes again for each copy.
        const { status } = responseOf(error)
        copies = status === 404 || status === 412
      }
    }
    return bucket.put(file.key, bodyOfFile(file), file.parameters, signal, check)
  }

  /** Undefined if another deploy was first, or if the answer to our own first attempt was lost. */
  const create = async ({ file }: Decision, signal: AbortSignal, check: () => void) => {
    const put = (more: ObjectParameters) =>
      bucket.put(file.key, bodyOfFile(file), { ...file.parameters, ...more }, signal, check)
    if (!conditions) return put({})
    try {
      return await put({ IfNoneMatch: '*' })
    } catch (error) {
      const refused = refusedCondition(error)
      if (refused === 'exists') return undefined
      if (refused === undefined || signal.aborted) throw error
      conditions = false
      return put({})
    }
  }

  const run: Upload['run'] = async (plan, part, permit, beforePages) => {
    const failed = new AbortController()
    const stop = AbortSignal.any([failed.signal, asked.begun, ...(permit ? [permit.signal] : [])])
    // The store may still carry out a request that is aborted, over an object of the next deploy: under a permit its answer is waited for.
    const signal = permit ? AbortSignal.any([permit.signal, asked.cut]) : stop
    const { waves, files, bytes } = wavesOf(plan, part)
    await laterThan(plan.notBefore, bucket)
    const all = { files: done.files + files, bytes: done.bytes + bytes }
    planned = all.files

    const carryOut = async (decision: Decision): Promise<void> => {
      if (stop.aborted) return
      const { key, group, size } = decision.file
      let isSent = false
      const check = () => {
        permit?.check()
        isSent = true
      }
      try {
        const object = await (part === 'creations'
          ? create(decision, signal, check)
          : write(decision, signal, () => stop.aborted, check))
        if (!object) {
          forestalled = true
          return
        }
        written.set(key, object)
      } catch (error) {
        if (isSent && (signal.aborted || responseOf(error).unanswered)) {
          unknown[group]++
          leftUnanswered ||= permit !== undefined
        }
        // Only the first failure counts: the others follow from it.
        if (!stop.aborted) failed.abort(error)
        return
      }
      known[group]++
      done.files++
      done.bytes += size
      onProgress(done, all)
    }

    for (const group of groups) {
      if (group === 'manifest') await beforePages?.()?.catch((error) => Promise.reject(failure(error)))
      for (const { small, large } of waves[group]) {
        // Large files start at once, beside small ones, so that none is left over for the end.
        await Promise.all([eachInParallel(largeAtOnce, large, carryOut), eachInParallel(concurrency, small, carryOut)])
      }
      if (stop.aborted) throw failure(stop.reason)
    }
  }

  return { written, wasForestalled: () => forestalled, leftUnanswered: () => leftUnanswered, failure, run }
}

/**
 * Waits until the store's clock is past a time. Headers written in the same second as the recorded ones would pass for those, if this deploy
 * died before its record. It does not wait for a clock that was set back.
 */
async function laterThan(time: number, bucket: Bucket): Promise<void> {
  const left = time - bucket.now()
  if (left >= 0 && left < 2000) await wait(left + 1)
}

/** What goes up together; large files with the largest first. */
interface Wave {
  small: Decision[]
  large: Decision[]
}

/** The writes of a part, in their order, and the total of this part and the parts after it. */
function wavesOf({ decisions }: Plan, part: Part) {
  const wave = (): Wave => ({ small: [], large: [] })
  // Nobody refers to a new object yet. A changed one may refer to it.
  const waves = Object.fromEntries(groups.map((group) => [group, [wave(), wave()]])) as Record<Group, [Wave, Wave]>
  const all: Done = { files: 0, bytes: 0 }
  for (const decision of decisions) {
    const { file, action, reason } = decision
    const isCreation = file.group === 'fingerprinted' && reason === 'new'
    if (action === 'skip' || (isCreation && part === 'all but creations')) continue
    all.files++
    all.bytes += file.size
    if (!isCreation && part === 'creations') continue
    const { small, large } = waves[placeOf(decision)][reason === 'new' ? 0 : 1]
    if (file.size <= smallBytes) small.push(decision)
    else large.push(decision)
  }
  for (const { large } of Object.values(waves).flat()) large.sort((a, b) => b.file.size - a.file.size)
  return { waves, ...all }
}

/** A new service worker comes before the page that registers it. */
function placeOf({ file: { group }, reason }: Decision): Group {
  return group === 'service worker' && reason === 'new' ? 'manifest' : group
}

/** Whether S3 would say the same again, and an upload may get round it. */
function isRefusal(error: unknown): boolean {
  const { status = 0 } = responseOf(error)
  return status === 501 || (status >= 400 && status < 500)
}
