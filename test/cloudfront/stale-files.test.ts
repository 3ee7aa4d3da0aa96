import { expect, test } from 'vitest'
import {
  file,
  holding,
  hour,
  listed,
  record,
  recorded,
  recordedAt,
  two,
  year,
} from '../../fixtures/release/plan-scene.js'
import { canonicalHeaders } from '../../src/bucket/headers.js'
import { staleFiles } from '../../src/cloudfront/stale-files.js'
import type { HashedFile } from '../../src/files/hash.js'
import type { Decision, Reason } from '../../src/release/plan.js'
import type { RecordedObject } from '../../src/release/records/record.js'

const never = canonicalHeaders({ CacheControl: 'no-cache' })
const otherBytes = `sha of ${two}`
const fingerprinted = { group: 'fingerprinted' } as const

type Before = Partial<RecordedObject> | 'none' | 'not recorded' | 'changed since'

/** The truth table of `staleFiles`, row by row. The record has the file's own bytes and headers, kept for a year, unless the row says otherwise. */
test.each<[reason: Reason, before: Before, change: Partial<HashedFile>, isStale: boolean]>([
  ['new', 'none', {}, false],
  ['unchanged', {}, {}, false],
  ['exists', { sha256: otherBytes }, {}, false],
  ['already there', 'not recorded', {}, false],
  ['already there', {}, {}, false],
  ['already there', { sha256: otherBytes }, {}, true],
  ['already there', { headers: canonicalHeaders(hour) }, {}, true],
  ['already there', { sha256: otherBytes, headers: never }, {}, false],
  ['content', { sha256: otherBytes }, {}, true],
  ['content', { sha256: otherBytes, headers: never }, {}, false],
  ['size', { sha256: otherBytes, size: 11 }, {}, true],
  ['content', { sha256: otherBytes }, fingerprinted, true],
  ['content', 'changed since', {}, true],
  ['etag is no md5', 'not recorded', {}, true],
  ['headers', { headers: canonicalHeaders(hour) }, {}, true],
  ['headers', { headers: never }, {}, false],
  ['headers', { headers: canonicalHeaders(hour) }, fingerprinted, true],
  ['headers unknown', 'changed since', {}, true],
  ['forced', {}, fingerprinted, false],
  ['forced', {}, {}, true],
  ['forced', { headers: never }, { parameters: { CacheControl: 'no-cache' } }, false],
  ['forced', { sha256: otherBytes }, fingerprinted, true],
  ['forced', { headers: canonicalHeaders(hour) }, fingerprinted, true],
  ['forced', 'not recorded', fingerprinted, true],
  // Other gzip of the same file.
  ['content', { sha256: otherBytes, original: 'plain' }, { original: 'plain', ...fingerprinted }, false],
])('%s, before: %j, %j', (reason, before, change, isStale) => {
  const isSkipped = ['unchanged', 'exists', 'already there'].includes(reason)
  const decision: Decision = { file: file('a.js', change), action: isSkipped ? 'skip' : 'upload', reason }
  const isRecorded = before !== 'none' && before !== 'not recorded'
  const known = typeof before === 'string' ? {} : before
  const lastModified = before === 'changed since' ? recordedAt + 1 : recordedAt
  const survey = {
    listing: before === 'none' ? holding() : holding(listed('a.js', { size: known.size ?? 10, lastModified })),
    record: isRecorded ? record(recorded('a.js', known)) : undefined,
  }
  const made = { decisions: [decision], survey, deleted: new Set<string>() }
  expect(staleFiles(made, 'static', 0)).toEqual(isStale ? ['a.js'] : [])
})

test('a deleted file is stale unless its recorded headers keep it out of caches', () => {
  const listing = holding(listed('kept.js'), listed('fresh.html'), listed('unknown.txt'))
  const known = record(
    recorded('kept.js', { headers: canonicalHeaders(year) }),
    recorded('fresh.html', { headers: never }),
  )
  const deleted = new Set(listing.keys())
  const change = { decisions: [], survey: { listing, record: known }, deleted }
  expect(staleFiles(change, 'static', 0)).toEqual(['kept.js', 'unknown.txt'])
})

test.each<[headers: Record<string, unknown>, isKept: boolean]>([
  [{}, true],
  [{ CacheControl: '' }, true],
  [{ CacheControl: 'public' }, true],
  [{ CacheControl: 'public, max-age=31536000, immutable' }, true],
  [{ CacheControl: 'MAX-AGE=60' }, true],
  [{ CacheControl: 'max-age=0' }, false],
  [{ CacheControl: 'max-age=0, s-maxage=60' }, true],
  [{ CacheControl: 'max-age=60, s-maxage=0' }, false],
  [{ CacheControl: 's-maxage="60"' }, true],
  [{ CacheControl: 'max-age=0, stale-while-revalidate=60' }, true],
  [{ CacheControl: 'max-age=x' }, false],
  [{ CacheControl: 'no-cache' }, false],
  [{ CacheControl: 'no-cache, max-age=60' }, false],
  [{ CacheControl: 'no-cache="set-cookie", max-age=60' }, true],
  [{ CacheControl: 'no-store' }, false],
  [{ CacheControl: 'private, max-age=60' }, false],
  [{ Expires: new Date(1) }, true],
  [{ Expires: new Date(0) }, false],
  [{ CacheControl: 'max-age=0', Expires: new Date(1) }, false],
  [{ CacheControl: 'max-age=60', Expires: new Date(0) }, true],
])('%j before: %j', (headers, isKept) => {
  const known = record(recorded('a.js', { sha256: otherBytes, headers: canonicalHeaders(headers) }))
  const decisions: Decision[] = [{ file: file('a.js'), action: 'upload', reason: 'content' }]
  const change = { decisions, survey: { listing: holding(listed('a.js')), record: known }, deleted: new Set<string>() }
  expect(staleFiles(change, 'static', 0).length > 0).toBe(isKept)
})
