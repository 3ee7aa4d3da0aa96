import { canonicalHeaders, parametersIn } from '../bucket/headers.js'
import { mayStayInCloudFront } from '../files/cache-lifetime.js'
import { contentOf } from '../files/hash.js'
import { type Decision, describedBy } from '../release/plan.js'
import type { Change } from '../release/release.js'
import { prefixOf } from '../urls/paths.js'

/**
 * The paths, below the location, of the files that CloudFront may serve as they were before a release, at a minimum TTL of 0.
 *
 * | decision           | the object before                                | kept by its headers | stale |
 * |--------------------|--------------------------------------------------|---------------------|-------|
 * | new                | none                                             | –                   | no    |
 * | unchanged, exists  | the same                                         | –                   | no    |
 * | already there      | the record has other bytes or headers            | yes                 | yes   |
 * | already there      | no record, or the same in it                     | –                   | no    |
 * | upload, copy       | recorded                                         | yes                 | yes   |
 * | upload, copy       | not recorded as it is now: its headers are lost  | –                   | yes   |
 * | forced             | recorded, fingerprinted, same bytes and headers  | –                   | no    |
 * | forced             | recorded, all others                             | yes                 | yes   |
 * | deleted            | recorded, or not                                 | yes, or unknown     | yes   |
 *
 * An object that is already there was written by a deploy that ended before its record, so nobody has invalidated it. `force` invalidates files
 * without a fingerprint again: it repairs a cache after an invalidation that failed.
 *
 * @param now milliseconds since 1970
 */
export function staleFiles({ decisions, survey, deleted }: Change, location: string, now: number): string[] {
  const { listing, record } = survey
  const isKept = (headers: string | undefined) => {
    if (headers === undefined) return true
    const { CacheControl = '', Expires } = parametersIn(headers)
    return mayStayInCloudFront(String(CacheControl), Expires as Date | undefined, now)
  }
  const recordedAt = (path: string, key: string) => {
    const there = listing.get(key)
    return there && describedBy(record, path, there)
  }
  const isStale = ({ file, action, reason }: Decision): boolean => {
    const { path, key, group, parameters } = file
    if (reason === 'new') return false
    const known = reason === 'already there' ? record?.objects.get(path) : recordedAt(path, key)
    if (action === 'skip' && (reason !== 'already there' || !known)) return false
    const isSame = known && contentOf(known) === contentOf(file) && known.headers === canonicalHeaders(parameters)
    if (isSame && (action === 'skip' || group === 'fingerprinted')) return false
    return isKept(known?.headers)
  }
  const prefix = prefixOf(location)
  const gone = [...deleted].map((key) => ({ path: key.slice(prefix.length), key }))
  return [
    ...decisions.filter(isStale).map(({ file }) => file.path),
    ...gone.filter(({ path, key }) => isKept(recordedAt(path, key)?.headers)).map(({ path }) => path),
  ]
}
