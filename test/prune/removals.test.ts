import { describe, expect, it } from 'vitest'
import type { ListedObject } from '../../src/bucket/bucket.js'
import {
  addNeeds,
  describedObjects,
  expiredBackups,
  expiredFingerprints,
  inWaves,
  type Needs,
  unrecordedPage,
  unreferencedPages,
} from '../../src/prune/removals.js'
import type { RecordedObject, ReleaseRecord } from '../../src/release/records/record.js'

const sha256 = 'a'.repeat(64)
const base: RecordedObject = {
  ...{ sha256, size: 1, etag: 'e', writtenAt: 5, headers: '{}', fingerprinted: true, release: 1 },
}
const page = { ...base, fingerprinted: false, backup: 'e' }
const listed = (key: string, more: Partial<ListedObject> = {}): ListedObject => ({
  ...{ key, size: 1, etag: 'e', lastModified: 5, ...more },
})
const place = (objects: Record<string, RecordedObject>, listing: ListedObject[], inner: string[] = []) => ({
  location: 'static',
  inner: new Set(inner),
  record: { release: 2, live: 2, objects: new Map(Object.entries(objects)) } as unknown as ReleaseRecord,
  listing: new Map(listing.map((object) => [object.key, object])),
})
const needsOf = (files: Record<string, RecordedObject> = {}, live: Record<string, RecordedObject> = {}): Needs => {
  const needs: Needs = { files: new Set(), liveFiles: new Set(), backups: new Set() }
  addNeeds(needs, new Map(Object.entries(files)), false)
  addNeeds(needs, new Map(Object.entries(live)), true)
  return needs
}
const own = (recorded: RecordedObject) => describedObjects(place({ x: recorded }, [listed('static/x')]))
const other = { ...base, sha256: 'b'.repeat(64) }

describe('an object of the location', () => {
  it.each<[what: string, listing: ListedObject[], inner: string[], found: number]>([
    ['as recorded', [listed('static/x')], [], 1],
    ['that another tool wrote since', [listed('static/x', { lastModified: 6 })], [], 0],
    ['with other bytes', [listed('static/x', { etag: 'f' })], [], 0],
    ['that is gone', [], [], 0],
    ['beside the location', [listed('static-x')], [], 0],
    ['inside another location', [listed('static/x')], ['static/x'], 1],
  ])('%s', (_what, listing, inner, found) => {
    expect(describedObjects(place({ x: base }, listing, inner))).toHaveLength(found)
  })

  it('of a location inside is not described, nor are the records of a location that is the root', () => {
    const objects = { 'admin/x': base, '.static-s3/x': base }
    const keys = [listed('static/admin/x'), listed('static/.static-s3/x')]
    expect(describedObjects(place(objects, keys, ['static/admin'])).map(({ path }) => path)).toEqual(['.static-s3/x'])
    const root = { ...place(objects, [listed('admin/x'), listed('.static-s3/x')]), location: '' }
    expect(describedObjects(root).map(({ path }) => path)).toEqual(['admin/x'])
  })
})

describe('a fingerprinted object', () => {
  it.each<[recorded: RecordedObject, needs: Needs, deleted: number]>([
    [base, needsOf(), 1],
    [{ ...base, adopted: true }, needsOf(), 0],
    [{ ...base, release: 2 }, needsOf(), 0],
    [base, needsOf({ x: base }), 0],
    [base, needsOf({ y: base, x: other }), 1],
    [page, needsOf(), 0],
  ])('%j', (recorded, needs, deleted) => {
    expect(expiredFingerprints(own(recorded), needs, 2)).toHaveLength(deleted)
  })
})

describe('an object without a fingerprint', () => {
  const copies = new Set([sha256])
  it.each<[RecordedObject, Needs, isAsked: boolean, copies: Set<string>, deleted: number, unreferenced: number]>([
    [{ ...page, release: 2 }, needsOf(), true, copies, 0, 0],
    [page, needsOf({}, { x: page }), true, copies, 0, 0],
    [{ ...page, adopted: true }, needsOf(), true, copies, 0, 0],
    [page, needsOf(), false, copies, 0, 1],
    [page, needsOf({ x: page }), true, new Set(), 0, 1],
    [page, needsOf({ x: page }), true, copies, 1, 1],
    [page, needsOf(), true, new Set(), 1, 1],
  ])('%j %j %j', (recorded, needs, isAsked, backups, deleted, unreferenced) => {
    const found = unreferencedPages(own(recorded), needs, 2, isAsked, backups)
    expect(found.objects).toHaveLength(deleted)
    expect(found.unreferenced).toHaveLength(unreferenced)
    expect([...found.standing]).toEqual(deleted === 1 ? [] : [recorded.release])
  })
})

it('a tag, which Ceph counts as a write, makes no page suspicious', () => {
  const found = place({ x: base }, [listed('static/x', { lastModified: 9 })])
  expect(unrecordedPage(found, 6, true)?.key).toBe('static/x')
  const record = { ...found.record, expired: new Map([['static/x', true]]) }
  expect(unrecordedPage({ ...found, record }, 6, true)).toBeUndefined()
  const rewritten = new Map([['static/x', listed('static/x', { lastModified: 9, etag: 'f' })]])
  expect(unrecordedPage({ ...found, record, listing: rewritten }, 6, true)?.key).toBe('static/x')
})

it('a backup goes if neither a kept release nor a remaining object needs it', () => {
  const key = (of: string) => `.static-s3/static/objects/${of}`
  const backups = [listed(key(sha256)), listed(key(other.sha256))]
  const { record } = place({ x: page }, [])
  const gone = own(page)
  expect(expiredBackups(backups, needsOf(), record, [])).toEqual([backups[1]])
  expect(expiredBackups(backups, needsOf(), record, gone)).toEqual(backups)
  expect(expiredBackups(backups, needsOf({ z: page }), record, gone)).toEqual([backups[1]])
})

it('a page goes before the pictures that it shows, and these go before fingerprinted files', () => {
  const objects = { 'app-1.js': base, 'map.svg': page, 'manifest.json': page, 'shop.html': page }
  const listing = Object.keys(objects).map((path) => listed(`static/${path}`))
  const waves = inWaves(describedObjects(place(objects, listing)))
  expect(waves.flat().map(({ path }) => path)).toEqual(['shop.html', 'manifest.json', 'map.svg', 'app-1.js'])
})

it('an object that no record describes may be a page of a deploy without a record', () => {
  const isIt = (
    found: Record<string, RecordedObject>,
    listing: ListedObject[],
    isUnfinished: boolean,
    inner: string[] = [],
  ) => unrecordedPage(place(found, listing, inner), 7, isUnfinished)?.key
  const newer = listed('static/y', { lastModified: 7 })
  expect(isIt({ x: base }, [listed('static/x'), newer], true)).toBe('static/y')
  expect(isIt({ x: base }, [listed('static/x'), newer], false)).toBeUndefined()
  expect(isIt({ x: base }, [listed('static/x'), newer], true, ['static'])).toBeUndefined()
  expect(isIt({}, [listed('static/y', { lastModified: 6 })], true)).toBeUndefined()
  // A page of the live release, of an earlier one, and a script.
  const changed = listed('static/x', { lastModified: 6 })
  expect(isIt({ x: { ...page, release: 2 } }, [changed], false)).toBe('static/x')
  expect(isIt({ x: page }, [changed], false)).toBeUndefined()
  expect(isIt({ x: { ...base, release: 2 } }, [changed], false)).toBeUndefined()
})
