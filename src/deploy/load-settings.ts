import { readEnvironment } from '../settings/environment.js'
import type { Options } from '../settings/options.js'
import { type Resolved, resolveSettings } from '../settings/settings.js'
import type { Build } from '../settings/switch.js'

export interface PrepareInput {
  options: Options
  build: Build
  /** The folder of the `.env` files, or false for none. */
  envDir: string | false
  /** What the names of variables begin with that the bundler puts into the bundle, as it was told to (Vite's `envPrefix`). */
  envPrefix?: string | string[] | undefined
}

/**
 * Decides about a build before it begins: the call that every adapter makes first.
 *
 * @throws StaticS3Error on settings that are wrong
 */
export function prepare({ options, build, envDir, envPrefix = [] }: PrepareInput): Promise<Resolved> {
  return resolveSettings({
    options,
    build,
    exposed: [envPrefix].flat(),
    environment: readEnvironment(build.mode, envDir, process.env),
    // The SDK is loaded only where no setting names the region.
    findRegion: async (profile) => (await import('../s3/aws/region.js')).findRegion(profile),
  })
}
