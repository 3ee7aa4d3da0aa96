import { type Dirent, existsSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { compareKeys } from '../bucket/bucket.js'
import { orUndefined } from '../runtime/or-undefined.js'
import { yieldEvery } from '../runtime/parallel.js'
import { type BuiltFile, fileName, fileOf, type LeftOut, type LeftOutReason } from './built-file.js'
import { sensitiveKind } from './sensitive-file.js'

/** An output folder, and the bundler's knowledge of it. Paths in the sets are relative to it, with `/`. */
export interface Output {
  dir: string
  /** Files that the bundler itself named or wrote. */
  emitted: ReadonlySet<string>
  /** Files whose names the bundler made from their content. */
  fingerprinted: ReadonlySet<string>
  /** Dotfiles that the bundler named, such as the chunk `assets/.pnpm-….js`: they belong to the application. */
  namedDotfiles?: ReadonlySet<string>
  /** Files that an earlier build left, as the folder's `.static-s3.json` says. */
  leftOver?: ReadonlySet<string>
  /** True if all other files in the folder belong to other builds. */
  emittedOnly?: boolean
}

/** The file in which a build leaves its bundler's knowledge for a later deploy. It is never uploaded. */
export const buildFileName = '.static-s3.json'

/** The files in an output folder before the build: path → a mark that changes with every write. */
export type Snapshot = ReadonlyMap<string, string>

export interface Collected {
  files: readonly BuiltFile[]
  leftOut: LeftOut[]
}

/**
 * Finds every file that this build wrote into its output folders, each once, sorted by path.
 *
 * It walks the folders, because many files never pass through the bundler: `public/`, copied files, and files that other plugins write in
 * their last hook.
 *
 * @param before by folder; a file that has not changed since, and that the bundler does not name, is left over from an earlier build.
 * Snapshots are removed once they are used, because those of large sites take much memory
 * @param notOurs folders and files inside an output folder that belong to another build, such as a server's
 */
export async function collect(
  outputs: readonly Output[],
  before: Map<string, Snapshot>,
  notOurs: readonly string[],
): Promise<Collected> {
  const merged = mergeByFolder(outputs)
  const files: BuiltFile[] = []
  const leftOut: LeftOut[] = []
  let respelled = false
  for (const { dir, emitted, fingerprinted, leftOver, emittedOnly } of merged) {
    // An output folder inside this one has its own URLs.
    const skipped = [...notOurs, ...merged.map((other) => other.dir)].filter((folder) => folder !== dir)
    const snapshot = before.get(dir)
    before.delete(dir)
    const old = snapshot && isOfEarlierBuild(snapshot, emitted, fingerprinted) ? snapshot : undefined
    const taken = new Set(files.map(({ path }) => path))
    const leaveOut = (path: string, reason: LeftOutReason) => leftOut.push({ path, reason, byName: true })
    // Some bundlers write a server's page this way.
    for (const path of emitted) if (/^\.\.[\\/]/.test(path)) leaveOut(path, 'outside of the output folder')
    const entries: Entry[] = []
    await walk(dir, skipped, (entry) => fileName(entry.path) !== buildFileName && entries.push(entry))
    respelled = spellAsEmitted(entries, emitted, (path) => existsSync(join(dir, path))) || respelled
    const pause = yieldEvery(yieldFiles)
    for (const { path, target } of entries) {
      await pause(1)
      if (target === undefined) {
        leaveOut(path, path.includes(replacement) ? 'name that is not UTF-8' : 'link that is not followed')
        continue
      }
      if (emittedOnly && !emitted.has(path)) continue
      const mark = emitted.has(path) ? undefined : old?.get(path)
      if (taken.has(path)) leaveOut(path, 'name taken by another output')
      else if (leftOver?.has(path) || (mark !== undefined && mark === markOf(join(dir, path))))
        leftOut.push({ path, reason: 'left over from an earlier build' })
      else files.push(builtFile(dir, path, target, emitted.has(path), fingerprinted.has(path)))
    }
  }
  if (merged.length > 1 || respelled) files.sort(byPath)
  return { files, leftOut: leftOut.sort(byPath) }
}

function builtFile(dir: string, path: string, target: string, emitted: boolean, fingerprinted: boolean): BuiltFile {
  const file: BuiltFile = { path, dir, emitted, fingerprinted }
  if (target !== path) file.target = target
  const names = target === path ? [fileName(path)] : [fileName(path), fileName(target)]
  const kind = orUndefined(() => sensitiveKind(fileOf(file), names))
  if (kind !== undefined) file.kind = kind
  return file
}

/**
 * Gives files the bundler's spelling of their names, which URLs use too. On a disk that ignores case, a file keeps the spelling of the older file
 * that it replaced. Some disks change a name's Unicode form.
 *
 * @returns true if a name has changed
 */
export function spellAsEmitted(
  entries: readonly Entry[],
  emitted: ReadonlySet<string>,
  exists: (path: string) => boolean,
): boolean {
  const listed = new Set<string>()
  for (const { path } of entries) if (emitted.has(path)) listed.add(path)
  if (listed.size === emitted.size) return false
  const unlisted = [...emitted].filter((path) => !listed.has(path) && exists(path))
  const spellings = new Map(unlisted.map((path) => [foldCase(path), path]))
  let respelled = false
  for (const entry of entries) {
    const spelling = emitted.has(entry.path) ? undefined : spellings.get(foldCase(entry.path))
    if (spelling === undefined) continue
    if (entry.target === entry.path) entry.target = spelling
    entry.path = spelling
    respelled = true
  }
  return respelled
}

function foldCase(path: string): string {
  return path.normalize('NFC').toLowerCase()
}

/**
 * Whether an earlier build wrote to the folder. If no file has a name like the bundler's, the user copied the files for this build:
 * `rm -rf dist && cp -r public dist`. Pages decide only where a build emits nothing else: `public/index.html` may be a page's template.
 */
function isOfEarlierBuild(
  snapshot: Snapshot,
  emitted: ReadonlySet<string>,
  fingerprinted: ReadonlySet<string>,
): boolean {
  if (emitted.size === 0) return true
  const before = [...snapshot.keys()]
  if (fingerprinted.size > 0) {
    const withoutHash = (path: string) => path.replace(/[\w-]{8,}/g, '*')
    const patterns = new Set([...fingerprinted].map(withoutHash))
    return before.some((path) => patterns.has(withoutHash(path)))
  }
  const isPage = (path: string) => /\.html?$/i.test(path)
  const emitsOnlyPages = [...emitted].every(isPage)
  return before.some((path) => emitted.has(path) && (emitsOnlyPages || !isPage(path)))
}

function byPath(a: { path: string }, b: { path: string }): number {
  return compareKeys(a.path, b.path)
}

/** A missing folder counts as empty. */
export async function takeSnapshots(dirs: readonly string[]): Promise<Map<string, Snapshot>> {
  const snapshots = new Map<string, Snapshot>()
  for (const dir of new Set(dirs)) {
    const marks = new Map<string, string>()
    await walk(dir, [], ({ path, target }) => target !== undefined && marks.set(path, markOf(join(dir, path)) ?? ''))
    snapshots.set(dir, marks)
  }
  return snapshots
}

function mergeByFolder(outputs: readonly Output[]): Output[] {
  const byFolder = new Map<string, Output>()
  for (const output of outputs) {
    const other = byFolder.get(output.dir)
    const both = other && {
      ...other,
      emitted: new Set([...other.emitted, ...output.emitted]),
      fingerprinted: new Set([...other.fingerprinted, ...output.fingerprinted]),
    }
    byFolder.set(output.dir, both ?? output)
  }
  return [...byFolder.values()]
}

/** Files between two yields to the event loop. */
const yieldFiles = 500

/** A file in an output folder. */
interface Entry {
  path: string
  /** The same path, or a link's target; undefined for a link that is not followed, and for a name that Node can't read. */
  target: string | undefined
}

/**
 * Walks a folder synchronously, which is ten times as fast as Node's thread pool.
 *
 * @param found called for each file, in the order of the paths
 */
async function walk(root: string, skipped: readonly string[], found: (entry: Entry) => unknown): Promise<void> {
  const base = orUndefined(() => realpathSync(root))
  if (base === undefined) return
  const isSkipped = new Set(skipped)
  const foreign = skipped
    .map((folder) => orUndefined(() => realpathSync(folder)) ?? folder)
    .filter((folder) => folder.startsWith(base + sep))
  const pause = yieldEvery(yieldFiles)
  const walkFolder = async (folder: string, above: string): Promise<void> => {
    const entries = readdirSync(folder, { withFileTypes: true })
    for (const entry of entries.sort((a, b) => compareKeys(inPath(a), inPath(b)))) {
      const path = above + inPath(entry)
      const file = () => join(folder, entry.name)
      if (isSkipped.size > 0 && isSkipped.has(file())) continue
      if (entry.name.includes(replacement) && !existsSync(file())) {
        found({ path, target: undefined })
        continue
      }
      if (entry.isDirectory()) {
        await walkFolder(file(), path)
        continue
      }
      if (!entry.isSymbolicLink() && !entry.isFile()) continue
      found({ path, target: entry.isFile() ? path : targetOf(file(), base, foreign) })
      await pause(1)
    }
  }
  await walkFolder(root, '')
}

/** Node puts it in place of each byte of a name that is not UTF-8. No file has the resulting name. */
const replacement = '\uFFFD'

/** A folder's name with a slash, as in the paths of its files. */
function inPath(entry: Dirent): string {
  return entry.isDirectory() ? `${entry.name}/` : entry.name
}

/** The path of a link's target; undefined if the target is no file of this build. A link to a folder could lead to files twice, or in circles. */
function targetOf(link: string, base: string, foreign: readonly string[]): string | undefined {
  const target = orUndefined(() => realpathSync(link))
  if (target === undefined || !target.startsWith(base + sep)) return undefined
  if (foreign.some((path) => target === path || target.startsWith(path + sep))) return undefined
  const isFile = orUndefined(() => statSync(target))?.isFile()
  return isFile ? relative(base, target).replaceAll(sep, '/') : undefined
}

/** Uses the ctime, because copying keeps the mtime. Undefined if the file is missing. */
function markOf(file: string): string | undefined {
  const status = orUndefined(() => statSync(file))
  return status && `${status.ctimeMs} ${status.size} ${status.ino}`
}
