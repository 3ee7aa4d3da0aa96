import type { BucketAddress } from '../urls/public-url.js'
import { asUrl, type Named, type SettingReader } from './setting-reader.js'
import {
  apiRemedy,
  isBucketHost,
  noDirectoryBucket,
  refusesRegion,
  regionOfHost,
  visitorsRemedy,
} from './store-hosts.js'

/** An endpoint from the SDK's configuration, or from a variable that the SDK reads too. */
export interface ConfiguredEndpoint {
  /** The profile's `endpoint_url`, or the one in its `services` section. */
  url?: string | undefined
  /** `ignore_configured_endpoint_urls` */
  ignored: boolean
}

/** Suffixes of bucket names that AWS reserves, with their remedies. */
const reservedEnds: [end: RegExp, remedy: string][] = [
  [/--(x|xa)-s3$/, noDirectoryBucket],
  [/--(ol|table)-s3$/, 'use the bucket behind it, because it accepts no uploads'],
  [/\.mrap$/, 'use one of its buckets, because a Multi-Region Access Point needs another kind of signature'],
]

export function readBucket(read: SettingReader, endpoint: string | undefined): string {
  const variable = 'AWS_STORAGE_BUCKET_NAME'
  const found = read.string('bucket', [variable])
  if (!found) {
    if (!read.isSet('bucket', [variable])) {
      const named = read.find('bucket')
      read.problems.push(
        named
          ? `${named.name} is empty: set it to the bucket's name.`
          : `${variable} is not set: set it, or ${read.nameOption('bucket')}, to the bucket's name.`,
      )
    }
    return ''
  }
  const { value } = found
  const reserved = reservedEnds.find(([end]) => end.test(value))?.[1]
  if (value.startsWith('arn:')) {
    // An ARN does not always tell the access point's host name.
    read.problem(found, "use the bucket's name, or the access point's alias")
  } else if (reserved && (endpoint === undefined || /\.amazonaws\./.test(endpoint))) {
    read.problem(found, reserved)
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

/** The setting, or else the region in the endpoint's host: the AWS SDK's may be meant for AWS. */
export function readRegion(read: SettingReader, endpoint: string | undefined): string | undefined {
  const found = read.string('region', ['AWS_S3_REGION_NAME', 'AWS_REGION', 'AWS_DEFAULT_REGION'])
  const host = asUrl(endpoint ?? '')?.hostname ?? ''
  const known = regionOfHost(host)
  if (!found) return known
  if (!/^[a-z0-9-]+$/.test(found.value)) read.problem(found, 'use a region such as eu-central-1')
  else if (found.value === 'auto' && !endpoint) read.problem(found, 'use a region of AWS, or set an endpoint')
  else if (known && refusesRegion(host, found.value)) {
    read.problem(found, `set AWS_S3_REGION_NAME to "${known}", the region of ${host}`)
  }
  return found.value
}

/** A protocol in the domain, as in `http://localhost:9000`, beats AWS_S3_URL_PROTOCOL. */
export function readCustomDomain(read: SettingReader): Pick<BucketAddress, 'customDomain' | 'protocol'> {
  const found = read.string('customDomain', ['AWS_S3_CUSTOM_DOMAIN'])
  const fallback = readProtocol(read)
  if (!found || read.refusesUrlSecrets(found)) return { customDomain: undefined, protocol: fallback }
  const [, stated, domain = ''] = /^(?:(https?:)?\/\/)?(.*?)\/*$/is.exec(found.value) ?? []
  const protocol = (stated?.toLowerCase() as BucketAddress['protocol']) ?? fallback
  const [host = '', ...folders] = domain.split('/')
  const path = folders.map((folder) => `/${folder}`).join('')
  const url = asUrl(`${protocol}//${host}`)
  const isName = url && isHost(url) && (/[.:]/.test(url.host) || url.host === 'localhost')
  if (!isName || !/^[^\s\\]+$/.test(host) || !/^[\w.~/-]*$/.test(path)) {
    read.problem(found, 'use a domain such as cdn.example.com')
  } else if (leadsElsewhere(domain)) {
    read.problem(found, 'remove empty, "." and ".." parts from its path')
  } else if (/\.s3-website[.-]/.test(url.host) && protocol === 'https:') {
    read.problem(found, 'use a CloudFront distribution, or no domain, because website endpoints have no HTTPS')
  } else {
    const remedy = visitorsRemedy(url.hostname)
    if (remedy) read.problem(found, remedy)
  }
  return { customDomain: `${url?.host}${path}`, protocol }
}

function readProtocol(read: SettingReader): BucketAddress['protocol'] {
  const found = read.variable('AWS_S3_URL_PROTOCOL')
  if (!found) return 'https:'
  const protocol = `${found.value.replace(/:?(\/\/)?$/, '')}:`
  if (protocol === 'https:' || protocol === 'http:') return protocol
  read.problem(found, 'use "https:" or "http:"')
  return 'https:'
}

/**
 * The endpoint's setting: static-s3's own, or else the SDK's, from the environment or the profile.
 *
 * @see https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
 */
export async function findEndpoint(
  read: SettingReader,
  configured: () => Promise<ConfiguredEndpoint>,
): Promise<Named<string> | undefined> {
  const own = read.string('endpoint', ['AWS_S3_ENDPOINT_URL'])
  if (own || read.boolean(undefined, ['AWS_IGNORE_CONFIGURED_ENDPOINT_URLS'], false)) return own
  const { url, ignored } = await configured()
  if (ignored) return undefined
  return (
    read.variable('AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL') ??
    (url === undefined ? undefined : { name: "the profile's endpoint_url", value: url })
  )
}

export function readEndpoint(read: SettingReader, found: Named<string> | undefined): string | undefined {
  if (!found || read.refusesUrlSecrets(found)) return undefined
  const url = asUrl(found.value)
  if (!url || !/^https?:\/\/[^/]/i.test(found.value) || !isHost(url)) {
    // Many stores' own pages show only the host's name.
    const example = /^[\w-]+(\.[\w-]+)+$/.test(found.value) ? found.value : 's3.example.com'
    read.problem(found, `use a URL such as https://${example}`)
  } else if (leadsElsewhere(found.value.replace(/^https?:\/\/|\/+$/gi, ''))) {
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
  found: Named<string> | undefined,
  { bucket, customDomain }: Pick<BucketAddress, 'bucket' | 'customDomain'>,
): void {
  const url = found && asUrl(found.value)
  if (!url || !/^https?:$/.test(url.protocol)) return
  const host = url.hostname
  const path = url.pathname.replace(/\/+$/, '')
  const notApi = apiRemedy(host)
  const notForVisitors = customDomain === undefined ? visitorsRemedy(host) : undefined
  if (notApi) {
    read.problem(found, notApi)
  } else if (bucket && (isBucketHost(host, bucket) || path.endsWith(`/${bucket}`))) {
    read.problem(found, "remove the bucket's name from it")
  } else if (notForVisitors) {
    read.problem(found, notForVisitors)
  } else if (customDomain === undefined && isPrivateName(host)) {
    read.warn(found, `no browser outside of that network knows ${host}; set AWS_S3_CUSTOM_DOMAIN`)
  } else if (bucket && host.startsWith(`${bucket}.`)) {
    read.warn(found, `remove "${bucket}." if it stands for the bucket`)
  } else if (customDomain === url.host && path === '') {
    read.warn(found, `its visitors need the bucket's name: set AWS_S3_CUSTOM_DOMAIN to ${customDomain}/${bucket}`)
  }
}

/** False for an unfilled template: `URL` accepts quotes, commas and `${HOST}` in a host's name. */
function isHost({ hostname }: URL): boolean {
  return /^(\[[\da-f:.]+\]|[\w-]+(\.[\w-]+)*\.?)$/.test(hostname)
}

/** True for names that resolve only inside a container network. A browser on this machine resolves `localhost`. */
function isPrivateName(host: string): boolean {
  return (/^[^.:]+$/.test(host) && host !== 'localhost') || /\.(docker\.internal|svc|cluster\.local)$/.test(host)
}

export function isDots(segment: string): boolean {
  return /^(\.|%2e){1,2}$/i.test(segment)
}

/** True if a server or browser may read the path as another one. */
function leadsElsewhere(path: string): boolean {
  return /\\|%(2f|5c|25)/i.test(path) || path.split('/').some((segment) => segment === '' || isDots(segment))
}

/** True if the host's name or address belongs to this machine or to its own network. */
function isNear(host: string): boolean {
  // Only a private network has names of one label, such as `minio` among containers.
  if (/^[^.:]+$/.test(host) || /\.(localhost|internal|local|svc)$/.test(host)) return true
  // https://www.rfc-editor.org/rfc/rfc4193
  if (/^\[(::1\]|f[cd]..:|fe[89ab].:)/.test(host)) return true
  return /^(0|127|10|192\.168|169\.254|172\.(1[6-9]|2\d|3[01]))(\.\d+)+$/.test(host)
}
