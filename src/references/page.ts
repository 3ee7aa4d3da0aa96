import { Parser } from 'htmlparser2'
import type { References } from './references.js'
import { urlsInScript } from './script.js'
import { urlsInStylesheet } from './stylesheet.js'
import type { FindUrls } from './urls-in-text.js'

/** Attributes whose value is one URL, even with spaces in it. */
const urlAttributes = new Set(['src', 'href', 'xlink:href', 'poster', 'data'])

/** Types of `<script>` with a script or JSON in it. */
const scripts = /^\s*($|module\b|importmap\b|speculationrules\b|.*(javascript|json)\b)/i

/** The URLs in a page or in an SVG file: in attributes, styles and scripts. Text and comments don't count. */
export function referencesInPage(markup: string, find: FindUrls, isXml: boolean): References {
  const found: References = { urls: [], integrity: [], mapped: [] }
  const open: { text: string; type: string | undefined }[] = []
  const parser = new Parser(
    {
      onopentag(_name, attributes) {
        open.push({ text: '', type: attributes.type })
        for (const [name, value] of Object.entries(attributes)) found.urls.push(...urlsInAttribute(name, value, find))
        const url = attributes.src ?? attributes.href
        if (attributes.integrity && url) found.integrity.push({ url: url.trim(), value: attributes.integrity })
      },
      ontext(text) {
        const element = open.at(-1)
        if (element) element.text += text
      },
      onclosetag(name) {
        const { text = '', type = '' } = open.pop() ?? {}
        if (name === 'style') found.urls.push(...urlsInStylesheet(text, find))
        if (name !== 'script') return
        if (/^(text|application)\/(x-template|template|html)$/i.test(type)) {
          found.urls.push(...referencesInPage(text, find, false).urls)
          return
        }
        if (/^importmap$/i.test(type.trim())) addImportMap(text, found)
        if (scripts.test(type)) found.urls.push(...urlsInScript(text, find))
      },
    },
    { xmlMode: isXml, recognizeCDATA: true },
  )
  parser.end(markup)
  return found
}

function urlsInAttribute(name: string, value: string, find: FindUrls): string[] {
  if (name === 'style') return urlsInStylesheet(value, find)
  // https://html.spec.whatwg.org/multipage/images.html#parse-a-srcset-attribute
  if (/srcset$/.test(name)) {
    return [...value.matchAll(/[\s,]*(\S*[^\s,])(?:\s[^,]*)?(?:,|$)/g)].flatMap(([, url = '']) => find(url, true))
  }
  return find(urlAttributes.has(name) ? value.trim().replaceAll(' ', '%20') : value, true)
}

/** Adds the names that an import map gives to files, and the files' integrity. */
function addImportMap(json: string, { mapped, integrity }: References): void {
  let map: { imports?: object; scopes?: object; integrity?: object } | null
  try {
    map = JSON.parse(json)
  } catch {
    return
  }
  if (typeof map !== 'object' || map === null) return
  for (const imports of [map.imports, ...Object.values(map.scopes ?? {})]) mapped.push(...Object.keys(imports ?? {}))
  for (const [url, value] of Object.entries(map.integrity ?? {})) {
    if (typeof value === 'string') integrity.push({ url, value })
  }
}
