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

function origin({ bucket, region, customDomain, protocol, endpoint, addressingStyle }: Place): string {
  if (customDomain !== undefined) return `${protocol}//${customDomain}`
  if (endpoint === undefined) {
    const host = `s3.${region}.${awsDomain(region)}`
    return usesPathStyle(bucket, endpoint, addressingStyle)
      ? `${protocol}//${host}/${bucket}`
      : `${protocol}//${bucket}.${host}`
  }
  const url = new URL(endpoint)
  const path = url.pathname.replace(/\/+$/, '')
  return usesPathStyle(bucket, endpoint, addressingStyle)
    ? `${url.protocol}//${url.host}${path}/${encodePath(bucket)}`
    : `${url.protocol}//${bucket}.${url.host}${path}`
}

/** Whether the bucket's name stands in the path: asked for, or the only way that works. */
export function usesPathStyle(bucket: string, endpoint: string | undefined, style: Place['addressingStyle']): boolean {
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
