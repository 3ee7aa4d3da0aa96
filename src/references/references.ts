import type { TextType } from './file-name.js'
import { referencesInPage } from './page.js'
import { urlsInJson, urlsInScript } from './script.js'
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

const urlsIn = { stylesheet: urlsInStylesheet, script: urlsInScript, json: urlsInJson }

export function referencesIn(type: TextType, text: string, find: FindUrls): References {
  try {
    if (type === 'page' || type === 'svg') return referencesInPage(text, find, type === 'svg')
    return { urls: urlsIn[type](text, find), integrity: [], mapped: [] }
  } catch (error) {
    // A regular expression fails on a string with millions of escapes.
    if (error instanceof RangeError) return { urls: [], integrity: [], mapped: [] }
    throw error
  }
}
