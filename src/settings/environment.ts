import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { expand } from 'dotenv-expand'
import { StaticS3Error } from '../runtime/error.js'

export type Variables = Record<string, string | undefined>

/** Environment variables by their source: the AWS SDK sees only the shell's. */
export interface Environment {
  shell: Variables
  files: Variables
  /** Both. The shell's beat the files'. */
  all: Variables
  /** The folder of the `.env` files. */
  dir?: string | undefined
}

/** The names of `.env` files; later ones beat earlier ones. */
export function envFiles(mode: string): string[] {
  return ['.env', '.env.local', `.env.${mode}`, `.env.${mode}.local`]
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
    for (const name of envFiles(mode)) Object.assign(parsed, readEnvFile(join(dir, name)))
  }
  // One by one, because dotenv-expand knows only earlier names, and prefers the shell's value to the file's. It writes to `processEnv`.
  const files = Object.fromEntries(
    Object.entries(parsed).map(([name, value]) => {
      const processEnv = { ...parsed, ...shell, [name]: value } as Record<string, string>
      if (isEndless(name, processEnv)) return [name, value]
      return [name, expand({ parsed: { [name]: value }, processEnv }).parsed?.[name]]
    }),
  )
  return { shell, files, all: { ...files, ...shell }, dir: dir || undefined }
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

/** @throws StaticS3Error if the file is UTF-16, as PowerShell and old editors write it */
export function readEnvFile(path: string): Record<string, string> {
  const bytes = readIfThere(path)
  // No text has a NUL. In UTF-16, each ASCII character has one.
  if (bytes.includes(0)) throw new StaticS3Error(`static-s3: ${path} is UTF-16 or no text: save it as UTF-8`)
  return parseEnv(bytes.toString().replace(/^\ufeff/, '')) as Record<string, string>
}

function readIfThere(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'EISDIR' || code === 'ENOTDIR') return Buffer.alloc(0)
    throw error
  }
}
