import { publicPlace, slash } from '../references/public-place.js'
import { orUndefined } from '../runtime/or-undefined.js'

const anySlash = new RegExp(slash, 'gi')

/**
 * Replaces the public URLs of one location with another location's URL, in every spelling: `https:\/\/…`, `//…`, `https%3A%2F%2F…`.
 *
 * @param from a URL that is also `to` stays, even if it begins with another one
 */
export function urlRewriter(from: Iterable<string>, to: string): (text: string) => string {
  const target = new URL(to)
  // In one pass, the longest first: one location may lie in another, and a new URL may begin like an old one.
  const places = [...new Set(from)]
    .sort((a, b) => b.length - a.length)
    .map((url) => ({ url, path: new URL(url).pathname, start: publicPlace(url).start }))
  const anyPlace = new RegExp(places.map(({ start }) => `(${start})`).join('|'), 'gi')
  return (text) =>
    text.replace(anyPlace, (match, ...groups) => {
      const place = places[groups.findIndex((group) => group !== undefined)]
      // A location's upper and lower case differ.
      const isSame = place && match.replace(anySlash, '/').endsWith(place.path)
      return isSame && place.url !== to ? spelledAs(match, target) : match
    })
}

function spelledAs(match: string, { protocol, host, pathname }: URL): string {
  const [, scheme, colon = ''] = /^(https?)(:|%3A)/i.exec(match) ?? []
  const [written = '/'] = match.match(anySlash) ?? []
  const begin = scheme === undefined ? '' : protocol.replace(':', colon)
  return `${begin}${written}${written}${host}${pathname.replaceAll('/', written)}`
}

/** A URL without query, up to a delimiter. Its length is limited, because `publicUrlsIn` tries each slash. */
const url = /https?:\/\/[^\s"'`<>()?#\\]{1,2000}/g

/**
 * The public URLs for which a file was built: those before the names of fingerprinted files. They tell the domain of the build, which the settings
 * of another location do not know.
 */
export function publicUrlsIn(text: string, isFingerprinted: (path: string) => boolean): string[] {
  return (text.match(url) ?? []).flatMap((found) => {
    for (let end = found.indexOf('/', 8); end > 0; end = found.indexOf('/', end + 1)) {
      const rest = found.slice(end + 1)
      if (isFingerprinted(orUndefined(() => decodeURIComponent(rest)) ?? rest)) return [found.slice(0, end + 1)]
    }
    return []
  })
}
