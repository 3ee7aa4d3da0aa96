/** Directives by lower-case name. A directive without a value has an empty one. */
type Directives = Map<string, string>

/** @see https://www.rfc-editor.org/rfc/rfc9111#section-5.2 */
function parse(cacheControl: string): Directives {
  // A comma inside a quoted string ends no directive.
  const directive = /([!#$%&'*+.^`|~\w-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/g
  const found: Directives = new Map()
  for (const [, name = '', quoted, token] of cacheControl.matchAll(directive)) {
    const key = name.toLowerCase()
    const value = quoted?.replace(/\\(.)/g, '$1') ?? token ?? ''
    // Caches differ about a directive that comes twice: the longer time counts.
    if (Number(value) >= Number(found.get(key) ?? 0) || !found.has(key)) found.set(key, value)
  }
  return found
}

/**
 * The longest time, in seconds, for which a browser or shared cache may use a response without revalidation. Infinite if the header leaves
 * the time to the cache.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9111#section-4.2
 */
export function secondsWithoutRevalidation(cacheControl: string): number {
  const directives = parse(cacheControl)
  // With a value, `no-cache` applies only to the header fields that it lists.
  if (directives.has('no-store') || directives.get('no-cache') === '') return 0
  const seconds = (name: string) => Number(/^\d*/.exec(directives.get(name) ?? '')?.[0])
  // Without a lifetime, a browser guesses one from the file's age.
  if (!directives.has('max-age')) return Number.POSITIVE_INFINITY
  const stale = directives.has('must-revalidate') ? 0 : seconds('stale-while-revalidate')
  return Math.max(seconds('max-age'), seconds('s-maxage')) + stale
}

/**
 * True if CloudFront may serve a response for a while without asking the bucket, at a minimum TTL of 0. Without any lifetime, its default TTL counts.
 *
 * @param now milliseconds since 1970
 * @see https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/Expiration.html
 */
export function mayStayInCloudFront(cacheControl: string, expires: Date | undefined, now: number): boolean {
  const directives = parse(cacheControl)
  if (directives.has('no-store') || directives.get('no-cache') === '' || directives.get('private') === '') return false
  const seconds = (name: string) => Number.parseInt(directives.get(name) ?? '', 10) || 0
  if (seconds('stale-while-revalidate') > 0) return true
  const lifetime = ['s-maxage', 'max-age'].find((name) => directives.has(name))
  if (lifetime !== undefined) return seconds(lifetime) > 0
  return expires === undefined || expires.getTime() > now
}
