import type { WriteStream } from 'node:tty'
import {
  checkPublicUrl,
  type KnownSettings,
  namesOf,
  readFolders,
  refuseEmptyFolder,
} from '../../folders/read-folders.js'
import { printable } from '../../runtime/printable.js'
import type { Settings } from '../../settings/settings.js'
import { startDeploy } from '../deploy.js'
import type { Logger } from '../logger.js'
import { newTogether, type Part, publishTogether, stopAll, type Together } from '../publish-together.js'

export type { KnownSettings } from '../../folders/read-folders.js'
export { resultsAsJson } from '../../report/result.js'

export interface FoldersInput {
  /** Absolute. */
  dirs: readonly string[]
  /** Completes the settings that a build knows. */
  settingsFor(known: KnownSettings): Promise<Settings>
  logger: Logger
  terminal: WriteStream | undefined
}

/**
 * Uploads finished output folders. All are checked before the first one goes live.
 *
 * @throws StaticS3Error when anything fails
 */
export async function deployFolders({
  dirs,
  settingsFor,
  logger,
  terminal,
}: FoldersInput): Promise<Together['results']> {
  const releases = await readFolders(dirs)
  for (const dir of dirs) refuseEmptyFolder(dir)
  const together = newTogether()
  const parts: Part[] = []
  try {
    for (const release of releases) {
      const settings = await settingsFor(release.known)
      checkPublicUrl(release, settings)
      settings.warnings.push(...release.warnings)
      for (const note of release.notes) logger.info(printable(note))
      const { outputs, notOurs, base, bundler } = release
      const { publishInSteps, stop } = startDeploy(settings)
      const steps = publishInSteps({ outputs, notOurs, base, bundler, together, logger, terminal })
      parts.push({ name: namesOf(release), steps, stop })
    }
    await publishTogether(parts)
    return together.results
  } finally {
    await stopAll(parts)
  }
}
