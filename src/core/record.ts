import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createGzip, gunzipSync } from 'node:zlib'
import { flag, hex, number, oneOf, optional, PackedMap, row } from './packed.js'

/** Who makes a release. */
export interface Author {
  /** Of this deploy alone. */
  id: string
  /** The person or job, and the machine. */
  by: string
  commit: string | undefined
  /** With its version: `vite 8.3.8`. */
  bundler: string
}

type Entries<T> = Iterable<[path: string, value: T]>

/** A map that may make its values when they are asked for. */
export interface ByPath<T> extends Entries<T> {
  readonly size: number
  get(path: string): T | undefined
  has(path: string): boolean
}

/** What a release knows of an object. */
export interface KnownObject {
  /** Of the content, hex. */
  sha256: string
  /** Bytes. */
  size: number
  /** As S3 returned it: whatever it is made of, it changes when the content does. */
  etag: string
  /** As `headersOf` writes them. */
  headers: string
  fingerprinted: boolean
  /** The last release that the object was a part of. */
  release: number
  /** Whether the release found it there and left it as it was. */
  kept?: boolean
}

/** The record of one release, never changed once it is written. Objects go by their path below the location. */
export interface ReleaseRecord extends Author {
  release: number
  /** When the record was begun, by the clock of whoever wrote it. */
  at: Date
  /** When the bucket was asked what it holds, by the store's clock. */
  surveyedAt: Date
  /** Whether the store minds `If-None-Match`, as was tried. */
  conditionalWrites: boolean
  /** The release's own objects, and those of earlier ones that were still there. */
  objects: ByPath<KnownObject>
  /** Keys of the location between which lie whole pages, where a listing can be split. */
  splitAt: readonly string[]
}

/** What a deploy began to write, put into the bucket before the rest: whoever comes after a crash can tell what it was. */
export interface BegunRecord extends Author {
  at: Date
  /** The headers of each object that was to be written, as `headersOf` writes them, by path. */
  headers: ByPath<string>
}

/*
 * In the bucket a record is gzipped lines of JSON, one after the other so that neither side has all of it in memory: first what it says of
 * itself, then each object, and each set of headers before the first object that has it.
 */

/** What a reader of another format has to leave alone. */
const format = 2
/** Bytes: what a damaged file could unpack to mustn't take all time. */
const longest = 256 * 1024 ** 2
/** Characters that are packed, and bytes that are unpacked, at a time. */
const atATime = 256 * 1024
/** Bytes of a record, of some five thousand objects, that is unpacked at once: ten milliseconds. */
const atOnce = 512 * 1024

interface Preamble {
  format: number
  location: string
  id: string
  at: string
  by: string
  commit?: string | undefined
  bundler: string
}

interface ReleasePreamble extends Preamble {
  release: number
  surveyedAt: string
  conditionalWrites: boolean
  splitAt: string[]
}

interface HeadersLine {
  headers: object
}

/** `headers` is the number of a set. */
interface BegunLine {
  path: string
  headers: number
}

/** `release` stands where it is an earlier one. */
interface ObjectLine extends BegunLine {
  sha256: string
  size: number
  etag: string
  fingerprinted?: true
  kept?: true
  release?: number
}

/** @param later more objects, where not all that is known of them is known already */
export async function encodeRelease(
  location: string,
  record: Omit<ReleaseRecord, 'objects'> & { objects: Entries<KnownObject> },
  later?: Promise<Entries<KnownObject>>,
): Promise<Buffer> {
  const first: ReleasePreamble = {
    ...preamble(location, record),
    release: record.release,
    surveyedAt: record.surveyedAt.toISOString(),
    conditionalWrites: record.conditionalWrites,
    splitAt: [...record.splitAt],
  }
  return pack(
    first,
    later ? [record.objects, later] : [record.objects],
    ({ headers }) => headers,
    (path, object, headers): ObjectLine => ({
      path,
      sha256: object.sha256,
      size: object.size,
      etag: object.etag,
      headers,
      ...(object.fingerprinted ? { fingerprinted: true } : {}),
      ...(object.kept ? { kept: true } : {}),
      ...(object.release === record.release ? {} : { release: object.release }),
    }),
  )
}

export async function encodeBegun(
  location: string,
  record: Omit<BegunRecord, 'headers'> & { headers: Entries<string> },
): Promise<Buffer> {
  return pack(
    preamble(location, record),
    [record.headers],
    (headers) => headers,
    (path, _, headers): BegunLine => ({ path, headers }),
  )
}

/** @throws Error that says what is wrong with it, in words that go on from "the record" */
export async function decodeRelease(location: string, bytes: Uint8Array): Promise<ReleaseRecord> {
  const objects = new PackedMap(
    row<KnownObject>({
      sha256: hex,
      size: number,
      etag: hex,
      headers: oneOf(),
      fingerprinted: flag,
      release: number,
      kept: optional(flag),
    }),
    [],
    bytes.length > atOnce ? 0 : undefined,
  )
  const first = await unpack<ReleasePreamble, ObjectLine>(location, bytes, ({ release }, object, headers) =>
    objects.set(expect(object.path, isText), {
      sha256: expect(object.sha256, isSha256),
      size: expect(object.size, isCount),
      etag: expect(object.etag, isText),
      headers,
      fingerprinted: object.fingerprinted === true,
      ...(object.kept === true ? { kept: true } : {}),
      release: expect(object.release === undefined ? release : object.release, isCount),
    }),
  )
  return {
    ...authorIn(first),
    release: expect(first.release, isCount),
    surveyedAt: dateOf(first.surveyedAt),
    conditionalWrites: first.conditionalWrites === true,
    objects,
    splitAt: expect(first.splitAt, (value) => Array.isArray(value) && value.every(isText)),
  }
}

/** @throws the same */
export async function decodeBegun(location: string, bytes: Uint8Array): Promise<BegunRecord> {
  const headers = new PackedMap(oneOf<string>())
  const first = await unpack<Preamble, BegunLine>(location, bytes, (_, { path }, set) =>
    headers.set(expect(path, isText), set),
  )
  if ('release' in first) throw damaged()
  return { ...authorIn(first), headers }
}

function preamble(location: string, { at, id, by, commit, bundler }: Author & { at: Date }) {
  return { format, location, id, at: at.toISOString(), by, commit, bundler }
}

function authorIn({ at, id, by, commit, bundler }: Partial<Preamble>): Author & { at: Date } {
  return {
    id: expect(id, isText),
    at: dateOf(at),
    by: expect(by, isText),
    commit: commit === undefined ? undefined : expect(commit, isText),
    bundler: expect(bundler, isText),
  }
}

function dateOf(text: string | undefined): Date {
  return new Date(expect(text, (value) => isText(value) && !Number.isNaN(Date.parse(value))))
}

async function pack<T>(
  first: Preamble,
  parts: readonly (Entries<T> | Promise<Entries<T>>)[],
  headersOf: (value: T) => string,
  lineOf: (path: string, value: T, headers: number) => BegunLine,
): Promise<Buffer> {
  const sets = new Map<string, number>()
  const linesOf = ([path, value]: [path: string, value: T]): string => {
    const headers = headersOf(value)
    const known = sets.get(headers) ?? sets.size
    const set = known === sets.size ? `{"headers":${headers}}\n` : ''
    sets.set(headers, known)
    return `${set}${JSON.stringify(lineOf(path, value, known))}\n`
  }
  async function* pieces(): AsyncGenerator<string> {
    let text = `${JSON.stringify(first)}\n`
    for (const part of parts) {
      for (const entry of await part) {
        text += linesOf(entry)
        if (text.length < atATime) continue
        yield text
        text = ''
      }
      // It is packed while the next part is waited for.
      yield text
      text = ''
    }
  }
  // Level 1 is five times as fast as the default, for a tenth more bytes: most of them are hashes.
  const packed: Buffer[] = []
  await pipeline(pieces, createGzip({ level: 1, chunkSize: atATime }), async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) packed.push(chunk)
  })
  return Buffer.concat(packed)
}

async function unpack<First extends Preamble, Line extends BegunLine>(
  location: string,
  bytes: Uint8Array,
  take: (first: Partial<First>, line: Partial<Line>, headers: string) => void,
): Promise<Partial<First>> {
  let first: Partial<First> | undefined
  const sets: string[] = []
  const read = (text: string) => {
    const line = parsed(text)
    if (!isObject(line)) throw damaged()
    if (!first) first = checked(line, location)
    else if ('path' in line) take(first, line, expect(sets[(line as Partial<Line>).headers as number], isText))
    else sets.push(rewritten((line as Partial<HeadersLine>).headers))
  }
  try {
    await eachLine(bytes, read)
  } catch (error) {
    // A gzip that isn't one.
    throw error instanceof Unusable ? error : damaged()
  }
  return expect(first, isObject)
}

/** Reads line after line. The last one needs no end. */
async function eachLine(bytes: Uint8Array, read: (line: string) => void): Promise<void> {
  const lines = splitLines(read)
  if (bytes.length <= atOnce) {
    // At once: a stream would wait for its turn again and again while the files are read, and the rest of the listing for the stream.
    lines.take(gunzipSync(bytes, { maxOutputLength: longest }))
    return lines.end()
  }
  await pipeline(
    Readable.from([bytes]),
    createGunzip({ chunkSize: atATime }),
    async (chunks: AsyncIterable<Buffer>) => {
      let length = 0
      for await (const chunk of chunks) {
        length += chunk.length
        if (length > longest) throw damaged()
        lines.take(chunk)
      }
    },
  )
  lines.end()
}

function splitLines(read: (line: string) => void) {
  let begun: Buffer[] = []
  const endOf = (end: Buffer) => {
    const line = Buffer.concat([...begun, end]).toString()
    begun = []
    return line
  }
  return {
    take(chunk: Buffer): void {
      let from = 0
      for (let end = chunk.indexOf('\n'); end >= 0; end = chunk.indexOf('\n', from)) {
        read(begun.length === 0 ? chunk.toString('utf8', from, end) : endOf(chunk.subarray(from, end)))
        from = end + 1
      }
      if (from < chunk.length) begun.push(chunk.subarray(from))
    },
    end(): void {
      const last = endOf(Buffer.alloc(0))
      if (last !== '') read(last)
    },
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    throw damaged()
  }
}

/** As `headersOf` writes them. */
function rewritten(headers: unknown): string {
  try {
    return JSON.stringify(expect(headers, isObject))
  } catch {
    // What is parsed at any depth is not written at any.
    throw damaged()
  }
}

function checked<First extends Preamble>(value: object, location: string): Partial<First> {
  const { format: theirs, location: place } = value as Partial<First>
  if (theirs !== format) {
    throw new Unusable(isCount(theirs) && theirs > format ? 'was written by a newer static-s3' : 'is damaged')
  }
  if (place !== location) {
    throw new Unusable(`is another location's (${isText(place) ? JSON.stringify(place.slice(0, 100)) : typeof place})`)
  }
  return value as Partial<First>
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
