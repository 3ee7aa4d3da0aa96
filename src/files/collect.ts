import { type Dirent, readdirSync, realpathSync, statSync } from 'node:fs'
import { join, sep } from 'node:path'
import { compareKeys } from '../bucket/key-order.js'
import { yieldEvery } from '../runtime/parallel.js'
import type { BuiltFile } from './built-file.js'

/** An output folder and what the bundler knows of it. Paths in the sets are relative to it, with `/`. */
export interface Output {
  dir: string
  /** Files that the bundler itself named or wrote. */
  emitted: ReadonlySet<string>
  /** Those whose names the bundler made from their content. */
  fingerprinted: ReadonlySet<string>
  /** Dotfiles that the bundler named, such as the chunk `assets/.pnpm-….js`: they belong to the application. */
  namedDotfiles?: ReadonlySet<string>
  /** Whether all else that lies there belongs to other builds. */
  emittedOnly?: boolean
}

/** What stood in an output folder before the build: path → a mark that changes whenever the file is written. */
export type Snapshot = ReadonlyMap<string, string>

export interface LeftOut {
  path: string
  /** Why, as a noun for a summary: `source map`. */
  reason: string
}

export interface Collected {
  files: readonly BuiltFile[]
  leftOut: LeftOut[]
}

/**
 * Every file of the output folders that this build made, each once, sorted by path.
 *
 * The folders are walked because much of a build never passes through the bundler: `public/`, copied files, and what other plugins
 * write in their last hook.
 *
 * @param before what stood there when the build began, by folder: a file that is as it was, and that the bundler doesn't name, is
 * left over from an earlier build. What was looked at is taken out: of many files it is much to keep in memory
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
    // A folder inside this one that is an output of its own has its own URLs: its files are collected from there.
    const skipped = [...notOurs, ...merged.map((other) => other.dir)].filter((folder) => folder !== dir)
    const old = before.get(dir)
    before.delete(dir)
    const taken = new Set(files.map(({ path }) => path))
    // Where a bundler is told to write a page for the server: it has no place in the location.
    for (const path of emitted) {
      if (/^\.\.[\\/]/.test(path)) leftOut.push({ path, reason: 'outside of the output folder' })
    }
    await walk(dir, skipped, (path, file) => {
      if (file === undefined) return leftOut.push({ path, reason: 'link that is not followed' })
      if (emittedOnly && !emitted.has(path)) return
      const stood = emitted.has(path) ? undefined : old?.get(path)
      if (taken.has(path)) leftOut.push({ path, reason: 'name taken by another output' })
      else if (stood !== undefined && stood === markOf(file))
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

/** What stands in these folders now. A folder that isn't there is empty. */
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
    const { dir, emitted, fingerprinted } = output
    const other = byFolder.get(dir)
    const both = other && {
      ...other,
      emitted: new Set([...other.emitted, ...emitted]),
      fingerprinted: new Set([...other.fingerprinted, ...fingerprinted]),
    }
    byFolder.set(dir, both ?? output)
  }
  return [...byFolder.values()]
}

/** Files after which the event loop runs. */
const yieldFiles = 500

/**
 * Without waiting for each file: that is ten times as fast as Node's pool of threads.
 *
 * @param found called for each file, in the order of the paths; without `file` for links that lead out of the folder, to what was skipped in
 * it, to another folder or nowhere
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

/** A folder's name with a slash, as it stands in the paths of its files. */
function inPath(entry: Dirent): string {
  return entry.isDirectory() ? `${entry.name}/` : entry.name
}

/**
 * Whether a link leads to a file that is collected: not out of the folder, into a folder of another build or nowhere, nor to a folder
 * inside it, which would bring files twice, or without end.
 */
function leadsToFile(link: string, base: string, foreign: readonly string[]): boolean {
  const target = orUndefined(() => realpathSync(link))
  if (target === undefined || !target.startsWith(base + sep)) return false
  if (foreign.some((folder) => target.startsWith(folder + sep))) return false
  return orUndefined(() => statSync(target))?.isFile() ?? false
}

/** Changes whenever the file is written. By its ctime: copying keeps the mtime. Undefined if it isn't there. */
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
