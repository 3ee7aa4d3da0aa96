import { loadSettings } from '../deploy/load-settings.js'
import type { Options } from '../settings/options.js'
import type { Settings } from '../settings/settings.js'

/** What every command takes: the settings that are no function, under their names with hyphens. */
export const settingFlags = {
  bucket: { type: 'string' },
  region: { type: 'string' },
  'custom-domain': { type: 'string' },
  endpoint: { type: 'string' },
  'addressing-style': { type: 'string' },
  acl: { type: 'string' },
  'object-parameters': { type: 'string' },
  include: { type: 'string', multiple: true },
  exclude: { type: 'string', multiple: true },
  'source-maps': { type: 'string' },
  'allow-secrets': { type: 'string', multiple: true },
  'allow-missing': { type: 'string', multiple: true },
  mode: { type: 'string' },
} as const

type Flags = { [Name in keyof typeof settingFlags]?: string | string[] | undefined }

export const settingHelp = `
  --bucket NAME, --region NAME, --endpoint URL, --addressing-style auto|path|virtual, --custom-domain DOMAIN,
  --acl NAME, --object-parameters JSON, --include GLOB, --exclude GLOB, --source-maps exclude|public
                      instead of the environment's; include and exclude may stand several times
  --allow-secrets VARIABLE
                      its value in a .env file may be uploaded; may stand several times
  --allow-missing GLOB
                      files that URLs may name though they are not there; may stand several times
  --mode MODE         which .env files are read, in this folder: production where it isn't given
`

/** @throws StaticS3Error on settings that are wrong */
export async function settingsOf(flags: Flags, more: Options): Promise<Settings> {
  const { mode = 'production', ...named } = flags
  const options = Object.fromEntries(
    Object.entries(named).map(([name, value]) => [name.replace(/-(.)/g, (_, letter) => letter.toUpperCase()), value]),
  )
  const resolved = await loadSettings({
    // Who types the command has switched it on.
    options: { ...options, ...more, enabled: true },
    build: { watch: false, whyNotProduction: undefined, mode: mode as string },
    envDir: process.cwd(),
    nameOption: (option) => (option === 'location' ? 'LOCATION' : flagOf(option)),
  })
  if (!resolved.on) throw new Error(resolved.because)
  return resolved.settings
}

function flagOf(option: string): string {
  return `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}
