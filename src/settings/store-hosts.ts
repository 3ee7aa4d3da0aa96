export const noDirectoryBucket =
  'use a general purpose bucket, because browsers cannot read a directory bucket (S3 Express)'

type Remedies = [host: RegExp, remedy: string][]

/** Hosts that do not serve a store's API. */
const noApi: Remedies = [
  [
    /\bs3-website[.-]/,
    "remove it or use the store's API, because website endpoints have no HTTPS and accept no uploads",
  ],
  [
    /\bs3-accelerate\./,
    "remove it, because visitors' requests would pass through Transfer Acceleration too, and cost extra",
  ],
  [/\bs3express-[^.]+\./, noDirectoryBucket],
  [
    /\.(r2\.dev|cloudfront\.net|cdn\.digitaloceanspaces\.com)$/,
    'make it AWS_S3_CUSTOM_DOMAIN, because it serves visitors and accepts no uploads',
  ],
  // https://www.backblaze.com/docs/cloud-storage-call-the-s3-compatible-api
  [/^(api|f)\d*\.backblazeb2\.com$/, "use the bucket's S3 endpoint, such as https://s3.us-west-004.backblazeb2.com"],
  [/^storage\.cloud\.google\.com$/, 'use https://storage.googleapis.com, because it asks visitors to sign in'],
]

/** Hosts that serve no visitors. */
const noVisitors: Remedies = [
  // https://developers.cloudflare.com/r2/buckets/public-buckets/
  [
    /\.r2\.cloudflarestorage\.com$/,
    "set AWS_S3_CUSTOM_DOMAIN to the bucket's own or its r2.dev domain, because R2's endpoint serves no visitors",
  ],
  // https://cloud.google.com/storage/docs/request-endpoints
  [/^storage\.cloud\.google\.com$/, 'use storage.googleapis.com/BUCKET, because it asks visitors to sign in'],
]

const firstMatch = (remedies: Remedies, host: string) => remedies.find(([pattern]) => pattern.test(host))?.[1]

/** The remedy if the host serves no API. */
export const apiRemedy = (host: string) => firstMatch(noApi, host)

/** The remedy if the host serves no visitors. */
export const visitorsRemedy = (host: string) => firstMatch(noVisitors, host)

/** Hosts of an API. A label before one of them is a bucket. The first label of any other host may be the store's own name. */
const apiHost = /^(s3[.-].*|[\w-]+\.(digitaloceanspaces|linodeobjects|your-objectstorage)\.com)$/

/** True if the host is the bucket's own at a store that we know; false if its first label only resembles the bucket. */
export const isBucketHost = (host: string, bucket: string) =>
  host.startsWith(`${bucket}.`) && apiHost.test(host.slice(bucket.length + 1))

/** The region in the endpoint of a store that has one for each region, or only one. */
export function regionOfHost(host: string): string | undefined {
  if (host.endsWith('.r2.cloudflarestorage.com')) return 'auto'
  return /^(?:s3\.)?([\w-]+)\.(?:backblazeb2|digitaloceanspaces)\.com$/.exec(host)?.[1]
}

/**
 * True if the store refuses signatures for this region. Spaces accepts other regions than its own.
 *
 * @see https://developers.cloudflare.com/r2/api/s3/api/#bucket-region
 */
export function refusesRegion(host: string, region: string): boolean {
  if (host.endsWith('.backblazeb2.com')) return region !== regionOfHost(host)
  return host.endsWith('.r2.cloudflarestorage.com') && region !== 'us-east-1' && /-\d+$/.test(region)
}
