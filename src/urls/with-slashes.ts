import { sep } from 'node:path'

/**
 * A name from the bundler, with the slashes of keys and URLs: on Windows, `path.join` in a configuration makes backslashes. Elsewhere, a
 * backslash is part of a file's name.
 *
 * @param separator the system's
 */
export function withSlashes(name: string, separator: string = sep): string {
  return separator === '/' ? name : name.replaceAll(separator, '/')
}
