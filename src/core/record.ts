import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'

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
  at: Date
  /** When the bucket was asked what it holds, by the store's clock. */
  surveyedAt: Date
  /** Whether the store minds `If-None-Match`, as was tried. */
  conditionalWrites: boolean
  /** The release's own objects, and those of earlier ones that were still there. */
  objects: ReadonlyMap<string, KnownObject>
  /** Keys of the location between which lie whole pages, where a listing can be split. */
  splitAt: readonly string[]
}

/** What a deploy began to write, put into the bucket before the rest: whoever comes after a crash can tell what it was. */
export interface BegunRecord extends Author {
  at: Date
  /** The headers of each object that was to be written, as `headersOf` writes them, by path. */
  headers: ReadonlyMap<string, string>
}

/** What a reader of another format has to leave alone. */
const format = 1
/** Bytes: what a damaged file could unpack to mustn't fill the memory. */
const longest = 256 * 1024 ** 2

interface Written {
  format: number
  location: string
  id: string
  at: string
  by: string
  commit?: string | undefined
  bundler: string
  /** Each set of headers once. */
  headers: object[]
}

interface WrittenRelease extends Written {
  release: number
  surveyedAt: string
  conditionalWrites: boolean
  objects: Record<string, WrittenObject>
  splitAt: string[]
}

/** `headers` is an index. `release` stands where it is an earlier one. */
interface WrittenObject {
  sha256: string
  size: number
  etag: string
  headers: number
  fingerprinted?: true
  kept?: true
  release?: number
}

interface WrittenBegun extends Written {
  objects: Record<string, number>
}

export async function encodeRelease(location: string, record: ReleaseRecord): Promise<Buffer> {
  const headers = new Indexed()
  const objects = [...record.objects].map(([path, object]): [string, WrittenObject] => [
    path,
    {
      sha256: object.sha256,
      size: object.size,
      etag: object.etag,
      headers: headers.indexOf(object.headers),
      ...(object.fingerprinted ? { fingerprinted: true } : {}),
      ...(object.kept ? { kept: true } : {}),
      ...(object.release === record.release ? {} : { release: object.release }),
    },
  ])
  const written: WrittenRelease = {
    ...preamble(location, record),
    release: record.release,
    surveyedAt: record.surveyedAt.toISOString(),
    conditionalWrites: record.conditionalWrites,
    headers: headers.values.map((value) => JSON.parse(value)),
    objects: Object.fromEntries(objects),
    splitAt: [...record.splitAt],
  }
  return pack(written)
}

export async function encodeBegun(location: string, record: BegunRecord): Promise<Buffer> {
  const headers = new Indexed()
  const objects = Object.fromEntries([...record.headers].map(([path, value]) => [path, headers.indexOf(value)]))
  const written: WrittenBegun = {
    ...preamble(location, record),
    headers: headers.values.map((value) => JSON.parse(value)),
    objects,
  }
  return pack(written)
}

/** @throws Error that says what is wrong with it, in words that go on from "the record" */
export async function decodeRelease(location: string, bytes: Uint8Array): Promise<ReleaseRecord> {
  const written = (await unpack(location, bytes)) as Partial<WrittenRelease>
  const headers = headersIn(written)
  const release = expect(written.release, isCount)
  const objects = Object.entries(expect(written.objects, isObject)).map(([path, object]): [string, KnownObject] => [
    path,
    {
      sha256: expect(object?.sha256, isSha256),
      size: expect(object?.size, isCount),
      etag: expect(object?.etag, isText),
      headers: expect(headers[object?.headers as number], isText),
      fingerprinted: object?.fingerprinted === true,
      ...(object?.kept === true ? { kept: true } : {}),
      release: object?.release === undefined ? release : expect(object.release, isCount),
    },
  ])
  return {
    ...authorIn(written),
    release,
    surveyedAt: dateOf(written.surveyedAt),
    conditionalWrites: written.conditionalWrites === true,
    objects: new Map(objects),
    splitAt: expect(written.splitAt, (value) => Array.isArray(value) && value.every(isText)),
  }
}

/** @throws the same */
export async function decodeBegun(location: string, bytes: Uint8Array): Promise<BegunRecord> {
  const written = (await unpack(location, bytes)) as Partial<WrittenBegun>
  const headers = headersIn(written)
  const objects = Object.entries(expect(written.objects, isObject))
  return {
    ...authorIn(written),
    headers: new Map(objects.map(([path, index]) => [path, expect(headers[index], isText)])),
  }
}

function preamble(location: string, { at, id, by, commit, bundler }: Author & { at: Date }) {
  return { format, location, id, at: at.toISOString(), by, commit, bundler }
}

function authorIn({ at, id, by, commit, bundler }: Partial<Written>): Author & { at: Date } {
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

function headersIn({ headers }: Partial<Written>): string[] {
  const sets = expect(headers, (value) => Array.isArray(value) && value.every(isObject))
  try {
    return sets.map((each) => JSON.stringify(each))
  } catch {
    // What is parsed at any depth is not written at any.
    throw damaged()
  }
}

/** Level 1 is five times as fast as the default, for a tenth more bytes: most of them are hashes. */
const pack = (written: Written): Promise<Buffer> => promisify(gzip)(JSON.stringify(written), { level: 1 })

async function unpack(location: string, bytes: Uint8Array): Promise<object> {
  let written: unknown
  try {
    written = JSON.parse((await promisify(gunzip)(bytes, { maxOutputLength: longest })).toString())
  } catch {
    throw damaged()
  }
  if (!isObject(written)) throw damaged()
  const { format: theirs, location: place } = written as Partial<Written>
  if (theirs !== format) {
    throw new Error(isCount(theirs) && theirs > format ? 'was written by a newer static-s3' : 'is damaged')
  }
  if (place !== location) {
    throw new Error(`is another location's (${isText(place) ? JSON.stringify(place.slice(0, 100)) : typeof place})`)
  }
  return written
}

function damaged(): Error {
  return new Error('is damaged')
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

/** Values by the order in which they first came. */
class Indexed {
  readonly values: string[] = []
  readonly #indices = new Map<string, number>()

  indexOf(value: string): number {
    const known = this.#indices.get(value)
    if (known !== undefined) return known
    this.#indices.set(value, this.values.length)
    return this.values.push(value) - 1
  }
}
