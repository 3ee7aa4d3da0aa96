import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { expand } from 'dotenv-expand'

export type Variables = Record<string, string | undefined>

/** Environment variables by where they stand: the two are kept apart because the AWS SDK sees only the shell's. */
export interface Environment {
  shell: Variables
  files: Variables
  /** Both, the shell's first. */
  all: Variables
}

/**
 * Reads `.env`, `.env.local`, `.env.[mode]` and `.env.[mode].local` as Vite does: later files win, `$NAME` is expanded,
 * and a variable of the shell beats them all.
 *
 * @param dir the folder of the `.env` files; `false` (Vite's `envDir: false`) reads none
 * @param shell the process's own environment; it is not changed
 * @see https://vite.dev/guide/env-and-mode#env-files
 */
export function readEnvironment(mode: string, dir: string | false, shell: Variables): Environment {
  const parsed: Record<string, string> = {}
  if (dir !== false) {
    for (const name of ['.env', '.env.local', `.env.${mode}`, `.env.${mode}.local`]) {
      Object.assign(parsed, parseEnv(readIfThere(join(dir, name))))
    }
  }
  // One at a time: dotenv-expand knows only the names that it has passed already, and lets the shell take a file's place. It writes
  // to `processEnv`, which is a copy.
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
 * Whether dotenv-expand would expand a value without end: it refers to variables that refer to each other, or to a value with signs that a
 * replacement reads (`$&`), which bring the reference back.
 */
function isEndless(name: string, values: Record<string, string>, way: readonly string[] = []): boolean {
  if (way.includes(name)) return name !== way[0]
  const value = values[name] ?? ''
  if (way.length > 0 && /\$[&`']/.test(value)) return true
  return [...value.matchAll(/\$\{?(\w+)/g)].some(([, next = '']) => isEndless(next, values, [...way, name]))
}

/** A variable of a `.env` file whose value is nobody else's business. */
export interface SecretVariable {
  name: string
  value: string
}

/** Names that people give to what is secret. */
const secretName = /SECRET|TOKEN|PASSWORD|PASSWD|PRIVATE_?KEY/i
/** Names of what is about a secret: where it lies, what its header is called. */
const aboutSecret =
  /_(FILE|PATH|DIR|NAME|HEADER|COOKIE|EMAIL|ISSUER|AUDIENCE|STORAGE|TYPE|ALGORITHM|LIFETIME|EXPIRY|EXPIRES(_IN)?|TTL|MS|SECONDS|MINUTES|DAYS|MODEL|LENGTH)$/i
/** Names by which a build tool is told to put the value into the bundle (Vite, Nuxt, SvelteKit, Create React App, Vue CLI). */
const exposedName = /^(VITE_|([A-Z]+_)?PUBLIC_|REACT_APP_|VUE_APP_)/
/** What stands in a file that was never filled in, and passwords that everybody knows. */
const placeholder =
  /^(change[-_ ]?me.*|(change|replace|your|insert)[-_ ].*|<.*>|placeholder|password|postgres|minioadmin|undefined|localhost|(.)\3*)$/i

/**
 * The secrets that `.env` files name, each with the file's value and with the shell's, which has the last word. The shell's other
 * variables are not looked at: there are too many that a build has nothing to do with.
 *
 * @param allowed names of variables whose values may be published
 * @param exposed what the names of others begin with
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
  const names = Object.keys(files).filter((name) => secretName.test(name) && !aboutSecret.test(name) && !isPublic(name))
  return names.flatMap((name) =>
    [...new Set([files[name], shell[name]].map(telling))]
      .filter((value) => value.length >= 8 && !placeholder.test(value) && !isOrdinary(value) && !isPlainUrl(value))
      .map((value) => ({ name, value })),
  )
}

/** A path of the site, or the first line of a key that isn't there: they stand in code by chance. */
function isOrdinary(value: string): boolean {
  return /^\/[\w/-]*$/.test(value) || value.startsWith('-----')
}

/** A key of several lines is told by its longest one: how it writes a line's end is different in every file. */
function telling(value = ''): string {
  return value
    .split(/\r?\n|\\n/)
    .map((line) => line.trim())
    .reduce((longest, line) => (line.length > longest.length ? line : longest))
}

/** An address that gives nobody any right: `TOKEN_URL=https://auth.example.com/token`. */
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
