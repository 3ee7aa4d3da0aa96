import { encodePath, prefixOf } from './paths.js'

/** The bucket's place in a store, and its domain for browsers. */
export interface BucketAddress {
  bucket: string
  /** Without slashes at its ends; empty for the bucket's root. */
  location: string
  region: string
  customDomain: string | undefined
  protocol: 'https:' | 'http:'
  endpoint: string | undefined
  addressingStyle: 'auto' | 'path' | 'virtual'
}

/**
 * The location's public URL, with a slash at its end.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
 */
export function publicUrlOf(address: BucketAddress): string {
  const { location, region, customDomain, protocol, endpoint } = address
  const origin =
    customDomain === undefined
      ? bucketUrlAt(endpoint ?? `${protocol}//s3.${region}.${awsDomain(region)}`, address).href.replace(/\/$/, '')
      : `${protocol}//${customDomain}`
  return `${origin}/${encodePath(prefixOf(location))}`
}

/** The bucket's URL in this store. A path in it has no slash at its end. */
export function bucketUrlAt(
  store: string,
  { bucket, endpoint, addressingStyle }: Pick<BucketAddress, 'bucket' | 'endpoint' | 'addressingStyle'>,
): URL {
  const url = new URL(store)
  const path = url.pathname.replace(/\/+$/, '')
  const pathStyle = usesPathStyle(bucket, endpoint, addressingStyle)
  if (!pathStyle) url.hostname = `${bucket}.${url.hostname}`
  url.pathname = pathStyle ? `${path}/${encodePath(bucket)}` : path
  return url
}

/** True if the URL's path contains the bucket's name. `style` counts only if both styles work. */
export function usesPathStyle(
  bucket: string,
  endpoint: string | undefined,
  style: BucketAddress['addressingStyle'],
): boolean {
  // `URL` drops these characters from a host name, or changes their case.
  if (!/^[a-z0-9.-]+$/.test(bucket)) return true
  // An IP address has no subdomains. `URL` normalizes its form.
  if (endpoint !== undefined && /^(\[.*\]|[\d.]+)$/.test(new URL(endpoint).hostname)) return true
  if (style !== 'auto') return style === 'path'
  // AWS's certificate covers one label before s3.…, so no bucket name with dots.
  return endpoint !== undefined || bucket.includes('.')
}

/** AWS's partitions by the prefixes of their regions, and the partitions' domains. */
const partitions: [prefix: string, partition: string, domain: string][] = [
  ['cn-', 'aws-cn', 'amazonaws.com.cn'],
  ['us-gov-', 'aws-us-gov', 'amazonaws.com'],
  ['eusc-', 'aws-eusc', 'amazonaws.eu'],
  ['us-iso-', 'aws-iso', 'c2s.ic.gov'],
  ['us-isob-', 'aws-iso-b', 'sc2s.sgov.gov'],
  ['us-isof-', 'aws-iso-f', 'csp.hci.ic.gov'],
  ['eu-isoe-', 'aws-iso-e', 'cloud.adc-e.uk'],
]

const partitionOf = (region: string) => partitions.find(([prefix]) => region.startsWith(prefix))

/** @see https://docs.aws.amazon.com/general/latest/gr/s3.html */
export function awsDomain(region: string): string {
  return partitionOf(region)?.[2] ?? 'amazonaws.com'
}

/**
 * The second part of every ARN in a region.
 *
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
 */
export function awsPartition(region: string): string {
  return partitionOf(region)?.[1] ?? 'aws'
}
