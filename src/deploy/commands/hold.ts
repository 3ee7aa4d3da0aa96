import { type HoldChange, setHold } from '../../release/set-hold.js'
import { stopBySignal } from '../../runtime/stop.js'
import type { Settings } from '../../settings/settings.js'
import { whoDeploys } from '../deployer.js'
import type { Logger } from '../logger.js'

export interface HoldCommandInput {
  settings: Settings
  /** Undefined to end the hold. */
  reason: string | undefined
  logger: Logger
}

/**
 * Begins a hold of a location's deploys, or ends it.
 *
 * @throws StaticS3Error when anything fails
 */
export async function hold({ settings, reason, logger }: HoldCommandInput): Promise<HoldChange> {
  const { openBucket } = await import('../../s3/objects/s3-bucket.js')
  const { bucket, lockChannel, close } = await openBucket(settings)
  const stop = stopBySignal()
  try {
    const deployer = await whoDeploys('static-s3 hold', process.env)
    const onWait = (whom: string) => logger.info(`waiting for ${whom}`)
    return await setHold({ bucket, lockChannel, settings, stop, deployer, reason, warn: logger.warn, onWait })
  } finally {
    close()
    await stop.end()
  }
}
