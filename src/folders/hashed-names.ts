import { posix } from 'node:path'

/** A file of a build, and the name that it had before. */
export interface Renamed {
  path: string
  original: string
}

/**
 * The paths whose names contain a hash of the content.
 *
 * A manifest lists every file of the build, hashed or not, so an entry alone proves nothing. The original name shows which part the bundler has
 * added. The part counts as a hash if it looks random, and if no file with another original name has the same part: a version or a build's
 * number is the same in all names.
 */
export function hashedNames(files: readonly Renamed[]): Set<string> {
  const found = files.flatMap(({ path, original }) => {
    const stem = stemOf(original)
    const hash = addedHash(stemOf(path), stem)
    return hash === undefined ? [] : [{ path, hash, stem }]
  })
  const stems = new Map<string, Set<string>>()
  for (const { hash, stem } of found) stems.set(hash, (stems.get(hash) ?? new Set()).add(stem))
  return new Set(found.filter(({ hash }) => stems.get(hash)?.size === 1).map(({ path }) => path))
}

/** True if a file's name ends with something that looks like a hash. This proves a hash only in a folder where a framework hashes all names. */
export function hasHash(path: string): boolean {
  const stem = stemOf(path)
  const starts = [0, ...Array.from(stem.matchAll(/[-._]/g), ({ index }) => index + 1)]
  return starts.some((start) => looksRandom(stem.slice(start)))
}

/** The hash in a name: `BxHz5lG9` in `main-BxHz5lG9`. */
function addedHash(stem: string, original: string): string | undefined {
  if (stem === original) return undefined
  if (/^[0-9a-f]{16,}$/.test(stem) && looksRandom(stem)) return stem
  const added = stem.startsWith(original) ? stem.slice(original.length) : ''
  const [, hash] = /^[-._](?:legacy[-.])?([\w-]{8,})$/.exec(added) ?? []
  return hash !== undefined && looksRandom(hash) ? hash : undefined
}

/** True for hexadecimal digits and letters, and for base64 in upper and lower case that is not made of words and numbers. */
export function looksRandom(text: string): boolean {
  if (/^[0-9a-f]{8,}$/.test(text)) return /\d/.test(text) && /[a-f]/.test(text)
  return /^[\w-]{8,}$/.test(text) && /[a-z]/.test(text) && /[A-Z]/.test(text) && !isWordsAndNumbers(text)
}

/** `zh-Hans-CN`, `ProductionBuild`, `Build20261128`. One in twenty hashes of eight characters looks like this; browsers revalidate its file. */
function isWordsAndNumbers(text: string): boolean {
  return (text.match(/[-_]?([A-Z]?[a-z]{2,}|[A-Z]{2,}|\d{2,})/g) ?? []).join('') === text
}

function stemOf(path: string): string {
  const name = posix.basename(path)
  return name.slice(0, name.length - posix.extname(name).length)
}
