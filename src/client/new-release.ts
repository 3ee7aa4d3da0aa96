import { publicUrl } from './public-url.js'

/** The deploy searches the scripts for this text, and uploads the file only if it finds it. No request contains the part after the `#`. */
const releaseFile = 'release.json#static-s3'

export interface NewReleaseOptions {
  /**
   * Seconds between two requests while the page is visible. A page that becomes visible again sends one at once.
   *
   * @default 300
   */
  intervalSeconds?: number
}

/**
 * Calls back once, when visitors get another release than the one that was there when this page called `onNewRelease`. That may also be an older
 * release, restored by a rollback.
 *
 * It does nothing in development, or if static-s3 is off.
 *
 * @returns ends the requests
 */
export function onNewRelease(callback: () => void, { intervalSeconds = 300 }: NewReleaseOptions = {}): () => void {
  const url = publicUrl()
  if (url === undefined) return () => {}
  let first: string | undefined
  let isAsking = false
  let isOver = false
  const ask = async () => {
    if (isAsking) return
    isAsking = true
    const answer = await requestRelease(url)
    isAsking = false
    if (isOver || answer === undefined) return
    first ??= answer
    // Without the file, there is nothing to wait for.
    if (first === '') return end()
    if (answer === '' || answer === first) return
    end()
    callback()
  }
  const askIfVisible = () => {
    if (document.visibilityState === 'visible') void ask()
  }
  const timer = setInterval(askIfVisible, intervalSeconds * 1000)
  document.addEventListener('visibilitychange', askIfVisible)
  const end = () => {
    isOver = true
    clearInterval(timer)
    document.removeEventListener('visibilitychange', askIfVisible)
  }
  void ask()
  return end
}

/** @returns the file's content; nothing at all if there is no such file, and undefined if there is no usable answer */
async function requestRelease(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(new URL(releaseFile, url), { cache: 'no-store' })
    if (response.status === 403 || response.status === 404) return ''
    if (!response.ok) return undefined
    const text = await response.text()
    // A CDN may answer with a page.
    JSON.parse(text)
    return text
  } catch {
    return undefined
  }
}
