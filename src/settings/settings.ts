import type { ObjectParameters } from '../bucket/bucket.js'
import { type BucketAddress, publicUrlOf } from '../urls/public-url.js'
import {
  type ConfiguredEndpoint,
  checkEndpoint,
  findEndpoint,
  readBucket,
  readCustomDomain,
  readEndpoint,
  readRegion,
} from './address.js'
import { readCloudFront, readOnReleased } from './cloudfront.js'
import { profileOf, readCredentials, secretKeys } from './credentials.js'
import { hintAtOtherNames, hintAtStaticUrl, refuseDjangoSettings, whereSearched } from './django.js'
import type { Environment } from './environment.js'
import { readCacheControl, readObjectParameters, readRules } from './headers.js'
import { type Location, readLocation } from './location.js'
import type { Options } from './options.js'
import { readRetention } from './retention.js'
import { type SecretVariable, secretVariables } from './secret-variables.js'
import { asBoolean, SettingReader, show } from './setting-reader.js'

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
export interface Settings extends BucketAddress, Location {
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
  compress: boolean
  rewrite: 'urls' | 'relative' | 'base' | false
  upload: boolean
  activate: boolean
  verify: 'warn' | 'fail' | false
  fileOverwrite: boolean
  concurrency: number
  /** Seconds. */
  lockTimeout: number
  /** Which releases to keep; undefined if deploys do not prune. */
  retention: { releases: number; days: number } | undefined
  dryRun: boolean
  report: string | undefined
  force: boolean
  onError: 'fail' | 'warn'
  /** Undefined without a distribution to invalidate. */
  cloudfront:
    | {
        /** The name of the setting with the IDs, as the user wrote it. */
        name: string
        distributions: string[]
        /** Undefined for AWS's own endpoint. */
        endpoint: string | undefined
        /** True to wait until CloudFront has completed an invalidation. */
        wait: boolean
      }
    | undefined
  onReleased: Options['onReleased'] | undefined
  /** Values of `.env` files that no uploaded file may contain. Never printed, never stored. */
  secrets: SecretVariable[]
  /** Sentences for the user. */
  warnings: string[]
  /** What the bundler's configuration says, for a deploy that does not read it. */
  given: Pick<SettingsInput, 'options' | 'exposed'>
}

/** Facts about a build that its adapter knows before it begins. */
export interface Build {
  watch: boolean
  /** The bundler's own reason: `NODE_ENV is development`. Undefined for a production build. */
  whyNotProduction: string | undefined
  mode: string
}

export interface SettingsInput {
  options: Options
  environment: Environment
  build: Build
  /** Prefixes of variables that the bundler puts into the bundle. */
  exposed?: readonly string[]
  /** An option's name as the user writes it. */
  nameOption?: ((option: string) => string) | undefined
  /** False if STATIC_URL may be the URL of another location. */
  hasStaticUrl?: boolean | undefined
  /** True for a command about all previews: each placeholder in the location becomes `*`. */
  allPreviews?: boolean | undefined
  /** Reads the region in the AWS SDK's configuration, if no setting names one. */
  findRegion: (profile: string | undefined) => Promise<string>
  /** Reads the endpoint in the AWS SDK's configuration files. */
  findEndpoint: (profile: string | undefined) => Promise<ConfiguredEndpoint>
}

/** The sources of settings, without the AWS SDK's configuration. */
export type SettingSources = Omit<SettingsInput, 'findRegion' | 'findEndpoint'>

/** A build's settings, or the reason why it stays on disk. */
export type Resolved = { on: true; settings: Settings } | { on: false; because: string }

/**
 * Resolves a build's settings: an option beats the environment, the environment beats the default.
 *
 * @throws StaticS3Error that lists every problem. An unknown option is a problem even if static-s3 is off, so that a laptop finds it
 * before CI does.
 */
export async function resolveSettings(input: SettingsInput): Promise<Resolved> {
  const { environment, exposed } = input
  const read = readerOf(input)
  const because = whyOff(read, input)
  if (because !== undefined) {
    read.throwProblems()
    return { on: false, because }
  }
  const profile = profileOf(environment)
  const endpointSetting = await findEndpoint(read, () => input.findEndpoint(profile))
  const named = {
    ...readAddress(read, readEndpoint(read, endpointSetting), input),
    credentials: readCredentials(read, environment),
    objectParameters: readObjectParameters(read),
    rules: readRules(read),
    include: read.globs('include'),
    exclude: read.globs('exclude'),
    allowMissing: read.globs('allowMissing'),
    cacheControl: readCacheControl(read),
    sourceMaps: read.oneOf('sourceMaps', [], ['exclude', 'public'], 'exclude'),
    compress: read.boolean('compress', ['AWS_IS_GZIPPED'], false),
    rewrite: readRewrite(read),
    upload: read.boolean('upload', ['STATIC_S3_UPLOAD'], true),
    activate: read.boolean('activate', ['STATIC_S3_ACTIVATE'], true),
    verify: readVerify(read),
    fileOverwrite: read.boolean('fileOverwrite', ['AWS_S3_FILE_OVERWRITE'], true),
    concurrency: read.wholeNumber('concurrency', ['STATIC_S3_CONCURRENCY'], 1, 256, 192),
    lockTimeout: read.wholeNumber('lockTimeout', [], 0, 86_400, 300),
    retention: readRetention(read),
    dryRun: read.boolean('dryRun', [], false),
    report: read.string('report', [])?.value,
    force: read.boolean('force', [], false),
    onError: read.oneOf('onError', [], ['fail', 'warn'], 'fail'),
    cloudfront: readCloudFront(read),
    onReleased: readOnReleased(read),
    secrets: secretVariables(environment, read.names('allowSecrets'), exposed),
  } satisfies Omit<Settings, 'region' | 'publicUrl' | 'warnings' | 'given'> & NamedAddress
  checkEndpoint(read, endpointSetting, named)
  refuseDjangoSettings(read)
  hintAtOtherNames(read, environment)
  read.throwProblems()

  const region = named.region ?? (await input.findRegion(profile))
  const publicUrl = publicUrlOf({ ...named, region })
  if (input.hasStaticUrl !== false && !input.allPreviews) hintAtStaticUrl(read, publicUrl)
  return {
    on: true,
    settings: { ...named, region, publicUrl, warnings: read.warnings, given: { options: input.options, exposed } },
  }
}

/** The settings that a build's URLs depend on. */
export type UrlSettings = Pick<Settings, 'publicUrl' | 'rewrite'>

/** The settings of a build's URLs, synchronously. Undefined for a build that stays on disk, if a setting is wrong, or if only the AWS SDK knows the bucket's domain. */
export function urlSettingsAtOnce(input: SettingSources): UrlSettings | undefined {
  const read = readerOf(input)
  if (whyOff(read, input) !== undefined) return undefined
  const named =
    read.string('endpoint', ['AWS_S3_ENDPOINT_URL']) ?? read.variable('AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL')
  const address = readAddress(read, readEndpoint(read, named), input)
  const { region = '', customDomain, endpoint } = address
  const isKnown = region !== '' || customDomain !== undefined || endpoint !== undefined
  const rewrite = readRewrite(read)
  return isKnown && read.problems.length === 0 ? { publicUrl: publicUrlOf({ ...address, region }), rewrite } : undefined
}

/** The location, synchronously; undefined for a build that stays on disk. */
export function locationAtOnce(input: SettingSources): string | undefined {
  const read = readerOf(input)
  return whyOff(read, input) === undefined ? readLocation(read, input.environment.shell).location : undefined
}

function readerOf({ options, environment, nameOption }: SettingSources): SettingReader {
  return new SettingReader({ options, variables: environment.all, secrets: secretKeys(environment), nameOption })
}

/** The address in the settings, which may leave the region to the AWS SDK. */
type NamedAddress = Omit<BucketAddress, 'region'> & Location & { region: string | undefined }

function readAddress(
  read: SettingReader,
  endpoint: string | undefined,
  { environment, allPreviews }: SettingSources,
): NamedAddress {
  return {
    bucket: readBucket(read, endpoint),
    ...readLocation(read, environment.shell, allPreviews),
    region: readRegion(read, endpoint),
    ...readCustomDomain(read),
    endpoint,
    addressingStyle: read.oneOf('addressingStyle', ['AWS_S3_ADDRESSING_STYLE'], ['auto', 'path', 'virtual'], 'auto'),
  }
}

function readRewrite(read: SettingReader): Settings['rewrite'] {
  return read.oneOf('rewrite', [], ['urls', 'relative', 'base', false], 'urls')
}

/** The reason why a build stays on disk; undefined if it goes to S3. */
function whyOff(read: SettingReader, input: SettingSources): string | undefined {
  const { build } = input
  const enabled = readEnabled(read, input)
  if (!enabled.on) return enabled.because
  if (build.watch) return 'a watch build stays on disk; build without --watch'
  return build.whyNotProduction ? notProduction(build.whyNotProduction) : undefined
}

export function notProduction(why: string): string {
  return `this is not a production build: ${why}`
}

function readEnabled(
  read: SettingReader,
  { options, environment, build }: SettingSources,
): { on: boolean; because: string } {
  const enabled: unknown = options?.enabled
  const name = read.nameOption('enabled')
  if (typeof enabled === 'function') {
    const returned: unknown = enabled(environment.all, build.mode)
    if (typeof returned !== 'boolean') read.problems.push(`${name} returned ${show(returned)}: return true or false.`)
    return { on: returned === true, because: `${name} returned ${show(returned)}` }
  }
  const found = read.find('enabled', ['USE_S3'])
  const on = read.boolean('enabled', ['USE_S3'], false)
  return { on, because: found ? read.shown(found) : `USE_S3 is not set${whereSearched(environment, build.mode)}` }
}

function readVerify(read: SettingReader): Settings['verify'] {
  const variable = 'STATIC_S3_VERIFY'
  const found = read.find('verify', [variable])
  if (found?.name === variable && asBoolean(found.value) === false) return false
  return read.oneOf('verify', [variable], ['warn', 'fail', false], 'warn')
}
