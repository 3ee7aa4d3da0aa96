import type { BucketConfiguration } from '../../bucket/configuration.js'
import { plain, responseOf, StaticS3Error } from '../../runtime/error.js'
import { type Stop, stopBySignal, unlessAborted } from '../../runtime/stop.js'
import type { Settings } from '../../settings/settings.js'
import type { Change, Part } from '../../setup/changes.js'
import type { BucketSetup } from './setup.js'

/**
 * Carries out the setups. Ctrl-C stops between two requests.
 *
 * @param onStopped called with the report, before the signal ends the process
 * @returns the parts that the stores do not support, in sentences
 * @throws StaticS3Error that says what was applied
 */
export async function applySetups(
  setups: readonly BucketSetup[],
  onStopped: (report: string) => void,
): Promise<string[]> {
  const stop = stopBySignal()
  const lacks: string[][] = []
  try {
    for (const { apply } of setups) lacks.push(await apply(stop))
    if (stop.begun.aborted) onStopped('stopped after the last change: everything is set up.')
    return lacks.flat()
  } catch (thrown) {
    if (!(thrown instanceof StaticS3Error)) throw thrown
    const others = setups.flatMap(({ settings: { bucket } }, index) =>
      index === lacks.length ? [] : [`\ns3://${bucket}: ${index < lacks.length ? 'set up' : 'not begun'}.`],
    )
    const error = new StaticS3Error(thrown.message + others.join(''), { cause: thrown })
    if (stop.begun.aborted) onStopped(plain(error))
    throw error
  } finally {
    await stop.end()
  }
}

/** Carries out the changes of one bucket, in their order, so that each request may be the last. */
export async function applyChanges(
  isNew: boolean,
  changes: readonly Change[],
  { bucket, endpoint }: Settings,
  configuration: BucketConfiguration,
  { begun, cut }: Stop,
): Promise<string[]> {
  const done: string[] = []
  const lacks: string[] = []
  const steps = changes.map(({ part, write }) => ({ part, write: () => write(configuration) }))
  const creation = { part: 'bucket' as const, write: () => configuration.create() }
  const all = isNew ? [creation, ...steps] : steps
  for (const [index, { part, write }] of all.entries()) {
    try {
      begun.throwIfAborted()
      await unlessAborted(cut, write())
      done.push(part)
    } catch (error) {
      if (part !== 'bucket' && isLacking(error, endpoint)) {
        lacks.push(lackOf(part, error))
        continue
      }
      const isUnclear = cut.aborted || responseOf(error).unanswered
      const left = all.slice(isUnclear ? index + 1 : index).map((each) => each.part)
      const report = [
        `applied: ${done.join(', ') || 'nothing'}.`,
        ...(isUnclear ? [`Not confirmed: ${part}.`] : []),
        ...(left.length > 0 ? [`Not applied: ${left.join(', ')}.`] : []),
      ].join(' ')
      const next = 'Then run setup again: it continues there.'
      throw new StaticS3Error(`static-s3: ${plain(error)}\ns3://${bucket}: ${report} ${next}`, { cause: error })
    }
  }
  return lacks
}

/** The consequence of a missing part, or the user's remedy. */
const withoutPart: Partial<Record<Part, string>> = {
  'lifecycle rules': 'Parts of uploads that a killed deploy leaves stay in the bucket.',
  'CORS rules': "Let pages of other origins use the files by the store's own settings, or at a CDN.",
  'bucket policy': "Make the location public by the store's own settings, or by a custom domain.",
}

/** True if the store does not have a part. AWS has all of them, and answers 405 to other accounts. */
export function isLacking(error: unknown, endpoint: string | undefined): boolean {
  if (endpoint === undefined) return false
  const { status, code = '' } = responseOf(error)
  return status === 501 || status === 405 || /^(NotImplemented|MethodNotAllowed|UnsupportedOperation)$/.test(code)
}

export function lackOf(part: Part, error: unknown): string {
  return `the store has no ${part} (${responseOf(error).code}). ${withoutPart[part]}`
}
