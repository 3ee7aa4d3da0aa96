import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import { bodyOf } from '../../fixtures/bucket/body-of.js'
import { patient, settingsFor } from '../../fixtures/s3/connection.js'
import { type EmbeddedS3, startEmbedded } from '../../fixtures/s3/index.js'
import { withConnection } from '../../fixtures/s3/with-connection.js'
import { openBucket, type S3Connection } from '../../src/s3/objects/s3-bucket.js'

let server: EmbeddedS3
let name: string
let connection: S3Connection
withConnection((target) => {
  ;({ server, name, connection } = target)
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
    const isAhead = () => expect(Math.abs(bucket.now() - Date.now() - ahead)).toBeLessThan(60_000)
    isAhead()
    await bucket.put('a', bodyOf('a'), {}, new AbortController().signal)
    isAhead()
    expect(Math.abs(bucket.now() - ([...(await bucket.list('a'))][0]?.lastModified ?? 0))).toBeLessThan(60_000)
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
    expect(passed).toBeLessThan(60_000)
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
