import { type Pruned, type PruneInput, prune } from '../../prune/prune.js'
import type { Settings } from '../../settings/settings.js'
import { whoDeploys } from '../deployer.js'
import type { Logger } from '../logger.js'
import { withConnection } from '../with-connection.js'

export type { Pruned } from '../../prune/prune.js'
export { amountOf, count, pruneResultOf } from '../../report/prune-result.js'

export interface PruneCommandInput extends Pick<PruneInput, 'retention' | 'unreferenced' | 'maxDelete' | 'tag'> {
  settings: Settings
  logger: Logger
}

/**
 * Deletes the files of a location's expired releases.
 *
 * @throws StaticS3Error when anything fails
 */
export function pruneReleases({ settings, logger, ...chosen }: PruneCommandInput): Promise<Pruned> {
  return withConnection(settings, async ({ bucket, lockChannel }, stop) => {
    const deployer = await whoDeploys('static-s3 prune', process.env, settings.preview)
    const onWait = (whom: string) => logger.info(`waiting for ${whom}`)
    const pruned = await prune({ ...chosen, bucket, lockChannel, settings, stop, deployer, warn: logger.warn, onWait })
    for (const warning of pruned.survey.warnings) logger.warn(warning)
    return pruned
  })
}
