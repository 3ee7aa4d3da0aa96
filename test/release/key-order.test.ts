import { expect, it } from 'vitest'
import { Random } from '../../fixtures/release/interleaving.js'
import { compareKeys } from '../../src/bucket/bucket.js'

const order = (one: string, other: string) => Math.sign(compareKeys(one, other))
const byBytes = (one: string, other: string) => Buffer.compare(Buffer.from(one), Buffer.from(other))

it.each<[one: string, other: string, order: -1 | 0 | 1]>([
  ['', '', 0],
  ['', 'a', -1],
  ['a', 'a', 0],
  ['a', 'b', -1],
  ['a', 'aa', -1],
  ['Z', 'a', -1],
  ['static-admin/a.js', 'static/a.js', -1],
  ['0-begun-1.json.gz', '99999998.json.gz', -1],
  ['99999998.json.gz', '99999998.lock', -1],
  ['99999998.lock', '99999999.json.gz', -1],
  ['10', '9', -1],
  ['é', 'z', 1],
  // The first is behind the second by UTF-8, and before it by UTF-16.
  ['😀', '\uffee', 1],
  ['a😀', 'a\ue000', 1],
  ['😀', '😁', -1],
  ['😀', 'z', 1],
])('%j and %j', (one, other, expected) => {
  expect(order(one, other)).toBe(expected)
  expect(order(other, one)).toBe(0 - expected)
})

it('is that of the UTF-8 bytes, whatever the keys are made of', () => {
  const random = new Random(1)
  // Characters on both sides of each change of length in UTF-8, and halves of characters, which no key has.
  const characters = [
    ...['\0', ' ', '/', 'A', 'a', '\x7f', '\x80', 'é', '\u07ff', '\u0800', '\ud7ff', '\ue000', '\ufffd', '\uffff'],
    ...['\u{10000}', '😀', '\u{10ffff}', '\ud800', '\udbff', '\udc00', '\udfff'],
  ]
  const word = () => Array.from({ length: random.between(0, 3) }, () => random.pick(characters)).join('')
  for (let i = 0; i < 50_000; i++) {
    const [one, other] = [word(), word()]
    if (order(one, other) !== byBytes(one, other)) expect.fail(`${JSON.stringify(one)} and ${JSON.stringify(other)}`)
  }
})
