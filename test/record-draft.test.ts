import { hash } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ListedObject } from '../src/core/bucket.js'
import type { DigestedFile } from '../src/core/digest.js'
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

const file = (path: string, content: string): DigestedFile => ({
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

/** The contents of files, of what is in the bucket, and of what is there as the last release left it. */
function draft(files: Record<string, string>, there: Record<string, string>, known: Record<string, string>) {
  const inOrder = (contents: Record<string, string>) => Object.entries(contents).sort(([a], [b]) => compareKeys(a, b))
  const all = inOrder(files).map(([path, content]) => file(path, content))
  const written = new Map<string, string>()
  const survey: Known & Pick<Survey, 'takenAt'> = {
    listing: inOrder(there).map(([path, content]) => listed(path, content)),
    record: {
      ...{ ...author, id: 'earlier', release: 6, at: new Date(recordedAt), surveyedAt: new Date(recordedAt) },
      ...{ conditionalWrites: true, splitAt: [], writtenAt: recordedAt },
      objects: new Map(inOrder(known).map(([path, content]) => [path, recorded(content, 6)])),
    },
    begun: [],
    takenAt,
    written,
  }
  const decided = plan(all, survey, false)
  const made = draftRecord({
    ...{ location: 'static', author, files: all, plan: decided, known: survey },
    numbered: { release: 7, conditionalWrites: true },
  })
  return { made, written, changed: decided.changes.map((index) => (all[index] as DigestedFile).path) }
}

async function objectsOf(bytes: Promise<Buffer>): Promise<Record<string, KnownObject>> {
  return Object.fromEntries((await decodeRelease('static', await bytes)).objects)
}

describe('a record that is begun before its release is done', () => {
  const contents = fc.dictionary(fc.stringMatching(/^[a-e]$/), fc.constantFrom('one', 'two', 'three'))

  it('has each file once, as it then is in the bucket, and what else the last record knew and is there as it was', async () => {
    await fc.assert(
      fc.asyncProperty(contents, contents, contents, fc.boolean(), async (files, there, known, late) => {
        const { made, written, changed } = draft(files, there, known)
        // What is written by then, and what only later, makes no difference.
        if (late) await turn()
        for (const path of changed) written.set(`static/${path}`, `etag of ${path}`)
        const ours = Object.entries(files).map(([path, content]): [string, KnownObject] => [
          path,
          changed.includes(path)
            ? { ...recorded(content, 7), etag: `etag of ${path}` }
            : { ...recorded(content, 7), kept: true },
        ])
        const others = Object.entries(known)
          .filter(([path, content]) => !(path in files) && there[path] === content)
          .map(([path, content]): [string, KnownObject] => [path, { ...recorded(content, 6), kept: true }])
        expect(await objectsOf(made.complete())).toEqual(Object.fromEntries([...ours, ...others]))
      }),
    )
  })

  it('looks at what doesn’t change while the bucket is waited for, and then at what does', async () => {
    const unchanged = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`kept-${i}.js`, 'the same']))
    const looked: string[] = []
    const { made, written } = draft({ ...unchanged, 'new.js': 'new' }, unchanged, unchanged)
    written.set('static/new.js', 'its etag')
    written.get = (key) => {
      looked.push(key)
      return Map.prototype.get.call(written, key)
    }
    for (let i = 0; i < 5; i++) await turn()
    expect(looked).toEqual(
      Object.keys(unchanged)
        .sort()
        .map((path) => `static/${path}`),
    )
    const record = await objectsOf(made.complete())
    expect(looked.slice(50)).toEqual(['static/new.js'])
    expect(record['new.js']?.etag).toBe('its etag')
    expect(Object.keys(record)).toHaveLength(51)
  })
})
