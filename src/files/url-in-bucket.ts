import type { Settings } from '../settings/settings.js'
import { encodePath } from '../urls/public-url.js'
import type { Output } from './collect.js'
import { staysHome } from './why-left-out.js'

/** The URL of a file of the output folder, by its path there; undefined for one that isn't uploaded. */
export function urlInBucket(
  settings: Settings,
  outputs: readonly Pick<Output, 'namedDotfiles'>[],
): (path: string) => string | undefined {
  const home = staysHome(settings, outputs)
  return (path) => (home(path) === undefined ? settings.publicUrl + encodePath(path) : undefined)
}
