import { closeSync, fstatSync, openSync } from 'node:fs'
import type { Readable } from 'node:stream'
import type { Body, Bucket } from './bucket.js'
import { answerOf, StaticS3Error } from './error.js'
import { type Group, groups } from './groups.js'
import { streamOf } from './large-file.js'
import { mapInParallel } from './parallel.js'
import type { Decision, Plan } from './plan.js'
import { readSmall, smallBytes } from './small-file.js'
import { type Stop, unstoppable } from './stop.js'

export type { Decision } from './plan.js'

/** What was written so far. */
export interface Done {
  files: number
  bytes: number
}

export interface Upload {
  /** The ETags of what was written, by key. */
  written: ReadonlyMap<string, string>
  /** The decisions that were carried out, by key. */
  carriedOut: ReadonlyMap<string, Decision>
  /** Whether something was sent that nobody has answered: it may still be carried out. */
  leftUnanswered(): boolean
  /** An error that ends the deploy, with what visitors see now. */
  failure(reason: unknown): StaticS3Error
  /**
   * Carries out what a plan decides for these groups: one group after the other, each only when the one before is there whole. The first
   * failure stops everything, so that a page is never touched when something that it may refer to is missing.
   *
   * @throws StaticS3Error with what failed and what visitors see now
   */
  run(plan: Plan, which: readonly Group[], permit?: Permit): Promise<void>
}

/** Something that has to be held while files are written, such as a lock. */
export interface Permit {
  /** Aborted when it is lost, with the reason. */
  signal: AbortSignal
  /** @throws StaticS3Error when it is lost */
  check(): void
}

/** How many files that aren't small go up at once: they fill a line, and each is a stream with buffers of its own. */
const largeAtOnce = 16

export function startUpload(
  bucket: Bucket,
  concurrency: number,
  onProgress: (done: Done, all: Done) => void,
  asked: Stop = unstoppable,
): Upload {
  const written = new Map<string, string>()
  const carriedOut = new Map<string, Decision>()
  const done: Done = { files: 0, bytes: 0 }
  let copies = true
  const unanswered: Decision[] = []
  let planned = 0
  const failure = (reason: unknown) => {
    const { message } = reason as Error
    const text = standing([...carriedOut.values()], unanswered, planned)
    return new StaticS3Error(`${message}\n${text}`, { cause: reason })
  }

  const write = async (
    { file, action, etag }: Decision,
    signal: AbortSignal,
    stop: AbortSignal,
    permit: Permit | undefined,
  ): Promise<string> => {
    if (action === 'copy' && copies) {
      try {
        const parameters = { ...file.parameters, CopySourceIfMatch: `"${etag}"` }
        return await bucket.copy(file.key, file.key, parameters, signal)
      } catch (error) {
        if (stop.aborted || !isRefusal(error)) throw error
        // The bytes are at hand. Somebody may have changed or deleted this one; else the right to read is missing, or the store knows no copies.
        const { status } = answerOf(error)
        copies = status === 404 || status === 412
      }
    }
    return bucket.put(file.key, bodyOf(file, permit), file.parameters, signal)
  }

  const run = async ({ decisions }: Plan, which: readonly Group[], permit?: Permit): Promise<void> => {
    const failed = new AbortController()
    const stop = AbortSignal.any([failed.signal, asked.begun, ...(permit ? [permit.signal] : [])])
    // What is on its way may arrive though nobody waits for it, and over what the next deploy writes. Under a permit it is waited for.
    const signal = permit ? AbortSignal.any([permit.signal, asked.cut]) : stop
    const left = decisions.filter((each) => each.action !== 'skip' && carriedOut.get(each.file.key) !== each)
    const all = left.reduce(({ files, bytes }, { file }) => ({ files: files + 1, bytes: bytes + file.size }), done)
    planned = all.files

    const carryOut = async (decision: Decision): Promise<void> => {
      if (stop.aborted) return
      try {
        permit?.check()
        const etag = await write(decision, signal, stop, permit)
        written.set(decision.file.key, etag)
      } catch (error) {
        if (signal.aborted || answerOf(error).unanswered) unanswered.push(decision)
        // The first one: those that it stops are of no interest.
        if (!stop.aborted) failed.abort(error)
        return
      }
      carriedOut.set(decision.file.key, decision)
      done.files++
      done.bytes += decision.file.size
      onProgress(done, all)
    }

    // Large ones from the beginning on, beside small ones, so that none is left over for the end.
    const carryOutAll = (members: readonly Decision[]) =>
      Promise.all([
        mapInParallel(
          largeAtOnce,
          members.filter(({ file }) => file.size > smallBytes).sort((a, b) => b.file.size - a.file.size),
          carryOut,
        ),
        mapInParallel(
          concurrency,
          members.filter(({ file }) => file.size <= smallBytes),
          carryOut,
        ),
      ])

    for (const group of groups.filter((each) => which.includes(each))) {
      const members = left.filter(({ file }) => file.group === group)
      // Nobody refers to what is new, yet; what changes may come to refer to it.
      await carryOutAll(members.filter(isNew))
      await carryOutAll(members.filter((each) => !isNew(each)))
      if (stop.aborted) throw failure(stop.reason)
    }
  }

  return { written, carriedOut, leftUnanswered: () => unanswered.length > 0, failure, run }
}

const isNew = ({ reason }: Decision) => reason === 'new'

/** What S3 will say again, and what an upload may get round. */
function isRefusal(error: unknown): boolean {
  const { status = 0 } = answerOf(error)
  return status === 501 || (status >= 400 && status < 500)
}

/** What visitors see after a failure, as far as the store has told. */
function standing(carriedOut: readonly Decision[], unanswered: readonly Decision[], planned: number): string {
  const counts = (which: (group: Group) => boolean) =>
    [carriedOut, unanswered].map((decisions) => decisions.filter(({ file }) => which(file.group)).length) as Counts
  const pages = counts((group) => group === 'html')
  const assets = counts((group) => group === 'asset' || group === 'manifest')
  const up =
    planned === 0 ? '' : ` ${carriedOut.length} of ${planned} files are up, and the next run carries on from there.`
  if (sum(pages) > 0) {
    const need = sum(pages) === 1 ? 'it needs' : 'they need'
    return `${areNew(pages, 'page', 'pages')}, and everything that ${need} is there.${up}`
  }
  if (sum(assets) > 0) {
    return `The old pages stand; ${areNew(assets, 'file without a fingerprint', 'files without a fingerprint')}.${up}`
  }
  return `The site stands as it was.${up}`
}

/** What was written, and what may have been: nobody has answered. */
type Counts = [known: number, unknown: number]

const sum = ([known, unknown]: Counts) => known + unknown

function areNew([known, unknown]: Counts, one: string, several: string): string {
  const are = `${known} ${known === 1 ? `${one} is` : `${several} are`} new`
  if (unknown === 0) return are
  return known === 0 ? `${unknown} ${unknown === 1 ? one : several} may be new` : `${are} and ${unknown} more may be`
}

function bodyOf({ path, file, size, md5, sha256, content: kept }: Decision['file'], permit: Permit | undefined): Body {
  return {
    size,
    md5,
    sha256,
    async open() {
      // For each attempt: the one before may have been cut by a sleep in which the lock went to somebody else.
      permit?.check()
      if (kept) return kept
      const content = await read(file, size).catch(({ code }: NodeJS.ErrnoException) => {
        const what = code === 'ENOENT' ? 'vanished before it was uploaded' : `can't be read (${code})`
        throw new StaticS3Error(`static-s3: ${path} ${what}`)
      })
      if (content) return content
      throw new StaticS3Error(`static-s3: ${path} changed while it was being uploaded; build again`)
    },
  }
}

/** The file's content, or undefined if it isn't as long as it was. */
async function read(file: string, size: number): Promise<Uint8Array | Readable | undefined> {
  if (size <= smallBytes) {
    const bytes = readSmall(file, Buffer.allocUnsafe(size + 1))
    return bytes?.length === size ? bytes : undefined
  }
  const handle = openSync(file, 'r')
  let found: number | undefined
  try {
    found = fstatSync(handle).size
  } finally {
    if (found !== size) closeSync(handle)
  }
  return found === size ? streamOf(handle) : undefined
}
