import type { WriteStream } from 'node:tty'
import type { Bucket } from '../bucket/bucket.js'
import type { HashedFile } from '../files/hash.js'
import { pruneAfterRelease } from '../prune/after-release.js'
import { type Change, type Released, type ReleaseInput, release } from '../release/release.js'
import { planRelease } from '../release/staging.js'
import type { Survey } from '../release/survey.js'
import { unreferencedFiles } from '../release/unchanged.js'
import { type Logger, type Printer, printerOf } from '../report/printer.js'
import { type Progress, showProgress, terminalOf } from '../report/progress.js'
import { amountOf, count, type PruneResult, pruneResultOf } from '../report/prune-result.js'
import type { ReportInput } from '../report/report.js'
import { resultOf } from '../report/result.js'
import { withTwins } from '../restore/twins.js'
import { debugging, plain, readable, StaticS3Error } from '../runtime/error.js'
import { type Stop, stopBySignal, unlessAborted } from '../runtime/stop.js'
import type { S3Connection } from '../s3/objects/s3-bucket.js'
import type { Settings } from '../settings/settings.js'
import { kindOf, refuseOtherKind } from '../sync/own-location.js'
import { callOnReleased, invalidate, waitForInvalidations } from './after-release.js'
import { whoDeploys } from './deployer.js'
import { keepForLater } from './keep.js'
import { addFiles, locationOf, newTogether, runPartOf, type Together } from './publish-together.js'
import { type FileSource, type FolderInput, findFiles, hashFound } from './read-files.js'
import { releaseFileOf } from './release-file.js'
import { openVisitor } from './visitor.js'
import { writeResults } from './write-results.js'

export interface PublishInput extends FolderInput {
  /** With its version: `vite 8.3.8`. */
  bundler: string
  logger: Logger
  /** For a progress bar; undefined if the bundler is to be silent. */
  terminal: WriteStream | undefined
  /** Undefined if the files come from the output folders. */
  source?: FileSource
  /** Shared by builds that are published together. */
  together?: Together | undefined
}

/**
 * Brings a finished build into the bucket in three steps: it finds the files, checks them, and releases them. Nothing is written before the
 * third step. A caller that does not finish the steps calls `return`.
 *
 * @returns true if the build is live
 * @throws StaticS3Error when anything fails, unless `onError` is `warn`
 */
export async function* publishInSteps(given: PublishInput): AsyncGenerator<void, boolean> {
  const progress = showProgress(terminalOf(given.terminal))
  const logger = printerOf(given.logger, progress.clear)
  const together = given.together ?? newTogether()
  const input = { ...given, logger, progress, together }
  input.earlySurvey?.keepAlive()
  const stop = stopBySignal()
  try {
    const steps = deploy(input, stop)
    for (;;) {
      const step = await stop.within(steps.next())
      if (step.done) return step.value
      yield
    }
  } catch (thrown) {
    const error = readable(thrown)
    if (!(error instanceof StaticS3Error)) throw error
    together.results.push({ status: 'failed', error: plain(error) })
    await writeResults(input.settings, together.results, logger.warn)
    if (stop.begun.aborted) {
      // One line: the build is being stopped.
      input.logger.warn(plain(error).replaceAll('\n', ' '))
      await stop.end()
    }
    // Without its causes, which Node would print: they help only those who debug static-s3.
    // After a signal, builds that are published together stop together.
    const stopsOthers = stop.begun.aborted && given.together !== undefined
    if (input.settings.onError === 'fail' || stopsOthers) throw debugging() ? error : new StaticS3Error(error.message)
    input.logger.warn([plain(error), ...afterWarning(input.settings)].join('\n'))
    return false
  } finally {
    input.earlySurvey?.stop()
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

interface StepInput extends PublishInput {
  logger: Printer
  progress: Progress
  together: Together
}

async function* deploy(input: StepInput, stop: Stop): AsyncGenerator<void, boolean> {
  const { settings, earlySurvey, outputs, logger, together } = input
  const watch = stopwatch()
  const connection = await earlySurvey?.connection
  connection?.onSilence((whom) => logger.warn(`waiting for ${whom}, which has not answered for 15 seconds`))
  connection?.onPartsKept((action) =>
    logger.warn(`parts of failed uploads stay in the bucket: allow ${action}, as static-s3 policy iam prints it`),
  )
  const untilStopped = <T>(work: Promise<T>) =>
    unlessAborted(stop.begun, work).catch((error) => {
      throw stop.begun.aborted ? nothingDone(error) : error
    })
  const found = await (input.source ? untilStopped(input.source.find(stop.begun)) : findFiles(input))
  for (const warning of new Set([...settings.warnings.splice(0), ...found.warnings])) logger.warn(warning)
  if (found.files.length === 0) {
    logger.warn(`there is nothing to upload in ${outputs.map(({ dir }) => dir).join(', ')}`)
    return false
  }
  const coming = addFiles(together.files, found, settings)
  locationOf(together, settings).found++
  watch.pause()
  yield
  watch.resume()
  const survey = earlySurvey && (await unlessAborted(stop.begun, earlySurvey.result()).catch(nothingDone))
  for (const warning of survey?.warnings ?? []) logger.warn(warning)
  const hashing = input.source
    ? input.source.hash(found, survey, stop.begun)
    : hashFound(found, input, survey, {
        signal: stop.begun,
        coming,
        releaseFile: releaseFileOf(found, input, coming),
      })
  const { files, warnings, hints } = await untilStopped(hashing)
  for (const warning of warnings) logger.warn(warning)
  for (const hint of hints) logger.info(hint)
  watch.pause()
  yield
  watch.resume()
  if (!connection || !survey) {
    await keepForLater(input, found, together.kept)
    return false
  }
  const outcome = await bringUp(input, connection, survey, files, stop)
  const report = { ...settings, ...outcome, leftOut: found.leftOut, milliseconds: watch.milliseconds() }
  logger.report(report)
  const pruned = await pruneIfLast(input, connection, outcome, stop)
  const result = () => resultOf({ ...report, pruned }, logger.warnings)
  await callOnReleased(settings, result(), { warn: logger.warn, signal: stop.begun })
  together.results.push(result())
  await writeResults(settings, together.results, logger.warn)
  return !settings.dryRun && !outcome.staged
}

/** Releases the files, while a visitor's view of the bucket is taken. */
async function bringUp(
  { settings, bundler, source, logger, progress, together }: StepInput,
  connection: S3Connection,
  survey: Survey,
  files: readonly HashedFile[],
  stop: Stop,
): Promise<Released & Pick<ReportInput, 'isBroken' | 'invalidated'>> {
  stop.begun.addEventListener('abort', progress.clear)
  const { warn } = logger
  const { bucket, lockChannel } = connection
  const visitor = openVisitor(settings, connection, stop.begun)
  let invalidated = settings.cloudfront && ([] as Awaited<ReturnType<typeof invalidate>>)
  const invalidation = { settings, connection, signal: stop.begun, warn }
  const onLive = async (change: Change) => {
    invalidated = await invalidate(invalidation, change)
  }
  const shared = until(stop, bucket)
  const withSources = settings.force ? files : await withTwins(files, { ...settings, bucket: shared, survey })
  const input = {
    ...{ files: withSources, survey, bucket: shared, settings, warn, onLive },
    ...{ cleanup: source?.cleanup, isRestorable: source?.isRestorable, activation: source?.activation?.() },
    runPart: runPartOf(together, settings),
  }
  const released = settings.dryRun
    ? await planOnly(input)
    : await release({
        ...input,
        lockChannel: until(stop, lockChannel),
        stop,
        warm(requests) {
          connection.warm(requests)
          visitor?.prepare()
        },
        beforeManifests: visitor?.look,
        async deployer() {
          const own = await whoDeploys(bundler, process.env, settings.preview)
          return source ? source.deployer(own) : own
        },
        async checkSurvey(last) {
          refuseOtherKind(kindOf({ bundler }), settings.location, last.record)
          await source?.check?.(last)
        },
        onProgress: (done, all) => stop.begun.aborted || progress.update(done, all),
        onWait: (whom) => logger.info(`waiting for ${whom}`),
      }).finally(progress.clear)

  await waitForInvalidations(invalidation, invalidated)
  const { problem, unreachable } = (await visitor?.view()) ?? {}
  for (const sentence of [problem, unreachable]) if (sentence !== undefined) logger.warn(sentence)
  return { ...released, isBroken: problem !== undefined, invalidated }
}

/** After the last build of a location. */
async function pruneIfLast(
  { settings, together, logger }: StepInput,
  { bucket, lockChannel }: S3Connection,
  { release: number, staged }: Pick<Released, 'release' | 'staged'>,
  stop: Stop,
): Promise<PruneResult | undefined> {
  const counts = locationOf(together, settings)
  counts.released++
  counts.isLive ||= number !== undefined && !staged
  if (!counts.isLive || counts.released < counts.found) return undefined
  const deployer = () => whoDeploys('static-s3 prune', process.env, settings.preview)
  const onWait = (whom: string) => logger.info(`waiting for ${whom}`)
  const pruned = await pruneAfterRelease({ bucket, lockChannel, settings, stop, deployer, warn: logger.warn, onWait })
  const result = pruned && pruneResultOf(pruned)
  if (result && result.release !== null)
    logger.info(`pruned ${count(result.expired.length, 'expired release')}: ${amountOf(result)}`)
  return result
}

/** What `release` would do. */
async function planOnly(input: Omit<ReleaseInput, 'deployer' | 'onProgress' | 'onWait'>): Promise<Released> {
  const { survey } = input
  const cleanup = input.cleanup?.plan(survey)
  if (cleanup?.problem !== undefined) input.warn(cleanup.problem)
  const { plan, staged } = await planRelease(input, survey)
  const deleted = cleanup?.objects.map(({ key }) => key)
  if (!staged) await input.onLive?.({ ...plan, survey, deleted: new Set(deleted) })
  return {
    decisions: plan.decisions,
    release: undefined,
    staged,
    hold: input.activation?.hold,
    deleted,
    others: cleanup?.others,
    unreferenced: unreferencedFiles({ plan, survey, cleanup, staged }, input),
  }
}

/** Measures the deploy's own time, without the other deploys that run between its steps. */
function stopwatch() {
  let since = performance.now()
  let before = 0
  return {
    pause() {
      before += performance.now() - since
    },
    resume() {
      since = performance.now()
    },
    milliseconds: () => before + performance.now() - since,
  }
}

/** The bucket during a deploy that can be stopped: the stop ends reads at once and writes a moment later. */
function until({ begun, cut }: Stop, bucket: Bucket): Bucket {
  return {
    list: (prefix, options) => bucket.list(prefix, { ...options, signal: options?.signal ?? begun }),
    get: (key, signal = begun) => bucket.get(key, signal),
    head: (key, signal = begun) => bucket.head(key, signal),
    put: (key, body, parameters, signal = cut, check?) => bucket.put(key, body, parameters, signal, check),
    copy: (from, to, parameters, signal = cut, check?) => bucket.copy(from, to, parameters, signal, check),
    delete: (key, options) => bucket.delete(key, { ...options, signal: options?.signal ?? cut }),
    tag: (key, tags, options) => bucket.tag(key, tags, { ...options, signal: options?.signal ?? cut }),
    now: () => bucket.now(),
  }
}
