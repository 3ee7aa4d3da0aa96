import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { cases } from '../fixtures/fuzz/chance.js'
import {
  derived,
  finder as finderOf,
  flag,
  hex,
  Joined,
  type Kind,
  number,
  oneOf,
  optional,
  PackedMap as PackedMapOf,
  Packed as PackedOf,
  Paired,
  type Rows,
  row,
  text,
} from '../src/core/packed.js'

// None stays as it is, so that every case shows how rows are packed.
class Packed<T> extends PackedOf<T> {
  constructor(kind: Kind<T>, rows: Iterable<T> = []) {
    super(kind, rows, 0)
  }
}
class PackedMap<T> extends PackedMapOf<T> {
  constructor(kind: Kind<T>, entries: Iterable<readonly [string, T]> = []) {
    super(kind, entries, 0)
  }
}
const finder = <T>(rows: Rows<T>, keyOf: (row: T) => string) => finderOf(rows, keyOf, 0)

/** Bytes of a piece of memory. */
const piece = 2 ** 16
/** Bytes of a text beside its characters: three times its length in digits of seven bits. */
const head = (length: number) => Math.ceil(Math.log2(Math.max(2, length * 3 + 3)) / 7)
/** How long a text is that takes so many bytes. */
const lengthFor = (bytes: number) => [1, 2, 3, 4].map((n) => bytes - n).find((n) => n + head(n) === bytes) ?? bytes - 1

/** The values, each with others before and behind it, as they are read. */
function readBack<T>(kind: Kind<T>, values: readonly T[]): T[] {
  const rows = new Packed(
    row<{ before: boolean; value: T; behind: string }>({ before: flag, value: kind, behind: text }),
  )
  for (const value of values) rows.push({ before: true, value, behind: 'behind' })
  return [...rows].map((each) => {
    expect(each).toMatchObject({ before: true, behind: 'behind' })
    return each.value
  })
}

/** Any text, halves of characters too. */
const halves = fc.string({ unit: fc.nat(0xffff).map((unit) => String.fromCharCode(unit)) })
const anyText = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), halves)

const texts: [what: string, value: string][] = [
  ['empty', ''],
  ['plain', 'assets/index-1a2b3c.js'],
  ['with a NUL', '\0a\0\0b\0'],
  ['all of ASCII', String.fromCharCode(...Array(0x80).keys())],
  ['all of Latin-1', String.fromCharCode(...Array(0x100).keys())],
  ['one character of Latin-1', 'é'],
  ['beyond Latin-1', 'ü/你好/ﷺ\ufeff\uffff.txt'],
  ['with a byte order mark', '\ufeffa'],
  ['composed and not', 'é e\u0301'],
  ['with emoji', '😀 👩‍👩‍👧 🇦🇶'],
  ['the first half of a character', '\ud83d'],
  ['the second half of a character', 'a\ude00b'],
  ['halves in the wrong order', '\ude00\ud83d'],
  ['with line ends', '\r\n\n'],
  ['__proto__', '__proto__'],
  ['of 100,000 characters', 'abcdefghij'.repeat(10_000)],
  ['of 100,000 characters beyond Latin-1', '你好😀\ud83d你好你好你'.repeat(10_000)],
]

const hashes: [what: string, value: string][] = [
  ['an MD5', '0123456789abcdef0123456789abcdef'],
  ['a SHA-256', 'ff00'.repeat(16)],
  ['of zeros', '00000000'],
  ['of digits only', '12345678'],
  ['of one byte', 'a0'],
  ['of an odd length', 'abc'],
  ['of one digit', 'a'],
  ['in upper case', 'ABCDEF'],
  ['in mixed case', 'abCDef'],
  ['an ETag of several parts', '0123456789abcdef0123456789abcdef-17'],
  ['a short ETag of several parts', 'abc-12'],
  ['a weak ETag', 'W/"abcd"'],
  ['with a line end', 'abcd\n'],
  ['on two lines', 'ab\ncd'],
  ['almost a hash', 'abcg'],
  ['digits of other scripts', '１２٣٤'],
  ['of 200,000 digits', 'a0b1c2d3e4'.repeat(20_000)],
  ['of 2,000,000 digits', '0f'.repeat(1_000_000)],
  ['of 200,001 digits', `${'ab'.repeat(100_000)}c`],
]

describe('a value is read as it was written', () => {
  it.each(texts)('text: %s', (_what, value) => {
    expect(readBack(text, [value, 'a', value])).toEqual([value, 'a', value])
  })

  it.each([...hashes, ...texts])('hex: %s', (_what, value) => {
    expect(readBack(hex, [value, 'ab', value])).toEqual([value, 'ab', value])
  })

  it('any text', () => {
    fc.assert(
      fc.property(fc.array(anyText), fc.constantFrom(text, hex), (values, kind) => {
        expect(readBack(kind, values)).toEqual(values)
      }),
      cases(300),
    )
  })

  it('hex: any digits', () => {
    const digits = fc.string({ unit: fc.constantFrom(...'0123456789abcdefA-') })
    fc.assert(
      fc.property(fc.array(digits), (values) => {
        expect(readBack(hex, values)).toEqual(values)
      }),
      cases(300),
    )
  })

  it.each([
    ...[0, -0, 1, -1, 0.1, -1.5, 1 / 3, 2 ** 31, 2 ** 32, 5 * 1024 ** 4, Date.parse('2026-01-02T03:04:05.678Z')],
    ...[Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, Number.MAX_VALUE, Number.MIN_VALUE, Number.EPSILON],
    ...[Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  ])('number: %o', (value) => {
    // toEqual tells -0 from 0.
    expect(readBack(number, [value, 7, value])).toEqual([value, 7, value])
  })

  it('flag', () => {
    expect(readBack(flag, [true, false, false, true])).toEqual([true, false, false, true])
  })

  it.each<[what: string, kind: Kind<unknown>, values: unknown[]]>([
    ['text', optional(text) as Kind<unknown>, ['a', undefined, '', undefined, 'b']],
    ['hex', optional(hex) as Kind<unknown>, ['ab', undefined, '', undefined, 'abc']],
    ['number', optional(number) as Kind<unknown>, [undefined, 0, -0, Number.NaN, undefined, 1]],
    ['flag', optional(flag) as Kind<unknown>, [undefined, false, true, undefined]],
    ['one of few', optional(oneOf<unknown>()), [undefined, null, 0, '', undefined, 'a']],
    ['optional', optional(optional(text)) as Kind<unknown>, [undefined, '', 'a']],
  ])('optional: %s', (_what, kind, values) => {
    expect(readBack(kind, values)).toEqual(values)
  })
})

describe('one of few values', () => {
  it('is the very same object', () => {
    const [a, b, same, list] = [{ name: 'a' }, { name: 'b' }, { name: 'a' }, ['a']]
    const values = [a, b, a, same, list, b, list, same]
    const read = readBack(oneOf<unknown>(), values)
    expect(read).toHaveLength(values.length)
    for (const [i, value] of values.entries()) expect(read[i]).toBe(value)
  })

  it('is anything, undefined too', () => {
    const values = [undefined, null, 0, '', false, Number.NaN, 'undefined', undefined, '__proto__', null, Number.NaN]
    expect(readBack(oneOf<unknown>(), values)).toEqual(values)
  })

  it.each([257, 70_000])('is one of %i', (count) => {
    const values = Array.from({ length: count }, (_, i) => ({ i }))
    const rows = new Packed(oneOf<object>(), values)
    for (const value of values) rows.push(value)
    for (const each of [rows.length / 2, 255, 256, count - 1]) expect(rows.at(each)).toBe(values[each % count])
    let i = 0
    // An assertion for each would take seconds.
    for (const each of rows) if (each !== values[i++ % count]) expect(each).toBe(values[(i - 1) % count])
    expect(i).toBe(2 * count)
  })

  it('is not mixed up with those of another field', () => {
    const rows = new Packed(row<{ a: string; b: string }>({ a: oneOf<string>(), b: oneOf<string>() }))
    const values = ['x', 'y', 'z', 'x'].map((a, i) => ({ a, b: `${i % 2}` }))
    for (const each of values) rows.push(each)
    expect([...rows]).toEqual(values)
  })

  it('can be shared by several lists', () => {
    const kind = oneOf<string>()
    const [a, b] = [new Packed(kind, ['x', 'y']), new Packed(kind, ['z', 'y'])]
    expect([...a, ...b]).toEqual(['x', 'y', 'z', 'y'])
  })
})

describe('a row', () => {
  interface Row {
    path: string
    size: number
    etag?: string | undefined
    headers?: object | undefined
  }
  const kind = row<Row>({ path: text, size: number, etag: optional(hex), headers: oneOf<object | undefined>() })

  it('has its fields, with and without a value', () => {
    const rows: Row[] = [
      { path: 'a', size: 1, etag: 'ab', headers: {} },
      { path: 'b', size: 2, headers: {} },
      { path: 'c', size: 3, etag: '' },
      { path: 'd', size: 4 },
      { path: 'e', size: 5, etag: undefined, headers: undefined },
    ]
    expect([...new Packed(kind, rows)]).toEqual(rows)
  })

  it('has all fields that the kind names, in that order, and no others', () => {
    const given = { size: 1, more: 'more', path: 'a' }
    // Those that are undefined, too: objects of the same shape are fast to read.
    expect(Object.entries(new Packed(kind, [given]).at(0) ?? {})).toEqual([
      ['path', 'a'],
      ['size', 1],
      ['etag', undefined],
      ['headers', undefined],
    ])
  })

  it('is made anew whenever it is asked for', () => {
    const rows = new Packed(kind, [{ path: 'a', size: 1 }])
    const first = rows.at(0) as Row
    first.path = 'changed'
    expect(rows.at(0)).toEqual({ path: 'a', size: 1 })
  })

  it.each(['__proto__', 'constructor', 'toString', '10', ''])('may have %j as a value and within another', (value) => {
    const nested = row<{ inner: { value: string } | undefined; value: string }>({
      inner: optional(row<{ value: string }>({ value: text })),
      value: text,
    })
    const read = [
      ...new Packed(nested, [
        { inner: { value }, value },
        { inner: undefined, value },
      ]),
    ]
    expect(read).toEqual([{ inner: { value }, value }, { value }])
    for (const each of read) expect(Object.getPrototypeOf(each)).toBe(Object.prototype)
  })

  it('of any fields is read as it was written', () => {
    const headers = fc.constantFrom({ a: 1 }, { b: 2 })
    const anyRow: fc.Arbitrary<Row> = fc.record(
      { path: anyText, size: fc.double(), etag: fc.oneof(anyText, fc.constantFrom('ab', 'abc-12')), headers },
      { requiredKeys: ['path', 'size'], noNullPrototype: true },
    )
    fc.assert(
      fc.property(fc.array(anyRow), (rows) => {
        expect([...new Packed(kind, rows)]).toEqual(rows)
      }),
      cases(300),
    )
  })
})

describe('a field that isn’t kept', () => {
  const kind = row<{ path: string; key: string }>({
    path: text,
    key: derived(({ path }: { path: string }) => `static/${path}`),
  })

  it('follows from those before it', () => {
    const rows = new Packed(kind, [
      { path: 'a', key: 'static/a' },
      { path: 'b', key: 'whatever' },
    ])
    expect([...rows]).toEqual([
      { path: 'a', key: 'static/a' },
      { path: 'b', key: 'static/b' },
    ])
  })
})

describe('a row', () => {
  it('is what it was at whichever byte memory has to grow for it', () => {
    // 1,024 bytes are there at first.
    for (let length = 980; length < 1060; length++) {
      const given = { a: 'a'.repeat(length), b: '', c: 'headers', d: true, e: 'e'.repeat(50), f: 2 }
      const kind = row<typeof given>({ a: text, b: text, c: oneOf(), d: flag, e: hex, f: number })
      const rows = new Packed(kind, [{ ...given, a: 'x'.repeat(70_000) }, given])
      expect(rows.at(1)).toEqual(given)
    }
  })
})

describe('a packed list', () => {
  it('is empty at first', () => {
    const rows = new Packed(text)
    expect(rows).toHaveLength(0)
    expect([...rows]).toEqual([])
    for (const index of [0, 1, -1, 100]) expect(rows.at(index)).toBeUndefined()
  })

  it.each<[index: number, value: string | undefined]>([
    ...([
      [0, 'a'],
      [-0, 'a'],
      [2, 'c'],
      [-1, 'c'],
      [-3, 'a'],
    ] as [number, string][]),
    ...[3, 4, 64, -4, -100, 2 ** 32, -(2 ** 32), Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].map(
      (index): [number, undefined] => [index, undefined],
    ),
  ])('of three has at %o: %j', (index, value) => {
    expect(new Packed(text, ['a', 'b', 'c']).at(index)).toBe(value)
  })

  it.each<[what: string, rows: Iterable<string>]>([
    ['an array', ['a', 'b']],
    ['a set', new Set(['a', 'b'])],
    ['another list', new Packed(text, ['a', 'b'])],
  ])('is made of the rows of %s, and grows', (_what, from) => {
    const rows = new Packed(text, from)
    rows.push('c')
    expect(rows).toHaveLength(3)
    expect([...rows]).toEqual(['a', 'b', 'c'])
  })

  it('can be iterated again, and twice at once', () => {
    const rows = new Packed(text, ['a', 'b', 'c'])
    const pairs: string[] = []
    for (const a of rows) for (const b of rows) pairs.push(a + b)
    expect(pairs.join(' ')).toBe('aa ab ac ba bb bc ca cb cc')
    expect([...rows]).toEqual([...rows])
  })

  it('is like an array, whatever is put into it', () => {
    // Rows from a few bytes to several pieces.
    const pushed = fc.oneof(
      { weight: 8, arbitrary: anyText },
      { weight: 1, arbitrary: fc.tuple(halves, fc.nat(1000)).map(([unit, times]) => unit.repeat(times)) },
      { weight: 1, arbitrary: fc.integer({ min: piece - 20, max: piece + 20 }).map((length) => 'x'.repeat(length)) },
    )
    fc.assert(
      fc.property(
        fc.array(pushed),
        fc.array(pushed),
        fc.array(fc.integer({ min: -40, max: 40 })),
        (first, then, at) => {
          const array = [...first]
          const rows = new Packed(text, first)
          for (const each of then) {
            array.push(each)
            rows.push(each)
            expect(rows.length).toBe(array.length)
            // Not by `expect`, which takes long for long texts.
            if (rows.at(-1) !== each) expect(rows.at(-1)).toBe(each)
          }
          for (const index of at) if (rows.at(index) !== array.at(index)) expect(rows.at(index)).toBe(array.at(index))
          const read = [...rows]
          expect(read.length).toBe(array.length)
          expect(read.every((each, i) => each === array[i])).toBe(true)
        },
      ),
      cases(150),
    )
  })

  it('has 200,000 rows', () => {
    const nameOf = (i: number) => `assets/${i % 7 ? 'file' : 'ü'}-${i}.js`
    const rows = new Packed(text)
    for (let i = 0; i < 200_000; i++) rows.push(nameOf(i))
    expect(rows).toHaveLength(200_000)
    for (const i of [0, 63, 64, 65, 127, 128, 65_535, 65_536, 131_072, 199_999]) expect(rows.at(i)).toBe(nameOf(i))
    expect(rows.at(200_000)).toBeUndefined()
    expect(rows.at(-200_000)).toBe(nameOf(0))
    let i = 0
    let wrong = 0
    for (const each of rows) if (each !== nameOf(i++)) wrong++
    expect({ i, wrong }).toEqual({ i: 200_000, wrong: 0 })
  })

  it.each<[what: string, lengths: number[]]>([
    ['one that fills a piece', [piece]],
    ['some that fill a piece each', [piece, piece, piece]],
    ['one that almost fills a piece, and one behind it that does', [piece - 2, 2, 2]],
    ['one that leaves less room than any takes', [piece - 1, 2]],
    ['many that fill pieces together', Array(48).fill(piece / 16)],
    ['one byte more than a piece', [piece + 1]],
    ['a long one between short ones', [10, piece + 1, 10]],
    ['long ones in a row', [piece + 1, 3 * piece, piece + 1]],
    ['one that exactly fills several pieces', [10, 2 * piece, 10]],
    ['a very long one', [10, 5_000_000, 10]],
    ['halves of a piece', [piece / 2, piece / 2, piece / 2 + 1, piece / 2]],
  ])('has rows of any size: %s', (_what, lengths) => {
    for (const around of [[], ['a', 'b']]) {
      const all = [...around, ...lengths.map((length, i) => `${i % 10}`.repeat(lengthFor(length))), ...around]
      const rows = new Packed(text, all)
      const read = [...rows]
      expect(read.map((each) => each.length)).toEqual(all.map((each) => each.length))
      expect(read.every((each, i) => each === all[i])).toBe(true)
      expect(all.every((each, i) => rows.at(i) === each && rows.at(i - all.length) === each)).toBe(true)
    }
  })

  it('has rows of one byte, and pieces full of them', () => {
    const isTrue = (i: number) => i % 3 === 0
    const rows = new Packed(flag)
    for (let i = 0; i < 2 * piece + 1; i++) rows.push(isTrue(i))
    for (const i of [0, piece - 1, piece, piece + 1, 2 * piece - 1, 2 * piece]) expect(rows.at(i)).toBe(isTrue(i))
    expect([...rows].every((each, i) => each === isTrue(i))).toBe(true)
  })

  it('has rows of every size up to some thousand bytes', async () => {
    // Anew, so that there is little room to write in at first.
    vi.resetModules()
    const fresh = await import('../src/core/packed.js')
    const kind = fresh.row<{ text: string; empty: string }>({ text: fresh.text, empty: fresh.text })
    const rows = new fresh.Packed(kind)
    for (let size = 0; size < 3000; size++) rows.push({ text: 'x'.repeat(size), empty: '' })
    expect([...rows].every(({ text, empty }, size) => text === 'x'.repeat(size) && empty === '')).toBe(true)
  })

  it('stays as it was when a row cannot be written', () => {
    const kind = row<{ first: string; second: string }>({ first: text, second: text })
    const rows = new Packed(kind, [{ first: 'a', second: 'b' }])
    expect(() => rows.push({ first: 'half' } as never)).toThrow(TypeError)
    rows.push({ first: 'c', second: 'd' })
    expect([...rows]).toEqual([
      { first: 'a', second: 'b' },
      { first: 'c', second: 'd' },
    ])
  })

  it('is not touched by what is put into another', () => {
    const [a, b] = [new Packed(text), new Packed(text)]
    for (const each of ['1', '2', 'é', '3']) {
      a.push(`a${each}`)
      b.push(`b${each}${each}`)
    }
    expect([...a]).toEqual(['a1', 'a2', 'aé', 'a3'])
    expect([...b]).toEqual(['b11', 'b22', 'béé', 'b33'])
  })
})

const oddKeys = [
  '__proto__',
  'constructor',
  'hasOwnProperty',
  '',
  ' ',
  '0',
  '10',
  '-1',
  'a',
  'A',
  'é',
  'e\u0301',
  '\0',
  '😀',
]

/** Few keys, so that they are often set again. */
const anyKey = fc.oneof(fc.constantFrom(...oddKeys, '\ud83d', '\ude00'), fc.string({ maxLength: 1 }), anyText)
const anyEntries = fc.array(fc.tuple(anyKey, fc.integer()))

describe('a packed map', () => {
  it('is empty at first', () => {
    const map = new PackedMap(text)
    expect([...map]).toEqual([])
    for (const key of oddKeys) {
      expect(map.has(key)).toBe(false)
      expect(map.get(key)).toBeUndefined()
    }
  })

  it('has odd keys, and no others', () => {
    const map = new PackedMap(
      text,
      oddKeys.map((key): [string, string] => [key, `of ${key}`]),
    )
    for (const key of oddKeys) {
      expect(map.has(key)).toBe(true)
      expect(map.get(key)).toBe(`of ${key}`)
    }
    for (const key of ['toString', '1', '00', 'aa', 'É', '\0\0', '\ud83d', '  ']) {
      expect(map.has(key)).toBe(false)
      expect(map.get(key)).toBeUndefined()
    }
    expect([...map]).toEqual(oddKeys.map((key) => [key, `of ${key}`]))
  })

  it('has a value that is undefined', () => {
    const map = new PackedMap(optional(text), [['a', undefined]])
    expect(map.has('a')).toBe(true)
    expect(map.get('a')).toBeUndefined()
    expect([...map]).toEqual([['a', undefined]])
  })

  it('has rows, and values by identity', () => {
    const headers = { CacheControl: 'no-cache' }
    const map = new PackedMap(row<{ size: number; headers: object }>({ size: number, headers: oneOf<object>() }))
    map.set('a', { size: 1, headers })
    expect(map.get('a')).toEqual({ size: 1, headers })
    expect(map.get('a')?.headers).toBe(headers)
  })

  it('has the value that was set last', () => {
    const map = new PackedMap(text, [
      ['a', '1'],
      ['a', '2'],
    ])
    expect(map.get('a')).toBe('2')
    map.set('a', '3')
    map.set('b', '4')
    expect(map.get('a')).toBe('3')
    expect(map.get('b')).toBe('4')
  })

  it('is iterated in the order in which keys were set last, where a Map has that in which they were set first', () => {
    const entries: [string, string][] = [
      ['a', '1'],
      ['b', '2'],
      ['a', '3'],
    ]
    expect([...new PackedMap(text, entries)]).toEqual([
      ['b', '2'],
      ['a', '3'],
    ])
    expect([...new Map(entries)]).toEqual([
      ['a', '3'],
      ['b', '2'],
    ])
  })

  it('is otherwise like a Map, whatever is put into it', () => {
    fc.assert(
      fc.property(anyEntries, anyEntries, fc.array(anyKey), (first, then, asked) => {
        const map = new Map<string, number>()
        // At the place where it was set last.
        const setLast = (key: string, value: number) => {
          map.delete(key)
          map.set(key, value)
        }
        for (const [key, value] of first) setLast(key, value)
        const packed = new PackedMap(number, first)
        expect([...packed]).toEqual([...map])
        for (const [key, value] of then) {
          setLast(key, value)
          packed.set(key, value)
          expect(packed.get(key)).toBe(value)
        }
        expect([...packed]).toEqual([...map])
        for (const key of [...asked, ...oddKeys, ...map.keys()]) {
          expect(packed.has(key)).toBe(map.has(key))
          expect(packed.get(key)).toBe(map.get(key))
        }
      }),
      cases(150),
    )
  })

  it('finds each of 100,000', () => {
    const map = new PackedMap(number)
    for (let i = 0; i < 100_000; i++) map.set(`assets/${i}.js`, i)
    let wrong = 0
    for (let i = 0; i < 100_000; i++) {
      if (map.get(`assets/${i}.js`) !== i || map.has(`assets/${i}.css`)) wrong++
    }
    expect(wrong).toBe(0)
  })
})

describe('a finder', () => {
  interface Named {
    name: string
    value: number
  }
  const kind = row<Named>({ name: text, value: number })
  const nameOf = ({ name }: Named) => name
  const named = (...names: string[]) => names.map((name, value): Named => ({ name, value }))

  it('finds nothing among no rows', () => {
    const find = finder(new Packed(kind), nameOf)
    for (const name of oddKeys) expect(find(name)).toBeUndefined()
    expect(finder([], nameOf)('a')).toBeUndefined()
  })

  it('finds the last of the rows with the same text', () => {
    for (const rows of [named('a', 'b', 'a', 'a', 'b', 'c'), new Packed(kind, named('a', 'b', 'a', 'a', 'b', 'c'))]) {
      const find = finder(rows, nameOf)
      expect(['a', 'b', 'c', 'd'].map((name) => find(name)?.value)).toEqual([3, 4, 5, undefined])
    }
  })

  it('finds a row by what is made of it', () => {
    const find = finder(named('a', 'b'), ({ name, value }) => `${name}/${value}`)
    expect(find('b/1')).toEqual({ name: 'b', value: 1 })
    expect(find('b')).toBeUndefined()
  })

  it('finds what was there when it was made', () => {
    const rows = new Packed(kind, named('a', 'b'))
    const find = finder(rows, nameOf)
    for (let value = 100; value < 1000; value++) rows.push({ name: value % 2 ? 'a' : `${value}`, value })
    expect(find('a')?.value).toBe(0)
    expect(find('100')).toBeUndefined()
    expect(finder(rows, nameOf)('a')?.value).toBe(999)
  })

  it('finds in an array the very same row', () => {
    const rows = named('a', 'b', 'c')
    expect(finder(rows, nameOf)('b')).toBe(rows[1])
  })

  it('finds what a Map does', () => {
    fc.assert(
      fc.property(anyEntries, fc.array(anyKey), (entries, asked) => {
        const rows = entries.map(([name, value]) => ({ name, value }))
        const map = new Map(rows.map((each) => [each.name, each]))
        const [ofArray, ofPacked] = [finder(rows, nameOf), finder(new Packed(kind, rows), nameOf)]
        for (const name of [...asked, ...oddKeys, ...map.keys()]) {
          expect(ofArray(name)).toBe(map.get(name))
          expect(ofPacked(name)).toEqual(map.get(name))
        }
      }),
      cases(200),
    )
  })

  // However many rows there are: powers of two, and one less and more, are where the number of slots changes.
  it.each([1, 2, 3, 4, 7, 8, 9, 255, 256, 257])('finds each of %i', (count) => {
    const names = Array.from({ length: count }, (_, i) => `${i}`)
    const find = finder(named(...names), nameOf)
    expect(names.map((name) => find(name)?.name)).toEqual(names)
    expect(names.some((name) => find(`no ${name}`))).toBe(false)
  })

  describe('with texts of equal hash', () => {
    /** FNV-1a: for ASCII, bytes are UTF-16 units. */
    function hashOf(name: string): number {
      let hash = 0x811c9dc5
      for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 0x01000193)
      return hash
    }

    function collide(): [string, string] {
      const names = new Map<number, string>()
      for (let i = 0; ; i++) {
        const name = Math.imul(i, 0x9e3779b1).toString(36)
        const other = names.get(hashOf(name))
        if (other !== undefined) return [other, name]
        names.set(hashOf(name), name)
      }
    }

    const pairs: [string, string][] = [
      collide(),
      ['costarring', 'liquid'],
      ['declinate', 'macallums'],
      ['altarage', 'zinke'],
    ]

    let fixed: typeof import('../src/core/packed.js')
    beforeAll(async () => {
      // Else hashes are others in each process.
      vi.spyOn(Math, 'random').mockReturnValue(0x811c9dc5 / 2 ** 32)
      vi.resetModules()
      fixed = await import('../src/core/packed.js')
      vi.restoreAllMocks()
    })

    it.each(pairs)('finds each: %s, %s', (a, b) => {
      for (const rows of [named(a, b), named(b, a), named(a, 'between', b), named(b, a, b, a)]) {
        const find = fixed.finder(rows, nameOf, 0)
        for (const name of [a, b]) expect(find(name)).toBe(rows.findLast((each) => each.name === name))
      }
      const entries: [string, number][] = [
        [a, 1],
        [b, 2],
        [a, 3],
      ]
      const map = new fixed.PackedMap(number, entries, 0)
      expect([map.get(a), map.get(b)]).toEqual([3, 2])
      expect([...map]).toEqual([
        [b, 2],
        [a, 3],
      ])
    })

    it.each(pairs)('does not take one for the other: %s, %s', (a, b) => {
      for (const [there, missing] of [
        [a, b],
        [b, a],
      ] as const) {
        const asked = vi.fn(nameOf)
        const find = fixed.finder(named(there), asked, 0)
        asked.mockClear()
        expect(find(missing)).toBeUndefined()
        // It looked at the row: that the hashes are equal isn't only this test's belief.
        expect(asked).toHaveBeenCalledOnce()
        expect(new fixed.PackedMap(number, [[there, 1]], 0).has(missing)).toBe(false)
      }
    })

    it('looks at no row whose hash is another', () => {
      const asked = vi.fn(nameOf)
      const find = finder(named('a', 'b', 'c'), asked)
      asked.mockClear()
      for (let i = 0; i < 1000; i++) expect(find(`no ${i}`)).toBeUndefined()
      expect(asked).not.toHaveBeenCalled()
    })
  })
})

describe('a few rows stay as they are', () => {
  const rowOf = (i: number) => ({ name: `row ${i}`, size: i })
  const kind = row<ReturnType<typeof rowOf>>({ name: text, size: number })

  it.each([0, 1, 4999, 5000, 5001, 12_000])('%i of them are the same to everybody', (count) => {
    const rows = Array.from({ length: count }, (_, i) => rowOf(i))
    const list = new PackedOf(kind, rows)
    expect(list.length).toBe(count)
    expect([...list]).toEqual(rows)
    expect([list.at(0), list.at(-1), list.at(count)]).toEqual([rows[0], rows.at(-1), undefined])
    const find = finderOf(list, ({ name }) => name)
    const map = new PackedMapOf(
      number,
      rows.map(({ name, size }) => [name, size]),
    )
    for (const i of [0, 1, 4999, 5000, 5001, count - 1]) {
      const expected = rows.find(({ size }) => size === i)
      expect(find(`row ${i}`)).toEqual(expected)
      expect(map.get(`row ${i}`)).toEqual(expected?.size)
      expect(map.has(`row ${i}`)).toBe(expected !== undefined)
    }
  })

  it('as long as there are no more', () => {
    const rows = Array.from({ length: 5000 }, (_, i) => rowOf(i))
    const list = new PackedOf(kind, rows)
    expect(list.at(7)).toBe(rows[7])
    list.push(rowOf(5000))
    expect(list.at(7)).toEqual(rows[7])
    expect(list.at(7)).not.toBe(rows[7])
    expect(list.at(5000)).toEqual(rowOf(5000))
  })

  it('and what is set again counts once', () => {
    const map = new PackedMapOf(number, [
      ['a', 1],
      ['b', 2],
      ['a', 3],
    ])
    expect([...map]).toEqual([
      ['b', 2],
      ['a', 3],
    ])
  })
})

describe('joined rows', () => {
  it.each<[what: string, parts: Rows<string>[]]>([
    ['none', []],
    ['of nothing', [[], new Packed(text)]],
    ['of one list', [['a', 'b', 'c']]],
    ['of lists of all kinds', [['a'], new Packed(text, ['b', 'c', 'd']), [], ['e', 'f'], new Packed(text, ['g']), []]],
    ['of many', Array.from({ length: 33 }, (_, i) => [`${i}`, `${i}.`].slice(i % 3))],
  ])('are one list: %s', (_what, parts) => {
    const joined = new Joined(parts)
    const all = parts.flatMap((part) => [...part])
    expect(joined).toHaveLength(all.length)
    expect([...joined]).toEqual(all)
    for (let index = -all.length - 2; index < all.length + 2; index++) expect(joined.at(index)).toBe(all.at(index))
    for (const index of [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) expect(joined.at(index)).toBeUndefined()
  })
})

describe('paired rows', () => {
  const sizes = new Packed(number, [1, 2, 3])
  const pairs = new Paired(['a', 'b', 'c'], sizes, (name, size) => ({ name, size }))
  const all = [
    { name: 'a', size: 1 },
    { name: 'b', size: 2 },
    { name: 'c', size: 3 },
  ]

  it('are those in the same place', () => {
    expect(pairs).toHaveLength(3)
    expect([...pairs]).toEqual(all)
    expect([...pairs]).toEqual(all)
    for (const index of [0, 1, 2, 3, 4, -1, -2, -3, -4, Number.POSITIVE_INFINITY]) {
      expect(pairs.at(index)).toEqual(all.at(index))
    }
  })

  it('are not made where there are none', () => {
    const pair = vi.fn()
    const empty = new Paired(new Packed(text), new Packed(number), pair)
    expect(empty).toHaveLength(0)
    expect([...empty]).toEqual([])
    expect([empty.at(0), empty.at(-1), new Paired(['a'], [1], pair).at(1)]).toEqual([undefined, undefined, undefined])
    expect(pair).not.toHaveBeenCalled()
  })

  it('may be of nothing in the second place', () => {
    const etags = new Packed(optional(hex), ['ab', undefined, 'cd'])
    const paired = new Paired(['a', 'b', 'c'], etags, (name, etag) => ({ name, etag }))
    expect([...paired]).toEqual([
      { name: 'a', etag: 'ab' },
      { name: 'b', etag: undefined },
      { name: 'c', etag: 'cd' },
    ])
    expect(paired.at(1)).toEqual({ name: 'b', etag: undefined })
  })

  it('can be 0, empty or false', () => {
    const paired = new Paired(['', 'a'], [0, 0], (name, size) => name || size)
    expect([...paired]).toEqual([0, 'a'])
    expect(paired.at(0)).toBe(0)
  })

  it('grow with what they are made of', () => {
    const [names, values] = [new Packed(text), new Packed(flag)]
    const paired = new Paired(names, values, (name, value) => `${name} ${value}`)
    for (const [i, name] of ['a', 'b'].entries()) {
      names.push(name)
      values.push(i === 0)
      expect(paired).toHaveLength(i + 1)
    }
    expect([...paired]).toEqual(['a true', 'b false'])
  })

  it('can be paired again, and found', () => {
    const again = new Paired(pairs, [true, false, true], (each, fresh) => ({ ...each, fresh }))
    expect(again.at(-1)).toEqual({ name: 'c', size: 3, fresh: true })
    const find = finder(again, ({ name }) => name)
    expect(find('b')).toEqual({ name: 'b', size: 2, fresh: false })
    expect(find('d')).toBeUndefined()
  })
})

describe('many rows', () => {
  interface Listed {
    key: string
    size: number
    etag: string
    lastModified: number
  }
  const kind = row<Listed>({ key: text, size: number, etag: hex, lastModified: number })

  const listed = (i: number): Listed => {
    const etag = i.toString(16).padStart(32, '0')
    return { key: `static/assets/some-folder/file-${etag}.js`, size: i, etag, lastModified: 1.7e12 + i }
  }
  function* listing(): Iterable<Listed> {
    for (let i = 0; i < 100_000; i++) yield listed(i)
  }
  function* entries(): Iterable<[string, Listed]> {
    for (const each of listing()) yield [each.key, each]
  }

  setFlagsFromString('--expose-gc')
  const collectGarbage: () => void = runInNewContext('gc')
  const inUse = () => {
    collectGarbage()
    collectGarbage()
    const { heapUsed, external } = process.memoryUsage()
    return { heapUsed, external }
  }

  const megabyte = 1e6
  /** What is in use by something that was made, in megabytes, and whether it is still there when that is measured. */
  function measure(make: () => (key: string) => Listed | undefined) {
    const before = inUse()
    const find = make()
    const after = inUse()
    const last = listed(99_999)
    expect(find(last.key)).toEqual(last)
    return {
      heap: (after.heapUsed - before.heapUsed) / megabyte,
      outside: (after.external - before.external) / megabyte,
    }
  }

  // They take nothing worth mention on the heap, and a hundred bytes each outside. The bounds leave room for the engine's own.
  it.each<[what: string, make: () => (key: string) => Listed | undefined]>([
    ['100,000 in a list, with a finder', () => finder(new Packed(kind, listing()), ({ key }) => key)],
    [
      '100,000 in a map',
      () => {
        const map = new PackedMap(kind, entries())
        map.has('')
        return (key) => map.get(key)
      },
    ],
  ])('take less than 3 MB on the heap and less than 32 MB outside of it: %s', (_what, make) => {
    const { heap, outside } = measure(make)
    expect(heap).toBeLessThan(3)
    expect(outside).toBeLessThan(32)
    // They are somewhere.
    expect(outside).toBeGreaterThan(5)
  })

  it('take less than 3 MB on the heap for the values of which each has one, however often', () => {
    const before = inUse()
    const rows = new Packed(oneOf<string>())
    for (let i = 0; i < 600_000; i++) rows.push('always the same')
    const after = inUse()
    expect(rows.at(-1)).toBe('always the same')
    expect((after.heapUsed - before.heapUsed) / megabyte).toBeLessThan(3)
  })

  it('would take more than 10 MB on the heap as 100,000 in an array', () => {
    const { heap } = measure(() => {
      const rows = [...listing()]
      return () => rows.at(-1)
    })
    expect(heap).toBeGreaterThan(10)
  })
})
