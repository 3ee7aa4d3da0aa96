import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { addMd5s } from '../src/core/add-md5s.js'
import type { ListedObject } from '../src/core/bucket.js'
import { fileOf } from '../src/core/built-file.js'
import { StaticS3Error } from '../src/core/error.js'
import type { HashedFile } from '../src/core/hash.js'
import { headersOf } from '../src/core/headers.js'
import type { Rows } from '../src/core/packed.js'
import { type Known, plan } from '../src/core/plan.js'

const hash = (algorithm: string, content: string) => createHash(algorithm).update(content).digest('hex')

const content = 'what is in the file'
const md5 = hash('md5', content)
const other = '2'.repeat(32)

let dir: string
let file: HashedFile

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'static-s3-'))
  const path = 'large.bin'
  await writeFile(join(dir, path), content)
  file = {
    ...{ path, dir, key: `static/${path}`, group: 'asset' },
    ...{ parameters: {}, size: content.length, sha256: hash('sha256', content) },
  }
})
afterEach(() => rm(dir, { recursive: true }))

const listed = (etag: string, size = content.length): ListedObject[] => [
  { key: 'static/large.bin', size, etag, lastModified: 1000 },
]

const known = (more: Partial<Known>): Known => ({
  listing: [],
  record: undefined,
  begun: [],
  written: new Map(),
  ...more,
})

const recordOf = (etag: string): Known['record'] => ({
  ...{ id: 'id', by: 'somebody', commit: undefined, bundler: 'vite', release: 1, splitAt: [], writtenAt: 2000 },
  ...{ at: new Date(2000), surveyedAt: new Date(2000), conditionalWrites: true },
  objects: new Map([
    [
      'large.bin',
      {
        ...{ sha256: hash('sha256', content), size: content.length, etag, headers: headersOf({}) },
        ...{ fingerprinted: false, release: 1 },
      },
    ],
  ]),
})

const decided = (files: Rows<HashedFile>, of: Known) =>
  [...plan(files, of, false).decisions].map(({ action, reason }) => `${action} ${reason}`)

describe('an MD5', () => {
  it.each<[what: string, known: Partial<Known>, decision: string]>([
    ['the same bytes, and no record', { listing: listed(md5) }, 'copy headers unknown'],
    ['other bytes, and no record', { listing: listed(other) }, 'upload content'],
    [
      'the same bytes, begun with the same headers',
      {
        listing: listed(md5),
        begun: [{ id: 'begun', writtenAt: 0, headers: new Map([['large.bin', headersOf({})]]) }],
      },
      'skip resumed',
    ],
    ['a record of another object', { listing: listed(md5), record: recordOf(other) }, 'copy headers unknown'],
    [
      'what somebody else wrote since this run did',
      { listing: listed(other), written: new Map([['static/large.bin', md5]]) },
      'upload content',
    ],
  ])('is added for %s', async (_what, more, decision) => {
    const files = await addMd5s([file], known(more))
    expect([...files]).toEqual([{ ...file, md5 }])
    expect(decided(files, known(more))).toEqual([decision])
  })

  it.each<[what: string, known: Partial<Known>, decision: string]>([
    ['what isn’t there', {}, 'upload new'],
    ['another size', { listing: listed(md5, 5) }, 'upload size'],
    ['an ETag that is none', { listing: listed(`${md5}-2`) }, 'upload etag is no md5'],
    ['what the record knows', { listing: listed(`${md5}-2`), record: recordOf(`${md5}-2`) }, 'skip unchanged'],
    [
      'what this run has written',
      { listing: listed(md5), written: new Map([['static/large.bin', md5]]) },
      'skip resumed',
    ],
    [
      'what this run has written, though somebody began to give it other headers',
      {
        listing: listed(md5),
        written: new Map([['static/large.bin', md5]]),
        begun: [{ id: 'begun', writtenAt: 0, headers: undefined }],
      },
      'copy headers unknown',
    ],
  ])('is not asked for with %s', async (_what, more, decision) => {
    // It would be an error.
    await rm(fileOf(file))
    const files = await addMd5s([file], known(more))
    expect([...files]).toEqual([file])
    expect(decided(files, known(more))).toEqual([decision])
  })

  it('is not made where the deploy is stopped', async () => {
    const size = 20 * 1024 * 1024
    await writeFile(fileOf(file), Buffer.alloc(size))
    const reason = new Error('stopped')
    const adding = addMd5s([{ ...file, size }], known({ listing: listed(md5, size) }), AbortSignal.abort(reason))
    await expect(adding).rejects.toBe(reason)
  })

  it('that is known is not looked for again, and stays', async () => {
    const small = { ...file, dir: 'gone', path: 'small.js', key: 'static/small.js', md5: other }
    const files = await addMd5s(
      [small, file],
      known({ listing: [...listed(md5), { ...small, etag: md5, lastModified: 0 }] }),
    )
    expect([...files]).toEqual([small, { ...file, md5 }])
  })

  it('is added for one file that the record knows, which shows whether ETags are MD5s here', async () => {
    const two = { ...file, path: 'two.bin', key: 'static/two.bin' }
    const fingerprinted: HashedFile = { ...file, path: 'a-1.bin', key: 'static/a-1.bin', group: 'fingerprinted' }
    await writeFile(fileOf(fingerprinted), content)
    const objects = [...(recordOf(md5)?.objects ?? [])]
    const record = { ...recordOf(md5), objects: new Map([...objects, ['two.bin', objects[0]?.[1]]]) } as Known['record']
    const listing = [
      ...listed(md5),
      { ...listed(md5)[0], key: two.key },
      { ...listed(other)[0], key: fingerprinted.key },
    ] as ListedObject[]
    const of = known({ listing, record })
    const all = [file, two, fingerprinted]
    expect(plan(all, of, false)).toMatchObject({ lacksMd5: true, overwritten: [] })
    const files = await addMd5s(all, of)
    expect([...files]).toEqual([{ ...file, md5 }, two, { ...fingerprinted, md5 }])
    expect(plan(files, of, false).overwritten).toEqual([{ ...fingerprinted, md5 }])
  })

  it('is added for the next one where the first one’s ETag is none, and for no large one', async () => {
    const named = (path: string, more: Partial<HashedFile> = {}) => ({
      ...file,
      path,
      key: `static/${path}`,
      ...more,
    })
    const large = named('large.mp4', { size: 90_000_000 })
    const [encrypted, plain, third] = [named('a.bin'), named('b.bin'), named('c.bin')]
    const fingerprinted = named('d-1.bin', { group: 'fingerprinted' })
    for (const each of [encrypted, plain, fingerprinted]) await writeFile(fileOf(each), content)
    const etags = new Map([large, encrypted, plain, third].map(({ path }) => [path, path === 'a.bin' ? other : md5]))
    const [[, object] = []] = recordOf(md5)?.objects ?? []
    const objects = new Map([...etags].map(([path, etag]) => [path, { ...object, etag }]))
    Object.assign(objects.get('large.mp4') ?? {}, { size: large.size })
    const of = known({
      listing: [large, encrypted, plain, third, fingerprinted].map(({ key, path, size }) => ({
        ...{ key, size, lastModified: 1000 },
        etag: etags.get(path) ?? other,
      })),
      record: { ...recordOf(md5), objects } as Known['record'],
    })
    const files = await addMd5s([large, encrypted, plain, third, fingerprinted], of)
    expect([...files].map((each) => each.md5)).toEqual([undefined, md5, md5, undefined, md5])
    expect(plan(files, of, false).overwritten.map(({ path }) => path)).toEqual(['d-1.bin'])
  })

  it('is made of the bytes that are in memory', async () => {
    await rm(fileOf(file))
    const files = await addMd5s([{ ...file, content: Buffer.from(content) }], known({ listing: listed(md5) }))
    expect([...files].map((each) => each.md5)).toEqual([md5])
  })
})

describe.each([
  ['small', content],
  ['large', content.repeat(20_000)],
])('a %s file', (_size, content) => {
  beforeEach(async () => {
    await writeFile(fileOf(file), content)
    file = { ...file, size: content.length, sha256: hash('sha256', content) }
  })

  it.each<[how: string, change: (path: string) => Promise<unknown>, says: string]>([
    ['vanished', (path) => rm(path), 'large.bin vanished after the build'],
    ['became a folder', (path) => rm(path).then(() => mkdir(path)), "large.bin can't be read (EISDIR)"],
    [
      'grew',
      (path) => writeFile(path, `${content} and more`),
      'large.bin changed after it was first read; build again',
    ],
    ['shrank', (path) => writeFile(path, 'what'), 'large.bin changed after it was first read; build again'],
    [
      'has other bytes of the same number',
      (path) => writeFile(path, content.toUpperCase()),
      'large.bin changed after it was first read; build again',
    ],
  ])('that %s since it was first read is an error', async (_how, change, says) => {
    await change(fileOf(file))
    const adding = addMd5s([file], known({ listing: listed(md5, file.size) }))
    await expect(adding).rejects.toThrow(StaticS3Error)
    await expect(adding).rejects.toThrow(says)
  })
})
