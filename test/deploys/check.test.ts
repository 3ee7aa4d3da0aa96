import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DeleteBucketPolicyCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { deployEnv } from '../../fixtures/build/environment.js'
import { type Env, runProcess } from '../../fixtures/build/run-process.js'
import { s3Servers, type TestS3 } from '../../fixtures/s3/index.js'

// The command as scripts see it. test/check causes each fault.

const script = join(import.meta.dirname, '../../dist/cli.js')

for (const { title, available, start } of s3Servers) {
  describe.skipIf(!available)(`static-s3 check on ${title}`, () => {
    let s3: TestS3
    let dir: string
    let bucket: string
    let env: Env

    beforeAll(async () => {
      s3 = await start()
      dir = await mkdtemp(join(tmpdir(), 'static-s3-check-'))
      bucket = await s3.createBucket(undefined, { public: 'static/', cors: '*' })
      env = deployEnv(s3, bucket)
    })
    afterAll(async () => {
      await rm(dir, { recursive: true, force: true })
      await s3.close()
    })

    const run = (words: string, changed: Env = {}) =>
      runProcess([process.execPath, script, ...words.split(' ')], dir, { ...env, ...changed })
    const keys = async () => (await s3.client().send(new ListObjectsV2Command({ Bucket: bucket }))).Contents ?? []

    it('ends with 0 for a good bucket, also for two checks at once, and leaves nothing there', async () => {
      for (const { code, stdout, stderr } of await Promise.all([run('check'), run('check')])) {
        expect(stderr).toBe('')
        expect([code, stdout]).toEqual([0, expect.stringMatching(/✓ fine: \d+ pass/)])
        expect(stdout).toContain('✓ delete a file: nothing of this check stays')
      }
      expect(await keys()).toEqual([])
    })

    it('ends with 1 for a bucket that visitors can not read, names the fault, and leaves nothing there', async () => {
      await s3.client().send(new DeleteBucketPolicyCommand({ Bucket: bucket }))
      const { code, stdout } = await run('check --json')
      const { status, points } = JSON.parse(stdout)
      expect([code, status]).toEqual([1, 'broken'])
      const faults = points.filter(({ verdict }: { verdict: string }) => verdict === 'fail')
      expect(faults.map(({ point, fault }: Record<string, string>) => `${point}: ${fault}`)).toEqual([
        'status: other-status',
      ])
      expect(faults[0].remedy).toContain('put-bucket-policy')
      expect(await keys()).toEqual([])
    })

    it('ends with 1 for a wrong secret key, which no output contains', async () => {
      const { code, stdout, output } = await run('check', { AWS_SECRET_ACCESS_KEY: 'wrong-secret-access-key' })
      expect([code, stdout]).toEqual([1, expect.stringMatching(/✗ credentials: .*SignatureDoesNotMatch/)])
      expect(output).not.toContain('wrong-secret-access-key')
    })

    it('ends with 2 if nothing answers', async () => {
      const { code, stdout } = await run('check', { AWS_S3_ENDPOINT_URL: 'http://127.0.0.1:9' })
      expect([code, stdout]).toEqual([2, expect.stringMatching(/\? endpoint: .*ECONNREFUSED[\s\S]*\? cannot tell/)])
    })
  })
}
