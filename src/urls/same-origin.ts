import { orUndefined } from '../runtime/error.js'

/**
 * A service worker, by the names that PWA tools use. Browsers require it on the page's origin.
 *
 * @see https://www.w3.org/TR/service-workers/#start-register
 */
export function isServiceWorker(path: string): boolean {
  return /(^|[-_./])(sw|service[-_]?worker|ngsw-worker)([-_.][^/]*)?\.m?js$/i.test(path)
}

/**
 * A web app manifest, by its usual names. Its `start_url` and `scope` are relative to it, and must be on the page's origin.
 *
 * @see https://www.w3.org/TR/appmanifest/#start_url-member
 */
export function isWebAppManifest(path: string): boolean {
  return /\.webmanifest$|(^|\/)(site|app)?-?manifest([-.][\w-]+)?\.json$/i.test(path)
}

/** True for files that browsers require on the page's origin. */
export function staysOnPageOrigin(path: string): boolean {
  return isServiceWorker(path) || isWebAppManifest(path) || path === 'registerSW.js'
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
