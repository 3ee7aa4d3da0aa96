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

/** Manifests at the root of an output folder: Vite's, webpack-manifest-plugin's, those of two other webpack plugins, and Rails'. */
const names = /^(manifest|assets-manifest|assets|webpack-assets|\.manifest|\.sprockets-manifest-\w+)\.json$/
const viteManifest = '.vite/manifest.json'
const djangoManifest = 'staticfiles.json'

/**
 * Reads the manifests in an output folder. Undefined if no manifest proves a fingerprinted name.
 *
 * @param dir absolute
 */
export function readManifests(dir: string): ManifestNames | undefined {
  const known = readdirSync(dir).filter((name) => names.test(name) || name === djangoManifest)
  if (existsSync(join(dir, viteManifest))) known.push(viteManifest)
  const found: ManifestNames = { fingerprinted: new Set(), from: [] }
  const add = (from: string, paths: Iterable<string>) => {
    const before = found.fingerprinted.size
    for (const path of paths) found.fingerprinted.add(path)
    if (found.fingerprinted.size > before) found.from.push(from)
  }
  for (const name of known.sort()) {
    const files = filesNamedIn(dir, readJson(join(dir, name)))
    const paths = files.map(({ path }) => path)
    add(name, name === djangoManifest ? paths.filter((path) => hasItsMd5(dir, path)) : hashedNames(files))
  }
  const isNextsStatic = basename(dir) === 'static' && existsSync(join(dir, '../build-manifest.json'))
  add('_next/static', namesOfNext(dir, isNextsStatic ? '' : undefined))
  return found.from.length === 0 ? undefined : found
}

/** The files of a manifest that are there. */
function filesNamedIn(dir: string, manifest: object): Renamed[] {
  return [...renamedIn(manifest)].flatMap(({ original, path: url }) => {
    const path = fileIn(dir, url)
    return path === undefined ? [] : [{ original, path }]
  })
}

/** Each original name with its new one, which may be a path or a URL. */
function* renamedIn(manifest: object): Generator<Renamed> {
  // Django and Sprockets have them one level below.
  const { paths, assets } = manifest as { paths?: unknown; assets?: unknown }
  for (const nested of [paths, assets]) if (isRecord(nested)) yield* renamedIn(nested)
  for (const [original, value] of Object.entries(manifest)) {
    if (typeof value === 'string') yield { original, path: value }
    if (!isRecord(value)) continue
    const { name, src = original, file, css } = value
    if (typeof file === 'string') {
      // Vite: a stylesheet has the name of its chunk.
      const originals = [name, src].filter(isText)
      for (const path of [file, ...texts(css)]) yield* originals.map((each) => ({ original: each, path }))
    } else {
      for (const path of Object.values(value).flatMap(texts)) yield { original, path }
    }
  }
}

/** The path of a file in the folder: the URL without its first parts, which are the public path. */
function fileIn(dir: string, url: string): string | undefined {
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
