import { type Stop, stopBySignal } from '../runtime/stop.js'
import type { S3Connection } from '../s3/objects/s3-bucket.js'
import type { Settings } from '../settings/settings.js'

/** Opens the bucket for a command's work, and closes it at the work's end or after a signal. */
export async function withConnection<T>(
  settings: Settings,
  work: (connection: S3Connection, stop: Stop) => Promise<T>,
): Promise<T> {
  const stop = stopBySignal()
  // No socket keeps the process alive.
  const keepAlive = setInterval(() => {}, 2 ** 30)
  const { openBucket } = await import('../s3/objects/s3-bucket.js')
  const connection = await openBucket(settings)
  try {
    return await stop.within(work(connection, stop))
  } finally {
    connection.close()
    clearInterval(keepAlive)
    await stop.end()
  }
}
