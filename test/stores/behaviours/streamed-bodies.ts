import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { expect } from 'vitest'
import { behavioursOf, head, keysOf, put, type Reply, raw, read } from '../../../fixtures/s3/behaviour.js'
import type { TestS3 } from '../../../fixtures/s3/index.js'
import { hmac, sha256, signingKey } from '../../../fixtures/s3/signature.js'

const behaviour = behavioursOf('Streamed bodies')

behaviour('a stream without checksums (WHEN_REQUIRED) is an ordinary body', async ({ s3, owner }) => {
  const bucket = await s3.createBucket()
  const body = randomBytes(200_000)
  const stream = Readable.from([body.subarray(0, 70_000), body.subarray(70_000)])
  await put(owner, bucket, 'k', stream, { ContentLength: body.length, ContentEncoding: 'gzip' })
  expect((await read(owner, bucket, 'k')).equals(body)).toBe(true)
  expect((await head(owner, bucket, 'k')).ContentEncoding).toBe('gzip')
})

behaviour('aws-chunked with a trailing checksum, as the SDK streams by default', async ({ s3, owner }) => {
  const bucket = await s3.createBucket()
  const client = s3.client({ requestChecksumCalculation: 'WHEN_SUPPORTED' })
  const body = randomBytes(200_000)
  await put(client, bucket, 'k', Readable.from([body]), { ContentLength: body.length, ContentEncoding: 'gzip' })
  expect((await read(owner, bucket, 'k')).equals(body)).toBe(true)
  expect((await head(owner, bucket, 'k')).ContentEncoding).toBe('gzip')
})

/** A PUT in signed chunks, by hand: no SDK for JavaScript sends any. */
async function signedChunks(
  s3: TestS3,
  bucket: string,
  key: string,
  chunks: string[],
  tampered = false,
): Promise<Reply> {
  const date = new Date().toISOString().replace(/[-:]|\.\d+/g, '')
  const day = date.slice(0, 8)
  const scope = `${day}/${s3.region}/s3/aws4_request`
  const secret = signingKey(s3.credentials.secretAccessKey, day, s3.region)
  const headers: Record<string, string> = {
    'content-encoding': 'aws-chunked',
    host: new URL(s3.endpoint).host,
    'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
    'x-amz-date': date,
    'x-amz-decoded-content-length': String(chunks.join('').length),
  }
  const signed = Object.keys(headers).join(';')
  const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`)
  const canonical = `PUT\n/${bucket}/${key}\n\n${lines.join('')}\n${signed}\n${headers['x-amz-content-sha256']}`
  let signature = hmac(secret, `AWS4-HMAC-SHA256\n${date}\n${scope}\n${sha256(canonical)}`).toString('hex')
  headers.authorization = `AWS4-HMAC-SHA256 Credential=${s3.credentials.accessKeyId}/${scope}, SignedHeaders=${signed}, Signature=${signature}`
  let body = ''
  for (const chunk of [...chunks, '']) {
    const text = `AWS4-HMAC-SHA256-PAYLOAD\n${date}\n${scope}\n${signature}\n${sha256('')}\n${sha256(chunk)}`
    signature = hmac(secret, text).toString('hex')
    const sent = tampered ? chunk.replace('a', 'b') : chunk
    body += `${chunk.length.toString(16)};chunk-signature=${signature}\r\n${sent}\r\n`
  }
  headers['content-length'] = String(body.length)
  return raw(s3, `/${bucket}/${key}`, { method: 'PUT', headers, body })
}

behaviour('aws-chunked in signed chunks', async ({ s3, owner }) => {
  const bucket = await s3.createBucket()
  const chunks = ['a'.repeat(65_536), 'the end']
  expect((await signedChunks(s3, bucket, 'k', chunks)).status).toBe(200)
  expect((await read(owner, bucket, 'k')).toString()).toBe(chunks.join(''))
})

behaviour('aws-chunked leaves no trace in the object', async ({ s3, owner }) => {
  const bucket = await s3.createBucket()
  await signedChunks(s3, bucket, 'k', ['text'])
  expect((await head(owner, bucket, 'k')).ContentEncoding).toBeUndefined()
})

behaviour('a signed chunk that was changed: 403 SignatureDoesNotMatch', async ({ s3, owner }) => {
  const bucket = await s3.createBucket()
  const reply = await signedChunks(s3, bucket, 'k', ['a'.repeat(65_536), 'the end'], true)
  expect(reply.status).toBe(403)
  expect(reply.body).toContain('<Code>SignatureDoesNotMatch</Code>')
  expect(await keysOf(owner, bucket)).toEqual([])
})
