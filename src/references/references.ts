import { addImportMap, referencesInPage } from './page.js'
import { urlsInScript } from './script.js'
import { urlsInStylesheet } from './stylesheet.js'
import type { FindUrls } from './urls-in-text.js'

/** The references of a file to others, by URL. */
export interface References {
  urls: string[]
  /** The `integrity` beside a URL. */
  integrity: { url: string; value: string }[]
  /** URLs that an import map turns into others. */
  mapped: string[]
}

export type TextType = 'page' | 'svg' | 'stylesheet' | 'script' | 'json'

/** The languages in which files refer to others; undefined for all other files. */
export function textType(path: string): TextType | undefined {
  if (/\.html?$/i.test(path)) return 'page'
  if (/\.(svg|xhtml)$/i.test(path)) return 'svg'
  if (/\.css$/i.test(path)) return 'stylesheet'
  if (/\.[cm]?js$/i.test(path)) return 'script'
  return /\.(json|webmanifest)$/i.test(path) ? 'json' : undefined
}

export function referencesIn(type: TextType, text: string, find: FindUrls): References {
  if (type === 'page' || type === 'svg') return referencesInPage(text, find, type === 'svg')
  const found: References = { urls: [], integrity: [], mapped: [] }
  if (type === 'stylesheet') found.urls = urlsInStylesheet(text, find)
  else found.urls = urlsInScript(text, find)
  if (type === 'json' && text.includes('"imports"')) addImportMap(text, found)
  return found
}
