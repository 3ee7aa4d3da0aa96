import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { afterEach, expect, it, vi } from 'vitest'
import { patient } from '../../../fixtures/s3/connection.js'
import { openBucket } from '../../../src/s3/objects/s3-bucket.js'

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

it('a store that is silent is named after 15 seconds, once, and one that answers is not', async () => {
  const sockets: Socket[] = []
  const server = createServer((socket) => sockets.push(socket.on('error', () => {})))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const credentials = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'secret' }
  const address = { bucket: 'b', region: 'us-east-1', endpoint: `http://${host}`, addressingStyle: 'path' as const }
  let now = performance.now()
  vi.spyOn(performance, 'now').mockImplementation(() => now)
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  const connection = await openBucket({ ...address, credentials, concurrency: 4 }, patient)
  const told: string[] = []
  connection.onSilence((whom) => told.push(whom))
  const pass = (seconds: number) => {
    now += seconds * 1000
    vi.advanceTimersByTime(1000)
  }
  pass(60)
  const first = connection.bucket.head('a')
  await once(server, 'connection')
  await once(sockets[0] as Socket, 'data')
  pass(14)
  sockets[0]?.write('HTTP/1.1 200 OK\r\nETag: "a"\r\nContent-Length: 1\r\n\r\n')
  expect(await first).toMatchObject({ etag: 'a' })
  pass(60)
  expect(told).toEqual([])

  const second = connection.bucket.head('b')
  second.catch(() => {})
  await once(sockets[0] as Socket, 'data')
  pass(14)
  expect(told).toEqual([])
  pass(2)
  pass(60)
  expect(told).toEqual([host])
  connection.close()
  server.close()
  for (const socket of sockets) socket.destroy()
})
