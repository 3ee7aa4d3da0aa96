import { isServiceWorker, isWebAppManifest } from './classify.js'

/**
 * Files that browsers insist on having from the page's own origin: a service worker (its script URL has to be same-origin), and a
 * web app manifest (its `start_url` and `scope` do).
 *
 * @see https://www.w3.org/TR/service-workers/#start-register
 * @see https://www.w3.org/TR/appmanifest/#start_url-member
 */
export function staysOnPageOrigin(path: string): boolean {
  return isServiceWorker(path) || isWebAppManifest(path) || path === 'registerSW.js'
}
