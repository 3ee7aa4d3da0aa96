import { S3Client } from '@aws-sdk/client-s3'
import mime from 'mime-types'
import { S3SyncClient } from 's3-sync-client'

const [dir, endpoint, bucket, location] = process.argv.slice(2)

const { sync } = new S3SyncClient({ client: new S3Client({ endpoint, forcePathStyle: true }) })
await sync(dir, `s3://${bucket}/${location}`, {
  maxConcurrentTransfers: 50,
  commandInput: ({ Key }) => ({ ContentType: mime.lookup(Key) || 'application/octet-stream' }),
})
