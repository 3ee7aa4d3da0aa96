import { createHash, hash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, createServer as createNetServer, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { DeleteObjectCommand, HeadObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { memoryBucket } from '../../fixtures/bucket/memory-bucket.js'
import { patient, settingsFor } from '../../fixtures/s3/connection.js'
import {
  type EmbeddedS3,
  type Fault,
  type LoggedRequest,
  s3Servers,
  startEmbedded,
  type TestS3,
} from '../../fixtures/s3/index.js'
import type { Body, Bucket, ListedObject, ListOptions, ObjectParameters, Pieces } from '../../src/bucket/bucket.js'
import { StaticS3Error } from '../../src/runtime/error.js'
import { loadSdk } from '../../src/s3/http/sdk.js'
import { openTransport } from '../../src/s3/http/transport.js'
import { createClient } from '../../src/s3/objects/client.js'
import { headerNames, putObject } from '../../src/s3/objects/put-object.js'
import { openBucket, type S3Connection, type S3Settings } from '../../src/s3/objects/s3-bucket.js'
import { parameterKinds } from '../../src/settings/object-parameters.js'

const md5 = (content: string | Uint8Array) => createHash('md5').update(content).digest('hex')

/** Counts how often it is opened. */
function bodyOf(content: string | Uint8Array, overrides: Partial<Body> = {}): Body & { md5: string; opened: number } {
  const bytes = Buffer.from(content)
  const body = {
    size: bytes.byteLength,
    opened: 0,
    sha256: hash('sha256', bytes),
    open: async (): Promise<Uint8Array | Pieces> => bytes,
    ...overrides,
    md5: md5(bytes),
  }
  const { open } = body
  body.open = () => {
    body.opened++
    return open()
  }
  return body
}

/** `static-admin` begins with `static`, and each of the others breaks some way of writing keys into a URL, XML or a header. */
const neighbours = ['static-admin/app.js', 'static.css', 'statics/app.js', 'other/static/app.js']
const oddNames = [
  'with space.txt',
  'a+b.txt',
  '100%.txt',
  '%2F.txt',
  'a%2Fb%20c.txt',
  'hash#tag.txt',
  'what?.txt',
  'a&b=c;d.txt',
  `quotes'".txt`,
  '<angle>.txt',
  "(brackets)[]{}!*'~.txt",
  'back\\slash.txt',
  'comma,colon:.txt',
  'dollar$at@.txt',
  'double//slash.txt',
  'ünïcödé.txt',
  '日本語/ファイル.txt',
  'party-🎉.txt',
  'e\u0301-decomposed.txt',
  '\uff5e-after-the-surrogates-in-utf16.txt',
  '.well-known/security.txt',
  'tab\tand\nline.txt',
  'control-\u0001.txt',
].map((name) => `static/odd/${name}`)

const inUtf8Order = (keys: readonly string[]) =>
  [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))

const everyKey = async (bucket: Bucket, prefix: string, options?: ListOptions) =>
  [...(await bucket.list(prefix, options))].map(({ key }) => key)

/** What holds for reading, on whatever `open` gives: it is asked for a bucket that holds `objects`. */
function readingContract(open: (objects: ReadonlyMap<string, string>) => Promise<Bucket>): void {
  describe('reading', () => {
    const objects = new Map(
      [...neighbours, ...oddNames, 'static/app.js', 'static/empty'].map((key) => [key, `in ${key}`]),
    )
    objects.set('static/empty', '')
    let bucket: Bucket

    beforeAll(async () => {
      bucket = await open(objects)
    })

    it('lists what is below a prefix, and not its neighbours', async () => {
      const below = [...objects.keys()].filter((key) => key.startsWith('static/'))
      expect(await everyKey(bucket, 'static/')).toEqual(inUtf8Order(below))
    })

    it('lists the whole bucket for an empty prefix', async () => {
      expect(await everyKey(bucket, '')).toEqual(inUtf8Order([...objects.keys()]))
    })

    it('lists nothing below a prefix that nothing is below', async () => {
      expect([...(await bucket.list('nothing/'))]).toEqual([])
    })

    it('tells sizes and ETags', async () => {
      const listed = [...(await bucket.list('static/'))]
      expect(listed.find(({ key }) => key === 'static/app.js')).toEqual({
        key: 'static/app.js',
        size: 16,
        etag: md5('in static/app.js'),
        lastModified: expect.any(Number),
      })
      expect(listed.find(({ key }) => key === 'static/empty')).toMatchObject({ size: 0, etag: md5('') })
    })

    it('lists below a prefix with odd characters', async () => {
      const prefix = 'static/odd/日本語/'
      expect(await everyKey(bucket, prefix)).toEqual(['static/odd/日本語/ファイル.txt'])
      expect(await everyKey(bucket, 'static/odd/a%2F')).toEqual(['static/odd/a%2Fb%20c.txt'])
      expect(await everyKey(bucket, 'static/odd/a+')).toEqual(['static/odd/a+b.txt'])
    })

    it.each([1, 2, 20, 1000])('lists the first %i, in the same order', async (first) => {
      const all = [...(await bucket.list('static/'))]
      expect([...(await bucket.list('static/', { first }))]).toEqual(all.slice(0, first))
    })

    it('lists the first of nothing', async () => {
      expect([...(await bucket.list('nothing/', { first: 1 }))]).toEqual([])
    })

    it('lists alike when it is split, although there is nothing to split', async () => {
      const all = [...(await bucket.list('static/'))]
      const splits = ['static/', 'static/app.js', ...inUtf8Order(oddNames)]
      expect([...(await bucket.list('static/', { splitAt: Promise.resolve(splits) }))]).toEqual(all)
    })

    // Vitest fails a run for a rejection that nobody took.
    it('needs no splits for a single page, and does not mind how they end', async () => {
      const never = new Promise<string[]>(() => {})
      expect([...(await bucket.list('static/odd/', { splitAt: never }))]).toHaveLength(oddNames.length)
      const late = sleep(20).then(() => Promise.reject(new Error('no splits')))
      expect([...(await bucket.list('static/odd/', { splitAt: late }))]).toHaveLength(oddNames.length)
      expect([
        ...(await bucket.list('static/', { first: 1, splitAt: Promise.reject(new Error('no splits')) })),
      ]).toHaveLength(1)
      await sleep(40)
    })

    it('tells when they were written, and what time it is there', async () => {
      const listed = [...(await bucket.list(''))]
      const now = bucket.now()
      expect(Math.abs(now - Date.now())).toBeLessThan(5000)
      for (const { key, lastModified = 0 } of listed) expect(Math.abs(now - lastModified), key).toBeLessThan(60_000)
    })

    it.each(['static/app.js', 'static/empty', ...oddNames])('gets %j', async (key) => {
      expect(Buffer.from((await bucket.get(key)) ?? 'undefined').toString()).toBe(objects.get(key))
    })

    it('gets undefined for a key that is not there', async () => {
      expect(await bucket.get('static/nothing.js')).toBeUndefined()
      expect(await bucket.get('stati')).toBeUndefined()
    })

    it('stops when it is aborted', async () => {
      const signal = AbortSignal.abort()
      await expect(bucket.list('', { signal })).rejects.toThrow(StaticS3Error)
      await expect(bucket.get('static/app.js', signal)).rejects.toThrow(StaticS3Error)
    })
  })
}

interface Opened {
  bucket: Bucket
  /** What an object has but its content, past the port. */
  head(key: string): Promise<ObjectParameters>
}

/** What holds for every bucket that can be written: `open` gives an empty one. */
function bucketContract(open: () => Promise<Opened>): void {
  readingContract(async (objects) => {
    const { bucket } = await open()
    await Promise.all([...objects].map(([key, content]) => bucket.put(key, bodyOf(content), {})))
    return bucket
  })

  describe('many objects', () => {
    // In JavaScript's order the emoji would stand before the full-width letter.
    const kinds = ['chunk', '\uff21', '🎉', ' +é', '%2F&']
    const keys = Array.from({ length: 2500 }, (_, n) => `static/${n % 7}/${kinds[n % 5]}-${n}.js`)
    const ordered = inUtf8Order(keys)
    let bucket: Bucket
    let serial: ListedObject[]

    beforeAll(async () => {
      ;({ bucket } = await open())
      await Promise.all([...keys, ...neighbours].map((key) => bucket.put(key, bodyOf('x'), {})))
      serial = [...(await bucket.list('static/'))]
    }, 60_000)

    it('lists over several pages, in the order of UTF-8 bytes', async () => {
      expect(serial.map(({ key }) => key)).toEqual(ordered)
    })

    const every = (count: number, sorted: readonly string[] = ordered) =>
      sorted.filter((_, index) => index % count === count - 1)

    it.each<[what: string, splits: string[]]>([
      ['where the pages end', every(1000)],
      ['in many places', every(60)],
      ['at each odd kind of key', kinds.map((kind) => ordered.filter((key) => key.includes(kind)).at(-3) ?? '').sort()],
      ['in the order of JavaScript', every(60, [...keys].sort())],
      ['at keys that are not there', ['static/1/', 'static/3/\uff20', 'static/3/\u{1f389}', 'static/6/~', 'static/7']],
      [
        'between prefixes',
        ['static-admin/app.js', 'static.css', 'static/', 'static/2/', 'static/5/', 'statics/app.js'],
      ],
      ['beyond the prefix only', ['other/static/app.js', 'static', 'statics/app.js']],
      ['before the first page ends', every(100).slice(0, 5)],
      ['behind the last key', ['static/9', 'static/\u{10ffff}']],
      ['downwards', every(300).reverse()],
      ['twice each', every(300).flatMap((key) => [key, key])],
      [
        'at what no key has',
        ['static/4/\u0000', 'static/4/\u0001', 'static/4/\r\n', 'static/4/\ud800', 'static/4/\uffff'],
      ],
      ['nowhere', []],
    ])('lists alike when it is split %s', async (_what, splits) => {
      expect([...(await bucket.list('static/', { splitAt: Promise.resolve(splits) }))]).toEqual(serial)
    })

    it('lists alike when the splits can not be had, or come late', async () => {
      const rejected = Promise.reject(new Error('no splits'))
      expect([...(await bucket.list('static/', { splitAt: rejected }))]).toEqual(serial)
      const late = sleep(100).then(() => every(500))
      expect([...(await bucket.list('static/', { splitAt: late }))]).toEqual(serial)
    })

    it('lists alike in a part of it, and in the whole bucket', async () => {
      const splitAt = Promise.resolve(every(500))
      for (const prefix of ['', 'stat', 'static', 'static/', 'static/3/', 'static/3/\uff21', 'statics']) {
        expect([...(await bucket.list(prefix, { splitAt }))]).toEqual([...(await bucket.list(prefix))])
      }
    })

    it('lists the first ones', async () => {
      const splitAt = Promise.resolve(every(500))
      for (const first of [1, 999, 1000]) {
        expect([...(await bucket.list('static/', { first, splitAt }))]).toEqual(serial.slice(0, first))
      }
    })

    it('lists what was added and deleted since the splits were known', async () => {
      const splits = every(500)
      const added = splits.flatMap((key) => [`${key}!`, key.slice(0, -1), `${key.slice(0, 9)}\u{1f600}${key}`])
      await Promise.all(added.map((key) => bucket.put(key, bodyOf('new'), {})))
      await bucket.delete(splits.slice(1))
      const listed = [...(await bucket.list('static/', { splitAt: Promise.resolve(splits) }))]
      const expected = [...added, ...keys].filter((key) => !splits.slice(1).includes(key))
      expect(listed.map(({ key }) => key)).toEqual(inUtf8Order(expected))
      expect(listed).toEqual([...(await bucket.list('static/'))])
      await bucket.delete(added)
      await Promise.all(splits.map((key) => bucket.put(key, bodyOf('x'), {})))
    })

    it('deletes over several requests, keys that are not there as well, and nothing else', async () => {
      const doomed = [...keys.slice(0, 1050), ...Array.from({ length: 50 }, (_, n) => `static/missing-${n}`)]
      await bucket.delete(doomed)
      expect(await everyKey(bucket, '')).toEqual(inUtf8Order([...keys.slice(1050), ...neighbours]))
      await bucket.delete(doomed)
      await bucket.delete([])
    })
  })

  describe('writing', () => {
    let bucket: Bucket
    let head: Opened['head']

    beforeAll(async () => {
      ;({ bucket, head } = await open())
    })

    it('stores the headers as they are given, and returns the ETag', async () => {
      const { etag } = await bucket.put('static/app.js', bodyOf('content'), {
        CacheControl: 'public, max-age=31536000, immutable',
        ContentType: 'text/javascript; charset=utf-8',
        ContentEncoding: 'gzip',
        ContentDisposition: 'attachment; filename="app.js"',
        ContentLanguage: 'de',
        Expires: new Date('2031-01-01T00:00:00Z'),
        Metadata: { 'built-by': 'static-s3 1+1' },
      })
      expect(etag).toBe(md5('content'))
      expect(await head('static/app.js')).toMatchObject({
        CacheControl: 'public, max-age=31536000, immutable',
        ContentType: 'text/javascript; charset=utf-8',
        ContentEncoding: 'gzip',
        ContentDisposition: 'attachment; filename="app.js"',
        ContentLanguage: 'de',
        Metadata: { 'built-by': 'static-s3 1+1' },
        ContentLength: 7,
      })
    })

    it('does not let parameters say what is written where', async () => {
      const parameters = {
        Bucket: 'other',
        Key: 'other',
        Body: 'other',
        ContentLength: 1,
        ContentMD5: 'AAAAAAAAAAAAAAAAAAAAAA==',
      }
      await bucket.put('static/own.js', bodyOf('own'), { ...parameters, ChecksumAlgorithm: 'SHA256' })
      expect(Buffer.from((await bucket.get('static/own.js')) ?? '').toString()).toBe('own')
      await bucket.copy('static/own.js', 'static/copied.js', { Bucket: 'other', Key: 'other', CopySource: 'x/y' })
      expect(await bucket.get('other')).toBeUndefined()
      expect(Buffer.from((await bucket.get('static/copied.js')) ?? '').toString()).toBe('own')
    })

    it('stores an empty body, from bytes and from a stream', async () => {
      expect((await bucket.put('static/empty', bodyOf(''), { ContentType: 'text/plain' })).etag).toBe(md5(''))
      const stream = bodyOf('', { open: async () => Readable.from([]) })
      expect((await bucket.put('static/empty-stream', stream, {})).etag).toBe(md5(''))
      expect(await head('static/empty')).toMatchObject({ ContentLength: 0, ContentType: 'text/plain' })
      expect(await head('static/empty-stream')).toMatchObject({ ContentLength: 0 })
    })

    it('stores a stream of 6 MB, with its own content encoding', async () => {
      const bytes = Buffer.alloc(6 * 1024 * 1024, 'static-s3 ')
      const chunks = Array.from({ length: 96 }, (_, n) => bytes.subarray(n * 65536, (n + 1) * 65536))
      const body = bodyOf(bytes, { open: async () => Readable.from(chunks) })
      expect((await bucket.put('static/large.wasm', body, { ContentEncoding: 'br' })).etag).toBe(md5(bytes))
      expect(await head('static/large.wasm')).toMatchObject({ ContentLength: bytes.length, ContentEncoding: 'br' })
      expect(md5((await bucket.get('static/large.wasm')) ?? '')).toBe(md5(bytes))
    })

    it('stores pieces that are there only until the next one is asked for', async () => {
      const memory = Buffer.alloc(256 * 1024)
      const count = 40
      async function* read() {
        for (let n = 1; n <= count; n++) {
          yield memory.fill(n)
          memory.fill(0)
        }
      }
      const open = async () => ({ [Symbol.asyncIterator]: read, destroy() {} })
      const bytes = Buffer.concat(Array.from({ length: count }, (_, n) => Buffer.alloc(memory.length, n + 1)))
      expect((await bucket.put('static/pieces', bodyOf(bytes, { open }), {})).etag).toBe(md5(bytes))
      expect(md5((await bucket.get('static/pieces')) ?? '')).toBe(md5(bytes))
    })

    it('stores a part of a larger buffer', async () => {
      const part = new Uint8Array(Buffer.from('before|part|after').buffer.slice(0)).fill(120).subarray(2, 6)
      await bucket.put('static/part', bodyOf('xxxx', { open: async () => part }), {})
      expect(Buffer.from((await bucket.get('static/part')) ?? '').toString()).toBe('xxxx')
    })

    it('replaces content and headers', async () => {
      await bucket.put('static/twice.js', bodyOf('one'), { CacheControl: 'no-cache', Metadata: { a: '1' } })
      await bucket.put('static/twice.js', bodyOf('two'), { ContentType: 'text/javascript' })
      expect(Buffer.from((await bucket.get('static/twice.js')) ?? '').toString()).toBe('two')
      const { CacheControl, Metadata } = await head('static/twice.js')
      expect({ CacheControl, Metadata }).toEqual({ CacheControl: undefined, Metadata: {} })
    })

    it.each([
      ['bytes', async () => Buffer.from('other')],
      ['a stream', async () => Readable.from([Buffer.from('other')])],
    ])('refuses %s with another MD5, and leaves the old object', async (_name, open) => {
      await bucket.put('static/guarded.js', bodyOf('first'), { CacheControl: 'no-cache' })
      const refused = bucket.put('static/guarded.js', bodyOf('wrong', { open }), { CacheControl: 'public' })
      await expect(refused).rejects.toThrow(StaticS3Error)
      expect(Buffer.from((await bucket.get('static/guarded.js')) ?? '').toString()).toBe('first')
      expect(await head('static/guarded.js')).toMatchObject({ CacheControl: 'no-cache' })
    })

    it.each([
      ['shorter bytes', async () => Buffer.from('sho')],
      ['longer bytes', async () => Buffer.from('much longer')],
      ['a shorter stream', async () => Readable.from([Buffer.from('s'), Buffer.from('ho')])],
      ['a longer stream', async () => Readable.from([Buffer.from('exact'), Buffer.from('and more')])],
      ['a stream with a longer end', async () => Readable.from([Buffer.from('ex'), Buffer.from('act and more')])],
    ])('refuses %s than the body says, and leaves the old object', async (_name, open) => {
      await bucket.put('static/grown.js', bodyOf('first'), {})
      const refused = bucket.put('static/grown.js', bodyOf('exact', { open }), {})
      await expect(refused).rejects.toThrow(/changed while it was being uploaded/)
      expect(Buffer.from((await bucket.get('static/grown.js')) ?? '').toString()).toBe('first')
    })

    it('tells of a file that breaks off, and leaves the old object', async () => {
      await bucket.put('static/broken.js', bodyOf('first'), {})
      const broken = () =>
        new Readable({
          read() {
            this.push('x')
            this.destroy(Object.assign(new Error('i/o error, read'), { code: 'EIO' }))
          },
        })
      for (const open of [
        async () => broken(),
        async () => Promise.reject(Object.assign(new Error(), { code: 'EIO' })),
      ]) {
        const refused = bucket.put('static/broken.js', bodyOf('second', { open }), {})
        await expect(refused).rejects.toThrow(/can't be read \(EIO\)/)
      }
      expect(Buffer.from((await bucket.get('static/broken.js')) ?? '').toString()).toBe('first')
    })

    it('ends an upload that is aborted, at once, and stores nothing', async () => {
      const stop = new AbortController()
      const open = async () => new Readable({ read() {} })
      const upload = bucket.put('static/endless', bodyOf('never', { open }), {}, stop.signal)
      setTimeout(() => stop.abort(), 50)
      const began = performance.now()
      await expect(upload).rejects.toThrow(StaticS3Error)
      expect(performance.now() - began).toBeLessThan(1000)
      expect(await bucket.get('static/endless')).toBeUndefined()
    })

    it('rejects with the reason of the signal where that can be shown', async () => {
      const reason = new StaticS3Error('the first problem')
      await expect(bucket.put('static/a', bodyOf('a'), {}, AbortSignal.abort(reason))).rejects.toBe(reason)
      await expect(bucket.copy('static/a', 'static/b', {}, AbortSignal.abort(reason))).rejects.toBe(reason)
      await expect(bucket.delete(['static/a'], AbortSignal.abort(reason))).rejects.toBe(reason)
    })

    it('takes one signal for many requests without a warning', async () => {
      const warnings: Error[] = []
      const warn = (warning: Error) => warnings.push(warning)
      process.on('warning', warn)
      const { signal } = new AbortController()
      await Promise.all(Array.from({ length: 40 }, (_, n) => bucket.put(`static/many/${n}`, bodyOf('x'), {}, signal)))
      await new Promise((done) => setTimeout(done, 20))
      process.off('warning', warn)
      expect(warnings).toEqual([])
    })

    it('copies in place: other headers, the same content', async () => {
      const before = { CacheControl: 'no-cache', ContentType: 'text/plain', Metadata: { a: '1' } }
      await bucket.put('static/in place.js', bodyOf('same'), before)
      const { etag } = await bucket.copy('static/in place.js', 'static/in place.js', {
        CacheControl: 'public, max-age=60',
        ContentType: 'text/javascript',
      })
      expect(etag).toBe(md5('same'))
      const { CacheControl, ContentType, Metadata } = await head('static/in place.js')
      expect({ CacheControl, ContentType, Metadata }).toEqual({
        CacheControl: 'public, max-age=60',
        ContentType: 'text/javascript',
        Metadata: {},
      })
      expect(Buffer.from((await bucket.get('static/in place.js')) ?? '').toString()).toBe('same')
    })

    it.each(oddNames)('copies and deletes %j', async (key) => {
      const copied = key.replace('static/', 'copies/')
      await bucket.put(key, bodyOf(key), {})
      expect((await bucket.copy(key, copied, { ContentType: 'text/plain' })).etag).toBe(md5(key))
      expect(Buffer.from((await bucket.get(copied)) ?? '').toString()).toBe(key)
      await bucket.delete([copied])
      expect(await bucket.get(copied)).toBeUndefined()
      expect(await bucket.get(key)).toBeDefined()
    })

    it('creates, and never replaces, with IfNoneMatch: *', async () => {
      const condition = { IfNoneMatch: '*', CacheControl: 'no-cache' }
      expect((await bucket.put('static/once.json', bodyOf('first'), condition)).etag).toBe(md5('first'))
      const second: unknown = await bucket.put('static/once.json', bodyOf('second'), condition).catch((error) => error)
      expect(second).toBeInstanceOf(StaticS3Error)
      expect(second).toMatchObject({ cause: { name: 'PreconditionFailed', status: 412 } })
      expect(Buffer.from((await bucket.get('static/once.json')) ?? '').toString()).toBe('first')
      await bucket.delete(['static/once.json'])
      expect((await bucket.put('static/once.json', bodyOf('third'), condition)).etag).toBe(md5('third'))
    })

    it('lets one of many create an object with IfNoneMatch: *', async () => {
      const bodies = Array.from({ length: 12 }, (_, n) => bodyOf(`by ${n}`))
      const written = await Promise.allSettled(bodies.map((body) => bucket.put('lock', body, { IfNoneMatch: '*' })))
      const winners = bodies.filter((_, n) => written[n]?.status === 'fulfilled').map((body) => body.md5)
      expect(winners).toEqual([md5((await bucket.get('lock')) ?? '')])
    })

    it('tells when an object was written last', async () => {
      const lastModified = async () => [...(await bucket.list('static/dated'))][0]?.lastModified ?? 0
      await bucket.put('static/dated', bodyOf('one'), {})
      const first = await lastModified()
      expect(Math.abs(bucket.now() - first)).toBeLessThan(3000)
      // S3 counts in seconds.
      await sleep(1100)
      await bucket.put('static/dated', bodyOf('one'), {})
      const second = await lastModified()
      expect(second).toBeGreaterThan(first)
      await sleep(1100)
      await bucket.copy('static/dated', 'static/dated', { CacheControl: 'no-cache' })
      expect(await lastModified()).toBeGreaterThan(second)
    })

    it('says of a write the latest time at which a listing may show it', async () => {
      const listed = async (key: string) => (await bucket.list(key)).at(0)?.lastModified ?? 0
      const { writtenAt } = await bucket.put('static/timed', bodyOf('one'), {})
      const first = await listed('static/timed')
      expect(first).toBeLessThanOrEqual(writtenAt)
      expect(writtenAt - first).toBeLessThan(2000)
      await sleep(1100)
      const copied = await bucket.copy('static/timed', 'static/timed', { CacheControl: 'no-cache' })
      expect(await listed('static/timed')).toBeLessThanOrEqual(copied.writtenAt)
    })

    it('shows the parameters of an object as it stands', async () => {
      const parameters = {
        CacheControl: 'public, max-age=31536000, immutable',
        ContentType: 'text/javascript; charset=utf-8',
        ContentEncoding: 'gzip',
        ContentDisposition: 'attachment; filename="app.js"',
        ContentLanguage: 'de',
        Expires: new Date('2031-01-01T00:00:00Z'),
        Metadata: { 'built-by': 'static-s3 1+1' },
      }
      for (const key of ['static/shown.js', ...oddNames]) {
        await bucket.put(key, bodyOf(key), parameters)
        expect(await bucket.head(key), key).toMatchObject({ etag: md5(key), parameters })
      }
      await bucket.copy('static/shown.js', 'static/shown.js', { ContentType: 'text/plain' })
      const { parameters: shown } = (await bucket.head('static/shown.js')) ?? {}
      expect(shown).toMatchObject({ ContentType: 'text/plain' })
      for (const name of ['CacheControl', 'Expires', 'Metadata', 'ContentEncoding'])
        expect(shown).not.toHaveProperty(name)
    })

    it('shows nothing of a key that is not there', async () => {
      expect(await bucket.head('static/never written.js')).toBeUndefined()
      await expect(bucket.head('static/shown.js', AbortSignal.abort())).rejects.toThrow(StaticS3Error)
    })

    it('writes nothing after a check that throws', async () => {
      const lost = new StaticS3Error('the lock is lost')
      let checks = 0
      const lose = () => {
        checks++
        throw lost
      }
      await bucket.put('static/kept.js', bodyOf('kept'), { CacheControl: 'no-cache' })
      await expect(bucket.put('static/kept.js', bodyOf('other'), {}, undefined, lose)).rejects.toBe(lost)
      await expect(bucket.copy('static/kept.js', 'static/kept.js', {}, undefined, lose)).rejects.toBe(lost)
      await expect(bucket.copy('static/kept.js', 'static/copy.js', {}, undefined, lose)).rejects.toBe(lost)
      expect(checks).toBe(3)
      expect(Buffer.from((await bucket.get('static/kept.js')) ?? []).toString()).toBe('kept')
      expect((await bucket.head('static/kept.js'))?.parameters.CacheControl).toBe('no-cache')
      expect(await bucket.get('static/copy.js')).toBeUndefined()
    })

    it('tells that the source of a copy is missing', async () => {
      await expect(bucket.copy('static/nothing', 'static/x', {})).rejects.toThrow(/no such object \(NoSuchKey\)/)
    })
  })
}

describe('bucket in memory', () => {
  bucketContract(async () => {
    const bucket = memoryBucket()
    const head = async (key: string) => {
      const { bytes, parameters } = bucket.objects.get(key) ?? {}
      return { Metadata: {}, ...parameters, ContentLength: bytes?.length }
    }
    return { bucket, head }
  })

  it('has a clock of its own', async () => {
    let time = 1_000_000
    const bucket = memoryBucket({ now: () => time })
    await bucket.put('a', bodyOf('a'), {})
    time += 30_000
    expect(bucket.now()).toBe(1_030_000)
    expect([...(await bucket.list(''))]).toMatchObject([{ lastModified: 1_000_000 }])
    await bucket.copy('a', 'a', {})
    expect([...(await bucket.list(''))]).toMatchObject([{ lastModified: 1_030_000 }])
    bucket.objects.set('b', { bytes: Buffer.from('b'), parameters: {} })
    expect([...(await bucket.list('b'))]).toMatchObject([{ lastModified: undefined }])
  })
})

for (const { title, available, start } of s3Servers) {
  describe.skipIf(!available)(`S3 bucket on ${title}`, () => {
    let server: TestS3
    const connections: S3Connection[] = []

    beforeAll(async () => {
      server = await start()
    }, 120_000)

    afterAll(async () => {
      for (const connection of connections) connection.close()
      await server?.close()
    }, 60_000)

    const open = async (): Promise<Opened> => {
      const name = await server.createBucket()
      const connection = await openBucket(settingsFor(server, name), patient)
      connections.push(connection)
      const client = server.client()
      const head = async (Key: string) => ({ ...(await client.send(new HeadObjectCommand({ Bucket: name, Key }))) })
      return { bucket: connection.bucket, head }
    }

    bucketContract(open)
  })
}

describe('S3 bucket on the wire', () => {
  let server: EmbeddedS3
  let name: string
  let connection: S3Connection

  beforeAll(async () => {
    server = await startEmbedded()
  })

  beforeEach(async () => {
    server.server.intercept = undefined
    name = await server.createBucket()
    connection = await openBucket(settingsFor(server, name), patient)
    server.server.reset()
    return () => connection.close()
  })

  afterAll(() => server.close())

  const sent = (operation: string) => server.server.requests.filter((request) => request.operation === operation)

  /** Refuses the first so many requests of an operation. */
  const refuse = (operation: string, times: number, fault: object) => {
    let left = times
    server.server.intercept = (request) => (request.operation === operation && left-- > 0 ? fault : undefined)
  }

  it('sends length and MD5, no ACL, no checksum of the SDK, nothing chunked', async () => {
    const open = async () => Readable.from([Buffer.from('content')])
    for (const body of [bodyOf('content'), bodyOf('content', { open }), bodyOf('')]) {
      await connection.bucket.put('static/app.js', body, { ContentType: 'text/javascript' })
    }
    const requests = sent('PutObject')
    expect(requests).toHaveLength(3)
    for (const { headers } of requests) {
      expect(headers['content-md5']).toBeDefined()
      expect(headers['content-length']).toMatch(/^[07]$/)
      expect(headers['content-encoding']).toBeUndefined()
      expect(headers['transfer-encoding']).toBeUndefined()
      expect(headers.expect).toBeUndefined()
      const added = Object.keys(headers).filter((header) => /x-amz-(acl|grant|.*checksum|trailer|decoded)/.test(header))
      expect(added).toEqual([])
    }
  })

  describe('of what is small', () => {
    const small = { sha256: createHash('sha256').update('content').digest('hex'), md5: undefined }

    it.each([{}, { ObjectLockMode: 'x' }])('sends the MD5 of what it sends, read once: %j', async (parameters) => {
      const body = { ...bodyOf('content'), ...small }
      let opened = 0
      const open = async () => {
        opened++
        return Buffer.from('content')
      }
      await connection.bucket.put('static/app.js', { ...body, open }, parameters).catch(() => {})
      const [request] = sent('PutObject')
      expect(request?.headers['content-md5']).toBe(Buffer.from(md5('content'), 'hex').toString('base64'))
      expect(opened).toBe(1)
    })

    it('takes damage for no wish for MD5s of what is large', async () => {
      const message = 'The Content-MD5 or checksum value that you specified did not match what the server received.'
      refuse('PutObject', 1, { status: 400, code: 'BadDigest', message })
      await connection.bucket.put('static/app.js', { ...bodyOf('content'), ...small }, {})
      const content = Buffer.alloc(300_000)
      const sha256 = createHash('sha256').update(content).digest('hex')
      const large = { ...bodyOf(content), sha256, md5: undefined }
      await connection.bucket.put('static/app.wasm', { ...large, open: async () => Readable.from([content]) }, {})
      expect(sent('PutObject').map(({ headers }) => headers['content-md5'] !== undefined)).toEqual([true, true, false])
    })
  })

  describe('of what is large', () => {
    const content = Buffer.alloc(300_000, 'large')
    const sha256 = createHash('sha256').update(content).digest('hex')
    /** As uploads have it: without an MD5. */
    const large = (...attempts: Buffer[]) => {
      const body = {
        size: content.length,
        sha256,
        opened: 0,
        open: async () => Readable.from([attempts[body.opened++] ?? content]),
      }
      return body
    }
    const md5Sent = () =>
      sent('PutObject').map(
        ({ headers }) => headers['content-md5'] === Buffer.from(md5(content), 'hex').toString('base64'),
      )
    const isWithout = ({ operation, headers }: LoggedRequest) =>
      operation === 'PutObject' && headers['content-md5'] === undefined

    it('sends the SHA-256 alone, and reads it once', async () => {
      const body = large()
      expect((await connection.bucket.put('static/app.wasm', body, {})).etag).toBe(md5(content))
      expect(body.opened).toBe(1)
      const [request] = sent('PutObject')
      expect(request?.headers['x-amz-content-sha256']).toBe(sha256)
      expect(request?.headers['content-md5']).toBeUndefined()
    })

    it('sends it again where it arrived damaged', async () => {
      const damaged = Buffer.from(content)
      damaged[150_000] = 0
      expect((await connection.bucket.put('static/app.wasm', large(damaged), {})).etag).toBe(md5(content))
      expect(sent('PutObject').map(({ code }) => code)).toEqual(['XAmzContentSHA256Mismatch', undefined])
      expect(md5Sent()).toEqual([false, false])
    })

    it.each(['ObjectLockLegalHoldStatus', 'ObjectLockMode', 'ObjectLockRetainUntilDate'])(
      'sends the MD5 along with %s: Object Lock asks for it',
      async (parameter) => {
        const body = large()
        await connection.bucket.put('static/app.wasm', body, { [parameter]: 'x' }).catch(() => {})
        expect(md5Sent()).toEqual([true])
        expect(body.opened).toBe(2)
        await connection.bucket.put('static/app.wasm', large(), {})
        expect(md5Sent()).toEqual([true, false])
      },
    )

    it.each<[code: string, message: string]>([
      [
        'InvalidRequest',
        'Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters',
      ],
      ['MissingContentMD5', 'Missing required header for this request.'],
    ])('sends the MD5 where the store has asked for it (%s), from then on', async (code, message) => {
      server.server.intercept = (request) => (isWithout(request) ? { status: 400, code, message } : undefined)
      expect((await connection.bucket.put('static/app.wasm', large(), {})).etag).toBe(md5(content))
      expect((await connection.bucket.put('static/other.wasm', large(), {})).etag).toBe(md5(content))
      expect(md5Sent()).toEqual([false, true, true])
    })

    it('sends the MD5 after the connection was cut: that may have been such a refusal', async () => {
      server.server.intercept = (request) => (isWithout(request) ? { destroy: 'midBody' } : undefined)
      expect((await connection.bucket.put('static/app.wasm', large(), {})).etag).toBe(md5(content))
      expect(md5Sent()).toEqual([false, true])
    })

    it('takes no other refusal for that', async () => {
      refuse('PutObject', 99, { status: 400, code: 'InvalidRequest', message: 'no' })
      await expect(connection.bucket.put('static/app.wasm', large(), {})).rejects.toThrow(/InvalidRequest/)
      expect(md5Sent()).toEqual([false])
    })

    it('says what is wrong with a file that can’t be read for its MD5', async () => {
      const open = async () => {
        throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' })
      }
      const put = connection.bucket.put('static/app.wasm', { ...large(), open }, { ObjectLockMode: 'GOVERNANCE' })
      await expect(put).rejects.toThrow(/can't be read \(EIO\)/)
      expect(sent('PutObject')).toEqual([])
    })
  })

  it('sends an ACL that the parameters have', async () => {
    await connection.bucket.put('static/app.js', bodyOf('x'), { ACL: 'private' }).catch(() => {})
    expect(sent('PutObject')[0]?.headers['x-amz-acl']).toBe('private')
  })

  it('replaces tags by a copy only where it has some: stores without tags refuse the header', async () => {
    await connection.bucket.put('static/app.js', bodyOf('x'), { Tagging: 'a=1' })
    await connection.bucket.copy('static/app.js', 'static/app.js', { Tagging: 'b=2' })
    await connection.bucket.copy('static/app.js', 'static/app.js', {})
    const headers = sent('CopyObject').map(({ headers }) => [
      headers['x-amz-tagging-directive'],
      headers['x-amz-tagging'],
    ])
    expect(headers).toEqual([
      ['REPLACE', 'b=2'],
      [undefined, undefined],
    ])
  })

  it('guards DeleteObjects by Content-MD5 alone', async () => {
    await connection.bucket.delete(['a', 'b'])
    const [request] = sent('DeleteObjects')
    expect(request?.headers['content-md5']).toBeDefined()
    expect(Object.keys(request?.headers ?? {}).filter((header) => header.includes('checksum'))).toEqual([])
  })

  it('deletes 1,000 keys a request, each key once', async () => {
    const keys = Array.from({ length: 2001 }, (_, n) => `k${n}`)
    await connection.bucket.delete([...keys, ...keys])
    expect(sent('DeleteObjects')).toHaveLength(3)
  })

  it.each([
    [403, 'AccessDenied'],
    [405, 'MethodNotAllowed'],
    [501, 'NotImplemented'],
  ])('deletes key by key where DeleteObjects is answered by %i %s', async (status, code) => {
    for (const key of ['a', 'b', 'c']) await connection.bucket.put(key, bodyOf('x'), {})
    refuse('DeleteObjects', 1, { status, code })
    await connection.bucket.delete(['a', 'b'])
    expect(sent('DeleteObject').map(({ key }) => key)).toEqual(['a', 'b'])
    expect(await everyKey(connection.bucket, '')).toEqual(['c'])
  })

  it.each([
    ['503 SlowDown', { status: 503, code: 'SlowDown' }],
    ['500', { status: 500 }],
    ['a connection cut before anything', { destroy: 'before' }],
    ['a connection cut in the body', { destroy: 'midBody' }],
    ['a connection cut when it was done', { destroy: 'afterWrite' }],
  ])('opens the body anew after %s', async (_name, fault) => {
    refuse('PutObject', 2, fault)
    const streamed = Buffer.alloc(300_000, 'x')
    const body = bodyOf(streamed, { open: async () => Readable.from([streamed]) })
    expect((await connection.bucket.put('static/app.js', body, {})).etag).toBe(md5(streamed))
    expect(body.opened).toBe(3)
    expect(md5((await connection.bucket.get('static/app.js')) ?? '')).toBe(md5(streamed))
  })

  it.each(['ListObjectsV2', 'GetObject', 'CopyObject', 'DeleteObjects'])('tries %s again', async (operation) => {
    const { bucket } = connection
    await bucket.put('static/app.js', bodyOf('x'.repeat(1000)), {})
    refuse(operation, 4, { status: 503, code: 'SlowDown' })
    const all = async () => {
      expect([...(await bucket.list(''))]).toHaveLength(1)
      expect(await bucket.get('static/app.js')).toHaveLength(1000)
      await bucket.copy('static/app.js', 'static/app.js', {})
      await bucket.delete(['static/app.js'])
    }
    await all()
    expect(sent(operation)).toHaveLength(5)
  })

  it('gets an object anew whose connection was cut in the middle', async () => {
    let cut = 0
    const half = createServer((_request, response) => {
      response.writeHead(200, { 'content-length': 100_000 })
      if (cut++ < 2) response.write('x'.repeat(50_000), () => response.socket?.destroy())
      else response.end('x'.repeat(100_000))
    })
    await new Promise<void>((listening) => half.listen(0, '127.0.0.1', listening))
    const endpoint = `http://127.0.0.1:${(half.address() as AddressInfo).port}`
    const { bucket, close } = await openBucket({ ...settingsFor(server, name), endpoint }, patient)
    expect(await bucket.get('static/app.js')).toHaveLength(100_000)
    expect(cut).toBe(3)
    close()
    half.close()
  })

  it('gives up after five attempts, and says so', async () => {
    refuse('PutObject', 99, { status: 503, code: 'SlowDown' })
    await expect(connection.bucket.put('static/app.js', bodyOf('x'), {})).rejects.toThrow(
      /slow down, after 5 attempts \(SlowDown\)/,
    )
    expect(sent('PutObject')).toHaveLength(5)
  })

  it('does not try again what S3 refuses', async () => {
    refuse('PutObject', 99, { status: 403, code: 'AccessDenied' })
    await expect(connection.bucket.put('static/app.js', bodyOf('x'), {})).rejects.toThrow(/AccessDenied/)
    expect(sent('PutObject')).toHaveLength(1)
  })

  it('hands on a refusal that comes before the stream is read, and lets go of the socket', async () => {
    refuse('PutObject', 99, { status: 403, code: 'AccessDenied' })
    const small = await openBucket({ ...settingsFor(server, name), concurrency: 1 }, patient)
    const streams: Readable[] = []
    const open = async () => {
      const stream = new Readable({ read() {} })
      stream.push(Buffer.alloc(1000))
      stream.push(Buffer.alloc(1000))
      streams.push(stream)
      setTimeout(() => stream.push(null), 3000).unref()
      return stream
    }
    const large = bodyOf('', { size: 1_000_000, open })
    for (let n = 0; n < 2; n++) {
      await expect(small.bucket.put('static/large', large, {})).rejects.toThrow(StaticS3Error)
    }
    expect(streams.every(({ destroyed }) => destroyed)).toBe(true)
    server.server.intercept = undefined
    expect((await small.bucket.put('static/small', bodyOf('x'), {})).etag).toBe(md5('x'))
    small.close()
  })

  it('refuses a listing that is no listing, or does not get on', async () => {
    const listing = (inside: string) => `<ListBucketResult><Name>b</Name>${inside}</ListBucketResult>`
    const contents = (key: string) => `<Contents><Key>${key}</Key><Size>1</Size><ETag>&quot;e&quot;</ETag></Contents>`
    const more = '<IsTruncated>true</IsTruncated><NextContinuationToken>again</NextContinuationToken>'
    const answers: [string, RegExp | string[]][] = [
      ['<html><body>It works!</body></html>', /not S3's/],
      ['', /not S3's/],
      [listing(`${more}${contents('static/a')}`), /not S3's/],
      [listing('<IsTruncated>true</IsTruncated>'), /not S3's/],
      [listing('<IsTruncated>false</IsTruncated>'), []],
      // Another prefix than it was asked for, and an encoding that it doesn't own up to.
      [
        listing(`<IsTruncated>false</IsTruncated>${contents('static-admin/a')}${contents('static/a+b%20c')}`),
        ['static/a+b%20c'],
      ],
      [
        listing(
          `<IsTruncated>false</IsTruncated><EncodingType>url</EncodingType>${contents('static/a+b%2Bc%20d%C3%A9')}`,
        ),
        ['static/a b+c dé'],
      ],
      [
        listing(`<IsTruncated>false</IsTruncated><EncodingType>url</EncodingType>${contents('static/%FF')}`),
        /not S3's/,
      ],
    ]
    let answer = ''
    const strange = createServer((_request, response) => response.end(answer))
    await new Promise<void>((listening) => strange.listen(0, '127.0.0.1', listening))
    const endpoint = `http://127.0.0.1:${(strange.address() as AddressInfo).port}`
    const { bucket, close } = await openBucket({ ...settingsFor(server, name), endpoint }, patient)
    for (const [text, expected] of answers) {
      answer = text
      if (expected instanceof RegExp) await expect(bucket.list('static/')).rejects.toThrow(expected)
      else expect(await everyKey(bucket, 'static/')).toEqual(expected)
    }
    answer = '<html>200 to everything</html>'
    await expect(bucket.put('static/a', bodyOf('x'), {})).rejects.toThrow(/not S3's/)
    await expect(bucket.copy('static/a', 'static/a', {})).rejects.toThrow(StaticS3Error)
    close()
    strange.close()
  })

  describe('a split listing', () => {
    const keys = Array.from({ length: 3500 }, (_, n) => `static/assets/chunk-${String(n).padStart(5, '0')}.js`)
    const body = Buffer.from('x')
    const splits = keys.filter((_, n) => n % 1000 === 999)
    const splitAt = Promise.resolve(splits)

    beforeEach(() => {
      server.server.seed(
        name,
        [...keys, ...neighbours].map((key) => ({ key, body })),
      )
      return () => {
        server.server.latencyMs = 0
      }
    })

    const began = ({ query }: LoggedRequest) =>
      query['start-after'] ?? (query['continuation-token'] ? 'token' : 'start')

    /** For the requests behind the first page; `splits[0]` is where that one ends. */
    const behindTheFirstPage = (fault: (start: string) => Fault | undefined) => {
      server.server.intercept = (request) => (began(request) === 'start' ? undefined : fault(began(request)))
    }

    it('takes one request for each thousand, all but the first at the same time', async () => {
      server.server.latencyMs = 100
      expect(await everyKey(connection.bucket, 'static/', { splitAt })).toEqual(keys)
      const requests = sent('ListObjectsV2')
      expect(requests.map(began).sort()).toEqual(['start', 'token', ...splits.slice(1)].sort())
      expect(requests.every(({ query }) => query.prefix === 'static/')).toBe(true)
      const [first, ...rest] = requests.map(({ began, time }) => ({ from: began, to: began + time }))
      expect(Math.min(...rest.map(({ from }) => from))).toBeGreaterThan(first?.to ?? 0)
      expect(Math.max(...rest.map(({ from }) => from))).toBeLessThan(Math.min(...rest.map(({ to }) => to)))
    })

    // Of more than five, pages are kept in another form.
    it.each<[what: string, cut: (n: number) => boolean]>([
      ['without splits', () => false],
      ['split where the pages are', (n) => n % 1000 === 999],
      ['split elsewhere', (n) => n % 1777 === 1500],
    ])('has every object of seven pages, each with all that S3 says of it: %s', async (_what, cut) => {
      const many = Array.from({ length: 6600 }, (_, n) => `many/${String(n).padStart(5, '0')} ü+%.js`)
      server.server.reset()
      server.server.seed(
        name,
        many.map((key, n) => ({ key, body: Buffer.from('x'.repeat(n % 7)) })),
      )
      const objects = await connection.bucket.list('many/', {
        splitAt: Promise.resolve(many.filter((_, n) => cut(n))),
      })
      expect(objects).toHaveLength(many.length)
      expect([...objects].map(({ key }) => key)).toEqual(many)
      for (const n of [0, 999, 1000, 1001, 1500, 1501, 4999, 5000, 6599]) {
        const etag = md5('x'.repeat(n % 7))
        expect(objects.at(n)).toMatchObject({ key: many[n], size: n % 7, etag })
        expect(Math.abs((objects.at(n)?.lastModified ?? 0) - Date.now())).toBeLessThan(600_000)
      }
    })

    it('asks for nothing beyond the prefix', async () => {
      const beyond = Promise.resolve(['other/static/app.js', ...splits, 'statics/app.js', 'zoo'])
      expect(await everyKey(connection.bucket, 'static/', { splitAt: beyond })).toEqual(keys)
      expect(sent('ListObjectsV2').map(began).sort()).toEqual(['start', 'token', ...splits.slice(1)].sort())
    })

    it('asks for the first page before the splits are known, and waits for them only then', async () => {
      let resolve = (_splits: string[]) => {}
      const later = new Promise<string[]>((done) => {
        resolve = done
      })
      const listing = everyKey(connection.bucket, 'static/', { splitAt: later })
      await vi.waitFor(() => expect(sent('ListObjectsV2')[0]?.status).toBe(200))
      await sleep(30)
      expect(sent('ListObjectsV2')).toHaveLength(1)
      resolve(splits)
      expect(await listing).toEqual(keys)
      expect(sent('ListObjectsV2')).toHaveLength(4)
    })

    it('is made page by page without splits', async () => {
      for (const splitting of [() => undefined, async () => [], () => Promise.reject(new Error('none'))]) {
        server.server.reset()
        expect(await everyKey(connection.bucket, 'static/', { splitAt: splitting() })).toEqual(keys)
        expect(sent('ListObjectsV2').map(began)).toEqual(['start', 'token', 'token', 'token'])
      }
    })

    it('asks once for the first ones', async () => {
      expect(await everyKey(connection.bucket, 'static/', { first: 20, splitAt })).toEqual(keys.slice(0, 20))
      expect(sent('ListObjectsV2').map(({ query }) => query['max-keys'])).toEqual(['20'])
    })

    it('goes on in a range that has grown', async () => {
      const added = Array.from({ length: 1500 }, (_, n) => `${splits[1]}-${String(n).padStart(5, '0')}`)
      server.server.seed(
        name,
        added.map((key) => ({ key, body })),
      )
      expect(await everyKey(connection.bucket, 'static/', { splitAt })).toEqual(inUtf8Order([...keys, ...added]))
      expect(sent('ListObjectsV2')).toHaveLength(6)
    })

    it('takes each key from its own range: one that another range still saw may be gone', async () => {
      const [, end = ''] = splits
      server.server.intercept = async (request) => {
        if (began(request) !== end) return undefined
        await vi.waitFor(() => expect(sent('ListObjectsV2').find((each) => began(each) === 'token')?.status).toBe(200))
        const Key = keys[2000] ?? ''
        await server.client().send(new DeleteObjectCommand({ Bucket: name, Key }))
        return undefined
      }
      // Without its first key, the range in the middle sees one of the next.
      await connection.bucket.delete([keys[1000] ?? ''])
      const left = keys.filter((_, n) => n !== 1000 && n !== 2000)
      expect(await everyKey(connection.bucket, 'static/', { splitAt })).toEqual(left)
    })

    it.each([1, 2])('needs no more than %i requests at a time', async (concurrency) => {
      const narrow = await openBucket({ ...settingsFor(server, name), concurrency }, patient)
      let busy = 0
      let busiest = 0
      server.server.intercept = async () => {
        busiest = Math.max(busiest, ++busy)
        await sleep(10)
        busy--
        return undefined
      }
      const many = Promise.resolve(keys.filter((_, n) => n % 100 === 0))
      expect(await everyKey(narrow.bucket, 'static/', { splitAt: many })).toEqual(keys)
      expect(busiest).toBe(concurrency)
      narrow.close()
    })

    it('tries a range again', async () => {
      let left = 4
      behindTheFirstPage(() => (left-- > 0 ? { status: 503, code: 'SlowDown' } : undefined))
      expect(await everyKey(connection.bucket, 'static/', { splitAt })).toEqual(keys)
      expect(sent('ListObjectsV2')).toHaveLength(8)
    })

    it('fails with the first range that fails, and stops the others', async () => {
      behindTheFirstPage((start) =>
        start === splits[1] ? { status: 403, code: 'AccessDenied', delayMs: 50 } : { delayMs: 3000 },
      )
      const began = performance.now()
      await expect(connection.bucket.list('static/', { splitAt })).rejects.toThrow(/LIST .*\(AccessDenied\)/)
      expect(performance.now() - began).toBeLessThan(1000)
      // The server writes down how long a request took when its connection ends.
      await vi.waitFor(() => expect(sent('ListObjectsV2').every(({ time }) => time > 0)).toBe(true))
      server.server.intercept = undefined
      await sleep(50)
      expect(sent('ListObjectsV2')).toHaveLength(4)
    })

    it('asks for no further page of a range when another one has failed', async () => {
      const [, , last = ''] = splits
      const pages = () => sent('ListObjectsV2').filter((request) => began(request) === 'token').length
      server.server.intercept = async (request) => {
        if (began(request) === 'token') return { delayMs: pages() === 2 ? 60 : 0 }
        if (began(request) !== last) return undefined
        await vi.waitFor(() => expect(pages()).toBe(2))
        return { status: 403, code: 'AccessDenied' }
      }
      const added = Array.from({ length: 1500 }, (_, n) => ({ key: `${splits[0]}-${n}`, body }))
      server.server.seed(name, added)
      await expect(connection.bucket.list('static/', { splitAt: Promise.resolve([last]) })).rejects.toThrow(/Denied/)
      await sleep(150)
      expect(pages()).toBe(2)
    })

    it('stops as a whole when it is aborted, at whatever point', async () => {
      const reason = new StaticS3Error('the first problem')
      for (const [when, options] of [
        ['in the first page', { splitAt }],
        ['waiting for the splits', { splitAt: new Promise<string[]>(() => {}) }],
        ['in the ranges', { splitAt }],
        ['page by page', {}],
      ] as const) {
        const stop = new AbortController()
        server.server.intercept = (request) => {
          return (began(request) === 'start') === (when === 'in the first page') ? { delayMs: 3000 } : undefined
        }
        server.server.reset()
        setTimeout(() => stop.abort(reason), 150)
        const start = performance.now()
        await expect(connection.bucket.list('static/', { ...options, signal: stop.signal }), when).rejects.toBe(reason)
        expect(performance.now() - start, when).toBeLessThan(1000)
        const count = when === 'in the ranges' ? 4 : when === 'page by page' ? 2 : 1
        await sleep(50)
        expect(sent('ListObjectsV2').length, when).toBe(count)
        expect(sent('ListObjectsV2').every(({ time }) => time > 0)).toBe(true)
      }
    })

    it('is given up on a store that ignores StartAfter', async () => {
      const other = await startEmbedded({ startAfter: 'ignore' })
      const bucketName = await other.createBucket()
      other.server.seed(
        bucketName,
        keys.map((key) => ({ key, body })),
      )
      const { bucket, close } = await openBucket(settingsFor(other, bucketName), patient)
      other.server.reset()
      expect(await everyKey(bucket, 'static/', { splitAt })).toEqual(keys)
      expect(other.server.requests.slice(4).map(began)).toEqual(['token', 'token', 'token'])
      close()
      await other.close()
    })

    it('is not tried on a store with an order of its own, whose keys are put into S3’s', async () => {
      const pages = [
        ['static/b', 'static/a', 'static/e'],
        ['static/d', 'static/c', 'static/b'],
        ['static/g', 'static/f'],
      ]
      const asked: string[] = []
      const unordered = createServer((request, response) => {
        asked.push(request.url ?? '')
        const page = Number(/continuation-token=(\d)/.exec(request.url ?? '')?.[1] ?? 0)
        const contents = pages[page]?.map((key) => `<Contents><Key>${key}</Key></Contents>`).join('')
        const more = page === 2 ? '' : `<NextContinuationToken>${page + 1}</NextContinuationToken>`
        response.end(`<ListBucketResult><IsTruncated>${more !== ''}</IsTruncated>${more}${contents}</ListBucketResult>`)
      })
      await new Promise<void>((listening) => unordered.listen(0, '127.0.0.1', listening))
      const endpoint = `http://127.0.0.1:${(unordered.address() as AddressInfo).port}`
      const { bucket, close } = await openBucket({ ...settingsFor(server, name), endpoint }, patient)
      const inOrder = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((letter) => `static/${letter}`)
      const at = Promise.resolve(['static/c', 'static/f'])
      expect(await everyKey(bucket, 'static/', { splitAt: at })).toEqual(inOrder)
      expect(asked.filter((url) => url.includes('start-after'))).toEqual([])
      expect(await everyKey(bucket, 'static/', { first: 3 })).toEqual(inOrder.slice(0, 3))
      expect([...(await bucket.list('static/'))][0]?.lastModified).toBeUndefined()
      // Only the second page gives the order away.
      pages[0]?.sort()
      asked.length = 0
      expect(await everyKey(bucket, 'static/', { splitAt: Promise.resolve(['static/f']) })).toEqual(inOrder)
      expect(asked.filter((url) => url.includes('start-after'))).toHaveLength(1)
      close()
      unordered.close()
    })
  })

  describe('the store’s clock', () => {
    it('is read off each answer, refusals too, and the local one stands in until then', async () => {
      const ahead = 600_000
      const other = await startEmbedded({ now: () => new Date(Date.now() + ahead) })
      const bucketName = await other.createBucket()
      const clock = { ...patient, now: () => 12_345 }
      const { bucket, close } = await openBucket(settingsFor(other, bucketName), clock)
      expect(bucket.now()).toBe(12_345)
      await expect(bucket.get('nothing')).resolves.toBeUndefined()
      const isAhead = () => expect(Math.abs(bucket.now() - Date.now() - ahead)).toBeLessThan(2000)
      isAhead()
      await bucket.put('a', bodyOf('a'), {}, new AbortController().signal)
      isAhead()
      expect(Math.abs(bucket.now() - ([...(await bucket.list('a'))][0]?.lastModified ?? 0))).toBeLessThan(2000)
      close()
      await other.close()
    })

    it('goes on between answers, whatever somebody does to the local one', async () => {
      ;[...(await connection.bucket.list(''))]
      const before = connection.bucket.now()
      const local = vi.spyOn(Date, 'now').mockReturnValue(0)
      await sleep(60)
      const passed = connection.bucket.now() - before
      local.mockRestore()
      expect(passed).toBeGreaterThanOrEqual(55)
      expect(passed).toBeLessThan(2000)
    })

    it.each([
      ['a refusal', 403],
      ['an answer under a signal', 200],
    ])('is the last one that was told: %s', async (_what, status) => {
      const dates = ['Wed, 01 Jan 2031 00:00:00 GMT', undefined, 'not a date', 'Tue, 01 Jan 2030 00:00:00 GMT']
      const telling = createServer((_request, response) => {
        const date = dates.shift()
        response.sendDate = false
        response.writeHead(status, date ? { date } : {}).end()
      })
      await new Promise<void>((listening) => telling.listen(0, '127.0.0.1', listening))
      const endpoint = `http://127.0.0.1:${(telling.address() as AddressInfo).port}`
      const clock = { ...patient, now: () => 7 }
      const { bucket, close } = await openBucket({ ...settingsFor(server, name), endpoint }, clock)
      const { signal } = new AbortController()
      const years: number[] = []
      while (dates.length > 0) {
        await bucket.get('a', status === 200 ? signal : undefined).catch(() => {})
        years.push(new Date(bucket.now()).getUTCFullYear())
      }
      expect(years).toEqual([2031, 2031, 2031, 2030])
      close()
      telling.close()
    })

    it('is the local one where the store tells none', async () => {
      const silent = createServer((_request, response) => {
        response.sendDate = false
        response.end('x')
      })
      await new Promise<void>((listening) => silent.listen(0, '127.0.0.1', listening))
      const endpoint = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`
      const clock = { ...patient, now: () => 7 }
      const { bucket, close } = await openBucket({ ...settingsFor(server, name), endpoint }, clock)
      expect(await bucket.get('a')).toHaveLength(1)
      expect(bucket.now()).toBe(7)
      close()
      silent.close()
    })
  })

  it('rejects a conditional write whose first answer was lost: what is there is its own', async () => {
    refuse('PutObject', 1, { destroy: 'afterWrite' })
    const write = connection.bucket.put('lock', bodyOf('mine'), { IfNoneMatch: '*' })
    await expect(write).rejects.toMatchObject({ cause: { name: 'PreconditionFailed' } })
    expect(Buffer.from((await connection.bucket.get('lock')) ?? '').toString()).toBe('mine')
  })

  it('tells which keys could not be deleted, and tries only those again', async () => {
    const asked: string[][] = []
    let code = 'InternalError'
    const failing = createServer((request, response) => {
      let xml = ''
      request.on('data', (chunk) => {
        xml += chunk
      })
      request.on('end', () => {
        asked.push([...xml.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => key ?? ''))
        const error = `<Error><Key>b</Key><Code>${code}</Code><Message>no</Message></Error>`
        response.end(`<DeleteResult>${asked.length === 2 && code === 'InternalError' ? '' : error}</DeleteResult>`)
      })
    })
    await new Promise<void>((listening) => failing.listen(0, '127.0.0.1', listening))
    const endpoint = `http://127.0.0.1:${(failing.address() as AddressInfo).port}`
    const { bucket, close } = await openBucket({ ...settingsFor(server, name), endpoint }, patient)
    await bucket.delete(['a', 'b', 'c'])
    expect(asked).toEqual([['a', 'b', 'c'], ['b']])
    code = 'AccessDenied'
    await expect(bucket.delete(['a', 'b', 'c'])).rejects.toThrow(/DELETE b in .*s3:DeleteObject.*\(AccessDenied\)/)
    expect(asked).toHaveLength(3)
    code = 'NoSuchKey'
    await bucket.delete(['a', 'b', 'c'])
    close()
    failing.close()
  })

  it('takes a copy that failed after its 200 for a failure', async () => {
    await connection.bucket.put('static/app.js', bodyOf('x'), {})
    let asked = 0
    const late = createServer((_request, response) => {
      asked++
      response.end('<?xml version="1.0"?><Error><Code>InternalError</Code><Message>We encountered</Message></Error>')
    })
    await new Promise<void>((listening) => late.listen(0, '127.0.0.1', listening))
    const endpoint = `http://127.0.0.1:${(late.address() as AddressInfo).port}`
    const { bucket, close } = await openBucket({ ...settingsFor(server, name), endpoint }, patient)
    await expect(bucket.copy('static/app.js', 'static/app.js', {})).rejects.toThrow(/InternalError/)
    expect(asked).toBe(5)
    close()
    late.close()
  })

  it.each([
    ['auto', 'plain', undefined, 'https://plain.s3.eu-west-1.amazonaws.com/'],
    ['auto', 'with.dots', undefined, 'https://s3.eu-west-1.amazonaws.com/with.dots/'],
    ['path', 'plain', undefined, 'https://s3.eu-west-1.amazonaws.com/plain/'],
    ['virtual', 'plain', undefined, 'https://plain.s3.eu-west-1.amazonaws.com/'],
    ['auto', 'plain', 'https://minio.test', 'https://minio.test/plain/'],
    ['auto', 'plain', 'http://minio.test:9000/storage/', 'http://minio.test:9000/storage/plain/'],
    ['virtual', 'plain', 'https://minio.test', 'https://plain.minio.test/'],
    ['virtual', 'plain', 'https://minio.test:9000/storage', 'https://plain.minio.test:9000/storage/'],
  ] as const)('addresses the bucket: %s, %s, %s', async (addressingStyle, bucket, endpoint, expected) => {
    vi.stubEnv('AWS_ENDPOINT_URL', 'http://127.0.0.1:1')
    const settings = { ...settingsFor(server, bucket), region: 'eu-west-1', endpoint, addressingStyle }
    const { read, written } = await addressesOf(settings, "static/a b+é'(1).js")
    expect(read).toBe(`${expected}static/a%20b%2B%C3%A9%27%281%29.js eu-west-1`)
    expect(written).toBe(read)
  })

  afterEach(() => {
    vi.unstubAllEnvs()
  })

  const regions =
    'us-east-1 eu-central-2 ap-southeast-7 us-gov-west-1 cn-north-1 eusc-de-east-1 us-iso-east-1 us-isob-east-1 us-isof-south-1 eu-isoe-west-1'
  const variants = regions
    .split(' ')
    .flatMap((region) => [
      { region, fips: 'false', dualStack: 'false' },
      ...(/^cn/.test(region) ? [] : [{ region, fips: 'true', dualStack: 'false' }]),
      ...(/iso/.test(region) ? [] : [{ region, fips: 'false', dualStack: 'true' }]),
      ...(/iso|^cn/.test(region) ? [] : [{ region, fips: 'true', dualStack: 'true' }]),
    ])
  it.each(variants)('reads where the SDK writes: $region, FIPS $fips, dual-stack $dualStack', async (variant) => {
    const { region, fips, dualStack } = variant
    vi.stubEnv('AWS_USE_FIPS_ENDPOINT', fips)
    vi.stubEnv('AWS_USE_DUALSTACK_ENDPOINT', dualStack)
    for (const bucket of ['plain', 'with.dots']) {
      const settings = { ...settingsFor(server, bucket), region, endpoint: undefined, addressingStyle: 'auto' as const }
      const { read, written } = await addressesOf(settings, 'a.js')
      expect(read).toBe(written)
      expect(read).toMatch(new RegExp(`^https://.*${region}.* ${region}$`))
    }
  })

  it.each<[what: string, key: string, parameters: ObjectParameters, content: Buffer | Readable]>([
    ['a file', 'static/app.js', { CacheControl: 'no-cache', ContentType: 'text/javascript' }, Buffer.from('x')],
    ['an empty file', 'static/empty', {}, Buffer.alloc(0)],
    ['a stream', 'static/large', { ContentEncoding: 'gzip' }, Readable.from([Buffer.from('x')])],
    ['an odd key', "static//a b+é'(1)!*%2F.js", {}, Buffer.from('x')],
    [
      'all kinds of parameters',
      'static/a',
      {
        ACL: 'public-read',
        BucketKeyEnabled: true,
        ContentDisposition: 'attachment; filename="a b"',
        ContentLanguage: 'de',
        ExpectedBucketOwner: '111122223333',
        Expires: new Date('2030-12-31T00:00:00Z'),
        GrantFullControl: 'id="x"',
        GrantRead: 'id="x"',
        GrantReadACP: 'id="x"',
        GrantWriteACP: 'id="x"',
        IfMatch: '"etag"',
        IfNoneMatch: '*',
        Metadata: { By: 'ci', empty: '' },
        ObjectLockLegalHoldStatus: 'ON',
        ObjectLockMode: 'GOVERNANCE',
        ObjectLockRetainUntilDate: new Date('2031-01-02T03:04:05.678Z'),
        RequestPayer: 'requester',
        SSEKMSEncryptionContext: 'e30=',
        SSEKMSKeyId: 'key',
        ServerSideEncryption: 'aws:kms',
        StorageClass: 'STANDARD_IA',
        Tagging: 'a=b&c=d',
        WebsiteRedirectLocation: '/other',
      },
      Buffer.from('x'),
    ],
  ])('puts %s as a PutObjectCommand does', async (_what, key, parameters, content) => {
    const size = content instanceof Readable ? 1 : content.length
    const body = bodyOf(content instanceof Readable ? 'x' : content, { size })
    for (const bucket of ['plain', 'with.dots']) {
      const settings = { ...settingsFor(server, bucket), endpoint: undefined, addressingStyle: 'auto' as const }
      const sent: { method: string; path: string; headers: Record<string, string> }[] = []
      const transport = openTransport(settings, Date, {
        ...nowhere,
        async send({ origin, method, path, headers }) {
          // The SDK leaves the content of a stream open, and we never do.
          const others = content instanceof Readable ? /^x-amz-content-sha256/ : /^(?!)/
          const own = Object.entries(headers).filter(
            ([name]) =>
              !/^(amz-sdk-|x-amz-date|x-amz-user-agent|user-agent|authorization)/.test(name) && !others.test(name),
          )
          // `x-id` is for the SDK's own makers: no store reads it.
          const asked = `${origin.host}:${origin.port}${path.replace(/\?x-id=PutObject$/, '')}`
          sent.push({ method, path: asked, headers: Object.fromEntries(own.sort()) })
          throw new Error('far enough')
        },
      })
      const sdk = loadSdk()
      const client = createClient(sdk, settings, transport)
      const ContentMD5 = Buffer.from(body.md5, 'hex').toString('base64')
      const input = { ...parameters, Bucket: bucket, Key: key, Body: content, ContentLength: size, ContentMD5 }
      await expect(client.send(new sdk.PutObjectCommand(input))).rejects.toThrow('far enough')
      await expect(putObject(transport, key, content, body, parameters, undefined)).rejects.toThrow('far enough')
      expect(sent[1]).toEqual(sent[0])
      expect(sent[0]?.headers['content-length']).toBe(`${size}`)
    }
  })

  it('knows the header of each parameter that a setting may have', () => {
    const own = Object.keys(parameterKinds).filter((name) => name !== 'Metadata')
    expect(Object.keys(headerNames)).toEqual([...own, 'IfMatch', 'IfNoneMatch'].sort())
  })

  /** Connections that lead nowhere. */
  const nowhere = { warm() {}, close() {} }

  /** Where a GET and a PUT would go, with the region that they are signed for. */
  async function addressesOf(settings: S3Settings, key: string) {
    const addresses: string[] = []
    const transport = openTransport(settings, Date, {
      ...nowhere,
      async send({ origin, path, headers }) {
        const [, region] = /Credential=[^/]+\/\d+\/([^/]+)\/s3\//.exec(headers.authorization ?? '') ?? []
        const { host, pathname } = new URL(
          `${origin.isSecure ? 'https' : 'http'}://${origin.host}:${origin.port}${path}`,
        )
        addresses.push(`${origin.isSecure ? 'https' : 'http'}://${host}${pathname} ${region}`)
        expect(headers.host).toBe(host)
        throw new Error('far enough')
      },
    })
    const sdk = loadSdk()
    const put = new sdk.PutObjectCommand({ Bucket: settings.bucket, Key: key })
    await expect(transport.send({ method: 'GET', key }, undefined)).rejects.toThrow('far enough')
    await expect(createClient(sdk, settings, transport).send(put)).rejects.toThrow('far enough')
    const [read, written] = addresses
    return { read, written }
  }

  it('frees the socket of a stream that was refused before it was sent', async () => {
    // Says no at once, reads nothing, and leaves the connection open.
    const open = new Set<Socket>()
    const deaf = createNetServer((socket) => {
      open.add(socket)
      socket.on('close', () => open.delete(socket)).on('error', () => {})
      socket.once('data', () => {
        socket.pause()
        const body = '<Error><Code>AccessDenied</Code></Error>'
        socket.write(`HTTP/1.1 403 Forbidden\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
      })
    })
    await once(deaf.listen(0, '127.0.0.1'), 'listening')
    const endpoint = `http://127.0.0.1:${(deaf.address() as AddressInfo).port}`
    const connection = await openBucket({ ...settingsFor(server, name), endpoint, concurrency: 2 }, patient)
    const { signal } = new AbortController()
    const size = 20_000_000
    // With two sockets and four aside, the seventh would wait for ever.
    for (let n = 0; n < 7; n++) {
      const body = bodyOf('', { size, open: async () => Readable.from([Buffer.alloc(size)]) })
      await expect(connection.bucket.put(`static/${n}`, body, {}, signal)).rejects.toThrow('AccessDenied')
    }
    connection.close()
    deaf.close()
    for (const socket of open) socket.destroy()
  })

  it.each([
    '<Error xmlns="x"><Code>InvalidRequest</Code></Error>',
    '<DeleteResult><Error a="b"><Code>InvalidRequest</Code></Error></DeleteResult>',
  ])('takes no error for a deletion: %s', async (answer) => {
    const failing = createServer((_request, response) => response.end(answer))
    await once(failing.listen(0, '127.0.0.1'), 'listening')
    const endpoint = `http://127.0.0.1:${(failing.address() as AddressInfo).port}`
    const { bucket, close } = await openBucket({ ...settingsFor(server, name), endpoint }, patient)
    await expect(bucket.delete(['a', 'b'])).rejects.toThrow('InvalidRequest')
    close()
    failing.close()
  })

  it('opens no more bodies at a time than it has sockets', async () => {
    const narrow = await openBucket({ ...settingsFor(server, name), concurrency: 4 }, patient)
    let open = 0
    let most = 0
    server.server.intercept = async () => ({ delayMs: 5 })
    await Promise.all(
      Array.from({ length: 40 }, async (_, n) => {
        const body = bodyOf('x', {
          open: async () => {
            most = Math.max(most, ++open)
            return Buffer.from('x')
          },
        })
        await narrow.bucket.put(`static/${n}`, body, {})
        open--
      }),
    )
    expect(most).toBeLessThanOrEqual(5)
    narrow.close()
  })

  it('resolves the credentials for a scan, and leaves those of the settings as they are', async () => {
    const { accessKeyId, secretAccessKey } = server.credentials
    const settings = { ...settingsFor(server, name), credentials: { accessKeyId, secretAccessKey } }
    const other = await openBucket(settings)
    expect(await other.credentials()).toEqual({ accessKeyId, secretAccessKey, sessionToken: undefined })
    expect(settings.credentials).toEqual({ accessKeyId, secretAccessKey })
    other.close()
  })
})
