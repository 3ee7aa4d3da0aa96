import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import { bodyOf } from '../../fixtures/bucket/body-of.js'
import { everyKey } from '../../fixtures/bucket/names.js'
import { patient, settingsFor } from '../../fixtures/s3/connection.js'
import type { EmbeddedS3 } from '../../fixtures/s3/index.js'
import { withConnection } from '../../fixtures/s3/with-connection.js'
import { openBucket, type S3Connection } from '../../src/s3/objects/s3-bucket.js'

let server: EmbeddedS3
let name: string
let connection: S3Connection
const { sent, refuse } = withConnection((target) => {
  ;({ server, name, connection } = target)
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
