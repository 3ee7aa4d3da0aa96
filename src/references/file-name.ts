import { extname } from 'node:path/posix'
import { lookup } from 'mime-types'

/** Placeholders that code fills in: `{lang}`, `${x}`, `%s`, `*`, `[hash]`, `__lng__`, `<name>`, `:id`, `...`; and invalid UTF-8. */
const filledIn = /[{}*$<>[\]|^\\…\ufffd]|%(?![\da-f]{2})|\/:|\.\.\.+|__\w+__/i

/** True if a URL certainly names one file. A URL without an extension may be a page, or the beginning of a name. */
export function namesFile(url: string): boolean {
  const path = pathOf(url)
  return !isTemplate(url) && !path.endsWith('/') && lookup(extname(path)) !== false
}

export function isTemplate(url: string): boolean {
  return filledIn.test(pathOf(url))
}

export type TextType = 'page' | 'svg' | 'stylesheet' | 'script' | 'json'

/** The languages in which files refer to others; undefined for all other files. */
export function textType(path: string): TextType | undefined {
  if (/\.[cm]?js$/i.test(path)) return 'script'
  if (/\.html?$/i.test(path)) return 'page'
  if (/\.(svg|xhtml)$/i.test(path)) return 'svg'
  if (/\.css$/i.test(path)) return 'stylesheet'
  return /\.(json|webmanifest)$/i.test(path) ? 'json' : undefined
}

function pathOf(url: string): string {
  return url.replace(/^(https?:)?\/\/[^/]*|[?#].*$/gs, '')
}
