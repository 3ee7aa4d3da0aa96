import type { Environment, Variables } from './environment.js'
import { isUserName } from './secret-variables.js'
import type { SettingReader } from './setting-reader.js'
import type { CredentialSource, Credentials } from './settings.js'

/** Variables for credentials that only the SDK's own chain can use. */
const chainVariables = [
  'AWS_WEB_IDENTITY_TOKEN_FILE',
  'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
  'AWS_CONTAINER_CREDENTIALS_FULL_URI',
]

/**
 * Credentials that the SDK's chain cannot see: under `AWS_S3_…` names, or in a `.env` file, which no bundler adds to `process.env`. The chain
 * finds all other kinds by itself.
 */
export function readCredentials(read: SettingReader, { shell, files }: Environment): CredentialSource {
  for (const source of [shell, files]) {
    for (const prefix of ['AWS_S3_', 'AWS_']) {
      const keys = readKeys(read, source, prefix, source === files ? ' in a .env file' : '')
      if (!keys) continue
      // The SDK's chain decides between keys and a profile.
      return keys === 'half' || (source === shell && prefix === 'AWS_' && shell.AWS_PROFILE) ? undefined : keys
    }
    const profile = (source.AWS_S3_SESSION_PROFILE || source.AWS_PROFILE)?.trim()
    if (profile) return { profile }
    if (source === shell && chainVariables.some((name) => shell[name])) return undefined
  }
  return undefined
}

function readKeys(
  read: SettingReader,
  source: Variables,
  prefix: string,
  where: string,
): Credentials | 'half' | undefined {
  const accessKeyId = source[`${prefix}ACCESS_KEY_ID`]?.trim()
  const secretAccessKey = source[`${prefix}SECRET_ACCESS_KEY`]?.trim()
  if (!accessKeyId && !secretAccessKey) return undefined
  if (!accessKeyId || !secretAccessKey) {
    const names = [`${prefix}ACCESS_KEY_ID`, `${prefix}SECRET_ACCESS_KEY`]
    const [set, missing] = accessKeyId ? names : names.reverse()
    read.problems.push(`${set} is set${where} without ${missing}: set both, or neither.`)
    return 'half'
  }
  // The session token belongs to AWS_ACCESS_KEY_ID, which may be another key than AWS_S3_ACCESS_KEY_ID.
  const hasToken = [undefined, '', accessKeyId].includes(source.AWS_ACCESS_KEY_ID?.trim()) || prefix === 'AWS_'
  const token = hasToken ? (source.AWS_SESSION_TOKEN || source.AWS_SECURITY_TOKEN)?.trim() : undefined
  return { accessKeyId, secretAccessKey, sessionToken: token || undefined }
}

/** The SDK's names for the links of its chain, as users know them. The first that matches counts. */
const links: [name: RegExp, source: string][] = [
  [/SSO/, 'SSO'],
  [/WEB_ID/, 'a role, by an OIDC token'],
  [/ASSUME_ROLE/, 'a role'],
  [/PROCESS/, 'a credential_process'],
  [/HTTP/, "the container's role"],
  [/IMDS/, "the machine's role"],
]

/** Where credentials come from, for people. */
export function credentialSource(
  { shell, files, all }: Environment,
  { accessKeyId, $source = {} }: { accessKeyId: string; $source?: object },
): string {
  for (const [variables, where] of [[shell, 'the environment'] as const, [files, 'a .env file'] as const]) {
    const name = ['AWS_S3_ACCESS_KEY_ID', 'AWS_ACCESS_KEY_ID'].find((each) => variables[each]?.trim() === accessKeyId)
    if (name !== undefined) return `${name} in ${where}`
  }
  const names = Object.keys($source).join()
  const profile = `the profile "${profileOf({ all }) ?? 'default'}"`
  const link = links.find(([pattern]) => pattern.test(names))?.[1]
  if (link === undefined) return profile
  return names.includes('PROFILE') ? `${link}, by ${profile}` : link
}

/** The profile for a missing region or endpoint. Undefined for the SDK's own choice. */
export function profileOf({ all }: Pick<Environment, 'all'>): string | undefined {
  return (all.AWS_S3_SESSION_PROFILE || all.AWS_PROFILE)?.trim() || undefined
}

/** Secret keys and tokens of the environment, in use or not. */
export function secretKeys({ shell, files }: Environment): string[] {
  const isSecret = (name: string) => /^AWS_.*(SECRET_ACCESS_KEY|SESSION_TOKEN|SECURITY_TOKEN)$/.test(name)
  return [shell, files]
    .flatMap((source) => Object.keys(source).map((name) => (isSecret(name) ? (source[name] ?? '').trim() : '')))
    .filter((value) => value.length >= 8)
}

/** The parts of the credentials in use that no file may contain. */
export function secretParts({ accessKeyId, secretAccessKey, sessionToken = '' }: Credentials) {
  return [
    { name: 'the secret access key in use', value: secretAccessKey },
    ...(isUserName(accessKeyId) ? [] : [{ name: 'the access key id in use', value: accessKeyId }]),
    { name: 'the session token in use', value: sessionToken },
  ]
}
