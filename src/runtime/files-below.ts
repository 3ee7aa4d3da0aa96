import { readdirSync } from 'node:fs'
import { join, relative, sep } from 'node:path'

/**
 * The paths of all files below a folder, in no order, with `/` on every system. Links count as files, and are not followed.
 *
 * @throws Error if the folder is not there
 */
export function filesBelow(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(dir, join(entry.parentPath, entry.name)).replaceAll(sep, '/'))
}
