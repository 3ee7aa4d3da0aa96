import { publicUrl } from './public-url.js'

/** Milliseconds between two reloads of the same page: a reload that brings the same page back has not helped. */
const pause = 60 * 60 * 1000

/** Chromium's, Firefox's and Safari's messages. */
const failedImport =
  /^(Failed to fetch dynamically imported module|error loading dynamically imported module|Importing a module script failed)/

/**
 * Reloads the page when a chunk of its release is missing, because a newer release replaced it. The new page loads its own chunks.
 *
 * It reloads a page of the same release at most once an hour, in each tab, and never while the browser is offline. It does nothing in development, or
 * if static-s3 is off.
 */
export function reloadOnMissingChunk(): void {
  const url = publicUrl()
  if (url === undefined) return
  const isOurs = (source: string) => source.startsWith(url) || source.startsWith(`${location.origin}/`)
  // The release's mark: its page loads scripts with other names. Scripts of other origins may have a new name at each load.
  const page = Array.from(document.scripts, ({ src }) => src).filter((src) => src.startsWith(url))
  const reload = () => {
    if (mayReload(`static-s3: reloaded ${page}`)) location.reload()
  }
  addEventListener('vite:preloadError', reload)
  addEventListener('unhandledrejection', ({ reason }) => {
    const { name, message = '' } = Object(reason) as Partial<Error>
    if (name !== 'ChunkLoadError' && !failedImport.test(message)) return
    const [source] = /https?:[^\s)]+/.exec(message) ?? []
    // Safari names no URL.
    if (source === undefined || isOurs(source)) reload()
  })
  // React's error boundaries and routers catch webpack's ChunkLoadError. `error` events of elements do not bubble.
  const onError = ({ target }: Event) => {
    if (!(target instanceof HTMLScriptElement) || !isOurs(target.src)) return
    if ('webpack' in target.dataset || 'rspack' in target.dataset) reload()
  }
  addEventListener('error', onError, true)
}

/** @param key remembers the last reload */
function mayReload(key: string): boolean {
  if (!navigator.onLine) return false
  try {
    if (Date.now() - Number(sessionStorage.getItem(key)) < pause) return false
    sessionStorage.setItem(key, String(Date.now()))
    return true
  } catch {
    // The storage is forbidden or full. A page that was reloaded, by whomever, is not reloaded again.
    const [navigation] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[]
    return navigation !== undefined && navigation.type !== 'reload'
  }
}
