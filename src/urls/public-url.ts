/** Where browsers find the bucket. */
export interface Place {
  bucket: string
  /** Without slashes at its ends; empty is the bucket's root. */
  location: string
  region: string
  customDomain: string | undefined
  protocol: 'https:' | 'http:'
  endpoint: string | undefined
  addressingStyle: 'auto' | 'path' | 'virtual'
}

/**
 * The URL under which the location's files are public, with a slash at its end.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
 */
export function publicUrlOf(place: Place): string {
  return `${origin(place)}/${place.location === '' ? '' : `${encodePath(place.location)}/`}`
}

function origin(place: Place): string {
  const { region, customDomain, protocol, endpoint } = place
  if (customDomain !== undefined) return `${protocol}//${customDomain}`
  return bucketUrlAt(endpoint ?? `${protocol}//s3.${region}.${awsDomain(region)}`, place).href.replace(/\/$/, '')
}

/** The bucket's URL at this store, without a slash at its end where it has a path. */
export function bucketUrlAt(
  store: string,
  { bucket, endpoint, addressingStyle }: Pick<Place, 'bucket' | 'endpoint' | 'addressingStyle'>,
): URL {
  const url = new URL(store)
  const path = url.pathname.replace(/\/+$/, '')
  const pathStyle = usesPathStyle(bucket, endpoint, addressingStyle)
  if (!pathStyle) url.hostname = `${bucket}.${url.hostname}`
  url.pathname = pathStyle ? `${path}/${encodePath(bucket)}` : path
  return url
}

/** Whether the bucket's name stands in the path: asked for, or the only way that works. */
export function usesPathStyle(bucket: string, endpoint: string | undefined, style: Place['addressingStyle']): boolean {
  // What can't be part of a host name, for `URL` would leave it out, or write it in lower case.
  if (!/^[a-z0-9.-]+$/.test(bucket)) return true
  // An IP address has no names below it. As `URL` writes one, whatever its form was.
  if (endpoint !== undefined && /^(\[.*\]|[\d.]+)$/.test(new URL(endpoint).hostname)) return true
  if (style !== 'auto') return style === 'path'
  // AWS's certificate covers one label before s3.…: a bucket name with dots has several.
  return endpoint !== undefined || bucket.includes('.')
}

/** What the regions of AWS's other partitions begin with, and their domains. */
const partitions = {
  'cn-': 'amazonaws.com.cn',
  'eusc-': 'amazonaws.eu',
  'us-iso-': 'c2s.ic.gov',
  'us-isob-': 'sc2s.sgov.gov',
  'us-isof-': 'csp.hci.ic.gov',
  'eu-isoe-': 'cloud.adc-e.uk',
}

/** @see https://docs.aws.amazon.com/general/latest/gr/s3.html */
export function awsDomain(region: string): string {
  return Object.entries(partitions).find(([prefix]) => region.startsWith(prefix))?.[1] ?? 'amazonaws.com'
}

/**
 * Percent-encodes a key for a URL. Not `encodeURI`: S3 reads a plain `+` in a path as a space, and `#`, `?` and `%` would end or
 * change the path.
 */
export function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/')
}
