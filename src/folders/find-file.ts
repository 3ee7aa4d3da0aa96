import { existsSync } from 'node:fs'
import { posix, relative, resolve } from 'node:path'
import { StaticS3Error } from '../runtime/error.js'
import { filesBelow } from '../runtime/files-below.js'
import { nearest } from '../runtime/suggestion.js'
import { encodePath, withSlashes } from '../urls/paths.js'
import { hasFile, isText } from './foreign-data.js'
import { type Entry, entriesOf, fileIn, manifestsIn } from './manifests.js'

/** A file of a finished build. */
export type FoundFile =
  /** In its output folder. */
  | { path: string; isInManifest: boolean }
  /** The manifest has a complete URL, which the bundler made. */
  | { url: string; path: string | undefined; isInManifest: true }

/**
 * Finds a file by its name in the sources (`src/main.ts`) or in the output folder (`favicon.ico`). A manifest alone is enough, because a back
 * end's server may have no other file of the build.
 *
 * @param dir absolute
 * @param name as on the command line
 * @throws StaticS3Error if the build has no such file
 */
export function findFile(dir: string, name: string): FoundFile {
  const entries = manifestsIn(dir).flatMap((manifest) => [...entriesOf(dir, manifest)])
  const path = inFolder(dir, name)
  const named = fileOfEntry(dir, path, entries)
  if (named) return named
  if (hasFile(dir, path)) return { path, isInManifest: false }
  throw new StaticS3Error(`static-s3: ${name || '""'} is no file of ${nameOf(dir)}${hint(dir, name, path, entries)}`)
}

/** The name as manifests have it. A path that leads into the output folder is the path there, and `/logo.svg` is `logo.svg`. */
function inFolder(dir: string, name: string): string {
  const inside = withSlashes(relative(dir, resolve(name)))
  return hasFile(dir, inside) ? inside : posix.normalize(withSlashes(name)).replace(/^\/+/, '')
}

function fileOfEntry(dir: string, path: string, entries: readonly Entry[]): FoundFile | undefined {
  const own = entries.filter(({ original }) => original === path)
  const isBuiltName = ({ url }: Entry) => (url === path || url.endsWith(`/${path}`)) && fileIn(dir, url) === path
  const candidates = [...own, ...entries.filter(isBuiltName)].filter(({ url }) => !isScriptOfPage(dir, path, url))
  const there = candidates.find(({ url }) => fileIn(dir, url) !== undefined)
  const { url } = there ?? candidates.find(isComplete) ?? candidates.find(isPath) ?? {}
  if (url === undefined) return undefined
  const found = fileIn(dir, url)
  if (!isComplete({ url })) return { path: found ?? url, isInManifest: true }
  const complete = url.startsWith('//') ? `https:${url}` : url
  // The manifest has the file's name as it is on the disk.
  const encoded = found === undefined ? complete : complete.slice(0, -found.length) + encodePath(found)
  return { url: encoded, path: found, isInManifest: true }
}

/** Vite's manifest names a page's script under the page's name. */
function isScriptOfPage(dir: string, path: string, url: string): boolean {
  const isPage = /\.html?$/i
  return isPage.test(path) && !isPage.test(url) && hasFile(dir, path)
}

function isComplete({ url }: Pick<Entry, 'url'>): boolean {
  return /^(https?:)?\/\//.test(url)
}

/** Manifests also contain versions and hashes. */
function isPath({ url }: Entry): boolean {
  return !url.startsWith('/') && /\.[a-z]\w*$/i.test(url)
}

/** The end of the sentence about a missing file: names that the user may have meant. */
function hint(dir: string, name: string, path: string, entries: readonly Entry[]): string {
  const names = new Set([...entries.map(({ original }) => original), ...filesBelow(dir)])
  names.delete(path)
  const known = [...names]
  const namesakes = known.filter((each) => posix.basename(each) === posix.basename(path)).slice(0, 3)
  const near = namesakes.length > 0 ? namesakes : [nearest(path, known)].filter(isText)
  if (near.length > 0) return `: did you mean ${near.map((each) => `\`${each}\``).join(' or ')}?`
  return existsSync(name)
    ? ': no manifest there names it. Vite writes one with `build: { manifest: true }`; bundlers put small files into other files'
    : ''
}

/** As the user knows it. */
function nameOf(dir: string): string {
  return relative('', dir) || '.'
}
