import { describe, expect, it } from 'vitest'
import { holding, listed, record, recorded, recordedAt, two } from '../../fixtures/release/plan-scene.js'
import { tooManyDeletions } from '../../src/release/delete-objects.js'
import type { ReleaseRecord } from '../../src/release/records/record.js'
import { deletionsOf, refuseOtherContent } from '../../src/sync/deletions.js'
import { refuseOtherKind } from '../../src/sync/own-location.js'

/** The paths of deleted objects, and the number of others. */
function decide(listing: ReturnType<typeof holding>, known: ReleaseRecord | undefined, more: object = {}) {
  const here = new Set(['here.jpg'])
  const input = { listing, record: known, location: 'static', here, inside: [], isSelected: () => true, ...more }
  const { objects, others } = deletionsOf(input)
  return { gone: objects.map(({ key }) => key), others }
}

describe('deletions', () => {
  const gone = holding(listed('gone.jpg'))

  it('are the recorded objects whose files are gone', () => {
    const listing = holding(listed('here.jpg'), listed('gone.jpg'), listed('a/gone.jpg'))
    const known = record(recorded('here.jpg'), recorded('gone.jpg'), recorded('a/gone.jpg'))
    expect(decide(listing, known)).toEqual({ gone: ['static/gone.jpg', 'static/a/gone.jpg'], others: 0 })
  })

  it.each([
    ['without a record', gone, undefined],
    ['that the record does not know', gone, record()],
    ['that another tool uploaded', gone, record(recorded('gone.jpg', { adopted: true }))],
    ['with other bytes since', holding(listed('gone.jpg', { etag: two })), record(recorded('gone.jpg'))],
    ['of another size', holding(listed('gone.jpg', { size: 11 })), record(recorded('gone.jpg'))],
    [
      'that were written since',
      holding(listed('gone.jpg', { lastModified: recordedAt + 1000 })),
      record(recorded('gone.jpg')),
    ],
  ])('are no objects %s', (_what, listing, known) => {
    expect(decide(listing, known)).toEqual({ gone: [], others: 1 })
  })

  it('are no objects of a location inside', () => {
    const listing = holding(listed('inner/gone.jpg'), listed('inner-other/gone.jpg'))
    const known = record(recorded('inner/gone.jpg'), recorded('inner-other/gone.jpg'))
    expect(decide(listing, known, { inside: ['static/inner'] })).toEqual({
      gone: ['static/inner-other/gone.jpg'],
      others: 0,
    })
  })

  it('are no files that the selection leaves out', () => {
    const isSelected = (path: string) => path.endsWith('.png')
    expect(decide(gone, record(recorded('gone.jpg')), { isSelected })).toEqual({ gone: [], others: 0 })
  })

  it('leave other locations and all records alone, even if a listing has them', () => {
    const keys = ['static-admin/gone.jpg', 'static.jpg', '.static-s3/static/releases/99999998.json.gz', 'gone.jpg']
    const known = record(recorded('gone.jpg'), recorded('-admin/gone.jpg'), recorded('.static-s3/static/x'))
    const listing = holding(...keys.map((key) => listed('', { key })))
    expect(decide(listing, known)).toEqual({ gone: [], others: 0 })
    expect(decide(listing, known, { location: '' }).gone).toEqual(['gone.jpg'])
  })
})

describe('the limit', () => {
  const many = (count: number) => Array.from({ length: count }, (_, n) => listed(`${n}.jpg`))
  const known = (count: number) => record(...many(count).map((_object, n) => recorded(`${n}.jpg`)))
  const problem = (deletions: number, recordedObjects: number, max?: number) =>
    tooManyDeletions(many(deletions), known(recordedObjects), max, 'Check that the folder is complete')

  it.each<[deletions: number, recorded: number, max: number | undefined]>([
    [0, 0, undefined],
    [10, 10, undefined],
    [25, 100, undefined],
    [100, 100, 100],
    [0, 100, 0],
  ])('allows %i of %i with --max-delete %s', (deletions, recordedObjects, max) => {
    expect(problem(deletions, recordedObjects, max)).toBeUndefined()
  })

  it('names the number to allow', () => {
    expect(problem(26, 100)).toMatch(
      /^26 objects .*static\/0\.jpg and 25 more.*limit is 25, a quarter of the recorded objects \(at least 10\)\. .*--max-delete 26$/,
    )
    expect(problem(11, 11)).toContain('limit is 10, a quarter of the recorded objects (at least 10)')
    expect(problem(1, 100, 0)).toContain('limit is --max-delete 0')
  })
})

describe('a location', () => {
  const of = (bundler: string, ...paths: string[]) => ({
    ...record(...paths.map((path) => recorded(path))),
    bundler,
  })
  const check =
    (known: ReleaseRecord | undefined, mayReplaceAll = false) =>
    () =>
      refuseOtherContent({ record: known, location: 'static', here: new Set(['a.jpg']) }, 'media', mayReplaceAll)

  it('takes a folder that shares a file with the last sync, or comes first', () => {
    expect(check(undefined)).not.toThrow()
    expect(check(of('static-s3 sync'))).not.toThrow()
    expect(check(of('static-s3 sync', 'a.jpg', 'b.jpg'))).not.toThrow()
    expect(check(of('static-s3 sync', 'b.jpg'), true)).not.toThrow()
  })

  it('belongs to builds or to syncs', () => {
    for (const bundler of ['vite 8.4.0', 'static-s3 deploy', 'static-s3 syncer']) {
      expect(() => refuseOtherKind('build', 'static', { bundler })).not.toThrow()
      expect(() => refuseOtherKind('sync', 'static', { bundler })).toThrow(
        /^static-s3: static has the release of a build .*static-s3 sync DIR LOCATION.*delete \.static-s3\/static\/releases\/\.$/,
      )
    }
    expect(() => refuseOtherKind('sync', '', { bundler: 'static-s3 sync' })).not.toThrow()
    expect(() => refuseOtherKind('build', '', { bundler: 'static-s3 sync' })).toThrow(
      /^static-s3: the bucket's root has the files of a folder .*AWS_LOCATION.*delete \.static-s3\/releases\/\.$/,
    )
    expect(() => refuseOtherKind('build', '', undefined)).not.toThrow()
  })

  it('refuses another folder', () => {
    expect(check(of('static-s3 sync', 'b.jpg'))).toThrow(/none of its 1 recorded files is in media.*--max-delete 1/s)
  })
})
