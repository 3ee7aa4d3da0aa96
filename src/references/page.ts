import { Parser } from 'htmlparser2'
import type { References } from './references.js'
import { urlsInJson, urlsInScript } from './script.js'
import { urlsInStylesheet } from './stylesheet.js'
import type { FindUrls } from './urls-in-text.js'

/** Attributes whose value is one URL, even with spaces in it. */
const urlAttributes = new Set(['src', 'href', 'xlink:href', 'poster', 'data'])

/** Attributes with code in them: `onclick`, and those of Vue and Alpine. */
const codeAttribute = /^(on|v-|x-|[:@])/

/** Types of `<script>` with a script, or with JSON. */
const script = /^\s*($|module\b|.*javascript\b)/i
const json = /^\s*(importmap\b|speculationrules\b|.*json\b)/i

/** The URLs in a page or in an SVG file: in attributes, styles and scripts. Text and comments don't count. */
export function referencesInPage(markup: string, find: FindUrls, isXml: boolean): References {
  const found: References = { urls: [], integrity: [], mapped: [] }
  const open: { text: string; type: string | undefined }[] = []
  let hasBase = false
  const parser = new Parser(
    {
      onopentag(name, attributes) {
        open.push({ text: '', type: attributes.type })
        for (const [key, value] of Object.entries(attributes)) found.urls.push(...urlsInAttribute(key, value, find))
        if (name === 'base' && attributes.href) hasBase = true
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
        if (script.test(type)) found.urls.push(...urlsInScript(text, find))
        else if (json.test(type)) found.urls.push(...urlsInJson(text, find))
      },
    },
    { xmlMode: isXml, recognizeCDATA: true },
  )
  parser.end(markup)
  // The base may differ from the page's URL.
  if (hasBase) found.integrity = found.integrity.filter(({ url }) => /^([a-z][a-z\d+.-]*:|\/\/)/i.test(url))
  return found
}

function urlsInAttribute(name: string, value: string, find: FindUrls): string[] {
  if (name === 'style') return urlsInStylesheet(value, find)
  // https://html.spec.whatwg.org/multipage/images.html#parse-a-srcset-attribute
  if (/srcset$/.test(name)) {
    return [...value.matchAll(/[\s,]*(\S*[^\s,])(?:\s[^,]*)?(?:,|$)/g)].flatMap(([, url = '']) => find(url, 'value'))
  }
  if (codeAttribute.test(name)) return urlsInScript(value, find)
  if (name === 'srcdoc') return referencesInPage(value, find, false).urls
  return find(urlAttributes.has(name) ? value.trim().replaceAll(' ', '%20') : value, 'value')
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
