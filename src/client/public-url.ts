declare const process: { env: { STATIC_URL?: string } }

/**
 * The public URL of the build's files, which the bundler fills in. Undefined on a server, in development, and in a build that stays on disk: there
 * `STATIC_URL` is missing, or the path of the page's own files.
 */
export function publicUrl(): string | undefined {
  if (typeof window === 'undefined') return undefined
  const url = staticUrl()
  return url !== undefined && /^https?:/.test(url) ? url : undefined
}

/** A bundler fills in its own expression. In a browser, the other one is an error, unless the bundler makes it undefined. */
function staticUrl(): string | undefined {
  for (const read of [
    () => process.env.STATIC_URL,
    () => (import.meta as unknown as { env: { STATIC_URL?: string } }).env.STATIC_URL,
  ]) {
    try {
      const url = read()
      if (url !== undefined) return url
    } catch {
      // The other bundlers' expression.
    }
  }
  return undefined
}
