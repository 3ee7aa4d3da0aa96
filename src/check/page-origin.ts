/** The origins whose pages a bucket's CORS rules let read objects, some with a `*`. Undefined if the rules can't be read. */
export type AllowedOrigins = readonly string[] | undefined

export interface PageOrigin {
  origin: string
  /** True if a store that allows the pages' origins also allows this one. */
  isCertain: boolean
  /** True if the response to this origin also serves the pages', so that a CDN may keep it. */
  isKeepable: boolean
}

/** An origin that no page has. */
const noPage = 'https://static-s3.invalid'

/**
 * The origin to send in the place of a page.
 *
 * A CDN may give the response to the first visitor to all later ones, and the file's name lets it do so for a year. Without
 * Access-Control-Allow-Origin for the real pages, that response would break them. So a file that a CDN may keep is fetched only if the origin can
 * do no harm.
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
  // Developers' own pages are on the list as well.
  const pages = allowed.filter((origin) => !/^http:|\/\/(localhost|127\.0\.0\.1)\b/.test(origin))
  const [first, ...more] = pages.length > 0 ? pages : allowed
  const origin = (first as string).replace('*', 'static-s3')
  return { origin, isCertain: true, isKeepable: more.length === 0 && origin === first }
}
