import { type HoldChange, setHold } from '../../release/set-hold.js'
import type { Settings } from '../../settings/settings.js'
import { type Author, refuseOtherKind } from '../../sync/own-location.js'
import { whoDeploys } from '../deployer.js'
import type { Logger } from '../logger.js'
import { withConnection } from '../with-connection.js'

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
export function hold({ settings, reason, logger }: HoldCommandInput): Promise<HoldChange> {
  return withConnection(settings, async ({ bucket, lockChannel }, stop) => {
    const bundler = `static-s3 ${reason === undefined ? 'resume' : 'hold'}`
    const deployer = await whoDeploys(bundler, process.env, settings.preview)
    const onWait = (whom: string) => logger.info(`waiting for ${whom}`)
    const checkLast = (last: Author) => refuseOtherKind('build', settings.location, last)
    return setHold({ bucket, lockChannel, settings, stop, deployer, reason, checkLast, warn: logger.warn, onWait })
  })
}
