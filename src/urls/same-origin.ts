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
