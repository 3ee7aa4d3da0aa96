import { realpathSync, statSync } from 'node:fs'
import { join, sep } from 'node:path'
import { orUndefined } from '../runtime/or-undefined.js'

// The files that name an output folder's files come from elsewhere: their values and names may be anything.

export function isText(value: unknown): value is string {
  return typeof value === 'string'
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** True if the folder has this file, or a link to one of its own files: a deploy follows no other link. */
export function hasFile(dir: string, path: string): boolean {
  if (path.split(/[\\/]/).includes('..')) return false
  const file = join(dir, path)
  const isInside = () => realpathSync(file).startsWith(realpathSync(dir) + sep)
  // Both throw for a text that is no path: too long, or with a null character.
  return orUndefined(() => statSync(file).isFile() && isInside()) ?? false
}
