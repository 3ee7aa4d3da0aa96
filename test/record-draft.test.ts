import { hash } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ListedObject } from '../src/core/bucket.js'
import type { HashedFile } from '../src/core/hash.js'
import { headersOf } from '../src/core/headers.js'
import { compareKeys } from '../src/core/key-order.js'
import { type Known, plan } from '../src/core/plan.js'
import { decodeRelease, type KnownObject } from '../src/core/record.js'
import { draftRecord } from '../src/core/record-draft.js'
import type { Survey } from '../src/core/survey.js'

const author = { id: 'id', by: 'somebody', commit: undefined, bundler: 'vite 8.3.8' }
const year = { CacheControl: 'max-age=31536000' }
const recordedAt = Date.UTC(2026, 0, 1)
const takenAt = recordedAt + 60_000

const sha256 = (text: string) => hash('sha256', text)
const md5 = (text: string) => hash('md5', text)

const file = (path: string, content: string): HashedFile => ({
  ...{ path, dir: '/dist', key: `static/${path}`, group: 'fingerprinted', parameters: year },
  ...{ size: content.length, md5: md5(content), sha256: sha256(content) },
})

const listed = (path: string, content: string): ListedObject => ({
  ...{ key: `static/${path}`, size: content.length, etag: md5(content), lastModified: recordedAt - 1000 },
})

const recorded = (content: string, release: number): KnownObject => ({
  ...{ sha256: sha256(content), size: content.length, etag: md5(content), headers: headersOf(year) },
  ...{ fingerprinted: true, release },
})

interface Scene {
  /** Contents by path: of the files, of what is in the bucket, as the last record has it, and as this run has written it already. */
  files: Record<string, string>
  there: Record<string, string>
  known?: Record<string, string>
  before?: Record<string, string>
  /** The last release that an object on record was a part of. */
  releaseOf?: (path: string) => number
}

const inOrder = (contents: Record<string, string>) => Object.entries(contents).sort(([a], [b]) => compareKeys(a, b))

function draft({ files, there, known = {}, before = {}, releaseOf = () => 6 }: Scene) {
  const all = inOrder(files).map(([path, content]) => file(path, content))
  const etags = inOrder(before).map(([path, content]): [string, string] => [`static/${path}`, md5(content)])
  const survey: Known & Pick<Survey, 'takenAt'> = {
    listing: inOrder(there).map(([path, content]) => listed(path, content)),
    record: {
      ...{ ...author, id: 'earlier', release: 6, at: new Date(recordedAt), surveyedAt: new Date(recordedAt) },
      ...{ conditionalWrites: true, splitAt: [], writtenAt: recordedAt },
      objects: new Map(inOrder(known).map(([path, content]) => [path, recorded(content, releaseOf(path))])),
    },
    begun: [],
    takenAt,
    written: new Map(etags),
  }
  const { changes } = plan(all, survey, false)
  const written = new Map(etags)
  const made = draftRecord({
    ...{ location: 'static', author, files: all, changes, known: survey, written },
    numbered: { release: 7, conditionalWrites: false },
  })
  return { made, all, written, changed: changes.map((index) => (all[index] as HashedFile).path) }
}

const read = async (bytes: Promise<Buffer>) => decodeRelease('static', await bytes)

describe('a record that is begun before its release is done', () => {
  const contents = fc.dictionary(fc.stringMatching(/^[a-e]$/), fc.constantFrom('one', 'two', 'three'))

  it('has each file once, as it then is in the bucket, and what else the last record knew and is there as it was', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({ files: contents, there: contents, known: contents, more: contents, late: fc.boolean() }),
        async ({ files, there, known, more, late }) => {
          const before = Object.fromEntries(Object.entries(more).filter(([path, content]) => files[path] === content))
          const { made, written, changed } = draft({ files, there, known, before })
          if (late) await turn()
          for (const path of changed) written.set(`static/${path}`, `etag of ${path}`)
          const ours = Object.entries(files).map(([path, content]): [string, KnownObject] => {
            if (changed.includes(path)) return [path, { ...recorded(content, 7), etag: `etag of ${path}` }]
            return [path, { ...recorded(content, 7), ...(before[path] === content ? {} : { kept: true }) }]
          })
          const others = Object.entries(known)
            .filter(([path, content]) => !(path in files) && there[path] === content)
            .map(([path, content]): [string, KnownObject] => [path, { ...recorded(content, 6), kept: true }])
          const { objects, at, ...rest } = await read(made.complete())
          expect(Object.fromEntries(objects)).toEqual(Object.fromEntries([...ours, ...others]))
          expect(rest).toEqual({
            ...{ ...author, release: 7, conditionalWrites: false },
            ...{ surveyedAt: new Date(takenAt), splitAt: [] },
          })
        },
      ),
    )
  })

  it('looks at what doesn’t change while the bucket is waited for, and then at what does', async () => {
    const unchanged = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`kept-${i}.js`, 'the same']))
    const scene = draft({ files: { ...unchanged, 'new.js': 'new' }, there: unchanged, known: unchanged })
    for (let i = 0; i < 5; i++) await turn()
    // From now on, it would be found in vain.
    for (const each of scene.all) each.sha256 = sha256('as it was when the record was completed')
    scene.written.set('static/new.js', 'its etag')
    const record = Object.fromEntries((await read(scene.made.complete())).objects)
    const late = sha256('as it was when the record was completed')
    expect(record['new.js']).toEqual({ ...recorded('new', 7), sha256: late, etag: 'its etag' })
    expect(record['kept-7.js']).toEqual({ ...recorded('the same', 7), kept: true })
    expect(Object.keys(record)).toHaveLength(51)
  })

  it('knows where the listing that comes of it can be split into whole pages', async () => {
    const many = (name: string, count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`${name}${String(i).padStart(5, '0')}`, 'x']))
    const { made, written, changed } = draft({
      files: many('b', 1500),
      there: { ...many('a', 700), ...many('b', 300) },
    })
    for (const path of changed) written.set(`static/${path}`, 'etag')
    // 700 keys of others, then 300 and 1,000 of the 1,500. The last 200 need no page of their own.
    expect((await read(made.complete())).splitAt).toEqual(['static/b00299', 'static/b01299'])
  })

  it('of more earlier objects than a record keeps, it keeps those of the latest releases', async () => {
    const earlier = Object.fromEntries(Array.from({ length: 25_000 }, (_, i) => [`${i}.js`, 'x']))
    const releaseOf = (path: string) => (Number.parseInt(path, 10) % 5 < 2 ? 6 : 5)
    const { made, written } = draft({ files: { new: 'x' }, there: earlier, known: earlier, releaseOf })
    written.set('static/new', 'etag')
    const { objects } = await read(made.complete())
    const releases = [...objects].map(([, object]) => object.release)
    const count = (release: number) => releases.filter((each) => each === release).length
    expect([count(7), count(6), count(5)]).toEqual([1, 10_000, 10_000])
  })
})
