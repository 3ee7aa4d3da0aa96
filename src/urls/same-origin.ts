/**
 * A service worker, by the names that PWA tools give them. Its script has to be on the page's own origin.
 *
 * @see https://www.w3.org/TR/service-workers/#start-register
 */
export function isServiceWorker(path: string): boolean {
  return /(^|[-_./])(sw|service[-_]?worker|ngsw-worker)([-_.][^/]*)?\.m?js$/i.test(path)
}

/**
 * A web app manifest, by the names that they usually have. Its `start_url` and `scope` have to be on the page's own origin, and are
 * relative to it.
 *
 * @see https://www.w3.org/TR/appmanifest/#start_url-member
 */
export function isWebAppManifest(path: string): boolean {
  return /\.webmanifest$|(^|\/)(site|app)?-?manifest([-.][\w-]+)?\.json$/i.test(path)
}

/** Files that browsers insist on having from the page's own origin. */
export function staysOnPageOrigin(path: string): boolean {
  return isServiceWorker(path) || isWebAppManifest(path) || path === 'registerSW.js'
}
