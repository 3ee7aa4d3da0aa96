import { encodePath } from '../urls/paths.js'
import type { BucketAddress } from '../urls/public-url.js'

/**
 * The most wildcards of an invalidation before a single one replaces them. A distribution takes 15 at a time: those of three deploys that follow each
 * other. AWS bills each path after 1,000 a month, and a wildcard counts as one: a hundred such deploys a month cost nothing.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/PayingForInvalidation.html
 * @see https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/InvalidationLimits.html
 */
const mostWildcards = 5

/** CloudFront serves these files for their folder's URL: as its default root object, or by a function. */
const indexDocument = /^(.*\/)index\.html?$/

/**
 * The paths to invalidate for these files: as visitors request them, with every query.
 *
 * @param files paths below the location
 * @see https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/invalidation-specifying-objects.html
 */
export function invalidationPaths(files: readonly string[], address: PublicAddress): string[] {
  const root = rootOf(address)
  const patterns = files.map((file) => patternOf(root + encodePath(file)))
  const paths = [...new Set(patterns.flatMap(withVariants))].sort()
  if (paths.filter((path) => path.endsWith('*')).length <= mostWildcards) return paths
  const folder = commonFolder(patterns)
  // The folder's own URL may lack its slash.
  return [`${folder}*`, ...paths.filter((path) => !path.startsWith(folder))]
}

type PublicAddress = Pick<BucketAddress, 'customDomain' | 'location'> & { publicUrl: string }

/** The path of the location's URL in a distribution. Without a custom domain, the bucket is the distribution's origin as it is. */
function rootOf({ customDomain, location, publicUrl }: PublicAddress): string {
  if (customDomain !== undefined) return new URL(publicUrl).pathname
  return location === '' ? '/' : `/${encodePath(location)}/`
}

/**
 * The path, or a wildcard before its first special character. CloudFront refuses some characters in invalidations, and matches others in one of
 * their encodings only: it refuses `~`, and `%7E` matches nothing.
 *
 * @see https://github.com/aws/aws-sdk/issues/525
 */
function patternOf(path: string): string {
  const safe = /^[\w./-]*/.exec(path)?.[0] ?? '/'
  return safe === path ? path : `${safe}*`
}

function withVariants(pattern: string): string[] {
  if (pattern.endsWith('*')) return [pattern]
  const folder = indexDocument.exec(pattern)?.[1]
  const urls = folder === undefined ? [] : folder === '/' ? [folder] : [folder, folder.slice(0, -1)]
  // A path without a wildcard stands for requests without a query.
  return [`${pattern}*`, ...urls.flatMap((url) => [url, `${url}?*`])]
}

/** The innermost folder of all patterns, with a slash at its end. */
function commonFolder([first = '/', ...others]: readonly string[]): string {
  let length = first.length
  for (const other of others) while (!other.startsWith(first.slice(0, length))) length--
  return first.slice(0, first.lastIndexOf('/', length - 1) + 1)
}
