import { promisify } from 'node:util'
import { constants, gunzip, gzip } from 'node:zlib'

/** The author of a deploy, and its origin. */
export interface Deployer {
  /** Each deploy has its own. */
  id: string
  /** The CI job, without private parts. */
  by: string
  commit: string | undefined
  /** With its version: `vite 8.3.8`. */
  bundler: string
  /** The name in its `package.json`. */
  project?: string | undefined
}

/** A release's knowledge of an object. */
export interface RecordedObject {
  /** Hex. */
  sha256: string
  /** SHA-256 of the file, if the object is to hold it as gzip. */
  original?: string | undefined
  /** Bytes. */
  size: number
  /** As S3 returned it. It changes with the content. */
  etag: string
  /**
   * The latest possible time of the write, by the store's clock: milliseconds since 1970. Somebody else wrote an object that a listing shows as
   * newer, and it may have other headers.
   */
  writtenAt: number
  /** As `canonicalHeaders` writes them. */
  headers: string
  fingerprinted: boolean
  /** For a file without a fingerprint: the ETag of the backup, whose key has `sha256`. */
  backup?: string | undefined
  /** True if another tool uploaded the bytes: static-s3 never deletes the object. */
  adopted?: true
  /** The last release with this object. */
  release: number
}

/** The record of one release. It never changes. */
export interface ReleaseRecord extends Deployer {
  release: number
  /** The record's time, by the clock of the deploying machine. */
  at: Date
  /** Whether the store respects `If-None-Match`. */
  conditionalWrites: boolean
  /** The objects of this release, and the remaining ones of earlier releases, by their path below the location. */
  objects: ReadonlyMap<string, RecordedObject>
  /** Keys of the location between which lie whole pages, where a listing can be split. */
  splitAt: readonly string[]
}

/** The ETags of the backups that a record names, by the SHA-256 of their bytes. */
export function recordedBackups(record: ReleaseRecord | undefined): Map<string, string> {
  const backups = new Map<string, string>()
  for (const { sha256, backup } of record?.objects.values() ?? []) if (backup !== undefined) backups.set(sha256, backup)
  return backups
}

/*
 * In the bucket, a record consists of gzipped lines of JSON: a preamble, then each object, and each set of headers before its first object.
 */

/** A reader leaves a record of another format alone. */
const format = 3
/** Bytes of an uncompressed record. A damaged record must not fill the memory. */
const longest = 256 * 1024 ** 2
/** Bytes. A key has 1,024 bytes, and the first line has 250 of them. */
const longestLine = 1024 ** 2

interface Preamble extends Omit<ReleaseRecord, 'at' | 'objects'> {
  format: number
  location: string
  at: string
}

/** `headers` is the number of a set. `release` is there if it is an earlier one. */
interface ObjectLine extends Pick<RecordedObject, 'sha256' | 'original' | 'size' | 'etag' | 'writtenAt' | 'backup'> {
  path: string
  headers: number
  fingerprinted?: true
  adopted?: true
  release?: number
}

export async function encodeRecord(location: string, record: ReleaseRecord): Promise<Buffer> {
  const { release, conditionalWrites, splitAt, at, id, by, commit, bundler, project } = record
  const preamble: Preamble = {
    ...{ format, location, id, at: at.toISOString(), by, commit, bundler, project },
    ...{ release, conditionalWrites, splitAt },
  }
  const lines = [JSON.stringify(preamble)]
  const sets = new Map<string, number>()
  for (const [path, object] of record.objects) {
    let set = sets.get(object.headers)
    if (set === undefined) {
      set = sets.size
      sets.set(object.headers, set)
      lines.push(`{"headers":${object.headers}}`)
    }
    const { sha256, original, size, etag, writtenAt, backup } = object
    const line: ObjectLine = { path, sha256, original, size, etag, writtenAt, backup, headers: set }
    if (object.fingerprinted) line.fingerprinted = true
    if (object.adopted) line.adopted = true
    if (object.release !== release) line.release = object.release
    lines.push(JSON.stringify(line))
  }
  // Level 1 is five times as fast as the default, for a tenth more bytes: most of them are hashes.
  return promisify(gzip)(lines.join('\n'), { level: constants.Z_BEST_SPEED })
}

/** @throws Error whose message continues a sentence that begins with "the record" */
export async function decodeRecord(location: string, bytes: Uint8Array): Promise<ReleaseRecord> {
  const lines = linesOf(await unpack(bytes))
  const preamble = checked(parsed(lines.next().value ?? ''), location)
  const release = expect(preamble.release, isCount)
  const objects = new Map<string, RecordedObject>()
  const sets: string[] = []
  for (const text of lines) {
    const line = parsed(text) as Partial<ObjectLine>
    if (!('path' in line)) {
      sets.push(rewritten(line.headers))
      continue
    }
    objects.set(expect(line.path, isText), {
      sha256: expect(line.sha256, isSha256),
      original: line.original === undefined ? undefined : expect(line.original, isSha256),
      size: expect(line.size, isCount),
      etag: expect(line.etag, isText),
      writtenAt: expect(line.writtenAt, isCount),
      headers: expect(sets[line.headers as number], isText),
      fingerprinted: line.fingerprinted === true,
      backup: line.backup === undefined ? undefined : expect(line.backup, isText),
      ...(line.adopted === true ? { adopted: true } : {}),
      release: expect(line.release === undefined ? release : line.release, isCount),
    })
  }
  return {
    id: expect(preamble.id, isText),
    at: new Date(expect(preamble.at, (value) => isText(value) && !Number.isNaN(Date.parse(value)))),
    by: expect(preamble.by, isText),
    commit: preamble.commit === undefined ? undefined : expect(preamble.commit, isText),
    bundler: expect(preamble.bundler, isText),
    project: preamble.project === undefined ? undefined : expect(preamble.project, isText),
    release,
    conditionalWrites: preamble.conditionalWrites === true,
    objects,
    splitAt: expect(preamble.splitAt, (value) => Array.isArray(value) && value.every(isText)),
  }
}

async function unpack(bytes: Uint8Array): Promise<Buffer> {
  try {
    return await promisify(gunzip)(bytes, { maxOutputLength: longest })
  } catch {
    throw damaged()
  }
}

/** One at a time: a damaged record may have millions. */
function* linesOf(text: Buffer): Generator<string, undefined> {
  for (let start = 0; start <= text.length; ) {
    const newline = text.indexOf('\n', start)
    const end = newline < 0 ? text.length : newline
    if (end - start > longestLine) throw damaged()
    yield text.toString('utf8', start, end)
    start = end + 1
  }
}

function parsed(line: string): object {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    throw damaged()
  }
  return expect(value as object, isObject)
}

/** As `canonicalHeaders` writes them. */
function rewritten(headers: unknown): string {
  try {
    return JSON.stringify(expect(headers, isObject))
  } catch {
    // JSON.parse takes any depth, JSON.stringify doesn't.
    throw damaged()
  }
}

function checked(preamble: Partial<Preamble>, location: string): Partial<Preamble> {
  const { format: theirs, location: place } = preamble
  if (theirs !== format) {
    throw new Unusable(isCount(theirs) && theirs > format ? 'was written by a newer static-s3' : 'is damaged')
  }
  if (place !== location) {
    throw new Unusable(
      `belongs to another location (${isText(place) ? JSON.stringify(place.slice(0, 100)) : typeof place})`,
    )
  }
  return preamble
}

class Unusable extends Error {}

function damaged(): Error {
  return new Unusable('is damaged')
}

function expect<T>(value: T | undefined, isRight: (value: unknown) => boolean): T {
  if (!isRight(value)) throw damaged()
  return value as T
}

const isText = (value: unknown): value is string => typeof value === 'string'
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const isSha256 = (value: unknown) => isText(value) && /^[0-9a-f]{64}$/.test(value)
const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
