import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { expand } from 'dotenv-expand'

export type Variables = Record<string, string | undefined>

/** Environment variables by their source: the AWS SDK sees only the shell's. */
export interface Environment {
  shell: Variables
  files: Variables
  /** Both. The shell's beat the files'. */
  all: Variables
}

/**
 * Reads `.env`, `.env.local`, `.env.[mode]` and `.env.[mode].local` as Vite does: later files beat earlier ones, and `$NAME` is expanded.
 *
 * @param dir the folder of the `.env` files; `false` (Vite's `envDir: false`) reads none
 * @see https://vite.dev/guide/env-and-mode#env-files
 */
export function readEnvironment(mode: string, dir: string | false, shell: Variables): Environment {
  const parsed: Record<string, string> = {}
  if (dir !== false) {
    for (const name of ['.env', '.env.local', `.env.${mode}`, `.env.${mode}.local`]) {
      Object.assign(parsed, parseEnv(readIfThere(join(dir, name))))
    }
  }
  // One by one, because dotenv-expand knows only earlier names, and prefers the shell's value to the file's. It writes to `processEnv`.
  const files = Object.fromEntries(
    Object.entries(parsed).map(([name, value]) => {
      const processEnv = { ...parsed, ...shell, [name]: value } as Record<string, string>
      if (isEndless(name, processEnv)) return [name, value]
      return [name, expand({ parsed: { [name]: value }, processEnv }).parsed?.[name]]
    }),
  )
  return { shell, files, all: { ...files, ...shell } }
}

/**
 * True if dotenv-expand would never end: the value refers to variables that refer to each other, or to a value with a replacement pattern
 * (`$&`), which restores the reference.
 */
function isEndless(name: string, values: Record<string, string>, path: readonly string[] = []): boolean {
  if (path.includes(name)) return name !== path[0]
  const value = values[name] ?? ''
  if (path.length > 0 && /\$[&`']/.test(value)) return true
  return [...value.matchAll(/\$\{?(\w+)/g)].some(([, next = '']) => isEndless(next, values, [...path, name]))
}

/** A variable of a `.env` file whose value no uploaded file may contain. */
export interface SecretVariable {
  name: string
  value: string
}

const secretName = /SECRET|TOKEN|PASSWORD|PASSWD|PRIVATE_?KEY/i
/** Settings of a secret, such as its path or lifetime. */
const settingOfSecret =
  /_(FILE|PATH|DIR|NAME|HEADER|COOKIE|EMAIL|ISSUER|AUDIENCE|STORAGE|TYPE|ALGORITHM|LIFETIME|EXPIRY|EXPIRES(_IN)?|TTL|MS|SECONDS|MINUTES|DAYS|MODEL|LENGTH)$/i
/** Prefixes of variables that a build tool publishes (Vite, Nuxt, SvelteKit, Create React App, Vue CLI). */
const exposedName = /^(VITE_|([A-Z]+_)?PUBLIC_|REACT_APP_|VUE_APP_)/
/** Values of templates, and default passwords. */
const placeholder =
  /^(change[-_ ]?me.*|(change|replace|your|insert)[-_ ].*|<.*>|placeholder|password|postgres|minioadmin|undefined|localhost|(.)\3*)$/i

/**
 * The secrets that `.env` files name, each with the file's value and with the shell's. Other variables of the shell are ignored: too many have
 * nothing to do with the build.
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
  const names = Object.keys(files).filter(
    (name) => secretName.test(name) && !settingOfSecret.test(name) && !isPublic(name),
  )
  return names.flatMap((name) =>
    [...new Set([files[name], shell[name]].map(longestLine))]
      .filter((value) => value.length >= 8 && !placeholder.test(value) && !isCommon(value) && !isPlainUrl(value))
      .map((value) => ({ name, value })),
  )
}

/** True for a path, and for the first line of a key: code may contain both by chance. */
function isCommon(value: string): boolean {
  return /^\/[\w/-]*$/.test(value) || value.startsWith('-----')
}

/** Files write the line ends of a key differently, so only its longest line is searched for. */
function longestLine(value = ''): string {
  return value
    .split(/\r?\n|\\n/)
    .map((line) => line.trim())
    .reduce((longest, line) => (line.length > longest.length ? line : longest))
}

/** True for a URL without credentials, query and fragment: `TOKEN_URL=https://auth.example.com/token`. */
function isPlainUrl(value: string): boolean {
  if (!/^https?:\/\//i.test(value) || !URL.canParse(value)) return false
  const { username, password, search, hash } = new URL(value)
  return `${username}${password}${search}${hash}` === ''
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'EISDIR' || code === 'ENOTDIR') return ''
    throw error
  }
}
