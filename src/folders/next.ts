import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { filesBelow } from '../runtime/files-below.js'
import { looksRandom } from './hashed-names.js'

/** Next names the files in these folders by their content. The build's own folder beside them has a name that users may fix. */
const immutableFolders = ['chunks', 'css', 'media', 'immutable']

/**
 * The paths of files that Next has named by their content.
 *
 * @param dir a folder with Next's static files
 * @param root their place in it, with a slash at its end
 * @see https://nextjs.org/docs/app/guides/self-hosting
 */
export function namesOfNext(dir: string, root = '_next/static/'): string[] {
  const paths = immutableFolders
    .map((folder) => root + folder)
    .filter((folder) => existsSync(join(dir, folder)))
    .flatMap((folder) => filesBelow(join(dir, folder)).map((path) => `${folder}/${path}`))
  const isTurbopacks = paths.some((path) => /\/turbopack-[\w-]+\.js$/.test(path))
  return paths.filter((path) => hasHexHash(path) || (isTurbopacks && hasTurbopacksHash(path)))
}

/** `-s` and `.p` stand behind the hashes of fonts. */
function hasHexHash(path: string): boolean {
  const [, hash] = /[-./]([0-9a-f]{8,})(?:-s)?(?:\.p)?\.\w+$/.exec(path) ?? []
  return hash !== undefined && looksRandom(hash)
}

/** The form alone proves no hash. But users cannot configure Turbopack's names, unlike webpack's. */
function hasTurbopacksHash(path: string): boolean {
  return /[-./][\w-]{13}\.\w+$/.test(path)
}
