import { describe, expect, it } from 'vitest'
import type { ListedObject } from '../src/core/bucket.js'
import type { DigestedFile } from '../src/core/digest.js'
import type { Group } from '../src/core/groups.js'
import { plan } from '../src/core/plan.js'

const one = '1'.repeat(32)
const two = '2'.repeat(32)
const multipart = `${one}-2`

const file = (path: string, md5 = one, group: Group = 'asset', size = 10): DigestedFile => ({
  path,
  file: `/dist/${path}`,
  emitted: true,
  fingerprinted: group === 'fingerprinted',
  key: `static/${path}`,
  group,
  parameters: {},
  size,
  md5,
})

const listed = (path: string, etag = one, size = 10): ListedObject => ({ key: `static/${path}`, size, etag })

describe('what is done to a file', () => {
  it.each`
    force    | inBucket | size       | etag         | action      | reason
    ${true}  | ${false} | ${'–'}     | ${'–'}       | ${'upload'} | ${'new'}
    ${true}  | ${true}  | ${'other'} | ${one}       | ${'upload'} | ${'forced'}
    ${true}  | ${true}  | ${'same'}  | ${multipart} | ${'upload'} | ${'forced'}
    ${true}  | ${true}  | ${'same'}  | ${two}       | ${'upload'} | ${'forced'}
    ${true}  | ${true}  | ${'same'}  | ${one}       | ${'upload'} | ${'forced'}
    ${false} | ${false} | ${'–'}     | ${'–'}       | ${'upload'} | ${'new'}
    ${false} | ${true}  | ${'other'} | ${one}       | ${'upload'} | ${'size'}
    ${false} | ${true}  | ${'other'} | ${multipart} | ${'upload'} | ${'size'}
    ${false} | ${true}  | ${'same'}  | ${multipart} | ${'upload'} | ${'etag is no md5'}
    ${false} | ${true}  | ${'same'}  | ${''}        | ${'upload'} | ${'etag is no md5'}
    ${false} | ${true}  | ${'same'}  | ${two}       | ${'upload'} | ${'content'}
    ${false} | ${true}  | ${'same'}  | ${one}       | ${'skip'}   | ${'unchanged'}
  `('force $force, in the bucket $inBucket, size $size, ETag $etag: $action, $reason', (row) => {
    const there = row.inBucket ? [listed('a.js', row.etag, row.size === 'other' ? 11 : 10)] : []
    const a = file('a.js')
    expect(plan([a], there, row.force).decisions).toEqual([{ file: a, action: row.action, reason: row.reason }])
  })

  it('depends on nothing but that file, and keeps the order', () => {
    const files = [file('c.js'), file('a.js', two), file('b.js')]
    const listing = [listed('a.js'), listed('c.js'), listed('deleted-meanwhile.js')]
    expect(plan(files, listing, false).decisions.map(({ file: { path }, reason }) => `${path} ${reason}`)).toEqual([
      'c.js unchanged',
      'a.js content',
      'b.js new',
    ])
  })

  it.each(['static/A.js', 'static/a.js/', 'static/a.jsx', 'static-admin/a.js', 'a.js', 'static//a.js'])(
    'takes %s for another key than static/a.js',
    (key) => {
      expect(plan([file('a.js')], [{ key, size: 10, etag: one }], false).decisions[0]?.reason).toBe('new')
    },
  )

  it('of nothing is nothing', () => {
    expect(plan([], [listed('a.js')], false)).toEqual({ decisions: [], overwritten: [] })
  })
})

describe('fingerprinted names that stand in the bucket with other bytes', () => {
  const proof = file('proof-1.js')
  const proven = listed('proof-1.js')

  it.each<[what: string, files: DigestedFile[], listing: ListedObject[], overwritten: string[]]>([
    ['the same bytes', [proof, file('a-1.js', one, 'fingerprinted')], [proven, listed('a-1.js')], []],
    ['not there', [proof, file('a-1.js', one, 'fingerprinted')], [proven], []],
    ['other bytes', [proof, file('a-1.js', one, 'fingerprinted')], [proven, listed('a-1.js', two)], ['a-1.js']],
    ['another size', [file('a-1.js', one, 'fingerprinted')], [listed('a-1.js', two, 11)], ['a-1.js']],
    ['another size, multipart', [file('a-1.js', one, 'fingerprinted')], [listed('a-1.js', multipart, 11)], ['a-1.js']],
    [
      'multipart, the same size: nobody knows',
      [proof, file('a-1.js', one, 'fingerprinted')],
      [proven, listed('a-1.js', multipart)],
      [],
    ],
    ['not fingerprinted', [proof, file('a.js')], [proven, listed('a.js', two)], []],
    ['a page', [proof, file('a.html', one, 'html')], [proven, listed('a.html', two)], []],
    // Under SSE-KMS no ETag is an MD5, and all of them look like one.
    [
      'SSE-KMS: every ETag is another one',
      [file('a-1.js', one, 'fingerprinted'), file('b-1.js', one, 'fingerprinted')],
      [listed('a-1.js', two), listed('b-1.js', '3'.repeat(32))],
      [],
    ],
    [
      'several',
      [proof, file('a-1.js', one, 'fingerprinted'), file('b-1.js', one, 'fingerprinted')],
      [proven, listed('a-1.js', two), listed('b-1.js', one, 11)],
      ['a-1.js', 'b-1.js'],
    ],
  ])('%s', (_what, files, listing, overwritten) => {
    for (const force of [false, true]) {
      expect(plan(files, listing, force).overwritten.map(({ path }) => path)).toEqual(overwritten)
    }
  })
})
