import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, createServer as createNetServer, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { bodyOf, md5 } from '../../fixtures/bucket/body-of.js'
import { patient, settingsFor } from '../../fixtures/s3/connection.js'
import type { EmbeddedS3, LoggedRequest } from '../../fixtures/s3/index.js'
import { withConnection } from '../../fixtures/s3/with-connection.js'
import { StaticS3Error } from '../../src/runtime/error.js'
import { openBucket, type S3Connection } from '../../src/s3/objects/s3-bucket.js'

let server: EmbeddedS3
let name: string
let connection: S3Connection
const { sent, refuse } = withConnection((target) => {
  ;({ server, name, connection } = target)
})

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

it('rejects a conditional write whose first answer was lost: what is there is its own', async () => {
  refuse('PutObject', 1, { destroy: 'afterWrite' })
  const write = connection.bucket.put('lock', bodyOf('mine'), { IfNoneMatch: '*' })
  await expect(write).rejects.toMatchObject({ cause: { name: 'PreconditionFailed' } })
  expect(Buffer.from((await connection.bucket.get('lock')) ?? '').toString()).toBe('mine')
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
  // With two sockets and two aside, the fifth would wait for ever.
  for (let n = 0; n < 5; n++) {
    const body = bodyOf('', { size, open: async () => Readable.from([Buffer.alloc(size)]) })
    await expect(connection.bucket.put(`static/${n}`, body, {}, signal)).rejects.toThrow('AccessDenied')
  }
  connection.close()
  deaf.close()
  for (const socket of open) socket.destroy()
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
