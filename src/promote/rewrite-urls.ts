import { publicPlace } from '../references/public-place.js'
import { orUndefined } from '../runtime/or-undefined.js'

/** Replaces the public URLs of one location by that of another, in every spelling: `https:\/\/…`, `//…`, `https%3A%2F%2F…`. */
export function urlRewriter(from: readonly string[], to: string): (text: string) => string {
  const places = from.filter((url) => url !== to).map((url) => ({ url: new URL(url), ...publicPlace(url) }))
  const target = new URL(to)
  return (text) =>
    places.reduce(
      (rewritten, { start, url }) =>
        rewritten.replace(new RegExp(start, 'gi'), (match) =>
          // A location's upper and lower case differ.
          match.replace(/\\*\/|%2F/gi, '/').endsWith(url.pathname) ? spelledAs(match, target) : match,
        ),
      text,
    )
}

function spelledAs(match: string, { protocol, host, pathname }: URL): string {
  const [, scheme, colon = ''] = /^(https?)(:|%3A)/i.exec(match) ?? []
  const [slash = '/'] = /\\*\/|%2F/i.exec(match) ?? []
  const begin = scheme === undefined ? '' : protocol.replace(':', colon)
  return `${begin}${slash}${slash}${host}${pathname.replaceAll('/', slash)}`
}

/**
 * The public URLs for which pages were built: those before the names of fingerprinted files. They tell the domain that the pages use, which the
 * settings of another location do not know.
 */
export function publicUrlsIn(page: string, isFingerprinted: (path: string) => boolean): string[] {
  return (page.match(/https?:\/\/[^\s"'<>()?#\\]+/g) ?? []).flatMap((url) => {
    for (let slash = url.indexOf('/', 8); slash > 0; slash = url.indexOf('/', slash + 1)) {
      const rest = url.slice(slash + 1)
      if (isFingerprinted(orUndefined(() => decodeURIComponent(rest)) ?? rest)) return [url.slice(0, slash + 1)]
    }
    return []
  })
}
