import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { expect, it } from 'vitest'
import { bodyOf, md5 } from '../../fixtures/bucket/body-of.js'
import { patient, settingsFor } from '../../fixtures/s3/connection.js'
import type { EmbeddedS3, Fault } from '../../fixtures/s3/index.js'
import { withConnection } from '../../fixtures/s3/with-connection.js'
import { openBucket, type S3Connection } from '../../src/s3/objects/s3-bucket.js'

let server: EmbeddedS3
let name: string
let connection: S3Connection
const { sent, refuse } = withConnection((target) => {
  ;({ server, name, connection } = target)
})

it.each<[string, Fault]>([
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

it.each(['ListObjectsV2', 'GetObject', 'CopyObject'])('tries %s again', async (operation) => {
  const { bucket } = connection
  await bucket.put('static/app.js', bodyOf('x'.repeat(1000)), {})
  refuse(operation, 4, { status: 503, code: 'SlowDown' })
  const all = async () => {
    expect([...(await bucket.list(''))]).toHaveLength(1)
    expect(await bucket.get('static/app.js')).toHaveLength(1000)
    await bucket.copy('static/app.js', 'static/app.js', {})
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
