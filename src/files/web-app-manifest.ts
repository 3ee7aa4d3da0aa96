import { readFile } from 'node:fs/promises'
import { posix } from 'node:path'
import { isWebAppManifest } from '../urls/same-origin.js'
import { type BuiltFile, fileOf } from './built-file.js'
import { rewriteFile } from './rewrite-file.js'

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
  files: readonly BuiltFile[],
  base: string,
  publicUrl: (path: string) => string | undefined,
): Promise<readonly BuiltFile[]> {
  const manifests = files.filter(({ path }) => isWebAppManifest(path))
  if (manifests.length === 0) return files
  const built = new Set(files.map(({ path }) => path))
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
      const url = target !== undefined && built.has(target) ? publicUrl(target) : undefined
      if (url === undefined) continue
      picture.src = url
      changed = true
    }
    if (!changed) continue
    await rewriteFile(file, JSON.stringify(manifest))
    pointed.add(path)
  }
  if (pointed.size === 0) return files
  // The bundler made the name from the content as it was before.
  return files.map((each) => (pointed.has(each.path) ? { ...each, fingerprinted: false } : each))
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
