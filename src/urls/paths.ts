import { sep } from 'node:path'
import { orUndefined } from '../runtime/or-undefined.js'

/**
 * A bundler's name with slashes, as in keys and URLs. On Windows, `path.join` in a configuration writes backslashes. On other systems, a backslash
 * is part of a file's name.
 *
 * @param separator the system's path separator
 */
export function withSlashes(name: string, separator: string = sep): string {
  return separator === '/' ? name : name.replaceAll(separator, '/')
}

/** The first part of every key in a location. */
export function prefixOf(location: string): string {
  return location === '' ? '' : `${location}/`
}

/** A location in a message. */
export function locationName(location: string): string {
  return location === '' ? "the bucket's root" : location
}

/** Percent-encodes a key for a URL. `encodeURI` would keep `+`, which S3 reads as a space, and `#` and `?`, which end the path. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/')
}

/**
 * The path in the output folder to which a URL leads. Undefined for a URL elsewhere.
 *
 * @param from the path of the file that contains the URL
 * @param base the output folder on the page's origin
 */
export function builtPath(url: string, from: string, base: string): string | undefined {
  if (/^[a-z][a-z\d+.-]*:|^\/\//i.test(url)) return undefined
  return orUndefined(() => {
    const root = new URL(base || './', 'http://page/')
    const { origin, pathname } = new URL(url, new URL(encodeURI(from), root))
    if (origin !== root.origin || !pathname.startsWith(root.pathname)) return undefined
    return decodeURI(pathname.slice(root.pathname.length))
  })
}
