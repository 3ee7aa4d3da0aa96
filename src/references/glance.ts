import type { PublicPlace } from './public-place.js'

/** Bytes of the longest URL that counts. */
export const longestUrl = 4096

/** Bytes that end a URL in any language: a quote, white space, `<`, `>` or `)`. */
const ends = new Uint8Array(256)
for (let byte = 0; byte <= 32; byte++) ends[byte] = 1
for (const end of '"\'`<>)') ends[end.charCodeAt(0)] = 1

/**
 * Returns a fast look at a file's bytes: the URLs under the public URL, in any language. Some are cut off, or stand in a comment: a parser has
 * to confirm a URL that names no file.
 *
 * A URL at the very end of the bytes is left out: it has no end, or it goes on in the next piece of the file.
 */
export function glanceFor({ host, start }: PublicPlace): (bytes: Buffer) => Set<string> {
  const anchor = Buffer.from(host)
  const begin = new RegExp(`^${start}`, 'i')
  return (bytes) => {
    const urls = new Set<string>()
    for (let at = bytes.indexOf(anchor); at >= 0; at = bytes.indexOf(anchor, at + anchor.length)) {
      const end = endOf(bytes, at + anchor.length)
      if (end === undefined) continue
      const url = `//${unescaped(bytes.toString('utf8', at, end))}`
      if (begin.test(url)) urls.add(url.replace(/%2f/gi, '/'))
    }
    return urls
  }
}

function endOf(bytes: Buffer, from: number): number | undefined {
  const limit = Math.min(bytes.length, from + longestUrl)
  for (let at = from; at < limit; at++) if (ends[bytes[at] as number] === 1) return at
  return undefined
}

/** Without the escapes of JSON, scripts and HTML, and without what follows the URL in a list or in a nested string. */
function unescaped(text: string): string {
  if (!/[\\&,;]/.test(text)) return text
  return text
    .replace(/\\+(?:u00|x)([\da-f]{2})|&#x([\da-f]{2});/gi, (_, a, b) =>
      String.fromCharCode(Number.parseInt(a ?? b, 16)),
    )
    .replace(/&amp;/g, '&')
    .replace(/["'<>].*$/s, '')
    .replace(/[\\,;]+$/, '')
    .replace(/\\+/g, '')
}
