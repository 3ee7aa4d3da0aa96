import type { ObjectParameters } from '../bucket/bucket.js'
import { suggestion } from '../runtime/suggestion.js'
import { type Place, publicUrlOf } from '../urls/public-url.js'
import { type Environment, type SecretVariable, secretVariables } from './environment.js'
import { parametersOfRule, problemOfParameter, problemsOfParameters, withDates } from './object-parameters.js'
import type { Options, Rule } from './options.js'
import { asBoolean, asGlobs, asJson, asUrl, SettingReader, show } from './setting-reader.js'
import { type Build, type Switch, switchFor } from './switch.js'

/** Keys from the environment or a `.env` file, a profile, or undefined for the SDK's own chain. */
export type CredentialSource = Credentials | { profile: string } | undefined

export interface Credentials {
  accessKeyId: string
  secretAccessKey: string
  sessionToken?: string | undefined
}

export interface ResolvedRule {
  match: string[]
  parameters: ObjectParameters
}

/** What the options, the environment and the defaults come to. */
export interface Settings extends Place {
  /** With a slash at its end. */
  publicUrl: string
  credentials: CredentialSource
  objectParameters: ObjectParameters
  rules: ResolvedRule[]
  include: string[]
  exclude: string[]
  cacheControl: { fingerprinted: string; other: string }
  sourceMaps: 'exclude' | 'public'
  rewrite: 'urls' | 'base' | false
  fileOverwrite: boolean
  concurrency: number
  /** Seconds. */
  lockTimeout: number
  dryRun: boolean
  force: boolean
  onError: 'fail' | 'warn'
  /** What `.env` files have that must be in no file. Never shown, and never kept. */
  secrets: SecretVariable[]
  /** What the user should know, one sentence each. */
  warnings: string[]
}

export interface SettingsInput {
  options: Options
  environment: Environment
  build: Build
  /** What the names of variables begin with that are meant to be in the bundle. */
  exposed?: readonly string[]
  /** What the AWS SDK finds when no setting names the region; asked for only when the public URL depends on nothing else. */
  findRegion: (profile: string | undefined) => Promise<string>
}

/** What a build comes to: settings, or the reason why it stays on disk. */
export type Resolved = { on: true; settings: Settings } | { on: false; because: string }

/**
 * The settings of a build, if it goes to S3.
 *
 * @throws StaticS3Error that lists every problem at once. Unknown options are problems also where static-s3 is off, so that a laptop
 * finds them before CI does.
 */
export async function resolveSettings(input: SettingsInput): Promise<Resolved> {
  const { options, environment, build, exposed, findRegion } = input
  const read = new SettingReader(options, environment.all)
  const decided = switchFor(build, readSwitch(read, input))
  if (!decided.on) {
    read.throwProblems()
    return decided
  }
  const endpoint = readEndpoint(read)
  const { customDomain, protocol } = readCustomDomain(read)
  const bucket = readBucket(read, endpoint)
  checkEndpoint(read, endpoint, bucket, customDomain)
  const credentials = readCredentials(read, environment)
  const known = {
    bucket,
    location: readLocation(read),
    customDomain,
    protocol,
    endpoint,
    addressingStyle: read.oneOf('addressingStyle', ['AWS_S3_ADDRESSING_STYLE'], ['auto', 'path', 'virtual'], 'auto'),
    credentials,
    objectParameters: readObjectParameters(read),
    rules: readRules(read),
    include: read.globs('include'),
    exclude: read.globs('exclude'),
    cacheControl: readCacheControl(read),
    sourceMaps: read.oneOf('sourceMaps', [], ['exclude', 'public'], 'exclude'),
    rewrite: read.oneOf('rewrite', [], ['urls', 'base', false], 'urls'),
    fileOverwrite: read.boolean('fileOverwrite', ['AWS_S3_FILE_OVERWRITE'], true),
    concurrency: read.wholeNumber('concurrency', ['STATIC_S3_CONCURRENCY'], 1, 256, 192),
    lockTimeout: read.wholeNumber('lockTimeout', [], 0, 86_400, 300),
    dryRun: read.boolean('dryRun', [], false),
    force: read.boolean('force', [], false),
    onError: read.oneOf('onError', [], ['fail', 'warn'], 'fail'),
    secrets: secretVariables(environment, read.names('allowSecrets'), exposed),
  } satisfies Omit<Settings, 'region' | 'publicUrl' | 'warnings'>
  const namedRegion = readRegion(read, endpoint)
  refuseWhatCannotBe(read)
  read.throwProblems()

  const region =
    namedRegion ?? (await findRegion(credentials && 'profile' in credentials ? credentials.profile : undefined))
  const publicUrl = publicUrlOf({ ...known, region })
  return { on: true, settings: { ...known, region, publicUrl, warnings: read.warnings } }
}

function readSwitch(read: SettingReader, { options, environment, build }: SettingsInput): Switch {
  const enabled: unknown = options?.enabled
  if (typeof enabled === 'function') {
    const answer: unknown = enabled(environment.all, build.mode)
    if (typeof answer === 'boolean') return { on: answer, because: `option \`enabled\` answered ${answer}` }
    read.problem({ name: "option `enabled`'s answer", value: answer }, 'has to be true or false')
    return { on: false, because: '' }
  }
  const found = read.find('enabled', ['USE_S3'])
  const on = read.boolean('enabled', ['USE_S3'], false)
  return { on, because: found ? `${found.name} is ${show(found.value)}` : 'USE_S3 is not set' }
}

function readBucket(read: SettingReader, endpoint: string | undefined): string {
  const found = read.string('bucket', ['AWS_STORAGE_BUCKET_NAME'])
  if (!found) {
    if (!read.problems.some((problem) => problem.startsWith('option `bucket`'))) {
      read.problems.push('no bucket is named: set AWS_STORAGE_BUCKET_NAME, or the option `bucket`')
    }
    return ''
  }
  const { value } = found
  if (value.startsWith('arn:')) {
    // An access point's own host name can't be told from every ARN, and what is public is the bucket.
    read.problem(found, "is an ARN: name the bucket itself, or the access point's alias")
  } else if (/[/:\\]/.test(value)) {
    read.problem(found, 'has to be the bare name of the bucket (a folder in it goes into AWS_LOCATION)')
  } else if (
    endpoint === undefined &&
    !/^(?=.{3,63}$)(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9]([a-z0-9-]|\.(?!\.))*[a-z0-9]$/.test(value)
  ) {
    // https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    read.problem(found, 'has to be 3 to 63 lower-case letters, digits, single dots and hyphens, and no IP address')
  } else if (!/^[\w.-]+$/.test(value) || isDots(value)) {
    read.problem(found, 'has to be letters, digits, dots, hyphens and underscores')
  }
  return value
}

function readLocation(read: SettingReader): string {
  // Set to nothing means the bucket's root: `find` would take it for not set.
  const found = read.find('location', []) ?? read.emptyable('AWS_LOCATION')
  if (!found) return 'static'
  if (typeof found.value !== 'string') {
    read.problem(found, 'has to be a string')
    return ''
  }
  const location = found.value.trim().replace(/^\/+|\/+$/g, '')
  if (location === '') return ''
  const segments = location.split('/')
  if (/^[a-z][a-z0-9+.-]*:/i.test(location)) {
    read.problem(found, 'has to be a folder in the bucket, not a URL')
  } else if (segments.some((segment) => segment === '' || isDots(segment))) {
    read.problem(found, 'must not have `..`, `.` or an empty part in it, encoded or not: it would lead out of itself')
  } else if (segments[0] === '.static-s3') {
    read.problem(found, 'must not begin with .static-s3, where the records are')
  } else if (!/^[\w.~/-]+$/.test(location)) {
    // Every other character would have to be encoded, and bundlers, stores and browsers don't agree on how.
    read.problem(found, 'has to be letters, digits and - _ . ~ /')
  }
  return location
}

function isDots(segment: string): boolean {
  return /^(\.|%2e){1,2}$/i.test(segment)
}

/** Whether a path is read as another one by some server or browser on the way. */
function leadsElsewhere(path: string): boolean {
  return /\\|%(2f|5c|25)/i.test(path) || path.split('/').some((segment) => segment === '' || isDots(segment))
}

function readRegion(read: SettingReader, endpoint: string | undefined): string | undefined {
  const found = read.string('region', ['AWS_S3_REGION_NAME', 'AWS_REGION', 'AWS_DEFAULT_REGION'])
  if (found && !/^[a-z0-9-]+$/.test(found.value)) read.problem(found, 'has to be a region such as eu-central-1')
  else if (found?.value === 'auto' && endpoint === undefined)
    read.problem(found, 'has to be one of AWS, or needs an endpoint')
  return found?.value
}

/** Without a protocol, or with one that then counts: `http://localhost:9000`. */
function readCustomDomain(read: SettingReader): { customDomain: string | undefined; protocol: Place['protocol'] } {
  const found = read.string('customDomain', ['AWS_S3_CUSTOM_DOMAIN'])
  const protocol = readProtocol(read)
  if (!found || read.refusedCredentials(found)) return { customDomain: undefined, protocol }
  const [, stated, domain = ''] = /^(?:(https?:)?\/\/)?(.*?)\/*$/i.exec(found.value) ?? []
  const url = asUrl(`https://${domain}`)
  const isHost = url !== undefined && (/[.:]/.test(url.host) || url.hostname === 'localhost')
  if (!isHost || /[\s\\?#]/.test(domain) || leadsElsewhere(domain)) {
    read.problem(found, 'has to be a domain such as cdn.example.com')
  }
  return { customDomain: domain, protocol: stated ? (stated.toLowerCase() as Place['protocol']) : protocol }
}

function readProtocol(read: SettingReader): Place['protocol'] {
  const found = read.variable('AWS_S3_URL_PROTOCOL')
  if (!found) return 'https:'
  const protocol = `${found.value.replace(/:?(\/\/)?$/, '')}:`
  if (protocol === 'https:' || protocol === 'http:') return protocol
  read.problem(found, 'has to be "https:" or "http:"')
  return 'https:'
}

function readEndpoint(read: SettingReader): string | undefined {
  const found = read.string('endpoint', ['AWS_S3_ENDPOINT_URL', 'AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL'])
  if (!found || read.refusedCredentials(found)) return undefined
  const url = asUrl(found.value)
  if (!url || !/^https?:$/.test(url.protocol)) read.problem(found, 'has to be a URL such as https://s3.example.com')
  else if (/[?#]/.test(found.value)) read.problem(found, 'must not have a query or a fragment')
  else if (leadsElsewhere(found.value.replace(/^https?:\/\/|\/+$/gi, '')))
    read.problem(found, 'must not have `..`, `.` or an empty part in its path, encoded or not')
  else if (url.protocol === 'http:' && !isNear(url.hostname)) {
    read.warnings.push(
      `${found.name} begins with http: your secret key is never sent, but whoever is on the way can read what is uploaded and change what arrives; use https`,
    )
  }
  return found.value.replace(/\/+$/, '')
}

/** Whether a host is this machine or in its own network, as far as its name tells. */
function isNear(host: string): boolean {
  // One label is a name of that network's: `minio` among containers.
  if (/^[^.:]+$/.test(host) || /\.(localhost|internal|local)$/.test(host)) return true
  // An IPv6 address of this machine, or of a private network (https://www.rfc-editor.org/rfc/rfc4193).
  if (/^\[(::1\]|f[cd]..:|fe[89ab].:)/.test(host)) return true
  return /^(0|127|10|192\.168|169\.254|172\.(1[6-9]|2\d|3[01]))(\.\d+)+$/.test(host)
}

function checkEndpoint(
  read: SettingReader,
  endpoint: string | undefined,
  bucket: string,
  customDomain: string | undefined,
): void {
  const url = endpoint === undefined ? undefined : asUrl(endpoint)
  if (!url || bucket === '') return
  if (url.hostname.startsWith(`${bucket}.`) || url.pathname.split('/').includes(bucket)) {
    read.problems.push(`the endpoint ${endpoint} has the bucket in it: leave it out there`)
  } else if (url.hostname.endsWith('.r2.cloudflarestorage.com') && customDomain === undefined) {
    // https://developers.cloudflare.com/r2/buckets/public-buckets/
    read.problems.push(
      "R2's endpoint serves nobody without a signature: set AWS_S3_CUSTOM_DOMAIN to the bucket's own or its r2.dev domain",
    )
  }
}

function readObjectParameters(read: SettingReader): ObjectParameters {
  let parameters: ObjectParameters = {}
  const found = read.find('objectParameters', ['AWS_S3_OBJECT_PARAMETERS'])
  if (found) {
    const value = typeof found.value === 'string' ? asJson(found.value) : found.value
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      // Not shown: it may have an encryption key in it.
      read.problems.push(`${found.name} has to be a JSON object such as {"StorageClass": "STANDARD_IA"}`)
    } else {
      parameters = withDates(value as ObjectParameters)
      read.problems.push(...problemsOfParameters(found.name, parameters))
    }
  }
  const acl = read.string('acl', ['AWS_DEFAULT_ACL'])
  if (acl) {
    read.problems.push(...problemOfParameter(acl.name, 'ACL', acl.value))
    parameters.ACL = acl.value
  }
  return parameters
}

function readRules(read: SettingReader): ResolvedRule[] {
  const found = read.find('rules', [])
  if (!found) return []
  if (!Array.isArray(found.value)) {
    read.problem(found, 'has to be a list of rules such as { match: "*.pdf", cacheControl: "max-age=60" }')
    return []
  }
  return found.value.map((rule: Rule, index) => {
    const name = `option \`rules[${index}]\``
    if (typeof rule !== 'object' || rule === null) {
      read.problem({ name, value: rule }, 'has to be an object such as { match: "*.pdf", cacheControl: "max-age=60" }')
      return { match: [], parameters: {} }
    }
    const match = asGlobs(rule.match)
    if (!match || match.length === 0)
      read.problems.push(`${name} needs \`match\`, a glob or a list of globs, none with a \`!\``)
    const { parameters, problems } = parametersOfRule(name, rule)
    read.problems.push(...problems)
    return { match: match ?? [], parameters }
  })
}

function readCacheControl(read: SettingReader): Settings['cacheControl'] {
  const defaults = { fingerprinted: 'public, max-age=31536000, immutable', other: 'no-cache' }
  const found = read.find('cacheControl', [])
  if (!found) return defaults
  if (typeof found.value !== 'object' || Array.isArray(found.value)) {
    read.problem(found, 'has to be { fingerprinted, other }')
    return defaults
  }
  for (const [name, value] of Object.entries(found.value as object)) {
    if (!(name in defaults)) {
      read.problems.push(`option \`cacheControl\` has an unknown \`${name}\`${suggestion(name, Object.keys(defaults))}`)
    } else if (value !== undefined) {
      read.problems.push(...problemOfParameter(`option \`cacheControl.${name}\``, 'CacheControl', value))
    }
  }
  const { fingerprinted, other } = found.value as Partial<Settings['cacheControl']>
  return { fingerprinted: fingerprinted ?? defaults.fingerprinted, other: other ?? defaults.other }
}

/**
 * The shell's own credentials are left to the SDK's chain, which knows all their kinds. What the chain can't see is handed to
 * it: `AWS_S3_…` names, and everything that stands in a `.env` file, since no bundler puts those into the process's environment.
 */
function readCredentials(read: SettingReader, { shell, files }: Environment): CredentialSource {
  for (const [source, where] of [
    [shell, ''],
    [files, ' in a .env file'],
  ] as const) {
    for (const prefix of ['AWS_S3_', 'AWS_']) {
      const id = source[`${prefix}ACCESS_KEY_ID`]?.trim()
      const secret = source[`${prefix}SECRET_ACCESS_KEY`]?.trim()
      if (!id && !secret) continue
      if (!id || !secret) {
        const [there, missing] = id ? ['ACCESS_KEY_ID', 'SECRET_ACCESS_KEY'] : ['SECRET_ACCESS_KEY', 'ACCESS_KEY_ID']
        read.problems.push(`${prefix}${there} is set${where} without ${prefix}${missing}: set both, or neither`)
        return undefined
      }
      // The SDK's chain has its own idea of which of the two counts.
      if (source === shell && prefix === 'AWS_' && shell.AWS_PROFILE) return undefined
      // The token belongs to AWS_ACCESS_KEY_ID, where that is another key.
      const token = prefix === 'AWS_' || !source.AWS_ACCESS_KEY_ID || source.AWS_ACCESS_KEY_ID.trim() === id
      const sessionToken = (token && (source.AWS_SESSION_TOKEN || source.AWS_SECURITY_TOKEN)?.trim()) || undefined
      return { accessKeyId: id, secretAccessKey: secret, sessionToken }
    }
    const profile = (source.AWS_S3_SESSION_PROFILE || source.AWS_PROFILE)?.trim()
    if (profile) return { profile }
    if (source === shell && otherCredentials.some((name) => shell[name])) return undefined
  }
  return undefined
}

/** Variables by which a shell names credentials that the SDK's chain finds by itself. */
const otherCredentials = [
  'AWS_WEB_IDENTITY_TOKEN_FILE',
  'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
  'AWS_CONTAINER_CREDENTIALS_FULL_URI',
]

/** Settings of django-storages that can't be right for static files: refused when they are switched on, with the reason. */
function refuseWhatCannotBe(read: SettingReader): void {
  const signed = read.variable('AWS_QUERYSTRING_AUTH')
  if (signed && read.boolean(undefined, [signed.name], false)) {
    read.problem(signed, 'has to be off: signed URLs expire, and files that are cached for a year outlive them')
  }
  const signature = read.variable('AWS_S3_SIGNATURE_VERSION')
  if (signature && signature.value !== 's3v4') {
    read.problem(signature, 'has to be "s3v4", the only signature that S3 still takes everywhere')
  }
  const verify = read.variable('AWS_S3_VERIFY')
  if (verify && asBoolean(verify.value) !== true) {
    read.problem(
      verify,
      'has to be on: TLS is always verified (NODE_EXTRA_CA_CERTS=file.pem adds a certificate authority)',
    )
  }
  const gzipped = read.variable('AWS_IS_GZIPPED')
  if (gzipped && asBoolean(gzipped.value) !== false) {
    read.warnings.push('AWS_IS_GZIPPED is not supported yet: files go up as the build made them')
  }
}
