import type { FindUrls } from './urls-in-text.js'

// Each alternative also matches at the end of an unfinished file: a failed attempt would begin again at every next character.
const tokens =
  /\/\*[\s\S]*?(?:\*\/|$)|"((?:[^"\\]+|\\[\s\S])*)"?|'((?:[^'\\]+|\\[\s\S])*)'?|url\(\s*((?:[^\s"'()\\]+|\\[\da-f]{1,6}\s?|\\[\s\S])*)\s*\)?/gi

/** The URLs in a stylesheet: in `url()` and in strings. Comments don't count. */
export function urlsInStylesheet(css: string, find: FindUrls): string[] {
  const urls: string[] = []
  for (const [, double, single, url] of css.matchAll(tokens)) {
    const text = double ?? single ?? url
    // A name with spaces is one URL here, unlike in a script's strings.
    if (text) urls.push(...find(unescaped(text).trim().replaceAll(' ', '%20'), 'value'))
  }
  return urls
}

/** @see https://www.w3.org/TR/css-syntax-3/#consume-escaped-code-point */
function unescaped(text: string): string {
  return text.replace(/\\(?:([\da-f]{1,6})[ \n\t\f]?|([\s\S]))/gi, (_, code, other) =>
    code === undefined ? other.replace('\n', '') : String.fromCodePoint(Math.min(Number.parseInt(code, 16), 0x10ffff)),
  )
}
