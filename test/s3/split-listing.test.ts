import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { DeleteObjectCommand } from '@aws-sdk/client-s3'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { bodyOf, md5 } from '../../fixtures/bucket/body-of.js'
import { everyKey, inUtf8Order, neighbours } from '../../fixtures/bucket/names.js'
import { patience } from '../../fixtures/patience.js'
import { patient, settingsFor } from '../../fixtures/s3/connection.js'
import { type EmbeddedS3, type Fault, type LoggedRequest, startEmbedded } from '../../fixtures/s3/index.js'
import { withConnection } from '../../fixtures/s3/with-connection.js'
import { StaticS3Error } from '../../src/runtime/error.js'
import { openBucket, type S3Connection } from '../../src/s3/objects/s3-bucket.js'

let server: EmbeddedS3
let name: string
let connection: S3Connection
const { sent } = withConnection((target) => {
  ;({ server, name, connection } = target)
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
    [listing(`<IsTruncated>false</IsTruncated><EncodingType>url</EncodingType>${contents('static/%FF')}`), /not S3's/],
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
  })

  const began = ({ query }: LoggedRequest) => query['start-after'] ?? (query['continuation-token'] ? 'token' : 'start')

  /** For the requests behind the first page; `splits[0]` is where that one ends. */
  const behindTheFirstPage = (fault: (start: string) => Fault | undefined) => {
    server.server.intercept = (request) => (began(request) === 'start' ? undefined : fault(began(request)))
  }

  it('takes one request for each thousand, all but the first at the same time', async () => {
    const behind: LoggedRequest[] = []
    server.server.intercept = async (request) => {
      if (began(request) === 'start') return undefined
      expect(sent('ListObjectsV2')[0]?.status).toBe(200)
      behind.push(request)
      // None is answered before all have come.
      await vi.waitFor(() => expect(behind).toHaveLength(splits.length), patience)
      return undefined
    }
    expect(await everyKey(connection.bucket, 'static/', { splitAt })).toEqual(keys)
    const requests = sent('ListObjectsV2')
    expect(requests.map(began).sort()).toEqual(['start', 'token', ...splits.slice(1)].sort())
    expect(requests.every(({ query }) => query.prefix === 'static/')).toBe(true)
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
    await vi.waitFor(() => expect(sent('ListObjectsV2')[0]?.status).toBe(200), patience)
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
      await vi.waitFor(
        () => expect(sent('ListObjectsV2').find((each) => began(each) === 'token')?.status).toBe(200),
        patience,
      )
      const Key = keys[2000] ?? ''
      await server.client().send(new DeleteObjectCommand({ Bucket: name, Key }))
      return undefined
    }
    // Without its first key, the range in the middle sees one of the next.
    await server.client().send(new DeleteObjectCommand({ Bucket: name, Key: keys[1000] ?? '' }))
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
      start === splits[1] ? { status: 403, code: 'AccessDenied', delayMs: 50 } : { delayMs: 600_000 },
    )
    await expect(connection.bucket.list('static/', { splitAt })).rejects.toThrow(/LIST .*\(AccessDenied\)/)
    // The server writes down how long a request took when its connection ends.
    await vi.waitFor(() => expect(sent('ListObjectsV2').every(({ time }) => time > 0)).toBe(true), patience)
    server.server.intercept = undefined
    await sleep(50)
    expect(sent('ListObjectsV2')).toHaveLength(4)
  })

  it('asks for no further page of a range when another one has failed', async () => {
    const [, , last = ''] = splits
    const pages = () => sent('ListObjectsV2').filter((request) => began(request) === 'token').length
    server.server.intercept = async (request) => {
      if (began(request) === 'token') return { delayMs: pages() === 2 ? 200 : 0 }
      if (began(request) !== last) return undefined
      await vi.waitFor(() => expect(pages()).toBe(2), patience)
      return { status: 403, code: 'AccessDenied' }
    }
    const added = Array.from({ length: 1500 }, (_, n) => ({ key: `${splits[0]}-${n}`, body }))
    server.server.seed(name, added)
    await expect(connection.bucket.list('static/', { splitAt: Promise.resolve([last]) })).rejects.toThrow(/Denied/)
    await sleep(400)
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
        return (began(request) === 'start') === (when === 'in the first page') ? { delayMs: 600_000 } : undefined
      }
      server.server.reset()
      const listing = connection.bucket.list('static/', { ...options, signal: stop.signal })
      const stopped = expect(listing, when).rejects.toBe(reason)
      const count = when === 'in the ranges' ? 4 : when === 'page by page' ? 2 : 1
      await vi.waitFor(() => expect(sent('ListObjectsV2').length, when).toBe(count), patience)
      if (when === 'waiting for the splits')
        await vi.waitFor(() => expect(sent('ListObjectsV2')[0]?.time).toBeGreaterThan(0), patience)
      stop.abort(reason)
      await stopped
      await vi.waitFor(() => expect(sent('ListObjectsV2').every(({ time }) => time > 0)).toBe(true), patience)
      await sleep(50)
      expect(sent('ListObjectsV2').length, when).toBe(count)
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
