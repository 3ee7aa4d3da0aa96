import type { WriteStream } from 'node:tty'
import type { Bucket } from '../bucket/bucket.js'
import { fileOf } from '../files/built-file.js'
import type { Classified } from '../files/classify.js'
import { makePlan } from '../release/make-plan.js'
import { release } from '../release/release.js'
import { type Logger, type Printer, printerOf } from '../report/printer.js'
import { showProgress, terminalOf } from '../report/progress.js'
import { debugging, plain, readable, StaticS3Error } from '../runtime/error.js'
import { type Stop, stopBySignal, unlessAborted } from '../runtime/stop.js'
import type { Settings } from '../settings/settings.js'
import { whoDeploys } from './deployer.js'
import { type FolderInput, findFiles, hashFound } from './read-files.js'
import { openVisitor } from './visitor.js'

export type { Logger } from '../report/printer.js'

export interface PublishInput extends FolderInput {
  /** With its version: `vite 8.3.8`. */
  bundler: string
  logger: Logger
  /** For a progress bar; undefined if the bundler is to be silent. */
  terminal: WriteStream | undefined
  /** Builds that are published together share this map. */
  found?: FoundFiles | undefined
}

/** All found files on the disk, by bucket and key. */
export type FoundFiles = Map<string, Map<string, string>>

/**
 * Brings a finished build into the bucket in three steps: it finds the files, checks them, and releases them. Nothing is written before the
 * third step. A caller that does not finish the steps calls `return`.
 *
 * @throws StaticS3Error when anything fails, unless `onError` is `warn`
 */
export async function* publishInSteps(given: PublishInput): AsyncGenerator<void, void> {
  const input = { ...given, logger: printerOf(given.logger) }
  input.earlySurvey.keepAlive()
  const stop = stopBySignal()
  try {
    const steps = deploy(input, stop)
    while (!(await stop.within(steps.next())).done) yield
  } catch (thrown) {
    const error = readable(thrown)
    if (!(error instanceof StaticS3Error)) throw error
    if (stop.begun.aborted) {
      // One line: the build is being stopped.
      input.logger.warn(plain(error).replaceAll('\n', ' '))
      await stop.end()
    }
    // Without its causes, which Node would print: they help only those who debug static-s3.
    // After a signal, builds that are published together stop together.
    const stopsOthers = stop.begun.aborted && input.found !== undefined
    if (input.settings.onError === 'fail' || stopsOthers) throw debugging() ? error : new StaticS3Error(error.message)
    input.logger.warn([plain(error), ...afterWarning(input.settings)].join('\n'))
  } finally {
    input.earlySurvey.stop()
    await stop.end()
  }
}

/** For a build that succeeds although its deploy failed. */
function afterWarning({ rewrite, publicUrl }: Settings): string[] {
  return rewrite
    ? [
        `The build succeeds (onError is "warn"), but its pages point to ${publicUrl}, where files of this build are missing: do not publish them.`,
      ]
    : []
}

/** For a failure before the upload. Errors of the upload itself say what visitors see. */
function nothingDone(cause: unknown): never {
  if (!(cause instanceof StaticS3Error)) throw cause
  throw new StaticS3Error(`${cause.message}\nThe site stands as it was.`, { cause })
}

async function* deploy(input: PublishInput & { logger: Printer }, stop: Stop): AsyncGenerator<void, void> {
  const { settings, earlySurvey, outputs, logger, terminal } = input
  let begun = performance.now()
  const progress = showProgress(terminalOf(terminal))
  stop.begun.addEventListener('abort', progress.clear)
  const warn = (message: string) => {
    progress.clear()
    logger.warn(message)
  }
  const connection = await earlySurvey.connection
  const { bucket, lockChannel } = connection
  connection.onSilence((whom) => warn(`waiting for ${whom}, which has not answered for 15 seconds`))
  const found = await findFiles(input)
  for (const warning of new Set([...settings.warnings.splice(0), ...found.warnings])) logger.warn(warning)
  if (found.files.length === 0) {
    logger.warn(`there is nothing to upload in ${outputs.map(({ dir }) => dir).join(', ')}`)
    return
  }
  const coming = input.found && addFiles(input.found, found, settings)
  let paused = performance.now()
  yield
  begun += performance.now() - paused
  const survey = await unlessAborted(stop.begun, earlySurvey.result()).catch(nothingDone)
  for (const warning of survey.warnings) logger.warn(warning)
  const hashing = hashFound(found, input, survey, stop.begun, coming)
  const { files, warnings, hints } = await unlessAborted(stop.begun, hashing).catch((error) => {
    throw stop.begun.aborted ? nothingDone(error) : error
  })
  for (const warning of warnings) logger.warn(warning)
  for (const hint of hints) logger.info(hint)
  paused = performance.now()
  yield
  begun += performance.now() - paused

  const visitor = openVisitor(settings, connection, stop.begun)
  const { decisions, release: number } = settings.dryRun
    ? { ...(await makePlan({ files, bucket: until(stop, bucket), settings, warn }, survey)), release: undefined }
    : await release({
        files,
        survey,
        bucket: until(stop, bucket),
        lockChannel: until(stop, lockChannel),
        stop,
        warm(requests) {
          connection.warm(requests)
          visitor?.prepare()
        },
        beforeManifests: visitor?.look,
        deployer: () => whoDeploys(input.bundler, process.env),
        settings,
        warn,
        onProgress: (done, all) => stop.begun.aborted || progress.update(done, all),
        onWait: (whom) => {
          progress.clear()
          logger.info(`waiting for ${whom}`)
        },
      }).finally(progress.clear)

  const { problem, unreachable } = (await visitor?.view()) ?? {}
  for (const sentence of [problem, unreachable]) if (sentence !== undefined) logger.warn(sentence)
  const milliseconds = performance.now() - begun
  const isBroken = problem !== undefined
  logger.report({ ...settings, decisions, release: number, leftOut: found.leftOut, isBroken, milliseconds })
}

/** @returns the files of all builds in this bucket, by key */
function addFiles(all: FoundFiles, { files }: Classified, { endpoint, bucket }: Settings): ReadonlyMap<string, string> {
  const name = `${endpoint} ${bucket}`
  const byKey = all.get(name) ?? new Map()
  all.set(name, byKey)
  for (const file of files) byKey.set(file.key, fileOf(file))
  return byKey
}

/** The bucket during a deploy that can be stopped: the stop ends reads at once and writes a moment later. */
function until({ begun, cut }: Stop, bucket: Bucket): Bucket {
  return {
    list: (prefix, options) => bucket.list(prefix, { ...options, signal: options?.signal ?? begun }),
    get: (key, signal = begun) => bucket.get(key, signal),
    head: (key, signal = begun) => bucket.head(key, signal),
    put: (key, body, parameters, signal = cut, check?) => bucket.put(key, body, parameters, signal, check),
    copy: (from, to, parameters, signal = cut, check?) => bucket.copy(from, to, parameters, signal, check),
    now: () => bucket.now(),
  }
}
