import { randomBytes } from 'node:crypto'
import { request } from 'node:http'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import { behavioursOf, bucketWithPolicy, keysOf, put, raw, read } from '../../../fixtures/s3/behaviour.js'
import { presign } from '../../../fixtures/s3/presign.js'

const behaviour = behavioursOf('Addressing and methods')

behaviour('virtual-host style: the bucket in the host name', async ({ s3, owner }) => {
  const { port } = new URL(s3.endpoint)
  const client = s3.client({ endpoint: `http://${s3.baseDomain}:${port}`, forcePathStyle: false })
  const Bucket = `test-${randomBytes(6).toString('hex')}`
  await client.send(new CreateBucketCommand({ Bucket }))
  await put(client, Bucket, 'dir/a b.txt', 'x')
  expect(await keysOf(client, Bucket)).toEqual(['dir/a b.txt'])
  expect((await read(owner, Bucket, 'dir/a b.txt')).toString()).toBe('x')
})

behaviour('a method that there is none of: 405 MethodNotAllowed', async (world) => {
  const bucket = await bucketWithPolicy(world, ['k'], {})
  const reply = await raw(world.s3, `/${bucket}/k`, { method: 'PATCH' })
  expect(reply.status).toBe(405)
  expect(reply.body).toContain('<Code>MethodNotAllowed</Code>')
})

behaviour('a PUT without a length: 411 MissingContentLength', async ({ s3 }) => {
  const bucket = await s3.createBucket()
  const { pathname, search, hostname, port } = new URL(presign(s3, bucket, 'k', { method: 'PUT' }))
  const status = await new Promise((resolve, reject) => {
    const call = request({ hostname, port, path: pathname + search, method: 'PUT', agent: false }, (message) => {
      message.resume()
      resolve(message.statusCode)
    })
    call.useChunkedEncodingByDefault = false
    call.on('error', reject)
    call.end()
  })
  expect(status).toBe(411)
})
