import { distance } from 'fastest-levenshtein'
import type { ObjectParameters } from './bucket.js'
import type { Environment, Variables } from './environment.js'
import { StaticS3Error } from './error.js'
import { cannedAcls, parametersOfRule, problemsOfParameters } from './object-parameters.js'
import type { Options, Rule } from './options.js'
import { type Place, publicUrlOf } from './public-url.js'

/** Keys from a `.env` file (or `AWS_S3_…`), a profile, or undefined for the SDK's own chain. */
export type CredentialSource =
  | { accessKeyId: string; secretAccessKey: string; sessionToken: string | undefined }
  | { profile: string }
  | undefined

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
  dryRun: boolean
  force: boolean
  onError: 'fail' | 'warn'
  /** What the user should know, one sentence each. */
  warnings: string[]
}

export interface SettingsInput {
  options: Options
  environment: Environment
  mode: string
  /** What the AWS SDK finds when no setting names the region; asked for only when the public URL depends on nothing else. */
  findRegion: (profile: string | undefined) => Promise<string>
}

/** Whether static-s3 is switched on, and by what. */
export interface Switch {
  on: boolean
  /** The setting that says so: `USE_S3 is not set`. */
  because: string
}

/**
 * Whether this environment's builds go to S3: the option, else `USE_S3`, else no.
 *
 * @throws StaticS3Error on an unknown option or on a value that is neither yes nor no: also where static-s3 is off, so that a
 * laptop finds it before CI does
 */
export function resolveSwitch({ options, environment, mode }: Omit<SettingsInput, 'findRegion'>): Switch {
  const reader = new Reader(options, environment.all)
  const answer = readSwitch(reader, options, environment, mode)
  reader.throwProblems()
  return answer
}

/**
 * The settings of a build that is switched on.
 *
 * @throws StaticS3Error that lists every problem at once
 */
export async function resolveSettings({ options, environment, mode, findRegion }: SettingsInput): Promise<Settings> {
  const read = new Reader(options, environment.all)
  readSwitch(read, options, environment, mode)
  const endpoint = readEndpoint(read)
  const customDomain = readCustomDomain(read)
  const bucket = readBucket(read, endpoint, customDomain)
  const credentials = readCredentials(read, environment)
  const known = {
    bucket,
    location: readLocation(read),
    customDomain,
    protocol: readProtocol(read),
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
    concurrency: readConcurrency(read),
    dryRun: read.boolean('dryRun', [], false),
    force: read.boolean('force', [], false),
    onError: read.oneOf('onError', [], ['fail', 'warn'], 'fail'),
  } satisfies Omit<Settings, 'region' | 'publicUrl' | 'warnings'>
  const namedRegion = readRegion(read)
  refuseWhatCannotBe(read)
  read.throwProblems()

  const region =
    namedRegion ?? (await findRegion(credentials && 'profile' in credentials ? credentials.profile : undefined))
  return { ...known, region, publicUrl: publicUrlOf({ ...known, region }), warnings: read.warnings }
}

/** Every option's name: one that isn't here is an error. `satisfies` holds the list to the type. */
const optionNames = Object.keys({
  enabled: 0,
  bucket: 0,
  location: 0,
  region: 0,
  customDomain: 0,
  endpoint: 0,
  addressingStyle: 0,
  acl: 0,
  objectParameters: 0,
  rules: 0,
  include: 0,
  exclude: 0,
  cacheControl: 0,
  sourceMaps: 0,
  rewrite: 0,
  fileOverwrite: 0,
  concurrency: 0,
  dryRun: 0,
  force: 0,
  onError: 0,
} satisfies Record<keyof Options, 0>)

/** A value and the name under which the user knows it. */
interface Named<T = unknown> {
  name: string
  value: T
}

/** Reads one setting after the other, and keeps the problems so that all of them can be reported at once. */
class Reader {
  readonly warnings: string[] = []
  readonly problems: string[] = []
  readonly #options: Record<string, unknown>
  readonly #variables: Variables

  constructor(options: Options, variables: Variables) {
    this.#options = (options ?? {}) as Record<string, unknown>
    this.#variables = variables
    for (const name of Object.keys(this.#options)) {
      if (!optionNames.includes(name)) this.problems.push(`unknown option \`${name}\`${suggestion(name, optionNames)}`)
    }
  }

  /** The option, or the first of the variables that is set. A variable that is set to nothing counts as not set. */
  find(option: keyof Options | undefined, variables: readonly string[]): Named | undefined {
    const value = option && this.#options[option]
    if (value !== undefined && value !== null) return { name: `option \`${option}\``, value }
    return this.variable(...variables)
  }

  variable(...names: readonly string[]): Named<string> | undefined {
    const name = names.find((candidate) => this.#variables[candidate]?.trim())
    return name === undefined ? undefined : { name, value: (this.#variables[name] as string).trim() }
  }

  /** A variable for which "set to nothing" is a value of its own. */
  emptyable(name: string): Named<string> | undefined {
    const value = this.#variables[name]
    return value === undefined ? undefined : { name, value }
  }

  string(option: keyof Options, variables: readonly string[]): Named<string> | undefined {
    const found = this.find(option, variables)
    if (!found) return undefined
    if (typeof found.value !== 'string') {
      this.problem(found, 'has to be a string')
      return undefined
    }
    const value = found.value.trim()
    return value === '' ? undefined : { name: found.name, value }
  }

  boolean(option: keyof Options | undefined, variables: readonly string[], fallback: boolean): boolean {
    const found = this.find(option, variables)
    if (!found) return fallback
    const value = typeof found.value === 'boolean' ? found.value : asBoolean(found.value)
    if (value === undefined) this.problem(found, 'has to be one of 1, true, yes, on, 0, false, no, off')
    return value ?? fallback
  }

  oneOf<const T>(option: keyof Options, variables: readonly string[], allowed: readonly T[], fallback: T): T {
    const found = this.find(option, variables)
    if (!found) return fallback
    if (allowed.includes(found.value as T)) return found.value as T
    this.problem(found, `has to be one of ${allowed.map((value) => JSON.stringify(value)).join(', ')}`)
    return fallback
  }

  globs(option: 'include' | 'exclude'): string[] {
    const found = this.find(option, [])
    if (!found) return []
    const globs = asGlobs(found.value)
    if (!globs) this.problem(found, 'has to be a glob or a list of globs')
    return globs ?? []
  }

  problem(found: Named, rule: string): void {
    this.problems.push(`${found.name} ${rule}, and is ${show(found.value)}`)
  }

  throwProblems(): void {
    if (this.problems.length === 0) return
    const count = this.problems.length === 1 ? 'a setting is' : `${this.problems.length} settings are`
    throw new StaticS3Error(`static-s3: ${count} wrong\n${this.problems.map((problem) => `  - ${problem}`).join('\n')}`)
  }
}

function readSwitch(read: Reader, options: Options, environment: Environment, mode: string): Switch {
  const { enabled } = options
  if (typeof enabled === 'function') {
    const answer: unknown = enabled(environment.all, mode)
    if (typeof answer === 'boolean') return { on: answer, because: `option \`enabled\` answered ${answer}` }
    read.problem({ name: "option `enabled`'s answer", value: answer }, 'has to be true or false')
    return { on: false, because: '' }
  }
  const found = read.find('enabled', ['USE_S3'])
  const on = read.boolean('enabled', ['USE_S3'], false)
  return { on, because: found ? `${found.name} is ${show(found.value)}` : 'USE_S3 is not set' }
}

function readBucket(read: Reader, endpoint: string | undefined, customDomain: string | undefined): string {
  const found = read.string('bucket', ['AWS_STORAGE_BUCKET_NAME'])
  if (!found) {
    if (!read.problems.some((problem) => problem.startsWith('option `bucket`'))) {
      read.problems.push('no bucket is named: set AWS_STORAGE_BUCKET_NAME, or the option `bucket`')
    }
    return ''
  }
  const { value } = found
  if (value.startsWith('arn:')) {
    // An access point has no public URL of its own that could be told from its ARN.
    if (customDomain === undefined) {
      read.problem(found, 'is an ARN, which has no public URL: it needs AWS_S3_CUSTOM_DOMAIN')
    }
  } else if (/[/:\\]/.test(value)) {
    read.problem(found, 'has to be the bare name of the bucket (a folder in it goes into AWS_LOCATION)')
  } else if (endpoint === undefined && !/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(value)) {
    // https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    read.problem(found, 'has to be 3 to 63 lower-case letters, digits, dots and hyphens')
  } else if (!/^[\w.-]+$/.test(value)) {
    read.problem(found, 'has to be letters, digits, dots, hyphens and underscores')
  }
  return value
}

function readLocation(read: Reader): string {
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
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  } else if (/[\\\u0000-\u001f\u007f]/.test(location)) {
    read.problem(found, 'must not have backslashes or control characters in it')
  }
  return location
}

function isDots(segment: string): boolean {
  return /^(\.|%2e){1,2}$/i.test(segment)
}

function readRegion(read: Reader): string | undefined {
  const found = read.string('region', ['AWS_S3_REGION_NAME', 'AWS_REGION', 'AWS_DEFAULT_REGION'])
  if (found && !/^[a-z0-9-]+$/.test(found.value)) read.problem(found, 'has to be a region such as eu-central-1')
  return found?.value
}

function readCustomDomain(read: Reader): string | undefined {
  const found = read.string('customDomain', ['AWS_S3_CUSTOM_DOMAIN'])
  if (!found) return undefined
  const domain = found.value.replace(/^https?:\/\//, '').replace(/\/+$/, '')
  const url = asUrl(`https://${domain}`)
  if (!url || url.username || url.search || url.hash || /[\s\\]/.test(domain)) {
    read.problem(found, 'has to be a domain such as cdn.example.com')
  }
  return domain
}

function readProtocol(read: Reader): 'https:' | 'http:' {
  const found = read.variable('AWS_S3_URL_PROTOCOL')
  if (!found) return 'https:'
  const protocol = `${found.value.replace(/:?(\/\/)?$/, '')}:`
  if (protocol === 'https:' || protocol === 'http:') return protocol
  read.problem(found, 'has to be "https:" or "http:"')
  return 'https:'
}

function readEndpoint(read: Reader): string | undefined {
  const found = read.string('endpoint', ['AWS_S3_ENDPOINT_URL', 'AWS_ENDPOINT_URL_S3'])
  if (!found) return undefined
  const url = asUrl(found.value)
  if (!url || !/^https?:$/.test(url.protocol)) read.problem(found, 'has to be a URL such as https://s3.example.com')
  else if (url.username || url.password) {
    read.problems.push(`${found.name} must not have credentials in it`)
  } else if (url.search || url.hash) read.problem(found, 'must not have a query or a fragment')
  return found.value.replace(/\/+$/, '')
}

function readObjectParameters(read: Reader): ObjectParameters {
  const parameters: ObjectParameters = {}
  const found = read.find('objectParameters', ['AWS_S3_OBJECT_PARAMETERS'])
  if (found) {
    const value = typeof found.value === 'string' ? asJson(found.value) : found.value
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      read.problem(found, 'has to be a JSON object such as {"StorageClass": "STANDARD_IA"}')
    } else {
      read.problems.push(...problemsOfParameters(found.name, value as ObjectParameters))
      Object.assign(parameters, value)
    }
  }
  const acl = read.string('acl', ['AWS_DEFAULT_ACL'])
  // Django settings files write the absence of an ACL as None.
  if (acl && acl.value !== 'None') {
    if (!cannedAcls.includes(acl.value)) read.problem(acl, `has to be one of ${cannedAcls.join(', ')}`)
    parameters.ACL = acl.value
  }
  if (typeof parameters.Expires === 'string') parameters.Expires = new Date(parameters.Expires)
  return parameters
}

function readRules(read: Reader): ResolvedRule[] {
  const found = read.find('rules', [])
  if (!found) return []
  if (!Array.isArray(found.value)) {
    read.problem(found, 'has to be a list of rules such as { match: "*.pdf", cacheControl: "max-age=60" }')
    return []
  }
  return found.value.map((rule: Rule, index) => {
    const name = `option \`rules[${index}]\``
    const match = asGlobs((rule as Rule | undefined)?.match)
    if (!match || match.length === 0) read.problems.push(`${name} needs \`match\`, a glob or a list of globs`)
    const { parameters, unknown, known } = parametersOfRule(rule ?? {})
    for (const field of unknown) read.problems.push(`${name} has an unknown \`${field}\`${suggestion(field, known)}`)
    read.problems.push(...problemsOfParameters(name, parameters))
    return { match: match ?? [], parameters }
  })
}

function readCacheControl(read: Reader): Settings['cacheControl'] {
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
    } else if (value !== undefined && typeof value !== 'string') {
      read.problem({ name: `option \`cacheControl.${name}\``, value }, 'has to be a string')
    }
  }
  const { fingerprinted, other } = found.value as Partial<Settings['cacheControl']>
  return { fingerprinted: fingerprinted ?? defaults.fingerprinted, other: other ?? defaults.other }
}

function readConcurrency(read: Reader): number {
  const found = read.find('concurrency', [])
  if (!found) return 64
  const { value } = found
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 256) return value
  read.problem(found, 'has to be a whole number from 1 to 256')
  return 64
}

/**
 * The shell's own credentials are left to the SDK's chain, which knows all their kinds. What the chain can't see is handed to
 * it: `AWS_S3_…` names, and everything that stands in a `.env` file, since no bundler puts those into the process's environment.
 */
function readCredentials(read: Reader, { shell, files }: Environment): CredentialSource {
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
      if (source === shell && prefix === 'AWS_') return undefined
      const sessionToken = (source.AWS_SESSION_TOKEN || source.AWS_SECURITY_TOKEN)?.trim() || undefined
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
function refuseWhatCannotBe(read: Reader): void {
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

function asBoolean(value: unknown): boolean | undefined {
  if (typeof value !== 'string') return undefined
  const word = value.trim().toLowerCase()
  if (['1', 'true', 'yes', 'on'].includes(word)) return true
  return ['0', 'false', 'no', 'off', ''].includes(word) ? false : undefined
}

function asGlobs(value: unknown): string[] | undefined {
  const globs = typeof value === 'string' ? [value] : value
  return Array.isArray(globs) && globs.every((glob) => typeof glob === 'string' && glob !== '') ? globs : undefined
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function asUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined
}

function show(value: unknown): string {
  return typeof value === 'function' ? 'a function' : (JSON.stringify(value) ?? String(value))
}

/** The nearest known name, if it is near enough to be what was meant. */
function suggestion(name: string, known: readonly string[]): string {
  const near = known
    .map((candidate) => ({ candidate, away: distance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.away - b.away)[0]
  if (near && near.away <= Math.max(2, near.candidate.length / 3)) return `: did you mean \`${near.candidate}\`?`
  return `: known are ${known.join(', ')}`
}
