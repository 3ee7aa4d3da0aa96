import { describe, expect, it } from 'vitest'
import { bodyOf } from '../../fixtures/bucket/body-of.js'
import { errorOf } from '../../fixtures/error-of.js'
import { withConnection } from '../../fixtures/s3/with-connection.js'
import type { Bucket } from '../../src/bucket/bucket.js'
import { responseOf } from '../../src/runtime/error.js'

let bucket: Bucket
const { sent, refuse } = withConnection(({ connection }) => {
  bucket = connection.bucket
})

// S3 sends the status before it copies the object.
describe('a copy that fails under status 200', () => {
  it('is sent again', async () => {
    await bucket.put('a', bodyOf('a'), {})
    refuse('CopyObject', 1, { status: 200, code: 'InternalError' })
    await bucket.copy('a', 'b', {})
    expect(sent('CopyObject')).toHaveLength(2)
    expect(Buffer.from((await bucket.get('b')) ?? []).toString()).toBe('a')
  })

  it("fails with S3's code if it fails each time", async () => {
    refuse('CopyObject', 9, { status: 200, code: 'SlowDown' })
    const error = await errorOf(bucket.copy('a', 'b', {}))
    expect(responseOf(error).code).toBe('SlowDown')
    expect(String(error)).toContain('asks to slow down, after 5 attempts')
  })
})
