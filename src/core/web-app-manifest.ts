import { readFile } from 'node:fs/promises'
import { posix } from 'node:path'
import { type BuiltFile, fileOf } from './built-file.js'
import { packedFiles } from './collect.js'
import { finder, type Rows } from './packed.js'
import { rewriteFile } from './rewrite-file.js'
import { isWebAppManifest } from './same-origin.js'

/**
 * Points the pictures of web app manifests at the bucket. A manifest itself stays on the page's origin, where they aren't; pictures
 * may be anywhere.
 *
 * @param base where the page's own origin has the output folder
 * @param publicUrl the URL of a file of the output folder; undefined where that stays on the page's origin
 * @returns the files, with what is true of them now
 * @see https://www.w3.org/TR/appmanifest/#icons-member
 */
export async function pointManifestPictures(
  files: Rows<BuiltFile>,
  base: string,
  publicUrl: (path: string) => string | undefined,
): Promise<Rows<BuiltFile>> {
  const manifests: BuiltFile[] = []
  for (const each of files) if (isWebAppManifest(each.path)) manifests.push(each)
  if (manifests.length === 0) return files
  const built = finder(files, ({ path }) => path)
  const pointed = new Set<string>()
  for (const each of manifests) {
    const { path } = each
    const file = fileOf(each)
    const manifest = asObject(
      await readFile(file, 'utf8')
        .then(JSON.parse)
        .catch(() => undefined),
    )
    let changed = false
    for (const picture of picturesOf(manifest)) {
      const target = builtFile(picture.src, posix.dirname(path), base)
      const url = target !== undefined && built(target) ? publicUrl(target) : undefined
      if (url === undefined) continue
      picture.src = url
      changed = true
    }
    if (!changed) continue
    await rewriteFile(file, JSON.stringify(manifest))
    pointed.add(path)
  }
  if (pointed.size === 0) return files
  const now = packedFiles()
  // A name that was made from the content before isn't made from this.
  for (const each of files) now.push(pointed.has(each.path) ? { ...each, fingerprinted: false } : each)
  return now
}

type Fields = Record<string, unknown>

function picturesOf(manifest: Fields): Fields[] {
  const shortcuts = listOf(manifest.shortcuts).flatMap(({ icons }) => listOf(icons))
  return [...listOf(manifest.icons), ...listOf(manifest.screenshots), ...shortcuts]
}

function listOf(value: unknown): Fields[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'object' && entry !== null) : []
}

function asObject(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {}
}

/** The path in the output folder that a URL leads to, from one of its folders. */
function builtFile(src: unknown, folder: string, base: string): string | undefined {
  if (typeof src !== 'string' || /^([a-z][a-z\d+.-]*:|\/\/)/i.test(src)) return undefined
  try {
    const root = new URL(base || './', 'http://page/')
    const { pathname } = new URL(src, new URL(`${encodeURI(folder)}/`, root))
    return pathname.startsWith(root.pathname) ? decodeURI(pathname.slice(root.pathname.length)) : undefined
  } catch {
    return undefined
  }
}
