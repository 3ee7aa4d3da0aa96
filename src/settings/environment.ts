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

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'EISDIR' || code === 'ENOTDIR') return ''
    throw error
  }
}
