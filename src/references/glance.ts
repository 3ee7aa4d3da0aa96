import { isTemplate, namesFile } from './file-name.js'
import type { PublicPlace } from './public-place.js'

/** Bytes of the longest URL that counts. */
export const longestUrl = 4096

/** Bytes that end a URL: white space, a quote, `<`, `>` or `)`. */
const ends = tableOf([...Array(33).keys(), ...Buffer.from('"\'`<>)')])
/** First bytes of a slash, plain or escaped. */
const separators = tableOf(Buffer.from('/\\%&'))
const [double, backtick, colon] = Buffer.from('"`:')

function tableOf(bytes: Iterable<number>): Uint8Array {
  const table = new Uint8Array(256)
  for (const byte of bytes) table[byte] = 1
  return table
}

/**
 * Returns a fast scan of a file's bytes: true if they may contain a URL, in any language, that names a missing file. A parser then decides,
 * because the URL may stand in a comment, or continue where the scan cuts it off.
 *
 * A URL at the very end of the bytes does not count: it has no delimiter, or it continues in the next piece of the file.
 */
export function glanceFor(
  { host, plain, start, pathOf }: PublicPlace,
  isThere: (path: string) => boolean,
): (bytes: Buffer) => boolean {
  const anchor = Buffer.from(host)
  const begin = new RegExp(`^${start}`, 'i')
  return (bytes) => {
    for (let at = bytes.indexOf(anchor); at >= 0; at = bytes.indexOf(anchor, at + anchor.length)) {
      const end = endOf(bytes, at + anchor.length)
      if (end === undefined) continue
      const text = bytes.toString('utf8', at, end)
      // Nearly all URLs are plain. Parsing them would take ten times as long.
      if (text.startsWith(plain) && isThere(text.slice(plain.length))) continue
      const url = `//${unescaped(text)}`.replace(/%2f/gi, '/')
      const path = begin.test(url) ? pathOf(url) : undefined
      if (!path || path.endsWith('/') || isThere(path)) continue
      // Other bytes may belong to the name: it's.png, a(1).png.
      const isWhole = bytes[end] === double || bytes[end] === backtick
      if (isWhole ? namesFile(url) : !isTemplate(url)) return true
    }
    return false
  }
}

/** Undefined if the host name continues, or if the URL does not end. */
function endOf(bytes: Buffer, from: number): number | undefined {
  const limit = Math.min(bytes.length, from + longestUrl)
  if (from >= limit || !isIn(separators, bytes[from])) return undefined
  for (let at = from; at < limit; at++) {
    // The next URL ends this one: otherwise the time for a text of nothing but URLs would grow with the square of its length.
    if (isIn(ends, bytes[at]) || (bytes[at] === colon && isIn(separators, bytes[at + 1]))) return at
  }
  return undefined
}

function isIn(table: Uint8Array, byte: number | undefined): boolean {
  return byte !== undefined && table[byte] === 1
}

/** Without the escapes of JSON, scripts and HTML, and without the text after the URL in a list or in a nested string. */
function unescaped(text: string): string {
  if (!/[\\&,;]/.test(text)) return text
  return (
    text
      .replace(/\\+(?:u00|x)([\da-f]{2})|&#x([\da-f]{2});/gi, (_, a, b) =>
        String.fromCharCode(Number.parseInt(a ?? b, 16)),
      )
      .replace(/&amp;/g, '&')
      // A parameter of another URL.
      .replace(/^([^/]*%2f[^&]*)&.*$/is, '$1')
      .replace(/(["'<>]|&(quot|apos|lt|gt|#3[49]);).*$/s, '')
      .replace(/[\\,;]+$/, '')
      .replace(/\\+/g, '')
  )
}
