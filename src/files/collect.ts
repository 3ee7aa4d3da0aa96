import { type Dirent, readdirSync, realpathSync, statSync } from 'node:fs'
import { join, sep } from 'node:path'
import { compareKeys } from '../bucket/bucket.js'
import { yieldEvery } from '../runtime/parallel.js'
import type { BuiltFile } from './built-file.js'

/** An output folder, and the bundler's knowledge of it. Paths in the sets are relative to it, with `/`. */
export interface Output {
  dir: string
  /** Files that the bundler itself named or wrote. */
  emitted: ReadonlySet<string>
  /** Files whose names the bundler made from their content. */
  fingerprinted: ReadonlySet<string>
  /** Dotfiles that the bundler named, such as the chunk `assets/.pnpm-….js`: they belong to the application. */
  namedDotfiles?: ReadonlySet<string>
  /** True if all other files in the folder belong to other builds. */
  emittedOnly?: boolean
}

/** The files in an output folder before the build: path → a mark that changes with every write. */
export type Snapshot = ReadonlyMap<string, string>

export interface LeftOut {
  path: string
  /** A noun for the summary: `source map`. */
  reason: string
}

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
 * @param notOurs folders inside an output folder that belong to another build, such as a server's
 */
export async function collect(
  outputs: readonly Output[],
  before: Map<string, Snapshot>,
  notOurs: readonly string[],
): Promise<Collected> {
  const merged = mergeByFolder(outputs)
  const files: BuiltFile[] = []
  const leftOut: LeftOut[] = []
  for (const { dir, emitted, fingerprinted, emittedOnly } of merged) {
    // An output folder inside this one has its own URLs.
    const skipped = [...notOurs, ...merged.map((other) => other.dir)].filter((folder) => folder !== dir)
    const old = before.get(dir)
    before.delete(dir)
    const taken = new Set(files.map(({ path }) => path))
    // Some bundlers write a server's page this way.
    for (const path of emitted) {
      if (/^\.\.[\\/]/.test(path)) leftOut.push({ path, reason: 'outside of the output folder' })
    }
    await walk(dir, skipped, (path, file) => {
      if (file === undefined) return leftOut.push({ path, reason: 'link that is not followed' })
      if (emittedOnly && !emitted.has(path)) return
      const mark = emitted.has(path) ? undefined : old?.get(path)
      if (taken.has(path)) leftOut.push({ path, reason: 'name taken by another output' })
      else if (mark !== undefined && mark === markOf(file))
        leftOut.push({ path, reason: 'left over from an earlier build' })
      else files.push({ path, dir, emitted: emitted.has(path), fingerprinted: fingerprinted.has(path) })
    })
  }
  if (merged.length > 1) files.sort(byPath)
  return { files, leftOut: leftOut.sort(byPath) }
}

function byPath(a: { path: string }, b: { path: string }): number {
  return compareKeys(a.path, b.path)
}

/** A missing folder counts as empty. */
export async function takeSnapshots(dirs: readonly string[]): Promise<Map<string, Snapshot>> {
  const snapshots = new Map<string, Snapshot>()
  for (const dir of new Set(dirs)) {
    const marks = new Map<string, string>()
    await walk(dir, [], (path, file) => file !== undefined && marks.set(path, markOf(file) ?? ''))
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

/**
 * Walks a folder synchronously, which is ten times as fast as Node's thread pool.
 *
 * @param found called for each file, in the order of the paths. `file` is undefined for a link that is not followed
 */
async function walk(
  root: string,
  skipped: readonly string[],
  found: (path: string, file: string | undefined) => unknown,
): Promise<void> {
  const base = orUndefined(() => realpathSync(root))
  if (base === undefined) return
  const foreign = skipped
    .map((folder) => orUndefined(() => realpathSync(folder)) ?? folder)
    .filter((folder) => folder.startsWith(base + sep))
  const pause = yieldEvery(yieldFiles)
  const walkFolder = async (folder: string, above: string): Promise<void> => {
    const entries = readdirSync(folder, { withFileTypes: true })
    for (const entry of entries.sort((a, b) => compareKeys(inPath(a), inPath(b)))) {
      const path = above + inPath(entry)
      const file = join(folder, entry.name)
      if (entry.isDirectory()) {
        if (!skipped.includes(file)) await walkFolder(file, path)
        continue
      }
      if (!entry.isSymbolicLink() && !entry.isFile()) continue
      found(path, entry.isFile() || leadsToFile(file, base, foreign) ? file : undefined)
      await pause(1)
    }
  }
  await walkFolder(root, '')
}

/** A folder's name with a slash, as in the paths of its files. */
function inPath(entry: Dirent): string {
  return entry.isDirectory() ? `${entry.name}/` : entry.name
}

/** True if a link leads to a file of this build. A link to a folder could lead to the same files twice, or in circles. */
function leadsToFile(link: string, base: string, foreign: readonly string[]): boolean {
  const target = orUndefined(() => realpathSync(link))
  if (target === undefined || !target.startsWith(base + sep)) return false
  if (foreign.some((folder) => target.startsWith(folder + sep))) return false
  return orUndefined(() => statSync(target))?.isFile() ?? false
}

/** Uses the ctime, because copying keeps the mtime. Undefined if the file is missing. */
function markOf(file: string): string | undefined {
  const status = orUndefined(() => statSync(file))
  return status && `${status.ctimeMs} ${status.size} ${status.ino}`
}

function orUndefined<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch {
    return undefined
  }
}
