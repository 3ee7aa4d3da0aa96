import { setImmediate as yieldToOthers } from 'node:timers/promises'
import type { DigestedFile } from './digest.js'
import { headersOf } from './headers.js'
import { compareKeys } from './key-order.js'
import { finder, type Rows } from './packed.js'
import { isAsRecorded, type Known, listedIn, type Plan } from './plan.js'
import { type Author, encodeRelease, type KnownObject } from './record.js'
import type { Survey } from './survey.js'

/** What a lock gives a release. */
export interface Numbered {
  release: number
  /** Whether the store minds `If-None-Match`, as was tried. */
  conditionalWrites: boolean
}

/** The record of a release, begun before that is done. */
export interface RecordDraft extends Pick<Numbered, 'conditionalWrites'> {
  /** The record, with what was written in the end. */
  complete(): Promise<Buffer>
}

interface DraftInput {
  location: string
  author: Author
  numbered: Numbered
  files: Rows<DigestedFile>
  changes: Plan['changes']
  /** As it was when the plan was made. */
  known: Known & Pick<Survey, 'takenAt'>
  /** All that this run has written once the record is completed. */
  written: Known['written']
}

/** Objects of earlier releases that a record still knows; more than that only where the release itself has more. */
const earlierObjects = 20_000
/** S3 lists that many keys at a time. */
const page = 1000

/** Writes down what doesn't change, most of a record, while the bucket is waited for; the rest once it is there. */
export function draftRecord(input: DraftInput): RecordDraft {
  const { location, author, numbered, files, changes, known, written } = input
  const { release, conditionalWrites } = numbered
  let complete = () => {}
  const changed = new Promise<ReturnType<typeof changedObjects>>((resolve) => {
    complete = () => resolve(changedObjects())
  })
  // Requests that are ready go first.
  const bytes = yieldToOthers().then(() =>
    encodeRelease(
      location,
      {
        ...author,
        release,
        conditionalWrites,
        at: new Date(),
        surveyedAt: new Date(known.takenAt),
        objects: objects(),
        splitAt: splitsOf(known.listing, files),
      },
      changed,
    ),
  )
  // Nobody waits for it where the release fails.
  bytes.catch(() => {})
  return {
    conditionalWrites,
    complete() {
      complete()
      return bytes
    },
  }

  function* objects(): Generator<[path: string, object: KnownObject]> {
    const listed = listedIn(known)
    let index = 0
    let change = 0
    for (const file of files) {
      if (changes[change] === index) change++
      else {
        const etag = listed(file.key)?.etag ?? ''
        yield [file.path, objectOf(file, etag, known.written.get(file.key) !== etag)]
      }
      index++
    }
    // Those of the latest releases.
    const ours = finder(files, ({ path }) => path)
    const earlier = () => othersOnRecord(ours, listed)
    let room = Math.max(earlierObjects, files.length)
    const mayBeMore = (known.record?.objects.size ?? 0) > room
    const releases = mayBeMore ? [...earlier()].map(([, object]) => object.release).sort((a, b) => b - a) : []
    const oldest = releases[room - 1] ?? 0
    room -= releases.filter((each) => each > oldest).length
    for (const [path, object] of earlier()) {
      if (object.release > oldest || (object.release === oldest && room-- > 0)) yield [path, { ...object, kept: true }]
    }
  }

  function* changedObjects(): Generator<[path: string, object: KnownObject]> {
    for (const index of changes) {
      const file = files.at(index) as DigestedFile
      yield [file.path, objectOf(file, written.get(file.key) as string, false)]
    }
  }

  function objectOf({ sha256, size, parameters, group }: DigestedFile, etag: string, kept: boolean): KnownObject {
    const fingerprinted = group === 'fingerprinted'
    return { sha256, size, etag, headers: headersOf(parameters), fingerprinted, release, kept }
  }

  function* othersOnRecord(
    ours: (path: string) => unknown,
    listed: ReturnType<typeof listedIn>,
  ): Generator<[path: string, object: KnownObject]> {
    const prefix = location === '' ? '' : `${location}/`
    for (const [path, object] of known.record?.objects ?? []) {
      if (ours(path)) continue
      const there = listed(prefix + path)
      if (there && isAsRecorded(path, object, there, known)) yield [path, object]
    }
  }
}

/** Where a listing can be split into parts of whole pages: not behind the last key. A few hundred parts are enough. */
function splitsOf(listing: Survey['listing'], files: Rows<DigestedFile>): string[] {
  const ends: string[] = []
  let count = 0
  for (const key of keysOf(listing, files)) if (++count % page === 0) ends.push(key)
  const pages = Math.ceil(count / page / 250)
  return ends.filter((_key, i) => (i + 1) % pages === 0 && (i + 1) * page < count)
}

/** The keys that are there with these files, in order, as both lists are. */
function* keysOf(listing: Survey['listing'], files: Rows<DigestedFile>): Generator<string> {
  const others = listing[Symbol.iterator]()
  let there = others.next().value?.key
  for (const { key } of files) {
    for (; there !== undefined && compareKeys(there, key) <= 0; there = others.next().value?.key) {
      if (there !== key) yield there
    }
    yield key
  }
  for (; there !== undefined; there = others.next().value?.key) yield there
}
