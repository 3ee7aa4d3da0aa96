import { hash } from 'node:crypto'
import { closeSync, fstatSync, openSync } from 'node:fs'
import type { Body, Bucket, Pieces } from './bucket.js'
import { fileOf } from './built-file.js'
import { answerOf, StaticS3Error } from './error.js'
import { type Group, groups } from './groups.js'
import { piecesOf } from './large-file.js'
import { hex, PackedMap } from './packed.js'
import { eachInParallel } from './parallel.js'
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
  written: PackedMap<string>
  /** Whether something was sent that nobody has answered: it may still be carried out. */
  leftUnanswered(): boolean
  /** An error that ends the deploy, with what visitors see now. */
  failure(reason: unknown): StaticS3Error
  /**
   * Carries out what a plan decides for these groups: one group after the other, each only when the one before is there whole. The first
   * failure stops everything, so that a page is never touched when something that it may refer to is missing.
   *
   * @param nearlyDone called once, when all that is left is on its way, and little; not where it fails or is stopped before
   * @throws StaticS3Error with what failed and what visitors see now
   */
  run(
    plan: Pick<Plan, 'decisions' | 'changes'>,
    which: readonly Group[],
    permit?: Permit,
    nearlyDone?: () => void,
  ): Promise<void>
}

/** Something that has to be held while files are written, such as a lock. */
export interface Permit {
  /** Aborted when it is lost, with the reason. */
  signal: AbortSignal
  /** @throws StaticS3Error when it is lost */
  check(): void
}

/** How many files that aren't small go up at once: they fill a line, and each has a piece of memory of its own. */
const largeAtOnce = 16
/** Bytes that are on their way when it is nearly done: on a slow line some seconds. */
const littleBytes = 1024 ** 2

export function startUpload(
  bucket: Bucket,
  concurrency: number,
  onProgress: (done: Done, all: Done) => void,
  asked: Stop = unstoppable,
): Upload {
  const written = new PackedMap(hex)
  const done: Done = { files: 0, bytes: 0 }
  const known: Counts = { asset: 0, fingerprinted: 0, html: 0, manifest: 0 }
  const unknown: Counts = { ...known }
  let copies = true
  let planned = 0
  const failure = (reason: unknown) => {
    const { message } = reason as Error
    const text = standing(known, unknown, planned)
    return new StaticS3Error(`${message}\n${text}`, { cause: reason })
  }

  const write = async (
    { file, action, etag }: Decision,
    signal: AbortSignal,
    stop: AbortSignal,
    permit: Permit | undefined,
    begin: () => void,
  ): Promise<string> => {
    if (action === 'copy' && copies) {
      try {
        const parameters = { ...file.parameters, CopySourceIfMatch: `"${etag}"` }
        return (await bucket.copy(file.key, file.key, parameters, signal)).etag
      } catch (error) {
        if (stop.aborted || !isRefusal(error)) throw error
        // The bytes are at hand. Somebody may have changed or deleted this one; else the right to read is missing, or the store knows no copies.
        const { status } = answerOf(error)
        copies = status === 404 || status === 412
      }
    }
    return (await bucket.put(file.key, bodyOf(file, permit, begin), file.parameters, signal)).etag
  }

  const run: Upload['run'] = async (plan, which, permit, nearlyDone) => {
    const failed = new AbortController()
    const stop = AbortSignal.any([failed.signal, asked.begun, ...(permit ? [permit.signal] : [])])
    // What is on its way may arrive though nobody waits for it, and over what the next deploy writes. Under a permit it is waited for.
    const signal = permit ? AbortSignal.any([permit.signal, asked.cut]) : stop
    const { waves, files, bytes } = wavesOf(plan, which)
    const all = { files: done.files + files, bytes: done.bytes + bytes }
    planned = all.files

    // How many haven't got their turn, and bytes of those that have and aren't there yet.
    let waiting = 0
    let underWay = 0
    const tell = () => {
      if (waiting > 0 || underWay > littleBytes || stop.aborted) return
      nearlyDone?.()
      nearlyDone = undefined
    }

    const carryOut = async (index: number): Promise<void> => {
      if (stop.aborted) return
      const decision = plan.decisions.at(index) as Decision
      const { group, size } = decision.file
      let isWaiting = true
      const begin = () => {
        if (!isWaiting) return
        isWaiting = false
        waiting--
        underWay += size
        tell()
      }
      try {
        permit?.check()
        const etag = await write(decision, signal, stop, permit, begin)
        written.set(decision.file.key, etag)
      } catch (error) {
        if (signal.aborted || answerOf(error).unanswered) unknown[group]++
        // The first one: those that it stops are of no interest.
        if (!stop.aborted) failed.abort(error)
        return
      } finally {
        // A copy has no body that would be opened.
        begin()
        underWay -= size
        tell()
      }
      known[group]++
      done.files++
      done.bytes += size
      onProgress(done, all)
    }

    const inTurn = groups.filter((each) => which.includes(each))
    const ahead = inTurn.flatMap((group) => waves[group])
    waiting = ahead.reduce((sum, { small, large }) => sum + small.length + large.length, 0)
    tell()
    for (const group of inTurn) {
      for (const { small, large } of waves[group]) {
        // Large ones from the beginning on, beside small ones, so that none is left over for the end.
        await Promise.all([
          eachInParallel(
            largeAtOnce,
            large.sort((a, b) => b.size - a.size),
            ({ index }) => carryOut(index),
          ),
          eachInParallel(concurrency, small, carryOut),
        ])
      }
      if (stop.aborted) throw failure(stop.reason)
    }
  }

  return { written, leftUnanswered: () => sum(unknown, groups) > 0, failure, run }
}

/** What goes up together, by its index among the decisions. */
interface Wave {
  small: number[]
  large: { index: number; size: number }[]
}

/** What is to be done in the order in which it may be, and how much that is with the groups that come after these. */
function wavesOf({ decisions, changes }: Pick<Plan, 'decisions' | 'changes'>, which: readonly Group[]) {
  const before = groups.slice(
    0,
    groups.findIndex((group) => which.includes(group)),
  )
  const wave = (): Wave => ({ small: [], large: [] })
  // Nobody refers to what is new, yet; what changes may come to refer to it.
  const waves = Object.fromEntries(groups.map((group) => [group, [wave(), wave()]])) as Record<Group, [Wave, Wave]>
  const all: Done = { files: 0, bytes: 0 }
  for (const index of changes) {
    const { file, reason } = decisions.at(index) as Decision
    const { group, size } = file
    if (before.includes(group)) continue
    const { small, large } = waves[group][reason === 'new' ? 0 : 1]
    if (size <= smallBytes) small.push(index)
    else large.push({ index, size })
    all.files++
    all.bytes += size
  }
  return { waves, ...all }
}

/** What S3 will say again, and what an upload may get round. */
function isRefusal(error: unknown): boolean {
  const { status = 0 } = answerOf(error)
  return status === 501 || (status >= 400 && status < 500)
}

/** What was written, or may have been since nobody has answered. */
type Counts = Record<Group, number>

const sum = (counts: Counts, which: readonly Group[]) => which.reduce((all, group) => all + counts[group], 0)

/** What visitors see after a failure, as far as the store has told. */
function standing(known: Counts, unknown: Counts, planned: number): string {
  const up =
    planned === 0 ? '' : ` ${sum(known, groups)} of ${planned} files are up, and the next run carries on from there.`
  const [pages, mayBePages] = [known.html, unknown.html]
  if (pages + mayBePages > 0) {
    const need = pages + mayBePages === 1 ? 'it needs' : 'they need'
    return `${areNew(pages, mayBePages, 'page', 'pages')}, and everything that ${need} is there.${up}`
  }
  const [assets, mayBeAssets] = [sum(known, ['asset', 'manifest']), sum(unknown, ['asset', 'manifest'])]
  if (assets + mayBeAssets > 0) {
    const are = areNew(assets, mayBeAssets, 'file without a fingerprint', 'files without a fingerprint')
    return `The old pages stand; ${are}.${up}`
  }
  return `The site stands as it was.${up}`
}

function areNew(known: number, unknown: number, one: string, several: string): string {
  const are = `${known} ${known === 1 ? `${one} is` : `${several} are`} new`
  if (unknown === 0) return are
  return known === 0 ? `${unknown} ${unknown === 1 ? one : several} may be new` : `${are} and ${unknown} more may be`
}

/** @param begin called when it is the file's turn to be sent */
function bodyOf(file: Decision['file'], permit: Permit | undefined, begin: () => void): Body {
  const { path, size, md5, sha256, content: kept } = file
  return {
    size,
    md5,
    sha256,
    async open() {
      // For each attempt: the one before may have been cut by a sleep in which the lock went to somebody else.
      permit?.check()
      begin()
      if (kept) return kept
      const content = await read(file).catch(({ code }: NodeJS.ErrnoException) => {
        const what = code === 'ENOENT' ? 'vanished before it was uploaded' : `can't be read (${code})`
        throw new StaticS3Error(`static-s3: ${path} ${what}`)
      })
      if (content) return content
      throw new StaticS3Error(`static-s3: ${path} changed while it was being uploaded; build again`)
    },
  }
}

/** The file's content; undefined if it isn't what it was, or, of a large one, not as long. */
async function read(file: Decision['file']): Promise<Uint8Array | Pieces | undefined> {
  const { size, sha256 } = file
  if (size <= smallBytes) {
    const bytes = readSmall(fileOf(file), Buffer.allocUnsafe(size + 1))
    // Not every store minds the hash in the signature.
    return bytes && hash('sha256', bytes) === sha256 ? bytes : undefined
  }
  const handle = openSync(fileOf(file), 'r')
  let found: number | undefined
  try {
    found = fstatSync(handle).size
  } finally {
    if (found !== size) closeSync(handle)
  }
  return found === size ? piecesOf(handle) : undefined
}
