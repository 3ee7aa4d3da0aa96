import type { KnownSettings } from '../deploy/commands/deploy-folders.js'
import { type LoadInput, loadSettings } from '../deploy/load-settings.js'
import type { Options } from '../settings/options.js'
import type { Settings } from '../settings/settings.js'

/** Every command takes these: the settings, under their names with hyphens. */
export const settingFlags = {
  bucket: { type: 'string' },
  location: { type: 'string' },
  region: { type: 'string' },
  'custom-domain': { type: 'string' },
  endpoint: { type: 'string' },
  'addressing-style': { type: 'string' },
  acl: { type: 'string' },
  'object-parameters': { type: 'string' },
  rules: { type: 'string' },
  'cache-control': { type: 'string' },
  include: { type: 'string', multiple: true },
  exclude: { type: 'string', multiple: true },
  'source-maps': { type: 'string' },
  compress: { type: 'boolean' },
  verify: { type: 'string' },
  'file-overwrite': { type: 'string' },
  concurrency: { type: 'string' },
  'lock-timeout': { type: 'string' },
  'allow-secrets': { type: 'string', multiple: true },
  'allow-missing': { type: 'string', multiple: true },
  force: { type: 'boolean' },
  mode: { type: 'string' },
} as const

const { bucket, location, region, endpoint, mode } = settingFlags

/** The bucket's address, for commands that take no files of a release. */
export const addressFlags = {
  ...{ bucket, location, region, endpoint, mode },
  'custom-domain': settingFlags['custom-domain'],
  'addressing-style': settingFlags['addressing-style'],
} as const

const modeText = 'which .env files are read, in this folder; production by default'

export const addressHelp = `
  --bucket NAME, --location FOLDER, --region NAME, --custom-domain DOMAIN, --endpoint URL,
  --addressing-style auto|path|virtual
                      instead of the environment's
  --mode MODE         ${modeText}
`

/** Flags whose values are JSON: `false`, `5`, `{ … }`. Another value stays a string. */
const jsonFlags = [
  'object-parameters',
  'rules',
  'cache-control',
  'verify',
  'file-overwrite',
  'concurrency',
  'lock-timeout',
]

type Flags = { [Name in keyof typeof settingFlags | 'activate']?: string | boolean | string[] | undefined }

/** Flags that share one explanation. */
const settingsInHelp = [
  ...['bucket NAME', 'location FOLDER', 'region NAME', 'custom-domain DOMAIN', 'endpoint URL'],
  ...['addressing-style auto|path|virtual', 'acl NAME', 'object-parameters JSON', 'rules JSON', 'cache-control JSON'],
  ...['include GLOB', 'exclude GLOB', 'source-maps exclude|public', 'verify warn|fail|false'],
  ...['file-overwrite true|false', 'concurrency NUMBER', 'lock-timeout SECONDS'],
]

const explained: [flag: string, text: string][] = [
  ['allow-secrets VARIABLE', 'a .env variable whose value may be uploaded; repeatable'],
  ['allow-missing GLOB', 'missing files that URLs may name; repeatable'],
  ['compress', 'stores CSS, JavaScript, SVG and WebAssembly as gzip'],
  ['force', 'uploads unchanged files too'],
  ['mode MODE', modeText],
]

/**
 * The lines about these flags.
 *
 * @param without flags that a command lacks, or explains itself
 */
export function settingHelp(...without: (keyof typeof settingFlags)[]): string {
  const isHere = (flag: string) => without.every((name) => !`${flag} `.startsWith(`${name} `))
  const all = settingsInHelp.filter(isHere).map((flag) => `--${flag}`)
  // Lines of up to 118 characters.
  const lines = all.join(', ').match(/\S.{1,114}(,(?= )|$)/g) ?? []
  const indent = '\n'.padEnd(23)
  const others = explained
    .filter(([flag]) => isHere(flag))
    .map(([flag, text]) => {
      const start = `  --${flag}`
      return (start.length < 22 ? start.padEnd(22) : start + indent) + text
    })
  const shared = `${indent}instead of the environment's; --include and --exclude are repeatable`
  return `  ${lines.join('\n  ')}${shared}\n${others.join('\n')}\n`
}

/**
 * The settings of a finished build: a flag beats an option of the build, and that beats the environment.
 *
 * @param location from the command line, which beats the flag
 * @param word the location's name in the command's help
 * @throws StaticS3Error on settings that are wrong
 */
export async function settingsOf(
  { mode = 'production', ...named }: Flags,
  known: KnownSettings,
  location?: string,
  { word = 'LOCATION', ...more }: { word?: string } & Pick<LoadInput, 'hasStaticUrl' | 'allPreviews'> = {},
): Promise<Settings> {
  const options = Object.fromEntries(
    Object.entries(named).map(([name, value]) => [
      name.replace(/-(.)/g, (_, letter) => letter.toUpperCase()),
      typeof value === 'string' && jsonFlags.includes(name) ? jsonOf(value) : value,
    ]),
  )
  const resolved = await loadSettings({
    // The command's user has switched it on. The build has its URLs already.
    options: {
      ...known.options,
      ...options,
      ...(location === undefined ? {} : { location }),
      ...({ enabled: true, upload: true, rewrite: false } satisfies Options),
    },
    build: { watch: false, whyNotProduction: undefined, mode: mode as string },
    envDir: process.cwd(),
    envPrefix: [...known.exposed],
    ...more,
    nameOption(option) {
      if (option === 'location' && location !== undefined) return word
      return option in known.options && !(option in options) ? `the build's option \`${option}\`` : flagOf(option)
    },
  })
  if (!resolved.on) throw new Error(resolved.because)
  return resolved.settings
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function flagOf(option: string): string {
  return `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}
