import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { settingsFor } from '../../fixtures/s3/connection.js'
import { s3Servers, type TestS3 } from '../../fixtures/s3/index.js'
import type { BucketConfiguration } from '../../src/bucket/configuration.js'
import { openConfiguration } from '../../src/s3/configuration/s3-configuration.js'

const statement = (bucket: string) => ({
  Sid: 'Mine',
  Effect: 'Deny' as const,
  Principal: '*',
  Action: 's3:GetObject',
  Resource: `arn:aws:s3:::${bucket}/secret/*`,
})

for (const { name, title, available, start } of s3Servers) {
  describe.skipIf(!available)(`the configuration of a bucket on ${title}`, () => {
    let s3: TestS3
    const open: (() => void)[] = []
    const configurationOf = (bucket: string, credentials = s3.credentials): BucketConfiguration => {
      const { configuration, close } = openConfiguration({ ...settingsFor(s3, bucket), credentials })
      open.push(close)
      return configuration
    }

    beforeAll(async () => {
      s3 = await start()
    })
    afterAll(async () => {
      for (const close of open) close()
      await s3.close()
    })

    it('of a bucket that does not exist, until it is created', async () => {
      const configuration = configurationOf(`new-${randomBytes(6).toString('hex')}`)
      expect(await configuration.region()).toBeUndefined()
      await configuration.create()
      expect(await configuration.region()).toBe(s3.region)
    })

    it('is empty at first, and comes back as it was written', async () => {
      const bucket = await s3.createBucket()
      const configuration = configurationOf(bucket)
      expect(await configuration.policy()).toBeUndefined()
      expect(await configuration.corsRules()).toEqual([])
      expect(await configuration.lifecycleRules()).toEqual([])

      const policy = { Version: '2012-10-17', Statement: [statement(bucket)] }
      const cors = { ID: 'a', AllowedMethods: ['GET'], AllowedOrigins: ['*'], AllowedHeaders: ['*'], MaxAgeSeconds: 5 }
      const lifecycle = {
        ID: 'b',
        Status: 'Enabled',
        Filter: { Prefix: 'static/' },
        AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 },
      }
      await configuration.putPolicy(policy)
      await configuration.putCorsRules([cors])
      await configuration.putLifecycleRules([lifecycle])
      expect(await configuration.policy()).toEqual(policy)
      expect(await configuration.corsRules()).toEqual([cors])
      expect(await configuration.lifecycleRules()).toEqual([lifecycle])
    })

    it("of somebody else's bucket is refused, with S3's code and the right that it needs", async () => {
      const bucket = await s3.createBucket()
      const configuration = configurationOf(bucket, s3.other)
      await expect(configuration.region()).rejects.toMatchObject({ cause: { name: 'AccessDenied' } })
      await expect(configuration.create()).rejects.toMatchObject({ cause: { name: 'BucketAlreadyExists' } })
      await expect(configuration.policy()).rejects.toThrow(
        `static-s3: GetBucketPolicy of s3://${bucket}: access denied; it needs s3:GetBucketPolicy on arn:aws:s3:::${bucket} (AccessDenied)`,
      )
      await expect(configuration.putLifecycleRules([])).rejects.toThrow(/s3:(Get|Put)LifecycleConfiguration/)
    })

    // Never on Ceph: it takes these requests for the creation of a bucket.
    it.runIf(name === 'embedded')('has an ownership and a public access block', async () => {
      const configuration = configurationOf(await s3.createBucket())
      expect(await configuration.ownership()).toBe('BucketOwnerEnforced')
      await configuration.putOwnership('ObjectWriter')
      expect(await configuration.ownership()).toBe('ObjectWriter')
      const open = {
        BlockPublicAcls: true,
        IgnorePublicAcls: true,
        BlockPublicPolicy: false,
        RestrictPublicBuckets: false,
      }
      await configuration.putPublicAccessBlock(open)
      expect(await configuration.publicAccessBlock()).toEqual(open)
    })
  })
}
