import { randomUUID } from 'node:crypto'
import type { Target } from '../cloudfront/create-invalidation.js'
import type { Change } from '../release/release.js'
import type { Invalidated, Result } from '../report/result.js'
import { plain, StaticS3Error } from '../runtime/error.js'
import { unlessAborted } from '../runtime/stop.js'
import type { S3Connection } from '../s3/objects/s3-bucket.js'
import type { Settings } from '../settings/settings.js'

export interface InvalidateInput {
  settings: Settings
  connection: Pick<S3Connection, 'callService'>
  /** Stops the invalidation, with its reason. */
  signal: AbortSignal
  warn: (message: string) => void
}

/** Seconds for all attempts: the lock is held meanwhile. */
const patience = 60
/** Seconds between two requests for the status of an invalidation, and of the whole wait. */
const interval = 3
const longestWait = 900

/**
 * Requests the invalidation of the files that CloudFront may serve as they were, in each distribution. A dry run only lists their paths. A failure
 * is a warning, because the release is live.
 *
 * @returns the invalidations; undefined if the settings name no distribution
 */
export async function invalidate(input: InvalidateInput, change: Change): Promise<Invalidated[] | undefined> {
  const { settings, signal, warn } = input
  const { cloudfront, location, dryRun } = settings
  if (!cloudfront) return undefined
  const [{ staleFiles }, { invalidationPaths }] = await Promise.all([
    import('../cloudfront/stale-files.js'),
    import('../cloudfront/invalidation-paths.js'),
  ])
  const paths = invalidationPaths(staleFiles(change, location, Date.now()), settings)
  if (paths.length === 0) return []
  if (dryRun) return cloudfront.distributions.map((distribution) => ({ distribution, id: null, paths }))
  const requested = await Promise.all(
    cloudfront.distributions.map(async (distribution) => {
      try {
        return { distribution, id: await create(input, targetOf(settings, distribution), paths), paths }
      } catch (error) {
        signal.throwIfAborted()
        warn(failure(cloudfront.name, distribution, paths, error))
        return undefined
      }
    }),
  )
  return requested.filter((each) => each !== undefined)
}

const targetOf = ({ region, cloudfront }: Settings, distribution: string): Target => ({
  distribution,
  region,
  endpoint: cloudfront?.endpoint,
})

async function create({ connection, signal }: InvalidateInput, target: Target, paths: string[]): Promise<string> {
  const { readInvalidation, invalidationRequest } = await import('../cloudfront/create-invalidation.js')
  const call = invalidationRequest(target, paths, randomUUID())
  const late = new AbortController()
  const reason = new StaticS3Error(`static-s3: CloudFront did not answer within ${patience} seconds`)
  const timer = setTimeout(() => late.abort(reason), patience * 1000)
  try {
    const inTime = AbortSignal.any([signal, late.signal])
    const { distribution } = target
    const request = { verb: 'INVALIDATE', operation: 'CreateInvalidation', distribution } as const
    return readInvalidation((await connection.callService(call, request, inTime)).body.toString()).id
  } finally {
    clearTimeout(timer)
  }
}

function failure(setting: string, distribution: string, paths: readonly string[], error: unknown): string {
  const command = `aws cloudfront create-invalidation --distribution-id ${distribution} --paths`
  return [
    `${setting} is "${distribution}": the bucket is up to date, but CloudFront may still serve earlier files: ${plain(error)}`,
    `To invalidate them by hand: ${command} ${paths.map((path) => `'${path}'`).join(' ')}`,
  ].join('\n')
}

/** Waits until CloudFront has completed the invalidations, if the settings say so. A failure is a warning. */
export async function waitForInvalidations(input: InvalidateInput, invalidated: readonly Invalidated[] = []) {
  const { settings, signal, warn } = input
  const { cloudfront } = settings
  if (!cloudfront?.wait) return
  const wait = async ({ distribution, id }: Invalidated) => {
    if (id === null) return
    try {
      await waitForOne(input, targetOf(settings, distribution), id)
    } catch (error) {
      // The release is live and recorded: Ctrl-C ends the wait alone.
      if (!signal.aborted)
        warn(`${cloudfront.name} is "${distribution}": the invalidation ${id} may not be complete: ${plain(error)}`)
    }
  }
  await Promise.all(invalidated.map(wait))
}

async function waitForOne({ connection, signal }: InvalidateInput, target: Target, id: string): Promise<void> {
  const { readInvalidation, statusRequest } = await import('../cloudfront/create-invalidation.js')
  const { distribution } = target
  const request = { verb: 'INVALIDATE', operation: 'GetInvalidation', distribution } as const
  const end = performance.now() + longestWait * 1000
  for (;;) {
    const { body } = await connection.callService(statusRequest(target, id), request, signal)
    if (readInvalidation(body.toString()).isComplete) return
    if (performance.now() > end) throw new StaticS3Error(`static-s3: CloudFront took more than ${longestWait} seconds`)
    const pause = new Promise((resolve) => setTimeout(resolve, interval * 1000).unref())
    await unlessAborted(signal, pause)
  }
}

/** Calls the user's `onReleased` for a release that is live. Ctrl-C ends the wait for it alone. */
export async function callOnReleased(
  { onReleased }: Settings,
  result: Result,
  { warn, signal }: Pick<InvalidateInput, 'warn' | 'signal'>,
) {
  if (!onReleased || result.status !== 'live') return
  try {
    await unlessAborted(signal, Promise.resolve(onReleased(result)))
  } catch (error) {
    warn(`\`onReleased\` failed, but the release is live: ${error instanceof Error ? error.message : String(error)}`)
  }
}
