import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cases } from '../../fixtures/fuzz/chance.js'
import { searchFor } from '../../src/files/secret-search.js'

const search = (values: readonly string[], text: string) => {
  const found = searchFor(values.map((value) => Buffer.from(value)))(Buffer.from(text))
  return [...found].sort().map((index) => values[index])
}

describe('values in bytes', () => {
  it.each<[what: string, values: string[], text: string, found: string[]]>([
    ['none where none are looked for', [], 'text', []],
    ['none in nothing', ['ab'], '', []],
    ['none in less than the shortest', ['abc'], 'ab', []],
    ['one that is all there is', ['abc'], 'abc', ['abc']],
    ['one at the beginning', ['abc'], 'abcd', ['abc']],
    ['one at the end', ['bcd'], 'abcd', ['bcd']],
    ['not one that is cut off at the end', ['bcde'], 'abcd', []],
    ['not one that is cut off at the beginning', ['abcd'], 'bcdabc', []],
    ['one that is twice there once', ['abc'], 'abcabc', ['abc']],
    ['one in another', ['abcdef', 'cd'], 'xabcdefx', ['abcdef', 'cd']],
    ['two that overlap', ['abcd', 'cdef'], 'abcdef', ['abcd', 'cdef']],
    ['one that is the beginning of another', ['abcdefgh', 'abcd'], 'abcdefg', ['abcd']],
    ['two of the same', ['abc', 'abc'], 'abc', ['abc', 'abc']],
    ['one of one letter', ['aaaa'], 'baaaab', ['aaaa']],
    ['not a letter too few of it', ['aaaa'], 'aaabaaab', []],
    ['one beyond ASCII', ['Schlüssel'], 'der Schlüssel', ['Schlüssel']],
  ])('%s', (_what, values, text, found) => {
    expect(search(values, text)).toEqual(found)
  })

  it('are found wherever Buffer.includes finds them, in part of a memory too', () => {
    // Few letters, so that much is alike.
    const bytes = (minLength: number, maxLength: number) =>
      fc.array(fc.constantFrom(0, 97, 255), { minLength, maxLength }).map((each) => Buffer.from(each))
    fc.assert(
      fc.property(fc.array(bytes(2, 9), { maxLength: 4 }), bytes(0, 80), fc.nat(20), (values, memory, begin) => {
        const part = memory.subarray(begin, memory.length - (begin % 7))
        const included = values.flatMap((value, index) => (part.includes(value) ? [index] : []))
        expect([...searchFor(values)(part)].sort()).toEqual(included)
      }),
      cases(2000),
    )
  })
})
