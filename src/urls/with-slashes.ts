import { sep } from 'node:path'

/**
 * A bundler's name with slashes, as in keys and URLs. On Windows, `path.join` in a configuration writes backslashes. On other systems, a backslash
 * is part of a file's name.
 *
 * @param separator the system's path separator
 */
export function withSlashes(name: string, separator: string = sep): string {
  return separator === '/' ? name : name.replaceAll(separator, '/')
}
