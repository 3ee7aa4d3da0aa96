import type { LeftOut } from '../../files/built-file.js'
import { checkPublicUrl, type Release } from '../../folders/read-folders.js'
import type { Decision } from '../../release/plan.js'
import type { ReleaseRecord } from '../../release/records/record.js'
import { planRelease } from '../../release/staging.js'
import { report } from '../../report/report.js'
import type { Settings } from '../../settings/settings.js'
import { startEarlySurvey } from '../early-survey.js'
import { findFiles, hashFound } from '../read-files.js'
import { releaseFileOf } from '../release-file.js'

export { readFolders } from '../../folders/read-folders.js'

export interface Preview {
  decisions: readonly Decision[]
  leftOut: LeftOut[]
  /** Paths of fingerprinted files whose keys have other bytes in the bucket. */
  overwritten: string[]
  /** The newest release. */
  last: ReleaseRecord | undefined
  warnings: string[]
  /** The same for people. */
  text: string
}

/**
 * Plans a deploy of a finished build. Nothing is written. If nothing in the folder names the fingerprinted files, those of the last release count.
 *
 * @throws StaticS3Error
 */
export async function preview(release: Release, settings: Settings): Promise<Preview> {
  checkPublicUrl(release, settings)
  const begun = performance.now()
  const earlySurvey = startEarlySurvey(settings)
  earlySurvey.keepAlive()
  try {
    const survey = await earlySurvey.result()
    const recorded = new Set<string>()
    for (const [path, object] of survey.record?.objects ?? []) if (object.fingerprinted) recorded.add(path)
    const { isDescribed, notOurs, base } = release
    const outputs = isDescribed
      ? release.outputs
      : release.outputs.map((each) => ({ ...each, fingerprinted: recorded }))
    const input = { settings, earlySurvey, outputs, before: new Map(), notOurs, base }
    const found = await findFiles(input)
    const { leftOut } = found
    const { files, ...proved } = await hashFound(found, input, survey, { releaseFile: releaseFileOf(found, input) })
    const warnings = [
      ...settings.warnings,
      ...release.warnings,
      ...found.warnings,
      ...survey.warnings,
      ...proved.warnings,
    ]
    const warn = (message: string) => warnings.push(message)
    const { bucket } = await earlySurvey.connection
    const { plan, staged } = await planRelease({ files, bucket, settings, warn }, survey)
    const { decisions, overwritten } = plan
    const milliseconds = performance.now() - begun
    const text = report({
      ...settings,
      decisions,
      leftOut,
      dryRun: true,
      isBroken: false,
      release: undefined,
      staged,
      milliseconds,
    })
    return { decisions, leftOut, overwritten: overwritten.map(({ path }) => path), last: survey.record, warnings, text }
  } finally {
    earlySurvey.stop()
  }
}
