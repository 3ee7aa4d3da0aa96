import { promisify } from 'node:util'
import { constants, gunzip, gzip } from 'node:zlib'
import type { Preview } from '../../previews/template.js'
import type { Hold, RecordedObject, ReleasedFile, ReleaseRecord } from './record.js'

/*
 * In the bucket, a record consists of gzipped lines of JSON: a preamble, then each object and each staged file, each set of headers before its
 * first object, and the keys of expired objects.
 */

/** A reader leaves a record of another format alone. */
const format = 3
/** Bytes of an uncompressed record. A damaged record must not fill the memory. */
const longest = 256 * 1024 ** 2
/** Bytes. A key has 1,024 bytes, and the first line has 250 of them. */
const longestLine = 1024 ** 2

interface Preamble extends Omit<ReleaseRecord, 'at' | 'hold' | 'live' | 'objects' | 'staged' | 'expired'> {
  format: number
  location: string
  at: string
  /** Not there if it is the release itself. */
  live?: number | undefined
  hold?: (Omit<Hold, 'at'> & { at: string }) | undefined
  /** True for a staged release, which may have no file. */
  staged?: true | undefined
}

/** `headers` is the number of a set. */
interface FileLine extends Omit<ReleasedFile, 'headers' | 'fingerprinted'> {
  path: string
  headers: number
  fingerprinted?: true
  staged?: true
}

/** `release` is there if it is an earlier one. */
interface ObjectLine extends FileLine, Pick<RecordedObject, 'writtenAt'> {
  adopted?: true
  release?: number
}

interface ExpiredLine {
  /** A key. */
  expired: string
  tagged?: true
}

export async function encodeRecord(location: string, record: ReleaseRecord): Promise<Buffer> {
  const {
    release,
    live,
    activated,
    run,
    hold,
    staged,
    conditionalWrites,
    splitAt,
    at,
    id,
    by,
    command,
    commit,
    bundler,
    project,
    preview,
  } = record
  const preamble: Preamble = {
    ...{ format, location, id, at: at.toISOString(), by, command, commit, bundler, project, preview },
    ...{ release, live: live === release ? undefined : live, activated, run, conditionalWrites, splitAt },
    hold: hold && { ...hold, at: hold.at.toISOString() },
    staged: staged && true,
  }
  const lines = [JSON.stringify(preamble)]
  const sets = new Map<string, number>()
  const fileLine = (path: string, file: ReleasedFile): FileLine => {
    let set = sets.get(file.headers)
    if (set === undefined) {
      set = sets.size
      sets.set(file.headers, set)
      lines.push(`{"headers":${file.headers}}`)
    }
    const { sha256, original, size, etag, backup, fingerprinted } = file
    return { path, sha256, original, size, etag, backup, headers: set, ...(fingerprinted ? { fingerprinted } : {}) }
  }
  for (const [path, object] of record.objects) {
    const line: ObjectLine = { ...fileLine(path, object), writtenAt: object.writtenAt }
    if (object.adopted) line.adopted = true
    if (object.release !== release) line.release = object.release
    lines.push(JSON.stringify(line))
  }
  for (const [path, file] of staged ?? []) lines.push(JSON.stringify({ ...fileLine(path, file), staged: true }))
  for (const [expired, isTagged] of record.expired ?? []) {
    lines.push(JSON.stringify({ expired, ...(isTagged ? { tagged: true } : {}) } satisfies ExpiredLine))
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
  const staged = preamble.staged === true ? new Map<string, ReleasedFile>() : undefined
  const expired = new Map<string, boolean>()
  const sets: string[] = []
  for (const text of lines) {
    const line = parsed(text) as Partial<ObjectLine & ExpiredLine>
    if ('expired' in line) {
      expired.set(expect(line.expired, isText), line.tagged === true)
      continue
    }
    if (!('path' in line)) {
      sets.push(rewritten(line.headers))
      continue
    }
    const path = expect(line.path, isText)
    const file = {
      sha256: expect(line.sha256, isSha256),
      original: optional(line.original, isSha256),
      size: expect(line.size, isCount),
      headers: expect(sets[line.headers as number], isText),
      fingerprinted: line.fingerprinted === true,
      backup: optional(line.backup, isText),
    }
    if (line.staged === true) {
      expect(staged, isObject)?.set(path, { ...file, etag: optional(line.etag, isText) })
      continue
    }
    objects.set(path, {
      ...file,
      etag: expect(line.etag, isText),
      writtenAt: expect(line.writtenAt, isCount),
      ...(line.adopted === true ? { adopted: true } : {}),
      release: expect(line.release === undefined ? release : line.release, isCount),
    })
  }
  return {
    id: expect(preamble.id, isText),
    at: new Date(expect(preamble.at, isTime)),
    by: expect(preamble.by, isText),
    command: optional(preamble.command, isText),
    commit: optional(preamble.commit, isText),
    bundler: expect(preamble.bundler, isText),
    project: optional(preamble.project, isText),
    preview: preamble.preview && previewOf(expect(preamble.preview, isObject)),
    release,
    live: optional(preamble.live, isCount) ?? release,
    activated: optional(preamble.activated, isCount),
    run: optional(preamble.run, isText),
    hold: preamble.hold === undefined ? undefined : holdOf(expect(preamble.hold, isObject)),
    conditionalWrites: preamble.conditionalWrites === true,
    objects,
    staged,
    expired: expired.size > 0 ? expired : undefined,
    splitAt: expect(preamble.splitAt, (value) => Array.isArray(value) && value.every(isText)),
  }
}

function holdOf({ reason, by, at }: NonNullable<Preamble['hold']>): Hold {
  return { reason: expect(reason, isText), by: expect(by, isText), at: new Date(expect(at, isTime)) }
}

function previewOf({ template, branch }: Preview): Preview {
  return { template: expect(template, isText), branch: optional(branch, isText) }
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
    if (!isCount(theirs) || theirs === 0) throw damaged()
    const [age, remedy] = theirs > format ? ['a newer', 'update static-s3'] : ['an older', 'a deploy writes a new one']
    throw new Unusable(`was written by ${age} static-s3 (format ${theirs} instead of ${format}): ${remedy}`)
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

function optional<T>(value: T | undefined, isRight: (value: unknown) => boolean): T | undefined {
  return value === undefined ? undefined : expect(value, isRight)
}

const isTime = (value: unknown) => isText(value) && !Number.isNaN(Date.parse(value))
const isText = (value: unknown): value is string => typeof value === 'string'
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const isSha256 = (value: unknown) => isText(value) && /^[0-9a-f]{64}$/.test(value)
const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
