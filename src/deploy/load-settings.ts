import { orUndefined } from '../runtime/or-undefined.js'
import { readEnvironment } from '../settings/environment.js'
import type { Options } from '../settings/options.js'
import {
  type Build,
  locationAtOnce,
  type Resolved,
  resolveSettings,
  type SettingSources,
  type UrlSettings,
  urlSettingsAtOnce,
} from '../settings/settings.js'

export interface LoadInput {
  options: Options
  build: Build
  /** The folder of the `.env` files, or false for none. */
  envDir: string | false
  /** Prefixes of the variables that the bundler was told to put into the bundle (Vite's `envPrefix`). */
  envPrefix?: string | string[] | undefined
  /** An option's name as the user writes it. */
  nameOption?: (option: string) => string
  /** False if STATIC_URL may be the URL of another location. */
  hasStaticUrl?: boolean
  /** True for a command about all previews: each placeholder in the location becomes `*`. */
  allPreviews?: boolean
}

/**
 * Decides about a build before it begins: the call that every adapter makes first.
 *
 * @throws StaticS3Error on settings that are wrong
 */
export function loadSettings(input: LoadInput): Promise<Resolved> {
  return resolveSettings({
    ...sourcesOf(input),
    // The SDK's reader is loaded only if no setting names the region, or if there is a file to read.
    findRegion: async (profile) => (await import('../s3/aws/sdk-config.js')).findRegion(profile),
    findEndpoint: async (profile) => (await import('../s3/aws/sdk-config.js')).findEndpoint(profile),
  })
}

/** For code that reads URLs before the build begins; undefined if they are not known yet. */
export function urlsBeforeBuild(input: LoadInput): UrlSettings | undefined {
  // A build reports the error.
  return orUndefined(() => urlSettingsAtOnce(sourcesOf(input)))
}

function sourcesOf({ envDir, envPrefix = [], ...input }: LoadInput): SettingSources {
  const { options, build, nameOption, hasStaticUrl, allPreviews } = input
  return {
    options,
    build,
    exposed: [envPrefix].flat(),
    nameOption,
    hasStaticUrl,
    allPreviews,
    environment: readEnvironment(build.mode, envDir, process.env),
  }
}

/** Everything that settings come from, as JSON values and without credentials: two builds with equal values have the same URLs. */
export function decisiveValues(options: Options, mode: string, dir: string): unknown[] {
  const variables = readEnvironment(mode, dir, process.env).all
  const names = Object.keys(variables).filter((name) => /^(USE_S3|AWS_(?!.*(KEY|TOKEN)).*)$/.test(name))
  const enabled = typeof options.enabled === 'function' ? options.enabled(variables, mode) : options.enabled
  const build = { watch: false, whyNotProduction: undefined, mode }
  // The location may contain the branch.
  const location = orUndefined(() => locationAtOnce(sourcesOf({ options, build, envDir: dir })))
  return [{ ...options, enabled }, names.sort().map((name) => [name, variables[name]]), location]
}
