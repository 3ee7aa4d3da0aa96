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
      return [name, expand({ parsed: { [name]: value }, processEnv }).parsed?.[name]]
    }),
  )
  return { shell, files, all: { ...files, ...shell } }
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
