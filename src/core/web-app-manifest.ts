import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join, posix, relative, sep } from 'node:path'
import { isWebAppManifest } from './same-origin.js'

interface Picture {
  src?: unknown
}

interface WebAppManifest {
  icons?: Picture[]
  screenshots?: Picture[]
  shortcuts?: { icons?: Picture[] }[]
}

/**
 * Points the pictures of a web app manifest at the bucket. The manifest itself stays on the page's origin, where they aren't; pictures
 * may be anywhere.
 *
 * @param publicUrl the URL of a file of the output folder; undefined where that stays on the page's origin
 * @see https://www.w3.org/TR/appmanifest/#icons-member
 */
export async function pointManifestPictures(
  dir: string,
  publicUrl: (path: string) => string | undefined,
): Promise<void> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  const paths = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(dir, join(parentPath, name)).split(sep).join('/'))
  const there = new Set(paths)
  for (const path of paths.filter(isWebAppManifest)) {
    const text = await readFile(join(dir, path), 'utf8')
    const manifest = parsed(text)
    if (!manifest) continue
    const { icons = [], screenshots = [], shortcuts = [] } = manifest
    for (const picture of [icons, screenshots, ...shortcuts.map((shortcut) => shortcut.icons ?? [])].flat()) {
      if (typeof picture.src !== 'string' || /^([a-z][a-z\d+.-]*:|\/\/)/i.test(picture.src)) continue
      const target = posix.resolve('/', posix.dirname(path), decodeURI(picture.src)).slice(1)
      picture.src = (there.has(target) && publicUrl(target)) || picture.src
    }
    const pointed = JSON.stringify(manifest)
    if (pointed !== JSON.stringify(parsed(text))) await writeFile(join(dir, path), pointed)
  }
}

function parsed(text: string): WebAppManifest | undefined {
  try {
    const manifest: unknown = JSON.parse(text)
    return typeof manifest === 'object' && manifest !== null ? manifest : undefined
  } catch {
    return undefined
  }
}
