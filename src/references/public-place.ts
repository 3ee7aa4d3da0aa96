import { orUndefined } from '../runtime/or-undefined.js'

/** The source of a regular expression for a slash in a URL: plain, percent-encoded, or with an escape of a script, JSON or HTML. */
export const slash = '(?:\\\\*/|%2F|\\\\+(?:u00|x)2f|&#(?:x2f|47);)'

/** The location, as URLs spell it. */
export interface PublicPlace {
  /** With its port. */
  host: string
  /** The public URL without its protocol: `cdn.example.com/static/`. */
  plain: string
  /** The source of a regular expression for a URL up to the location's slash, with or without its protocol. */
  start: string
  /**
   * The decoded path below the location; undefined for a URL elsewhere.
   *
   * @param page the page that has the URL: its path below the location, encoded
   */
  pathOf(url: string, page?: string): string | undefined
}

/** @param publicUrl ends with a slash */
export function publicPlace(publicUrl: string): PublicPlace {
  const plain = publicUrl.replace(/^https?:\/\//, '')
  const [host = '', ...folders] = plain.split('/')
  const start = `(?:https?(?::|%3A))?${slash}{2}${[host, ...folders].map(literally).join(slash)}`
  const place = new URL(publicUrl)
  return {
    host,
    plain,
    start,
    pathOf(url, page = '') {
      const target = orUndefined(() => new URL(url, new URL(page, place)))
      if (target?.host !== place.host || !target.pathname.startsWith(place.pathname)) return undefined
      const path = target.pathname.slice(place.pathname.length)
      return orUndefined(() => decodeURIComponent(path)) ?? path
    },
  }
}

function literally(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
