import { type PrunedPreviews, prunePreviews } from '../../prune/previews.js'
import { StaticS3Error } from '../../runtime/error.js'
import { keptBranches } from '../../settings/checkout.js'
import type { Settings } from '../../settings/settings.js'
import { whoDeploys } from '../deployer.js'
import type { Logger } from '../logger.js'
import { withConnection } from '../with-connection.js'

export type { ExpiredPreview, PrunedPreviews } from '../../prune/previews.js'
export { formatBytes } from '../../report/report.js'

export interface PreviewsCommandInput {
  settings: Settings
  /** How long a preview stays after its last release. */
  days: number
  /** More branches whose newest preview stays, or names of previews. */
  branches: readonly string[]
  maxDelete: number | undefined
  logger: Logger
}

/**
 * Deletes the previews that have expired.
 *
 * @throws StaticS3Error when anything fails, or if the location has no placeholder
 */
export function pruneExpiredPreviews(input: PreviewsCommandInput): Promise<PrunedPreviews> {
  const { settings, days, branches, maxDelete, logger } = input
  const template = settings.preview?.template
  if (template === undefined) {
    throw new StaticS3Error(
      `static-s3: the location is ${JSON.stringify(settings.location)}: --previews needs the location of all previews, such as previews/[branch]`,
    )
  }
  const kept = { days, branches: [...keptBranches(process.env), ...branches] }
  return withConnection(settings, async ({ bucket, lockChannel }, stop) => {
    const deployer = await whoDeploys('static-s3 prune', process.env)
    const onWait = (whom: string) => logger.info(`waiting for ${whom}`)
    const { warn } = logger
    return prunePreviews({ bucket, lockChannel, settings, template, kept, maxDelete, stop, deployer, warn, onWait })
  })
}
