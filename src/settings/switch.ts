import type { Environment } from './environment.js'
import type { Options } from './options.js'
import { type SettingReader, show } from './setting-reader.js'

/** Facts about a build that its adapter knows before it begins. */
export interface Build {
  watch: boolean
  /** The bundler's own reason: `NODE_ENV is development`. Undefined for a production build. */
  whyNotProduction: string | undefined
  mode: string
}

/** The reason why a build stays on disk; undefined if it goes to S3. */
export function whyOff(
  read: SettingReader,
  { options, environment, build }: { options: Options; environment: Environment; build: Build },
): string | undefined {
  const enabled = readEnabled(read, options?.enabled, environment, build)
  if (!enabled.on) return enabled.because
  if (build.watch) return 'a watch build stays on disk; build without --watch'
  return build.whyNotProduction && notProduction(build.whyNotProduction)
}

export function notProduction(why: string): string {
  return `this is not a production build: ${why}`
}

function readEnabled(
  read: SettingReader,
  enabled: unknown,
  environment: Environment,
  { mode }: Build,
): { on: boolean; because: string } {
  if (typeof enabled === 'function') {
    const returned: unknown = enabled(environment.all, mode)
    if (typeof returned !== 'boolean') {
      read.problems.push(`option \`enabled\` returned ${show(returned)}: return true or false.`)
    }
    return { on: returned === true, because: `option \`enabled\` returned ${returned}` }
  }
  const found = read.find('enabled', ['USE_S3'])
  const on = read.boolean('enabled', ['USE_S3'], false)
  return { on, because: found ? `${found.name} is ${show(found.value)}` : 'USE_S3 is not set' }
}
