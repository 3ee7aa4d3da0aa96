import type { BucketAddress } from '../urls/public-url.js'
import { asUrl, type SettingReader } from './setting-reader.js'

const endpointVariables = ['AWS_S3_ENDPOINT_URL', 'AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL']

export function readBucket(read: SettingReader, endpoint: string | undefined): string {
  const found = read.string('bucket', ['AWS_STORAGE_BUCKET_NAME'])
  if (!found) {
    if (!read.problems.some((problem) => problem.startsWith('option `bucket` is'))) {
      read.problems.push("AWS_STORAGE_BUCKET_NAME is not set: set it, or the option `bucket`, to the bucket's name.")
    }
    return ''
  }
  const { value } = found
  if (value.startsWith('arn:')) {
    // An ARN does not always tell the access point's host name.
    read.problem(found, "use the bucket's name, or the access point's alias")
  } else if (/[/:\\]/.test(value)) {
    read.problem(found, "use only the bucket's name (a folder in it goes into AWS_LOCATION)")
  } else if (
    endpoint === undefined &&
    !/^(?=.{3,63}$)(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9]([a-z0-9-]|\.(?!\.))*[a-z0-9]$/.test(value)
  ) {
    // https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    read.problem(found, 'use 3 to 63 lower-case letters, digits, single dots and hyphens, and no IP address')
  } else if (!/^[\w.-]+$/.test(value) || isDots(value)) {
    read.problem(found, 'use letters, digits, dots, hyphens and underscores')
  }
  return value
}

export function readLocation(read: SettingReader): string {
  const found = read.find('location') ?? read.emptyable('AWS_LOCATION')
  if (!found) return 'static'
  if (typeof found.value !== 'string') {
    read.problem(found, 'use a string')
    return ''
  }
  const location = found.value.trim().replace(/^\/+|\/+$/g, '')
  if (location === '') return ''
  const segments = location.split('/')
  if (/^[a-z][a-z0-9+.-]*:/i.test(location)) {
    read.problem(found, 'use a folder in the bucket, not a URL')
  } else if (segments.some((segment) => segment === '' || isDots(segment))) {
    read.problem(found, 'remove empty, "." and ".." parts')
  } else if (segments[0] === '.static-s3') {
    read.problem(found, 'use another folder, because .static-s3 contains the records')
  } else if (!/^[\w.~/-]+$/.test(location)) {
    // Bundlers, stores and browsers encode all other characters differently.
    read.problem(found, 'use letters, digits and - _ . ~ /')
  }
  return location
}

export function readRegion(read: SettingReader, endpoint: string | undefined): string | undefined {
  const found = read.string('region', ['AWS_S3_REGION_NAME', 'AWS_REGION', 'AWS_DEFAULT_REGION'])
  if (found && !/^[a-z0-9-]+$/.test(found.value)) read.problem(found, 'use a region such as eu-central-1')
  else if (found?.value === 'auto' && !endpoint) read.problem(found, 'use a region of AWS, or set an endpoint')
  return found?.value
}

/** A protocol in the domain, as in `http://localhost:9000`, beats AWS_S3_URL_PROTOCOL. */
export function readCustomDomain(read: SettingReader): Pick<BucketAddress, 'customDomain' | 'protocol'> {
  const found = read.string('customDomain', ['AWS_S3_CUSTOM_DOMAIN'])
  const protocol = readProtocol(read)
  if (!found || read.refusesCredentials(found)) return { customDomain: undefined, protocol }
  const [, stated, domain = ''] = /^(?:(https?:)?\/\/)?(.*?)\/*$/i.exec(found.value) ?? []
  const url = asUrl(`https://${domain}`)
  const isHost = url !== undefined && (/[.:]/.test(url.host) || url.hostname === 'localhost')
  if (!isHost || /[\s\\?#]/.test(domain) || leadsElsewhere(domain)) {
    read.problem(found, 'use a domain such as cdn.example.com')
  }
  return { customDomain: domain, protocol: (stated?.toLowerCase() as BucketAddress['protocol']) ?? protocol }
}

function readProtocol(read: SettingReader): BucketAddress['protocol'] {
  const found = read.variable('AWS_S3_URL_PROTOCOL')
  if (!found) return 'https:'
  const protocol = `${found.value.replace(/:?(\/\/)?$/, '')}:`
  if (protocol === 'https:' || protocol === 'http:') return protocol
  read.problem(found, 'use "https:" or "http:"')
  return 'https:'
}

export function readEndpoint(read: SettingReader): string | undefined {
  const found = read.string('endpoint', endpointVariables)
  if (!found || read.refusesCredentials(found)) return undefined
  const url = asUrl(found.value)
  if (!url || !/^https?:$/.test(url.protocol)) read.problem(found, 'use a URL such as https://s3.example.com')
  else if (/[?#]/.test(found.value)) read.problem(found, 'remove its query and its fragment')
  else if (leadsElsewhere(found.value.replace(/^https?:\/\/|\/+$/gi, ''))) {
    read.problem(found, 'remove empty, "." and ".." parts and encoded slashes from its path')
  } else if (url.protocol === 'http:' && !isNear(url.hostname)) {
    read.warnings.push(
      `${found.name} begins with http: anyone on the way can read and change your files (your secret key is never sent); use https`,
    )
  }
  return found.value.replace(/\/+$/, '')
}

/** Adds a problem if the endpoint does not fit the bucket or the domain. */
export function checkEndpoint(
  read: SettingReader,
  { endpoint, bucket, customDomain }: Pick<BucketAddress, 'endpoint' | 'bucket' | 'customDomain'>,
): void {
  const url = endpoint && bucket ? asUrl(endpoint) : undefined
  const found = url && read.string('endpoint', endpointVariables)
  if (!found) return
  if (url.hostname.startsWith(`${bucket}.`) || url.pathname.split('/').includes(bucket)) {
    read.problem(found, "remove the bucket's name from it")
  } else if (url.hostname.endsWith('.r2.cloudflarestorage.com') && customDomain === undefined) {
    // https://developers.cloudflare.com/r2/buckets/public-buckets/
    read.problem(
      found,
      "set AWS_S3_CUSTOM_DOMAIN to the bucket's own or its r2.dev domain, because R2's endpoint serves no visitors",
    )
  }
}

function isDots(segment: string): boolean {
  return /^(\.|%2e){1,2}$/i.test(segment)
}

/** True if a server or browser may read the path as another one. */
function leadsElsewhere(path: string): boolean {
  return /\\|%(2f|5c|25)/i.test(path) || path.split('/').some((segment) => segment === '' || isDots(segment))
}

/** True if the host's name or address belongs to this machine or to its own network. */
function isNear(host: string): boolean {
  // Only a private network has names of one label, such as `minio` among containers.
  if (/^[^.:]+$/.test(host) || /\.(localhost|internal|local)$/.test(host)) return true
  // https://www.rfc-editor.org/rfc/rfc4193
  if (/^\[(::1\]|f[cd]..:|fe[89ab].:)/.test(host)) return true
  return /^(0|127|10|192\.168|169\.254|172\.(1[6-9]|2\d|3[01]))(\.\d+)+$/.test(host)
}
