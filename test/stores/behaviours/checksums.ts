import { createHash } from 'node:crypto'
import { type ChecksumAlgorithm, GetObjectAttributesCommand, HeadObjectCommand } from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import { answerTo } from '../../../fixtures/s3/answer.js'
import { behavioursOf, keysOf, md5, md5Base64, put, read } from '../../../fixtures/s3/behaviour.js'
import { sha256 } from '../../../fixtures/s3/signature.js'

const behaviour = behavioursOf('Checksums')

// Of '123456789', the check values that the algorithms' definitions give.
const checksums: [ChecksumAlgorithm, string][] = [
  ['CRC32', 'cbf43926'],
  ['CRC32C', 'e3069283'],
  ['CRC64NVME', 'ae8b14860a799888'],
  ['SHA1', createHash('sha1').update('123456789').digest('hex')],
  ['SHA256', sha256('123456789')],
]

for (const [algorithm, digest] of checksums) {
  const value = Buffer.from(digest, 'hex').toString('base64')

  behaviour(`x-amz-checksum-${algorithm.toLowerCase()} is checked`, async ({ s3, owner }) => {
    const bucket = await s3.createBucket()
    await put(owner, bucket, 'k', '123456789', { [`Checksum${algorithm}`]: value })
    const wrong = put(owner, bucket, 'k', '12345678_', { [`Checksum${algorithm}`]: value })
    expect(await answerTo(wrong)).toBe('400 BadDigest')
    expect((await read(owner, bucket, 'k')).toString()).toBe('123456789')
  })

  behaviour(`x-amz-checksum-${algorithm.toLowerCase()} comes back when it is asked for`, async ({ s3, owner }) => {
    const Bucket = await s3.createBucket()
    await put(owner, Bucket, 'k', '123456789', { [`Checksum${algorithm}`]: value })
    const object = await owner.send(new HeadObjectCommand({ Bucket, Key: 'k', ChecksumMode: 'ENABLED' }))
    expect(object[`Checksum${algorithm}` as keyof typeof object]).toBe(value)
  })
}

behaviour('Content-MD5 of other bytes: 400 BadDigest, and nothing is stored', async ({ s3, owner }) => {
  const bucket = await s3.createBucket()
  expect(await answerTo(put(owner, bucket, 'k', 'real', { ContentMD5: md5Base64('other') }))).toBe('400 BadDigest')
  expect(await keysOf(owner, bucket)).toEqual([])
})

behaviour('Content-MD5 that is none: 400 InvalidDigest', async ({ s3, owner }) => {
  const bucket = await s3.createBucket()
  expect(await answerTo(put(owner, bucket, 'k', 'real', { ContentMD5: 'bm9uZQ==' }))).toBe('400 InvalidDigest')
})

behaviour('GetObjectAttributes', async ({ s3, owner }) => {
  const Bucket = await s3.createBucket()
  await put(owner, Bucket, 'k', 'abc')
  const input = { Bucket, Key: 'k', ObjectAttributes: ['ETag' as const, 'ObjectSize' as const] }
  const { ETag, ObjectSize } = await owner.send(new GetObjectAttributesCommand(input))
  expect([ETag?.replaceAll('"', ''), ObjectSize]).toEqual([md5('abc'), 3])
})
