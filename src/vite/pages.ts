import { Parser } from 'htmlparser2'
import { builtPath } from '../urls/paths.js'
import type { BundleFile } from './fingerprints.js'
import { rootPlaceholder } from './output-root.js'

/** The targets of a page's URLs. */
export interface PageUrls {
  /** The page's path in the output folder. */
  page: string
  /** Vite's `base`: the output folder on the page's origin. */
  base: string
  publicUrl: string
  /** The bucket's URL of a file that the bundler emitted; undefined for any other path, and for a file that stays on the page's origin. */
  emittedUrl: (path: string) => string | undefined
}

/** A part of a text, and its replacement. */
export interface Edit {
  start: number
  end: number
  text: string
}

export function edited(text: string, edits: readonly Edit[]): string {
  // From the end, so that earlier positions stay valid.
  return [...edits]
    .sort((a, b) => b.start - a.start)
    .reduce((result, edit) => result.slice(0, edit.start) + edit.text + result.slice(edit.end), text)
}

/** Completes the pages of a bundle, and the import map of its chunks. */
export function completeBundle(
  bundle: Record<string, BundleFile>,
  chunkImportMap: string | undefined,
  urls: Omit<PageUrls, 'page'>,
): void {
  for (const [path, file] of Object.entries(bundle)) {
    if (file.type !== 'asset' || (path !== chunkImportMap && !/\.html?$/i.test(path))) continue
    const before = Buffer.from(file.source).toString()
    const complete = path === chunkImportMap ? completeImportMap : completePage
    // Vite fills in `%STATIC_URL%`.
    const after = complete(before.replaceAll(rootPlaceholder, urls.publicUrl), { ...urls, page: path })
    if (after !== before) file.source = after
  }
}

interface Element {
  name: string
  attributes: Readonly<Record<string, string>>
  /** The attributes' places in the page, by name. */
  places: ReadonlyMap<string, { start: number; end: number }>
  /** The end of the element's name. */
  nameEnd: number
}

/**
 * Completes a page that Vite and all plugins have written.
 *
 * - Links, scripts and import maps that still name a file of the bundle on the page's origin point to the bucket.
 * - Preload and prefetch links get `crossorigin` if the later request has it: otherwise browsers refuse the cached response.
 * - `<use>` keeps the page's origin.
 */
export function completePage(html: string, urls: PageUrls): string {
  const { elements, importMaps } = readPage(html)
  const withoutCors = new Set(
    elements.flatMap(({ name, attributes: { src, href, rel, crossorigin } }) =>
      crossorigin !== undefined || (name === 'link' && !/\bstylesheet\b/i.test(rel ?? '')) ? [] : [src ?? href],
    ),
  )
  const edits: Edit[] = []
  for (const element of elements) {
    const { attributes, places, nameEnd } = element
    for (const attribute of urlAttributes[element.name] ?? []) {
      const url = attributes[attribute]
      const place = places.get(attribute)
      if (url === undefined || !place) continue
      const next = element.name === 'use' ? onPageOrigin(url, urls) : (inBucket(url, urls) ?? url)
      if (next !== url)
        edits.push({ ...place, text: `${attribute}="${next.replace(/&/g, '&amp;').replace(/"/g, '&quot;')}"` })
      if (next.startsWith(urls.publicUrl) && !withoutCors.has(url) && lacksCors(element, next)) {
        edits.push({ start: nameEnd, end: nameEnd, text: ' crossorigin' })
      }
    }
  }
  for (const { start, end } of importMaps)
    edits.push({ start, end, text: completeImportMap(html.slice(start, end), urls) })
  return edited(html, edits)
}

/** Points an import map to the bucket, on both sides: a script in the bucket asks for `./chunk.js` beside itself. */
export function completeImportMap(json: string, urls: PageUrls): string {
  let map: { imports?: Record<string, string>; integrity?: Record<string, string> }
  try {
    map = JSON.parse(json)
  } catch {
    return json
  }
  const root = { ...urls, page: '' }
  const imports = Object.entries(map.imports ?? {}).map(([specifier, url]) => {
    const target = inBucket(url, root)
    // A specifier may also be a plain name, such as `vue`.
    const path = target !== undefined && /^\.{0,2}\//.test(specifier) ? builtPath(specifier, '', urls.base) : undefined
    return [path === undefined ? specifier : urls.publicUrl + encodeURI(path), target ?? url]
  })
  const integrity = Object.entries(map.integrity ?? {}).map(([url, hash]) => [inBucket(url, root) ?? url, hash])
  const complete = JSON.stringify({
    ...map,
    ...(map.imports ? { imports: Object.fromEntries(imports) } : {}),
    ...(map.integrity ? { integrity: Object.fromEntries(integrity) } : {}),
  })
  return complete === JSON.stringify(map) ? json : complete
}

const urlAttributes: Record<string, readonly string[]> = {
  script: ['src'],
  link: ['href'],
  use: ['href', 'xlink:href'],
}

function readPage(html: string) {
  const elements: Element[] = []
  const importMaps: { start: number; end: number }[] = []
  let places = new Map<string, { start: number; end: number }>()
  let inImportMap = false
  const parser = new Parser({
    onattribute(name) {
      places.set(name, { start: parser.startIndex, end: parser.endIndex })
    },
    onopentag(name, attributes) {
      inImportMap = name === 'script' && /importmap$/i.test(attributes.type ?? '')
      if (name in urlAttributes) {
        elements.push({ name, attributes, places, nameEnd: parser.startIndex + 1 + name.length })
      }
      places = new Map()
    },
    ontext() {
      if (inImportMap) importMaps.push({ start: parser.startIndex, end: parser.endIndex + 1 })
    },
    onclosetag() {
      inImportMap = false
    },
  })
  parser.end(html)
  return { elements, importMaps }
}

/** The bucket's URL for one that leads to a file of the bundle on the page's origin. */
function inBucket(url: string, urls: PageUrls): string | undefined {
  const path = builtPath(url, urls.page, urls.base)
  const there = path === undefined ? undefined : urls.emittedUrl(path)
  return there && there + (/[?#].*$/s.exec(url)?.[0] ?? '')
}

function onPageOrigin(url: string, { publicUrl, base, page }: PageUrls): string {
  if (!url.startsWith(publicUrl) || base === publicUrl) return url
  const isRelative = base === '' || base === './'
  return (isRelative ? '../'.repeat(page.split('/').length - 1) || './' : base) + url.slice(publicUrl.length)
}

/** True for a preload or prefetch link without CORS whose file is later requested with CORS. */
function lacksCors({ name, attributes: { rel = '', as, crossorigin } }: Element, url: string): boolean {
  if (name !== 'link' || crossorigin !== undefined) return false
  if (/\bmodulepreload\b/i.test(rel)) return true
  if (!/\b(preload|prefetch)\b/i.test(rel)) return false
  return /^(script|style|font|fetch)$/i.test(as ?? '') || /\.(m?js|css|woff2?|ttf|otf|wasm|json)([?#]|$)/.test(url)
}
