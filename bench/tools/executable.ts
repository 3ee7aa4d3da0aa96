import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface Executable {
  path: string
  version: string
}

/** Finds the first that runs: in /usr/bin, then in the PATH, where a version manager's shim may lead nowhere. */
export async function findExecutable(name: string, flag: string, version: RegExp): Promise<Executable | undefined> {
  for (const folder of ['/usr/bin', ...(process.env.PATH ?? '').split(delimiter)]) {
    const path = join(folder, name)
    if (!existsSync(path)) continue
    const [, found] = version.exec(await outputOf(path, [flag])) ?? []
    if (found !== undefined) return { path, version: found }
  }
  return undefined
}

/** A command's output, or nothing if it fails. */
export async function outputOf(path: string, argv: readonly string[]): Promise<string> {
  try {
    const { stdout, stderr } = await run(path, argv, { timeout: 20_000 })
    return stdout + stderr
  } catch {
    return ''
  }
}
