import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { WriteStream } from 'node:tty'
import { downloadTexts } from '../../promote/download.js'
import { asBuilt, asStored, readSourceRelease, type SourceRelease } from '../../promote/source-release.js'
import { StaticS3Error } from '../../runtime/error.js'
import { printable } from '../../runtime/printable.js'
import type { Settings } from '../../settings/settings.js'
import { kindOf } from '../../sync/own-location.js'
import { locationName } from '../../urls/paths.js'
import { publicUrlOf } from '../../urls/public-url.js'
import { startEarlySurvey } from '../early-survey.js'
import type { Logger } from '../logger.js'
import { publishInSteps } from '../publish.js'
import { newTogether, type Together } from '../publish-together.js'
import { type FileSource, hashFound, throwProblems } from '../read-files.js'

export interface PromoteInput {
  /** The settings of both locations. */
  from: Settings
  to: Settings
  logger: Logger
  terminal: WriteStream | undefined
}

/**
 * Copies the newest release of a location to another one on the server. Only files whose URLs change are sent. All else is a deploy: its checks, its
 * order, its lock and its record.
 *
 * @throws StaticS3Error when anything fails
 */
export async function promote({ from, to, logger, terminal }: PromoteInput): Promise<Together['results']> {
  const dir = await mkdtemp(join(tmpdir(), 'static-s3-'))
  const earlySurvey = startEarlySurvey(to)
  const together = newTogether()
  let released: SourceRelease | undefined
  const source: FileSource = {
    async find(signal) {
      const { bucket } = await earlySurvey.connection
      released = await readSourceRelease({ bucket, from, to, dir, signal })
      const { files, record, where, problems } = released
      if (kindOf(record) === 'sync') {
        // A promotion parses the files, which may be anybody's uploads.
        throw new StaticS3Error(
          `static-s3: ${where} has the files of a folder (${record.bundler}), and promote copies builds only: use static-s3 sync DIR LOCATION`,
        )
      }
      throwProblems(problems)
      logger.info(printable(`release ${record.live} of ${where}${record.commit ? `, commit ${record.commit}` : ''}`))
      return { files, leftOut: [], withheld: [], problems: [], warnings: [] }
    },
    async hash(found, survey, signal) {
      const { bucket } = await earlySurvey.connection
      const { files } = released as SourceRelease
      const built = { ...found, files: files.map(asBuilt) }
      // The custom domain may be the new location's alone.
      const fromUrls = [from.publicUrl, publicUrlOf({ ...from, customDomain: undefined })]
      const download = { bucket, signal, concurrency: to.concurrency, fromUrls, toUrl: to.publicUrl }
      const { texts, problems } = await downloadTexts(files, download)
      throwProblems(problems)
      const known = files.filter((file) => !texts.has(file))
      const proved = await hashFound(built, { settings: to, earlySurvey, base: '/' }, survey, { signal, known })
      const byPath = new Map(files.map((file) => [file.path, file]))
      return { ...proved, files: proved.files.map((file) => asStored(file, byPath.get(file.path))) }
    },
    deployer: (own) => ({
      ...own,
      by: `${own.by}, from release ${released?.record.live} of ${locationName(from.location)}`,
      commit: released?.record.commit,
      project: released?.record.project,
      bundler: released?.record.bundler ?? own.bundler,
    }),
  }
  const input = { settings: to, earlySurvey, source, outputs: [], before: new Map(), notOurs: [], base: '/' }
  try {
    const steps = publishInSteps({ ...input, bundler: 'static-s3 promote', logger, terminal, together })
    for await (const _step of steps);
    return together.results
  } finally {
    earlySurvey.stop()
    await rm(dir, { recursive: true, force: true })
  }
}
