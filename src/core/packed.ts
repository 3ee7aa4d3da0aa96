/*
 * Tens of thousands of small objects, in little memory. On the heap an object of ten fields and its strings takes half a kilobyte, and the
 * collector lets several times as much garbage grow as there is in use. Here each is a few dozen bytes outside of the heap, and is made anew
 * whenever it is asked for. A few thousand stay as they are: that is faster.
 */

/** Rows that can be read one by one and again: an array, or something that makes them when they are asked for. */
export interface Rows<T> extends Iterable<T> {
  readonly length: number
  at(index: number): T | undefined
}

/** How a value is kept. */
export interface Kind<T> {
  write(value: T, to: Cursor): void
  /** @param made the row so far, for a field of one */
  read(from: Cursor, made?: object): T
}

/** A place in bytes, which moves on with each value. */
class Cursor {
  constructor(
    public bytes: Buffer,
    public at = 0,
  ) {}

  /** Makes room for so many bytes, and returns where they begin. */
  reserve(length: number): number {
    const begin = this.at
    this.at += length
    if (this.at > this.bytes.length) {
      const longer = Buffer.allocUnsafe(this.at * 2)
      this.bytes.copy(longer)
      this.bytes = longer
    }
    return begin
  }

  /** Moves on by so many bytes, and returns where they begin. */
  take(length: number): number {
    this.at += length
    return this.at - length
  }
}

/** A whole number from 0 up, in a byte for each seven bits that it needs. https://protobuf.dev/programming-guides/encoding/#varints */
function writeCount(value: number, to: Cursor): void {
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    const isLast = rest < 128
    // On its own: `reserve` may put other bytes in the place of these.
    const at = to.reserve(1)
    to.bytes[at] = isLast ? rest : (rest % 128) + 128
    if (isLast) return
  }
}

function readCount(from: Cursor): number {
  let value = 0
  for (let unit = 1; ; unit *= 128) {
    const byte = from.bytes[from.take(1)] as number
    if (byte < 128) return value + byte * unit
    value += (byte - 128) * unit
  }
}

export const number: Kind<number> = {
  write(value, to) {
    const at = to.reserve(8)
    to.bytes.writeDoubleLE(value, at)
  },
  read: (from) => from.bytes.readDoubleLE(from.take(8)),
}

export const flag: Kind<boolean> = {
  write(value, to) {
    const at = to.reserve(1)
    to.bytes[at] = value ? 1 : 0
  },
  read: (from) => from.bytes[from.take(1)] === 1,
}

/** Any text, halves of characters too. */
export const text: Kind<string> = {
  write: (value, to) => writeText(value, Buffer.byteLength(value) === value.length ? 'latin1' : 'utf16le', to),
  read: readText,
}

/** Text that mostly is a hash in hexadecimal digits. */
export const hex: Kind<string> = {
  write: (value, to) => (/^(?:[\da-f]{2})+$/.test(value) ? writeText(value, 'hex', to) : text.write(value, to)),
  read: readText,
}

const encodings = ['latin1', 'utf16le', 'hex'] as const
const bytesOf: Record<(typeof encodings)[number], (length: number) => number> = {
  latin1: (length) => length,
  utf16le: (length) => length * 2,
  hex: (length) => length / 2,
}

function writeText(value: string, encoding: (typeof encodings)[number], to: Cursor): void {
  const length = bytesOf[encoding](value.length)
  writeCount(length * encodings.length + encodings.indexOf(encoding), to)
  const at = to.reserve(length)
  to.bytes.write(value, at, length, encoding)
}

function readText(from: Cursor): string {
  const head = readCount(from)
  const at = from.take(Math.floor(head / encodings.length))
  return from.bytes.toString(encodings[head % encodings.length], at, from.at)
}

/** One of few values, each of which is kept once, as it is. */
export function oneOf<T>(): Kind<T> {
  const values: T[] = []
  const indices = new Map<T, number>()
  return {
    write(value, to) {
      const index = indices.get(value) ?? values.push(value) - 1
      indices.set(value, index)
      writeCount(index, to)
    },
    read: (from) => values[readCount(from)] as T,
  }
}

/** A value that may be missing. */
export function optional<T>(kind: Kind<T>): Kind<T | undefined> {
  return {
    write(value, to) {
      flag.write(value !== undefined, to)
      if (value !== undefined) kind.write(value, to)
    },
    read: (from) => (flag.read(from) ? kind.read(from) : undefined),
  }
}

/** A field that isn't kept, since it follows from those before it. */
export function derived<Row extends object, T>(make: (row: Row) => T): Kind<T> {
  return { write() {}, read: (_, made) => make(made as Row) }
}

/** An object, by its fields. */
export function row<T extends object>(fields: { [Name in keyof T]-?: Kind<T[Name]> }): Kind<T> {
  const kinds = Object.entries(fields) as [keyof T, Kind<T[keyof T]>][]
  return {
    write(value, to) {
      for (const [name, kind] of kinds) kind.write(value[name], to)
    },
    read(from) {
      const made: Partial<T> = {}
      for (const [name, kind] of kinds) made[name] = kind.read(from, made)
      return made as T
    },
  }
}

/** How many rows stay as they are. */
export const plainRows = 5000

/**
 * How many rows stay as they are where it is known how many there will be. Of many none, from the first on: by those that stay V8 takes all that
 * are made in the same place for long-lived, and leaves them to the next full collection.
 */
export function plainOf(count: number): number {
  return count > plainRows ? 0 : plainRows
}

/** Bytes of a piece of memory, which has many rows; a longer row has one for itself. */
const pieceBytes = 2 ** 16

const scratchBytes = 1024
const scratch = new Cursor(Buffer.allocUnsafe(scratchBytes))

/** A list that only grows. */
export class Packed<T> implements Rows<T> {
  readonly #kind: Kind<T>
  readonly #most: number
  /** The rows as they are, while they are few. */
  #plain: T[] | undefined = []
  readonly #pieces: Buffer[] = []
  /** Bytes of the last piece that are in use. */
  #used = 0
  /** For each row its piece's number times `pieceBytes`, and where it begins in that. */
  #places = new Uint32Array(64)
  length = 0

  /** @param most how many rows stay as they are */
  constructor(kind: Kind<T>, rows: Iterable<T> = [], most = plainRows) {
    this.#kind = kind
    this.#most = most
    for (const each of rows) this.push(each)
  }

  push(value: T): void {
    if (this.#plain && this.length < this.#most) {
      this.length = this.#plain.push(value)
      return
    }
    if (this.#plain) this.#packAll(this.#plain)
    this.#pack(value)
  }

  #packAll(rows: readonly T[]): void {
    this.#plain = undefined
    this.length = 0
    for (const each of rows) this.#pack(each)
  }

  #pack(value: T): void {
    scratch.at = 0
    this.#kind.write(value, scratch)
    if (this.#pieces.length === 0 || this.#used + scratch.at > pieceBytes) {
      this.#pieces.push(Buffer.allocUnsafeSlow(Math.max(pieceBytes, scratch.at)))
      this.#used = 0
    }
    const last = this.#pieces.length - 1
    scratch.bytes.copy(this.#pieces[last] as Buffer, this.#used, 0, scratch.at)
    if (this.length === this.#places.length) {
      const more = new Uint32Array(this.length * 2)
      more.set(this.#places)
      this.#places = more
    }
    this.#places[this.length++] = last * pieceBytes + this.#used
    this.#used += scratch.at
    // One long row mustn't stay in memory for good.
    if (scratch.bytes.length > pieceBytes) scratch.bytes = Buffer.allocUnsafe(scratchBytes)
  }

  at(index: number): T | undefined {
    if (this.#plain) return this.#plain.at(index)
    const place = index < 0 ? index + this.length : index
    return place >= 0 && place < this.length ? this.#read(place) : undefined
  }

  *[Symbol.iterator](): Iterator<T> {
    for (let index = 0; index < this.length; index++) yield this.#plain ? (this.#plain[index] as T) : this.#read(index)
  }

  #read(index: number): T {
    const place = this.#places[index] as number
    return this.#kind.read(new Cursor(this.#pieces[Math.floor(place / pieceBytes)] as Buffer, place % pieceBytes))
  }
}

/** Rows one after the other. */
export class Joined<T> implements Rows<T> {
  readonly #parts: readonly Rows<T>[]
  /** Where each part begins. */
  readonly #begins: readonly number[]
  readonly length: number

  constructor(parts: readonly Rows<T>[]) {
    this.#parts = parts.filter(({ length }) => length > 0)
    const begins: number[] = []
    let length = 0
    for (const part of this.#parts) {
      begins.push(length)
      length += part.length
    }
    this.#begins = begins
    this.length = length
  }

  at(index: number): T | undefined {
    const place = index < 0 ? index + this.length : index
    if (place < 0 || place >= this.length) return undefined
    let [from, to] = [0, this.#parts.length]
    while (to - from > 1) {
      const middle = (from + to) >> 1
      if ((this.#begins[middle] as number) <= place) from = middle
      else to = middle
    }
    return this.#parts[from]?.at(place - (this.#begins[from] as number))
  }

  *[Symbol.iterator](): Iterator<T> {
    for (const part of this.#parts) yield* part
  }
}

/** Rows that are made of two others in the same place, of which there are as many. */
export class Paired<A, B, T> implements Rows<T> {
  readonly #a: Rows<A>
  readonly #b: Rows<B>
  readonly #pair: (a: A, b: B) => T

  constructor(a: Rows<A>, b: Rows<B>, pair: (a: A, b: B) => T) {
    this.#a = a
    this.#b = b
    this.#pair = pair
  }

  get length(): number {
    return this.#a.length
  }

  at(index: number): T | undefined {
    const place = index < 0 ? index + this.length : index
    return place >= 0 && place < this.length ? this.#pair(this.#a.at(place) as A, this.#b.at(place) as B) : undefined
  }

  *[Symbol.iterator](): Iterator<T> {
    for (let index = 0; index < this.length; index++) yield this.at(index) as T
  }
}

/** A map that is kept the same way. Made to be filled first and read then: each read after a change goes through all keys. */
export class PackedMap<T> implements Iterable<[key: string, value: T]> {
  readonly #keys: Packed<string>
  readonly #values: Packed<T>
  readonly #most: number
  #index: Index<string> | undefined

  /** @param most how many stay as they are */
  constructor(kind: Kind<T>, entries: Iterable<readonly [string, T]> = [], most = plainRows) {
    this.#most = most
    this.#keys = new Packed(text, [], most)
    this.#values = new Packed(kind, [], most)
    for (const [key, value] of entries) this.set(key, value)
  }

  set(key: string, value: T): void {
    this.#keys.push(key)
    this.#values.push(value)
    this.#index = undefined
  }

  get(key: string): T | undefined {
    const found = this.#indexed.find(key)
    return found && this.#values.at(found.index)
  }

  has(key: string): boolean {
    return this.#indexed.find(key) !== undefined
  }

  /** How many were set; those that were set again count again. */
  get size(): number {
    return this.#keys.length
  }

  /** In the order in which they were set, without those that were set again later. */
  *[Symbol.iterator](): Iterator<[key: string, value: T]> {
    const { isUnique, find } = this.#indexed
    let index = 0
    for (const key of this.#keys) {
      if (isUnique || find(key)?.index === index) yield [key, this.#values.at(index) as T]
      index++
    }
  }

  get #indexed(): Index<string> {
    this.#index ??= indexBy(this.#keys, (each) => each, this.#most)
    return this.#index
  }
}

/** What finds a row by a text of its own, without keeping the texts. Of rows with the same text it finds the last. */
export function finder<T>(rows: Rows<T>, keyOf: (row: T) => string, most = plainRows): (key: string) => T | undefined {
  const { find } = indexBy(rows, keyOf, most)
  return (key) => find(key)?.row
}

interface Found<T> {
  index: number
  row: T
}

interface Index<T> {
  find(key: string): Found<T> | undefined
  /** Whether no two rows have the same text. */
  isUnique: boolean
}

function indexBy<T>(rows: Rows<T>, keyOf: (row: T) => string, most: number): Index<T> {
  return rows.length <= most ? indexOnHeap(rows, keyOf) : indexInSlots(rows, keyOf)
}

function indexOnHeap<T>(rows: Rows<T>, keyOf: (row: T) => string): Index<T> {
  const indices = new Map<string, number>()
  let index = 0
  for (const each of rows) indices.set(keyOf(each), index++)
  const find = (key: string) => {
    const found = indices.get(key)
    return found === undefined ? undefined : { index: found, row: rows.at(found) as T }
  }
  return { find, isUnique: indices.size === rows.length }
}

function indexInSlots<T>(rows: Rows<T>, keyOf: (row: T) => string): Index<T> {
  // Twice as many slots as rows, so that one is found in a step or two: for each the hash, and the row's index plus one.
  const mask = 2 ** Math.ceil(Math.log2(rows.length + 1) + 1) - 1
  const hashes = new Uint32Array(mask + 1)
  const indices = new Uint32Array(mask + 1)
  const look = (key: string, hash: number): { slot: number; found?: Found<T> } => {
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const index = (indices[slot] as number) - 1
      if (index < 0) return { slot }
      if (hashes[slot] !== hash) continue
      const row = rows.at(index) as T
      if (keyOf(row) === key) return { slot, found: { index, row } }
    }
  }
  let count = 0
  let isUnique = true
  for (const each of rows) {
    const key = keyOf(each)
    const hash = hashOf(key)
    const { slot, found } = look(key, hash)
    if (found) isUnique = false
    hashes[slot] = hash
    indices[slot] = ++count
  }
  return { find: (key) => look(key, hashOf(key)).found, isUnique }
}

/** Another one in each process: whoever names objects in a bucket mustn't know which names collide. */
const seed = (Math.random() * 2 ** 32) >>> 0

/** FNV-1a over UTF-16 units. http://www.isthe.com/chongo/tech/comp/fnv/ */
function hashOf(key: string): number {
  let hash = seed
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  return hash >>> 0
}
