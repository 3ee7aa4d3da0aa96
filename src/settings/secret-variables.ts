import { orUndefined } from '../runtime/or-undefined.js'
import type { Environment } from './environment.js'

/** A value of a `.env` file that no uploaded file may contain. */
export interface SecretVariable {
  name: string
  value: string
  /** True if the value is only the password in the variable's value: `postgres://user:password@host`. */
  isPassword?: true
}

/** The endings of secrets' names, in capitals with `_`. */
const secretName =
  /(SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL)S?$|(^|_)(PASS|PWD|PAT|SALT)$|(SECRET|PRIVATE)\w*KEYS?$/
/** Keys are secrets if they look random and are not meant for browsers. */
const keyName = /KEYS?$/
const publicKeyName = /(PUBLIC|PUBLISHABLE|ANON|SITE|MAPS|FIREBASE|SEARCH|BROWSER|LICEN[CS]E)_(API_)?KEYS?$/
/** Words that may follow such an ending. */
const qualifiers = /(_(V?\d+|LIVE|TEST|DEV|STAGING|PROD|PRODUCTION|OLD|NEW|PREVIOUS|CURRENT|BASE|VALUE))+$/
/** Prefixes of variables that a build tool publishes (Vite, Nuxt, SvelteKit, Next, Create React App, Vue CLI, Gatsby, Laravel Mix). */
const exposedName = /^(VITE_|([A-Z]+_)?PUBLIC_|REACT_APP_|VUE_APP_|GATSBY_|MIX_)/
/** Prefixes of keys that are public by their services' documentation. */
const publicValue = /^(pk|phc|pub|public|sb_publishable)[._-]/
const placeholder =
  /change[-_ ]?(?:me|this|it)|(?:your|replace|insert)[-_ ]|placeholder|^example|EXAMPLE(?:KEY)?$|x{6}|\*{4}|\.{3}|<.+>|[{$]\{|^(.)\1*$/i
const date = /^\d{4}([-/.]?)\d\d\1\d\d$|^\d{8}$/
const mediaType = /^(application|audio|font|image|message|model|multipart|text|video)\/[a-z][a-z\d.+-]*$/
/** Code contains parts of these alphabets. */
const alphabet = '0123456789abcdefghijklmnopqrstuvwxyz01234567890'

/** Characters. Files contain shorter values by chance. */
const shortest = { secret: 8, words: 16, key: 16 }

/**
 * The secrets in `.env` files, each with the file's value and with the shell's. Other variables of the shell are ignored: most do not concern
 * the build.
 *
 * @param allowed names of variables whose values may be published
 * @param exposed prefixes of such names
 */
export function secretVariables(
  { shell, files }: Environment,
  allowed: readonly string[],
  exposed: readonly string[] = [],
): SecretVariable[] {
  const isPublic = (name: string) =>
    allowed.includes(name) ||
    exposedName.test(name) ||
    exposed.some((prefix) => prefix !== '' && name.startsWith(prefix))
  const names = Object.keys(files)
  const values = (name: string) => {
    // A `.env` file may contain a variable named `__proto__`.
    const own = [files, shell].map((source) => (Object.hasOwn(source, name) ? source[name] : undefined))
    return [...new Set(own.map((value) => value ?? ''))]
  }
  // VITE_APP_KEY="${APP_KEY}" publishes APP_KEY.
  const published = new Set(names.filter(isPublic).flatMap(values))
  return names
    .filter((name) => !isPublic(name))
    .flatMap((name) =>
      values(name)
        .filter((value) => !published.has(value))
        .flatMap((value) => secretsIn(name, value)),
    )
}

function secretsIn(name: string, value: string): SecretVariable[] {
  const passwords = passwordsIn(value).filter((password) => !isOrdinary(password))
  const whole = longestLine(value)
  return [
    ...passwords.map((password) => ({ name, value: password, isPassword: true as const })),
    ...(isSecret(name, whole) ? [{ name, value: whole }] : []),
  ]
}

function isSecret(name: string, value: string): boolean {
  const words = name
    .replace(/([a-z\d])([A-Z])/g, '$1_$2')
    .replace(/\W+/g, '_')
    .toUpperCase()
    .replace(qualifiers, '')
  if (publicValue.test(value) || isOrdinary(value)) return false
  return secretName.test(words) || (keyName.test(words) && !publicKeyName.test(words) && looksRandom(value))
}

/** The passwords in a URL and in a list of parameters, each encoded and decoded. */
function passwordsIn(value: string): string[] {
  const [, inUrl] = /^[a-z][a-z\d+.-]*:\/\/[^:@/\s]*:([^@\s]+)@/i.exec(value) ?? []
  const [, inParameters] = /(?:^|[;?&\s])(?:password|pwd)=([^;&\s]+)/i.exec(value) ?? []
  return [...new Set([inUrl, inParameters].flatMap((text) => (text === undefined ? [] : [text, decoded(text)])))]
}

function decoded(text: string): string {
  return orUndefined(() => decodeURIComponent(text)) ?? text
}

/** True for a value that is public, or that files may contain by chance. */
function isOrdinary(value: string): boolean {
  if (value.length < shortest.secret || placeholder.test(value) || alphabet.includes(value.toLowerCase())) return true
  if (value.length < shortest.words && (isWords(value) || date.test(value))) return true
  if (mediaType.test(value) && !looksRandom(value)) return true
  return isPath(value) || isPlainUrl(value) || value.startsWith('-----')
}

/**
 * True for a user's name that serves as an access key id, such as `frontend` on MinIO: any file may contain it. Ids that a store makes have
 * digits in other places, or capitals and digits only.
 */
export function isUserName(accessKeyId: string): boolean {
  return !/^[A-Z\d]{16,}$/.test(accessKeyId) && isWords(accessKeyId) && !looksRandom(accessKeyId)
}

/** True for words of code, such as `accessToken1`: up to three digits may follow. Random letters change between capitals and small ones. */
function isWords(value: string): boolean {
  const [, letters, digits] = /^([a-z]+(?:[-_. ][a-z]+)*)[-_. ]?(\d{0,3})$/i.exec(value) ?? []
  return letters !== undefined && (digits === '' || !changesOften(letters.replace(/[^a-z]/gi, '')))
}

function isPath(value: string): boolean {
  return /^(~|\.{0,2}|[a-z]:)[\\/]/i.test(value)
    ? !looksRandom(value)
    : /^[\w./-]+\.(pem|key|json|txt|crt|p8|p12)$/.test(value)
}

/** True for a URL without credentials, query and fragment: `TOKEN_URL=https://auth.example.com/token`. */
function isPlainUrl(value: string): boolean {
  if (!/^[a-z][a-z\d+.-]*:\/\//i.test(value) || !URL.canParse(value)) return false
  const { username, password, search, hash } = new URL(value)
  return `${username}${password}${search}${hash}` === ''
}

/** A random value changes between capitals, small letters and digits every two characters or so. Names change every word. */
function looksRandom(value: string): boolean {
  return value.length >= shortest.key && changesOften(value)
}

function changesOften(value: string): boolean {
  const runs = value.match(/[A-Z]?[a-z]+|[A-Z]+|\d+/g) ?? []
  return runs.join('').length / runs.length < 3
}

/** Files encode the line breaks of a key differently, so only its longest line is searched for. */
function longestLine(value: string): string {
  return value
    .split(/\r?\n|\\n/)
    .map((line) => line.trim())
    .reduce((longest, line) => (line.length > longest.length ? line : longest))
}
