import { readFileSync } from 'node:fs'
import { fileOf } from '../files/built-file.js'
import type { Classified, ClassifiedFile } from '../files/classify.js'
import { matcher } from '../files/globs.js'
import type { HashedFile } from '../files/hash.js'
import type { Look } from '../files/hash-content.js'
import { namesFile, type TextType, textType } from '../references/file-name.js'
import { glanceFor } from '../references/glance.js'
import { type PublicPlace, publicPlace } from '../references/public-place.js'
import type { References } from '../references/references.js'
import { urlFinder } from '../references/urls-in-text.js'
import { yieldEvery } from '../runtime/parallel.js'
import type { Settings } from '../settings/settings.js'
import { encodePath, prefixOf } from '../urls/paths.js'
import { integrityCheck } from './check-integrity.js'
import { describeMissing, type MissingUrl } from './missing-url.js'
import { plainStrings } from './plain-strings.js'
import { rootUrls } from './root-urls.js'
import { withheldFiles } from './withheld.js'

export interface ProofInput {
  found: Classified
  settings: Pick<Settings, 'publicUrl' | 'location' | 'rewrite' | 'allowMissing'>
  /** The objects in the location, by key; undefined with `upload: false`. A missing file is then only a warning. */
  listing: ReadonlyMap<string, unknown> | undefined
  /** Files on the disk that the builds of the same run bring into the bucket, by key. */
  coming?: ReadonlyMap<string, string>
  /** The output folder on the page's origin: a URL or a path with a slash at its end. */
  base: string
  /** True for a file whose path may stand in plain strings, because the application's framework itself knows where the file is. */
  resolvesPath?: ((path: string) => boolean) | undefined
}

/** The proof of a release. It scans each file during hashing. */
export interface Proof {
  /** Undefined for a file that refers to no others. */
  lookFor(file: ClassifiedFile): Look | undefined
  /** @param files all files of the release, hashed */
  conclude(files: readonly HashedFile[]): Promise<Conclusion>
}

export interface Conclusion {
  /** Problems that stop the deploy. */
  problems: string[]
  warnings: string[]
  hints: string[]
}

/** A file that is parsed, and its language. */
type Suspects = ReadonlyMap<ClassifiedFile, TextType>

/** Bytes of the largest file that is parsed. Its text and its tokens take many times that memory. */
const parsedBytes = 64 * 1024 * 1024

/** Bytes of parsed text between two yields to the event loop. */
const yieldBytes = 1024 * 1024

/**
 * Proves that every URL under the public URL names a file, and that every `integrity` beside one matches that file.
 *
 * A scan of each file's bytes finds its URLs. Only a file with a URL of an unknown name, or with an `integrity`, is parsed.
 */
export function startProof({ found, settings, listing, coming, base, resolvesPath = () => false }: ProofInput): Proof {
  const place = publicPlace(settings.publicUrl)
  const prefix = prefixOf(settings.location)
  const ours = new Set(found.files.map(({ path }) => path))
  const isAllowed = matcher(settings.allowMissing)
  const isInBucket = (key: string) => listing?.has(key) || coming?.has(key) === true
  const isFile = (path: string) => ours.has(path) || isInBucket(prefix + path)
  let folders: Set<string> | undefined
  const isFolder = (path: string) => {
    folders ??= foldersOf(ours, prefix, listing?.keys() ?? [])
    return folders.has(path)
  }
  // A folder or a page may end like a file: vendor/pdf.js/, tags/node.js.html.
  const isThere = (path: string) => isFile(path) || isAllowed(path) || isFile(`${path}.html`) || isFolder(path)
  const withheld = withheldFiles(found.withheld.filter(({ path }) => !isFile(path) && !isAllowed(path)))
  const plain = plainStrings(settings.rewrite ? found.files.filter(({ path }) => !resolvesPath(path)) : [], base)
  const fromRoot = rootUrls(settings.publicUrl)
  const suspects = new Map<ClassifiedFile, TextType>()

  const hasSuspectUrl = glanceFor(place, isThere)
  const hasOwnRules = (bytes: Buffer) => bytes.includes('integrity') || bytes.includes('importmap')
  return {
    lookFor(file) {
      const type = textType(file.path)
      if (type === undefined) return undefined
      return (bytes) => {
        if (hasSuspectUrl(bytes) || (type === 'page' && hasOwnRules(bytes))) suspects.set(file, type)
        if (type !== 'json') withheld.look(file, bytes)
        if (type === 'page' || type === 'script') plain.look(file.path, bytes)
        if (type === 'stylesheet' && settings.rewrite) fromRoot.look(file, bytes)
      }
    },
    async conclude(files) {
      const byPath = new Map(files.map((file) => [file.path, file]))
      const isTooLarge = ({ path }: ClassifiedFile) => (byPath.get(path)?.size ?? 0) > parsedBytes
      const skipped = [...suspects.keys()].filter(isTooLarge)
      for (const file of skipped) suspects.delete(file)
      const references = await parseAll(suspects, place)
      // A source map is for developers. A list of all files in the build also names left-out files.
      const isHarmless = (file: ClassifiedFile, path: string) =>
        path.endsWith('.map') || (suspects.get(file) === 'json' && found.withheld.some((each) => each.path === path))
      const fileAt = (url: string, page: string) => {
        // The root of the page's origin may be another server's.
        const path = /^\/(?!\/)/.test(url) ? undefined : place.pathOf(url, encodePath(page))
        if (path === undefined) return undefined
        const file = byPath.get(path)
        return file && !file.source ? fileOf(file) : coming?.get(prefix + path)
      }
      const missing = missingUrls(references, place, (file, path) => isThere(path) || isHarmless(file, path))
      const incomplete = [...withheld.problems(), ...describeMissing(missing, [...ours], found.leftOut)]
      return {
        problems: [...(await integrityProblems(references, fileAt)), ...(listing ? incomplete : [])],
        warnings: [
          ...withheld.warnings(),
          // The bucket may hold the files of another build.
          ...(listing ? [] : incomplete),
          ...skipped.map(({ path }) => `${path}: its URLs are not checked, because it is larger than 64 MB`),
        ],
        hints: [...plain.hints(), ...(await fromRoot.hints((url) => isThere(place.pathOf(url) ?? '')))],
      }
    },
  }
}

/** All folders of the release and of the location, without a slash at their end. */
function foldersOf(paths: Iterable<string>, prefix: string, keys: Iterable<string>): Set<string> {
  const folders = new Set<string>()
  const addFoldersOf = (path: string) => {
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      const folder = path.slice(0, end)
      if (folders.has(folder)) return
      folders.add(folder)
    }
  }
  for (const path of paths) addFoldersOf(path)
  for (const key of keys) if (key.startsWith(prefix)) addFoldersOf(key.slice(prefix.length))
  return folders
}

async function parseAll(suspects: Suspects, place: PublicPlace): Promise<Map<ClassifiedFile, References>> {
  const references = new Map<ClassifiedFile, References>()
  if (suspects.size === 0) return references
  // The parsers take longer to load than the scan of 3,000 files.
  const { referencesIn } = await import('../references/references.js')
  const find = urlFinder(place)
  const pause = yieldEvery(yieldBytes)
  for (const [file, type] of suspects) {
    const text = readFileSync(fileOf(file), 'utf8')
    references.set(file, referencesIn(type, text, find))
    await pause(text.length)
  }
  return references
}

function missingUrls(
  references: ReadonlyMap<ClassifiedFile, References>,
  { pathOf }: PublicPlace,
  isFine: (file: ClassifiedFile, path: string) => boolean,
): MissingUrl[] {
  const mapped = new Set([...references.values()].flatMap((each) => each.mapped.map((url) => pathOf(url))))
  const missing = new Map<string, MissingUrl>()
  for (const [file, { urls }] of references) {
    for (const url of new Set(urls)) {
      const path = pathOf(url)
      if (path === undefined || !namesFile(url) || mapped.has(path) || isFine(file, path)) continue
      const known = missing.get(path)
      if (!known) missing.set(path, { url, path, in: [file.path] })
      else if (!known.in.includes(file.path)) known.in.push(file.path)
    }
  }
  return [...missing.values()]
}

/** @param fileAt the file on the disk that a URL in a page leads to, if it is known */
async function integrityProblems(
  references: ReadonlyMap<ClassifiedFile, References>,
  fileAt: (url: string, page: string) => string | undefined,
): Promise<string[]> {
  const realIntegrity = integrityCheck()
  const problems: string[] = []
  for (const [{ path }, { integrity }] of references) {
    for (const { url, value } of integrity) {
      const target = fileAt(url, path)
      const real = target && (await realIntegrity(target, value))
      if (!real) continue
      problems.push(
        `${path}: the integrity of ${url} is ${value}, but the file has ${real}: browsers would refuse it. ` +
          'Compute it after the last change of the file, or take it out',
      )
    }
  }
  return problems
}
