import type { ObjectParameters } from '../bucket/bucket.js'
import { type BucketAddress, publicUrlOf } from '../urls/public-url.js'
import { checkEndpoint, readBucket, readCustomDomain, readEndpoint, readLocation, readRegion } from './address.js'
import { readCredentials } from './credentials.js'
import type { Environment } from './environment.js'
import { readCacheControl, readObjectParameters, readRules } from './headers.js'
import type { Options } from './options.js'
import { type SecretVariable, secretVariables } from './secret-variables.js'
import { asBoolean, SettingReader, show } from './setting-reader.js'
import { type Build, notProduction } from './switch.js'

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

/** Options, environment and defaults, checked and merged. */
export interface Settings extends BucketAddress {
  /** Ends with a slash. */
  publicUrl: string
  credentials: CredentialSource
  objectParameters: ObjectParameters
  rules: ResolvedRule[]
  include: string[]
  exclude: string[]
  allowMissing: string[]
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
  /** Values of `.env` files that no uploaded file may contain. Never printed, never stored. */
  secrets: SecretVariable[]
  /** Sentences for the user. */
  warnings: string[]
}

export interface SettingsInput {
  options: Options
  environment: Environment
  build: Build
  /** Prefixes of variables that the bundler puts into the bundle. */
  exposed?: readonly string[]
  /** Asks the AWS SDK for the region, if no setting names one. */
  findRegion: (profile: string | undefined) => Promise<string>
}

/** A build's settings, or the reason why it stays on disk. */
export type Resolved = { on: true; settings: Settings } | { on: false; because: string }

/**
 * Resolves a build's settings: an option beats the environment, the environment beats the default.
 *
 * @throws StaticS3Error that lists every problem. An unknown option is a problem even if static-s3 is off, so that a laptop finds it
 * before CI does.
 */
export async function resolveSettings(input: SettingsInput): Promise<Resolved> {
  const { options, environment, exposed, findRegion } = input
  const read = new SettingReader(options, environment.all)
  const because = whyOff(read, input)
  if (because !== undefined) {
    read.throwProblems()
    return { on: false, because }
  }
  const endpoint = readEndpoint(read)
  const named = {
    bucket: readBucket(read, endpoint),
    location: readLocation(read),
    region: readRegion(read, endpoint),
    ...readCustomDomain(read),
    endpoint,
    addressingStyle: read.oneOf('addressingStyle', ['AWS_S3_ADDRESSING_STYLE'], ['auto', 'path', 'virtual'], 'auto'),
    credentials: readCredentials(read, environment),
    objectParameters: readObjectParameters(read),
    rules: readRules(read),
    include: read.globs('include'),
    exclude: read.globs('exclude'),
    allowMissing: read.globs('allowMissing'),
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
  } satisfies Omit<Settings, 'region' | 'publicUrl' | 'warnings'> & { region: string | undefined }
  checkEndpoint(read, named)
  refuseDjangoSettings(read)
  read.throwProblems()

  const { credentials } = named
  const profile = credentials && 'profile' in credentials ? credentials.profile : undefined
  const region = named.region ?? (await findRegion(profile))
  const publicUrl = publicUrlOf({ ...named, region })
  return { on: true, settings: { ...named, region, publicUrl, warnings: read.warnings } }
}

/** The reason why a build stays on disk; undefined if it goes to S3. */
function whyOff(read: SettingReader, input: SettingsInput): string | undefined {
  const { build } = input
  const enabled = readEnabled(read, input)
  if (!enabled.on) return enabled.because
  if (build.watch) return 'a watch build stays on disk; build without --watch'
  return build.whyNotProduction ? notProduction(build.whyNotProduction) : undefined
}

function readEnabled(
  read: SettingReader,
  { options, environment, build }: SettingsInput,
): { on: boolean; because: string } {
  const enabled: unknown = options?.enabled
  if (typeof enabled === 'function') {
    const returned: unknown = enabled(environment.all, build.mode)
    if (typeof returned !== 'boolean') {
      read.problems.push(`option \`enabled\` returned ${show(returned)}: return true or false.`)
    }
    return { on: returned === true, because: `option \`enabled\` returned ${show(returned)}` }
  }
  const found = read.find('enabled', ['USE_S3'])
  const on = read.boolean('enabled', ['USE_S3'], false)
  return { on, because: found ? `${found.name} is ${show(found.value)}` : 'USE_S3 is not set' }
}

/** Refuses settings of django-storages that would break static files. */
function refuseDjangoSettings(read: SettingReader): void {
  const signed = read.variable('AWS_QUERYSTRING_AUTH')
  if (signed && read.boolean(undefined, [signed.name], false)) {
    read.problem(signed, 'turn it off, because signed URLs expire before files that are cached for a year')
  }
  const signature = read.variable('AWS_S3_SIGNATURE_VERSION')
  if (signature && signature.value !== 's3v4') {
    read.problem(signature, 'use "s3v4", the only signature that S3 accepts everywhere')
  }
  const verify = read.variable('AWS_S3_VERIFY')
  if (verify && asBoolean(verify.value) !== true) {
    read.problem(
      verify,
      'turn it on, because TLS is always verified (NODE_EXTRA_CA_CERTS=file.pem adds a certificate authority)',
    )
  }
  const gzipped = read.variable('AWS_IS_GZIPPED')
  if (gzipped && asBoolean(gzipped.value) !== false) {
    read.warnings.push('AWS_IS_GZIPPED is not supported yet: files are uploaded as the build made them')
  }
}
