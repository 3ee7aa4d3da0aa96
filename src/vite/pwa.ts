import { posix } from 'node:path'
import type { BuiltFile } from '../files/built-file.js'
import type { EditableFiles } from '../files/rewrite-file.js'
import { isWebAppManifest, staysOnPageOrigin } from '../urls/same-origin.js'
import { type Edit, edited } from './pages.js'

/** A node as every ESTree parser gives it. */
interface Node {
  type: string
  start: number
  end: number
}

interface Literal extends Node {
  type: 'Literal'
  value: unknown
}

/** The build's files, once the service worker is written, and where browsers find them. */
export interface PrecacheInput extends EditableFiles {
  /** The configuration's plugins: nothing happens without vite-plugin-pwa. */
  plugins: readonly { name: string }[]
  /** Vite's `base`: the output folder on the page's origin. */
  base: string
  /** The URL of a file of the output folder; undefined if browsers get it from the page's origin. */
  publicUrl: (path: string) => string | undefined
  /** The hook's `this.parse`. */
  parse: (code: string) => unknown
}

/**
 * Points the precache list of vite-plugin-pwa's service worker (Workbox) to the bucket.
 *
 * The list is relative to the service worker. A worker on the page's origin would look there for files that only the bucket has, and
 * fail to install. No API of the plugin changes the list that Workbox makes (`extendManifestEntries` only adds to it), and other
 * plugins cannot read its options. So this function finds the list in the built service worker, by its syntax tree, and Workbox's own
 * script beside it. Pages stay as they are, and so do other files that browsers want from the page's origin.
 *
 * Workbox fetches the list with CORS, and then answers the page's requests to the bucket from its cache.
 *
 * @returns the changed service workers, as paths in the output folder
 * @see https://developer.chrome.com/docs/workbox/modules/workbox-precaching
 */
export async function precacheFrom({
  plugins,
  files,
  read,
  rewrite,
  parse,
  ...place
}: PrecacheInput): Promise<string[]> {
  if (!plugins.some(({ name }) => name === 'vite-plugin-pwa')) return []
  const changed: string[] = []
  for (const file of files) {
    const { path, emitted } = file
    // vite-plugin-pwa writes a service worker after the bundler's own files.
    if (!/\.m?js$/.test(path) || emitted) continue
    const code = await read(file)
    if (!/\brevision"?\s*:/.test(code)) continue
    const pointed = pointPrecache(code, parse(code), urlsInBucket(path, files, place))
    if (pointed === code) continue
    await rewrite(file, pointed)
    changed.push(path)
  }
  return changed
}

type UrlInBucket = (url: string) => string | undefined

/** Maps a URL in a service worker to the URL in the bucket; undefined for a URL that stays. */
function urlsInBucket(
  serviceWorker: string,
  files: readonly BuiltFile[],
  { base, publicUrl }: Pick<PrecacheInput, 'base' | 'publicUrl'>,
): UrlInBucket {
  const root = new URL(base || './', 'http://page/').pathname
  // Workbox lists file names as they are (`100%.svg`), people write URLs (`100%25.svg`).
  const byUrl = new Map(files.flatMap((file) => [file.path, encodeURI(file.path)].map((url) => [root + url, file])))
  return (url) => {
    if (/^[a-z][a-z\d+.-]*:|^\/\//i.test(url)) return undefined
    const file = byUrl.get(posix.resolve(root, posix.dirname(serviceWorker), url))
    if (file === undefined || /\.html?$/i.test(file.path)) return undefined
    const { path, emitted } = file
    // The bundler may name a chunk `sw-….js` too (Swahili).
    const stays = emitted ? isWebAppManifest(path) : staysOnPageOrigin(path)
    return stays ? undefined : publicUrl(path)
  }
}

function pointPrecache(code: string, program: unknown, inBucket: UrlInBucket): string {
  const replacements: Edit[] = []
  const replace = ({ start, end }: Literal, url: string | undefined) => {
    if (url !== undefined) replacements.push({ start, end, text: JSON.stringify(url) })
  }
  walk(program, (node) => {
    for (const { url, revision } of precached(node)) {
      const there = inBucket(String(url.value))
      replace(url, there)
      // An `<img>` may have left a response without CORS headers in the browser's cache. With a revision, Workbox fetches the file anew.
      if (there !== undefined && revision.value === null && !/\.(m?js|css|woff2?|ttf|otf|wasm|json)$/.test(there)) {
        replace(revision, there)
      }
    }
    // `importScripts` takes a script from anywhere, without CORS.
    for (const script of requiredScripts(node)) replace(script, inBucket(`${script.value}.js`)?.replace(/\.js$/, ''))
  })

  return edited(code, replacements)
}

/** The entries of `[{ url: 'app.js', revision: null }, …]`. */
function precached(node: Node): { url: Literal; revision: Literal }[] {
  const { elements } = node as Node & { elements?: (Node & { properties?: Property[] })[] }
  if (node.type !== 'ArrayExpression' || !elements) return []
  const entries: { url: Literal; revision: Literal }[] = []
  for (const element of elements) {
    const entry = new Map(element?.properties?.map(({ key, value }) => [key?.name ?? key?.value, value]))
    const url = entry.get('url')
    const revision = entry.get('revision')
    if (!isString(url) || revision?.type !== 'Literal') return []
    entries.push({ url, revision: revision as Literal })
  }
  return entries
}

interface Property {
  key?: { name?: string; value?: unknown }
  value?: Node
}

/** `./workbox-<hash>` in `define(['./workbox-<hash>'], …)`, by which a generated service worker loads Workbox. */
function requiredScripts(node: Node): Literal[] {
  const call = node as Node & { callee?: { name?: string }; arguments?: (Node & { elements?: Node[] })[] }
  if (node.type !== 'CallExpression' || call.callee?.name !== 'define') return []
  const required = call.arguments?.[0]?.elements ?? []
  return required.filter(isString).filter(({ value }) => String(value).startsWith('./'))
}

function isString(node: Node | undefined): node is Literal {
  return node?.type === 'Literal' && typeof (node as Literal).value === 'string'
}

function walk(node: unknown, visit: (node: Node) => void): void {
  if (Array.isArray(node)) {
    for (const item of node) walk(item, visit)
  } else if (node !== null && typeof node === 'object') {
    if (typeof (node as Node).type === 'string') visit(node as Node)
    for (const value of Object.values(node)) walk(value, visit)
  }
}
