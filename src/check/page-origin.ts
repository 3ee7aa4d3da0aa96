/** The origins whose pages may read objects, by a bucket's CORS rules, some with a `*`. Undefined if the rules can't be read. */
export type AllowedOrigins = readonly string[] | undefined

export interface PageOrigin {
  origin: string
  /** True if a store that allows the pages' real origins also allows this one. */
  isCertain: boolean
  /** True if the pages can use the response to this origin too: a CDN may then keep it. */
  isKeepable: boolean
}

/** An origin that no page has. */
const noPage = 'https://static-s3.invalid'

/**
 * The origin to send on behalf of a page.
 *
 * A CDN may send the first visitor's response to all later ones, for a year if the file is fingerprinted. Without Access-Control-Allow-Origin
 * for the real pages, that response would break them. So a file that a CDN may keep is fetched only if the origin can do no harm.
 *
 * | CORS rules of the bucket  | origin             | certain | keepable                                                       |
 * |---------------------------|--------------------|---------|----------------------------------------------------------------|
 * | for `*`                   | no page's          | yes     | yes                                                            |
 * | for one origin            | that one           | yes     | yes                                                            |
 * | for several, or a pattern | one that they name | yes     | no                                                             |
 * | none                      | no page's          | yes     | on AWS; other stores may allow each origin without being asked |
 * | can't be read             | no page's          | no      | no                                                             |
 */
export function pageOrigin(allowed: AllowedOrigins, isAws: boolean): PageOrigin {
  if (allowed === undefined) return { origin: noPage, isCertain: false, isKeepable: false }
  if (allowed.length === 0) return { origin: noPage, isCertain: true, isKeepable: isAws }
  if (allowed.includes('*')) return { origin: noPage, isCertain: true, isKeepable: true }
  // The CORS rules also name the origins of development servers.
  const pages = allowed.filter((origin) => !/^http:|\/\/(localhost|127\.0\.0\.1)\b/.test(origin))
  const [first, ...more] = pages.length > 0 ? pages : allowed
  const origin = (first as string).replace('*', 'static-s3')
  return { origin, isCertain: true, isKeepable: more.length === 0 && origin === first }
}
