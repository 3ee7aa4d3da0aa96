import type { WriteStream } from 'node:tty'
import { classify } from './classify.js'
import { type BuiltFile, collect, type Output, type Snapshot } from './collect.js'
import { digest } from './digest.js'
import { dryRun } from './dry-run.js'
import { debugging, StaticS3Error } from './error.js'
import { type Plan, plan } from './plan.js'
import { showProgress } from './progress.js'
import { report } from './report.js'
import type { Settings } from './settings.js'
import { upload } from './upload.js'
import { urlInBucket } from './url-in-bucket.js'
import { pointManifestPictures } from './web-app-manifest.js'

/** The bundler's own log, which puts our name before each message. */
export interface Logger {
  info(message: string): void
  warn(message: string): void
}

export interface PublishInput {
  settings: Settings
  outputs: readonly Output[]
  /** What stood in the output folders when the build began. */
  before: ReadonlyMap<string, Snapshot>
  /** Folders inside them that are another build's. */
  notOurs: readonly string[]
  /** Where the page's own origin has them: a URL or a path with a slash at its end. */
  base: string
  /** What there is to do to the files first. */
  prepareFiles?: (files: readonly BuiltFile[]) => Promise<void>
  logger: Logger
  /** Where a progress bar may be drawn. */
  terminal: WriteStream | undefined
}

/**
 * Brings a finished build into the bucket: the one call that every adapter makes.
 *
 * @throws StaticS3Error when anything fails, unless `onError` is `warn`
 */
export async function publish(input: PublishInput): Promise<void> {
  try {
    await deploy(input)
  } catch (thrown) {
    const error = isFileError(thrown) ? new StaticS3Error(`static-s3: ${thrown.path}: ${thrown.code}`) : thrown
    if (!(error instanceof StaticS3Error)) throw error
    // Node prints an uncaught error with all its causes: they are for us alone.
    if (input.settings.onError === 'fail') throw debugging() ? error : new StaticS3Error(error.message)
    input.logger.warn(error.message.replace(/^static-s3: /, ''))
  }
}

function isFileError(error: unknown): error is { path: string; code: string } {
  const { path, code, syscall } = error as NodeJS.ErrnoException
  return path !== undefined && code !== undefined && syscall !== undefined
}

async function deploy(input: PublishInput): Promise<void> {
  const { settings, outputs, before, notOurs, base, logger, terminal } = input
  const begun = performance.now()

  const collected = await collect(outputs, before, notOurs)
  await input.prepareFiles?.(collected.files)
  if (settings.rewrite) {
    collected.files = await pointManifestPictures(collected.files, base, urlInBucket(settings))
  }
  const classified = classify(collected, settings)
  throwProblems(classified.problems)
  for (const warning of new Set([...settings.warnings.splice(0), ...classified.warnings])) logger.warn(warning)
  if (classified.files.length === 0) {
    logger.warn(`there is nothing to upload in ${outputs.map(({ dir }) => dir).join(', ')}`)
    return
  }

  const { openBucket } = await import('../s3/s3-bucket.js')
  const connection = await openBucket(settings)
  const stop = new AbortController()
  try {
    // The listing is under way while the files are read.
    const listing = connection.bucket.list(settings.location === '' ? '' : `${settings.location}/`, stop.signal)
    listing.catch(() => {})
    const { accessKeyId, secretAccessKey, sessionToken } = await connection.credentials()
    const secrets = new Map([
      ['the secret access key in use', secretAccessKey],
      ['the access key id in use', accessKeyId],
    ])
    if (sessionToken) secrets.set('the session token in use', sessionToken)
    const digested = await digest(classified.files, secrets)
    throwProblems(digested.problems)

    const planned = plan(digested.files, await listing, settings.force)
    guardFingerprints(planned, settings, logger)

    const bucket = settings.dryRun ? dryRun(connection.bucket) : connection.bucket
    const uploads = planned.decisions.filter(({ action }) => action === 'upload').map(({ file }) => file)
    const total = { files: uploads.length, bytes: uploads.reduce((sum, { size }) => sum + size, 0) }
    const progress = showProgress(terminal, total)
    const uploaded = await upload(planned, bucket, settings.concurrency, progress.update).finally(progress.end)

    const milliseconds = performance.now() - begun
    const { bucket: name, location, publicUrl, dryRun: dry } = settings
    const { leftOut } = classified
    logger.info(report({ ...uploaded, leftOut, bucket: name, location, publicUrl, dryRun: dry, milliseconds }))
  } finally {
    stop.abort()
    connection.close()
  }
}

function throwProblems(problems: readonly string[]): void {
  if (problems.length === 0) return
  throw new StaticS3Error(`static-s3: nothing was uploaded\n${problems.map((problem) => `  - ${problem}`).join('\n')}`)
}

function guardFingerprints({ overwritten }: Plan, { fileOverwrite }: Settings, logger: Logger): void {
  const [first] = overwritten
  if (!first) return
  const names = overwritten.length === 1 ? first.key : `${first.key} and ${overwritten.length - 1} more`
  const what = `${names}: the bucket has other bytes under the same fingerprinted name, which browsers keep for a year`
  if (!fileOverwrite) {
    throw new StaticS3Error(
      `static-s3: nothing was uploaded\n  - ${what}. AWS_S3_FILE_OVERWRITE is off: make the bundler hash the content, or switch it on.`,
    )
  }
  logger.warn(what)
}
