import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { orUndefined } from '../runtime/or-undefined.js'
import { hasFile, isRecord, isText } from './foreign-data.js'
import { hashedNames, type Renamed } from './hashed-names.js'
import { namesOfNext } from './next.js'

/** The fingerprinted names that an output folder's own manifests prove. */
export interface ManifestNames {
  /** Paths in the folder. */
  fingerprinted: Set<string>
  /** The manifests' names. */
  from: string[]
}

/** An entry of a manifest. */
export interface Entry {
  /** The file's name in the sources. */
  original: string
  /** Its new name: a path in the folder, a path on the page's origin, or a complete URL. */
  url: string
}

/** Manifests at the root of an output folder: Vite's, webpack-manifest-plugin's, those of two other webpack plugins, and Rails'. */
const names = /^(manifest|assets-manifest|assets|webpack-assets|\.manifest|\.sprockets-manifest-\w+)\.json$/
/** Vite's, and that of vite-plugin-ruby for files that only templates name. */
const viteManifests = ['.vite/manifest-assets.json', '.vite/manifest.json']
const djangoManifest = 'staticfiles.json'

/**
 * Reads the manifests in an output folder. Undefined if no manifest proves a fingerprinted name.
 *
 * @param dir absolute
 */
export function readManifests(dir: string): ManifestNames | undefined {
  const found: ManifestNames = { fingerprinted: new Set(), from: [] }
  const add = (from: string, paths: Iterable<string>) => {
    const before = found.fingerprinted.size
    for (const path of paths) found.fingerprinted.add(path)
    if (found.fingerprinted.size > before) found.from.push(from)
  }
  for (const name of manifestsIn(dir)) {
    const files = [...filesNamedIn(dir, name)]
    const paths = files.map(({ path }) => path)
    add(name, name === djangoManifest ? paths.filter((path) => hasItsMd5(dir, path)) : hashedNames(files))
  }
  const isNextsStatic = basename(dir) === 'static' && existsSync(join(dir, '../build-manifest.json'))
  add('_next/static', namesOfNext(dir, isNextsStatic ? '' : undefined))
  return found.from.length === 0 ? undefined : found
}

/** The paths of the manifests in an output folder, sorted. */
export function manifestsIn(dir: string): string[] {
  const atRoot = readdirSync(dir).filter((name) => names.test(name) || name === djangoManifest)
  return [...atRoot, ...viteManifests.filter((path) => existsSync(join(dir, path)))].sort()
}

/** The entries of one of these manifests. A file may have several, and its first one is its own. */
export function entriesOf(dir: string, manifest: string): Generator<Entry> {
  return entriesIn(readJson(join(dir, manifest)))
}

/** The files of a manifest that are there. */
function* filesNamedIn(dir: string, manifest: string): Generator<Renamed> {
  for (const { original, url } of entriesOf(dir, manifest)) {
    const path = fileIn(dir, url)
    if (path !== undefined) yield { original, path }
  }
}

function* entriesIn(manifest: object): Generator<Entry> {
  // Django and Sprockets have them one level below.
  const { paths, assets } = manifest as { paths?: unknown; assets?: unknown }
  for (const nested of [paths, assets]) if (isRecord(nested)) yield* entriesIn(nested)
  for (const [original, value] of Object.entries(manifest)) {
    if (typeof value === 'string') yield { original, url: value }
    if (!isRecord(value)) continue
    const { name, src = original, file, css } = value
    if (typeof file === 'string') {
      // Vite: a stylesheet has the name of its chunk.
      const originals = [name, src].filter(isText)
      for (const url of [file, ...texts(css)]) yield* originals.map((each) => ({ original: each, url }))
    } else {
      for (const url of Object.values(value).flatMap(texts)) yield { original, url }
    }
  }
}

/** The path of a file in the folder: the URL without its first parts, which are the public path. */
export function fileIn(dir: string, url: string): string | undefined {
  const parts = url.replace(/^(https?:)?\/\/[^/]+/, '').split('/')
  for (let from = parts[0] === '' ? 1 : 0; from < parts.length; from++) {
    const path = parts.slice(from).join('/')
    if (hasFile(dir, path)) return path
  }
  return undefined
}

/** Django's hash is the MD5 of the content. */
function hasItsMd5(dir: string, path: string): boolean {
  const md5 = createHash('md5')
    .update(readFileSync(join(dir, path)))
    .digest('hex')
  const [, hash] = /\.([0-9a-f]{12})(\.[^./]*)?$/.exec(path) ?? []
  return hash !== undefined && md5.startsWith(hash)
}

function readJson(file: string): object {
  // Something else may have the name of a manifest.
  return Object(orUndefined(() => JSON.parse(readFileSync(file, 'utf8'))))
}

function texts(value: unknown): string[] {
  return [value].flat().filter(isText)
}
