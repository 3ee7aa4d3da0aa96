import { expect, it } from 'vitest'
import { bodyOf } from '../../fixtures/bucket/body-of.js'
import { patient, settingsFor } from '../../fixtures/s3/connection.js'
import type { EmbeddedS3 } from '../../fixtures/s3/index.js'
import { withConnection } from '../../fixtures/s3/with-connection.js'
import { openBucket } from '../../src/s3/objects/s3-bucket.js'

let server: EmbeddedS3
let name: string
withConnection((target) => {
  ;({ server, name } = target)
})

it('says who pays and who should own the bucket, not only a write', async () => {
  const objectParameters = { RequestPayer: 'requester', ExpectedBucketOwner: '111122223333', CacheControl: 'no-cache' }
  const { bucket, lockChannel, close } = await openBucket({ ...settingsFor(server, name), objectParameters }, patient)
  await lockChannel.put('lock', bodyOf('x'), {})
  await bucket.list('')
  await bucket.get('lock')
  await bucket.head('lock')
  await bucket.copy('lock', 'lock', {})
  await bucket.tag('lock', { a: 'b' })
  await bucket.delete('lock')
  close()
  const sent = server.server.requests.map(({ operation, headers }) => [
    operation,
    headers['x-amz-request-payer'],
    headers['x-amz-expected-bucket-owner'],
  ])
  expect(new Set(sent.map(([operation]) => operation)).size).toBe(8)
  expect(sent.filter(([, payer, owner]) => payer !== 'requester' || owner !== '111122223333')).toEqual([])
})
