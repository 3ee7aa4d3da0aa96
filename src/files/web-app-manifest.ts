import { readFile } from 'node:fs/promises'
import { builtPath } from '../urls/paths.js'
import { isWebAppManifest } from '../urls/same-origin.js'
import { type BuiltFile, fileOf } from './built-file.js'
import { rewriteFile } from './rewrite-file.js'

/**
 * Points the pictures of web app manifests to the bucket. A manifest stays on the page's origin, but its pictures may be anywhere.
 *
 * @param base the output folder's URL on the page's origin
 * @param publicUrl returns a built file's public URL, or undefined if the file is left out
 * @returns the files; a manifest that was rewritten is no longer fingerprinted, because its name belongs to its old content
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
  const rewritten = new Set<BuiltFile>()
  for (const file of manifests) {
    const manifest = await readJson(fileOf(file))
    let changed = false
    for (const picture of picturesOf(manifest)) {
      const target =
        typeof picture.src === 'string' && picture.src !== '' ? builtPath(picture.src, file.path, base) : undefined
      const url = target !== undefined && built.has(target) ? publicUrl(target) : undefined
      if (url === undefined) continue
      picture.src = url
      changed = true
    }
    if (!changed) continue
    await rewriteFile(fileOf(file), JSON.stringify(manifest))
    rewritten.add(file)
  }
  return files.map((file) => (rewritten.has(file) ? { ...file, fingerprinted: false } : file))
}

type Fields = Record<string, unknown>

/** An empty object for a file that has none. */
async function readJson(file: string): Promise<Fields> {
  const value: unknown = await readFile(file, 'utf8')
    .then(JSON.parse)
    .catch(() => undefined)
  return typeof value === 'object' && value !== null ? (value as Fields) : {}
}

function picturesOf(manifest: Fields): Fields[] {
  const shortcuts = listOf(manifest.shortcuts).flatMap(({ icons }) => listOf(icons))
  return [...listOf(manifest.icons), ...listOf(manifest.screenshots), ...shortcuts]
}

function listOf(value: unknown): Fields[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'object' && entry !== null) : []
}
