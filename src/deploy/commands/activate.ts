import type { WriteStream } from 'node:tty'
import type { ReleaseRecord } from '../../release/records/record.js'
import { listBackups } from '../../release/records/releases-folder.js'
import { noReleaseYet, type Survey } from '../../release/survey.js'
import {
  isAsRecorded,
  readRelease,
  releaseBefore,
  releasedFiles,
  withFiles,
  withSources,
} from '../../restore/restored-release.js'
import { StaticS3Error } from '../../runtime/error.js'
import { printable, printableTime } from '../../runtime/printable.js'
import type { Settings } from '../../settings/settings.js'
import { type EarlySurvey, startEarlySurvey } from '../early-survey.js'
import type { Logger } from '../logger.js'
import { publishInSteps } from '../publish.js'
import { newTogether, type Together } from '../publish-together.js'
import type { FileSource } from '../read-files.js'

export interface ActivateInput {
  settings: Settings
  /** The number of an earlier or staged release; undefined for the release before the live one. */
  number: number | undefined
  /** Begins a hold, with this reason or one that names the release. */
  hold?: { reason: string | undefined }
  logger: Logger
  terminal: WriteStream | undefined
}

/**
 * Makes an earlier or staged release live, by copies on the server. All else is a deploy: its order, its lock and its record.
 *
 * @throws StaticS3Error when anything fails
 */
export async function activate({
  settings,
  number,
  hold,
  logger,
  terminal,
}: ActivateInput): Promise<Together['results']> {
  const earlySurvey = startEarlySurvey(settings)
  const together = newTogether()
  const source = sourceOf(settings, number, hold, earlySurvey, logger)
  const input = { settings, earlySurvey, source, outputs: [], before: new Map(), notOurs: [], base: '/' }
  try {
    const bundler = `static-s3 ${hold ? 'rollback' : 'activate'}`
    const steps = publishInSteps({ ...input, bundler, logger, terminal, together })
    for await (const _step of steps);
    if (together.results.every(({ status }) => status === 'unchanged')) logger.info('These files are live already.')
    return together.results
  } finally {
    earlySurvey.stop()
  }
}

function sourceOf(
  { location }: Settings,
  number: number | undefined,
  hold: ActivateInput['hold'],
  earlySurvey: EarlySurvey,
  logger: Logger,
): FileSource {
  let found: ReleaseRecord | undefined
  let checked: Survey | undefined
  /** The live release, if a rollback without a number replaces it. */
  let seen: number | undefined
  const recordFound = () => found as ReleaseRecord
  const copies = async (survey: Survey | undefined, signal?: AbortSignal) => {
    const { bucket } = await earlySurvey.connection
    const record = recordFound()
    const backups = await listBackups(bucket, location, signal)
    const there = survey ?? { listing: new Map() }
    const { files, problems } = withSources(releasedFiles(record, location), record, location, there, backups)
    if (problems.length > 0) throw cannotGoLive(record, problems)
    checked = survey
    return files
  }
  return {
    async find(signal) {
      const { bucket } = await earlySurvey.connection
      if (number === undefined) {
        const survey = await earlySurvey.result()
        seen = survey.record?.live
        if (!seen) throw noReleaseYet(location, survey)
        found = await (isAsRecorded(survey, location)
          ? releaseBefore(bucket, location, seen, survey.record?.expired)
          : readRelease(bucket, location, seen, signal))
      } else {
        found = await readRelease(bucket, location, number, signal)
      }
      const { release, at, by, commit } = withFiles(found)
      const parts = [`release ${release} of ${printableTime(at)}`, commit && `commit ${commit.slice(0, 8)}`, by]
      logger.info(printable(parts.filter(Boolean).join(', ')))
      return { files: releasedFiles(found, location), leftOut: [], withheld: [], problems: [], warnings: [] }
    },
    async hash(_found, survey, signal) {
      return { files: await copies(survey, signal), warnings: [], hints: [] }
    },
    // A prune may have come first.
    async check(survey) {
      if (seen !== undefined && survey.record?.live !== seen) {
        throw new StaticS3Error(
          `static-s3: release ${survey.record?.live} went live meanwhile: run it again, or name the release to activate`,
        )
      }
      if (survey !== checked) await copies(survey)
    },
    deployer: (own) => {
      const { commit, project, bundler } = recordFound()
      return { ...own, commit, project, bundler }
    },
    activation() {
      const { release } = recordFound()
      return { of: release, hold: hold && (hold.reason ?? `a rollback to release ${release}`) }
    },
  }
}

/** The most problems to name. */
const mostProblems = 10

function cannotGoLive({ release, commit }: ReleaseRecord, problems: readonly string[]): StaticS3Error {
  const more = problems.length - mostProblems
  const lines = [...problems.slice(0, mostProblems), ...(more > 0 ? [`and ${more} more`] : [])]
  const remedy = `Nothing was changed. Deploy its commit again${commit ? ` (${commit})` : ''}, or choose another release.`
  return new StaticS3Error(
    [`static-s3: release ${release} can't go live`, ...lines.map((line) => `  - ${line}`), remedy].join('\n'),
  )
}
