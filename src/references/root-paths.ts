import { orUndefined } from '../runtime/or-undefined.js'
import { longestUrl } from './glance.js'

/**
 * Returns a fast scan of the bytes of a script or a page for plain strings such as `"/data.json"`. It returns the paths that occur there.
 *
 * @param base the output folder's path on the page's origin, with a slash at both ends
 */
export function rootPathGlance(
  paths: Pick<ReadonlySet<string>, 'has' | 'size'>,
  base: string,
): (bytes: Buffer) => Set<string> {
  return (bytes) => {
    const found = new Set<string>()
    for (const quote of paths.size === 0 ? '' : '"\'`') {
      const begin = quote + base
      for (let at = bytes.indexOf(begin); at >= 0; at = bytes.indexOf(begin, at + begin.length)) {
        const from = at + begin.length
        const end = bytes.subarray(from, from + longestUrl).indexOf(quote)
        const path = end < 0 ? '' : decoded(bytes.toString('utf8', from, from + end))
        if (paths.has(path)) found.add(path)
      }
    }
    return found
  }
}

function decoded(path: string): string {
  return orUndefined(() => decodeURI(path)) ?? path
}
