import type { PublicFile } from '../check/problems.js'
import { type View, visit } from '../check/visit.js'
import { secondsWithoutRevalidation } from '../files/cache-lifetime.js'
import { contentOf } from '../files/hash.js'
import type { Decision } from '../release/plan.js'
import { StaticS3Error } from '../runtime/error.js'
import type { S3Connection } from '../s3/objects/s3-bucket.js'
import type { Settings } from '../settings/settings.js'
import { encodePath } from '../urls/paths.js'

/** Looks at a release as a visitor does, while its pages go up. */
export interface Visitor {
  /** Requests the bucket's CORS rules ahead of the visit. */
  prepare(): void
  /**
   * Fetches a script and a stylesheet of the release. Returns at once, unless `verify` is `fail`.
   *
   * @throws StaticS3Error if `verify` is `fail` and visitors can't use the release
   */
  look(decisions: readonly Decision[], lockKey: string | undefined): Promise<void>
  /** The visit's results. */
  view(): Promise<View>
}

/** Milliseconds for the whole visit. */
const patience = 5000
/** Bytes of the largest file to fetch. */
const largest = 4 * 1024 * 1024

/** @param stopped ends every request */
export function openVisitor(settings: Settings, connection: S3Connection, stopped: AbortSignal): Visitor | undefined {
  if (!settings.verify) return undefined
  const inTime = () => AbortSignal.any([stopped, AbortSignal.timeout(patience)])
  let allowed: ReturnType<S3Connection['corsOrigins']> | undefined
  let view: Promise<View> = Promise.resolve({})
  const prepare = () => (allowed ??= connection.corsOrigins(inTime()))
  const lookAt = async (files: PublicFile[], recordKey: string | undefined): Promise<View> => {
    const signal = inTime()
    const send: Parameters<typeof visit>[0]['send'] = (request) => connection.sendUnsigned(request, signal)
    return visit({ address: settings, files, recordKey, allowed: await prepare(), send })
  }
  return {
    prepare,
    async look(decisions, lockKey) {
      view = lookAt(filesToVisit(decisions, settings.publicUrl), lockKey)
      if (settings.verify !== 'fail') return
      const { problem, unreachable } = await view
      const reason = problem ?? unreachable
      if (reason !== undefined) throw new StaticS3Error(`static-s3: ${reason}\n`)
    },
    view: () => view,
  }
}

/** The smallest script and the smallest stylesheet, new ones first. Browsers refuse these two types if anything is wrong. */
export function filesToVisit(decisions: readonly Decision[], publicUrl: string): PublicFile[] {
  const found = [/javascript/, /text\/css/].flatMap((type) => {
    const candidates = decisions.filter(
      ({ file: { group, parameters, size }, reason }) =>
        reason !== 'staged' &&
        (group === 'fingerprinted' || group === 'asset') &&
        type.test(String(parameters.ContentType)) &&
        size <= largest,
    )
    const changed = candidates.filter(({ action }) => action !== 'skip')
    const files = (changed.length > 0 ? changed : candidates).map(({ file }) => file)
    return files.length === 0 ? [] : [files.reduce((least, file) => (file.size < least.size ? file : least))]
  })
  return found.map(({ parameters: { ContentType, CacheControl }, ...file }) => ({
    url: publicUrl + encodePath(file.path),
    sha256: contentOf(file),
    contentType: String(ContentType),
    isKept: secondsWithoutRevalidation(String(CacheControl)) > 0,
  }))
}
