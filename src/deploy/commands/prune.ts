import type { PrunePlan } from '../../prune/plan-prune.js'
import { type Pruned, type PruneInput, prune } from '../../prune/prune.js'
import type { Settings } from '../../settings/settings.js'
import { invalidate } from '../after-release.js'
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
 * Deletes the files of a location's expired releases. CloudFront may keep them for open tabs, except for unreferenced files.
 *
 * @throws StaticS3Error when anything fails
 */
export function pruneReleases({ settings, logger, ...chosen }: PruneCommandInput): Promise<Pruned> {
  return withConnection(settings, async (connection, stop) => {
    const { bucket, lockChannel } = connection
    const deployer = await whoDeploys('static-s3 prune', process.env, settings.preview)
    const onWait = (whom: string) => logger.info(`waiting for ${whom}`)
    const onDeleted = async ({ survey, objects }: PrunePlan) => {
      const deleted = new Set(objects.flat().map(({ key }) => key))
      const input = { settings, connection, signal: stop.cut, warn: logger.warn }
      const invalidated = await invalidate(input, { decisions: [], survey, deleted })
      for (const { distribution, paths } of invalidated ?? [])
        logger.info(`invalidated in ${distribution}: ${paths.join(' ')}`)
    }
    const pruned = await prune({
      ...{ ...chosen, bucket, lockChannel, settings, stop, deployer, warn: logger.warn, onWait },
      ...(chosen.unreferenced && { onDeleted }),
    })
    for (const warning of pruned.survey.warnings) logger.warn(warning)
    return pruned
  })
}
