import { readFile } from 'node:fs/promises'
import { isAbsolute, join, relative, resolve, sep } from 'node:path'
import type { LeftOut, LeftOutReason } from '../files/built-file.js'
import type { ClassifiedFile } from '../files/classify.js'
import { buildFileName, type Output } from '../files/collect.js'
import { hashFiles } from '../files/hash.js'
import { StaticS3Error } from '../runtime/error.js'
import { orUndefined } from '../runtime/or-undefined.js'
import type { Options } from '../settings/options.js'
import type { Settings } from '../settings/settings.js'
import { hasFile, isRecord, isText } from './foreign-data.js'

/** The bundler's own knowledge of an output folder, as plain data. Besides it, a later deploy needs only the bucket's address and credentials. */
export interface BuildFacts {
  /** The output folder on the page's origin: a URL or a path with a slash at its end. */
  base: string
  /** With its version: `vite 8.3.8`. */
  bundler: string
  publicUrl: string
  /** The options of the bundler's configuration that decide about files. */
  options: Options
  /** Prefixes of variables that the bundler puts into the bundle. */
  exposed: readonly string[]
  /** SHA-256 by path. */
  fingerprinted: Record<string, string>
  /** The other files that the bundler named or wrote. */
  emitted: readonly string[]
  namedDotfiles: readonly string[]
  emittedOnly?: true | undefined
  /** Folders that belong to other builds. */
  notOurs: readonly string[]
  /** Reasons by path. */
  leftOut: Record<string, string>
}

const leftOver: LeftOutReason = 'left over from an earlier build'

/** Other formats are refused. */
const format = 1

/**
 * The options that a deploy takes from a build. It does not take the bucket's address: a build that runs without keys must not decide where the
 * keys of a later deploy are used.
 */
const optionsOfBuild = [
  ...(['acl', 'objectParameters', 'rules', 'include', 'exclude', 'cacheControl', 'sourceMaps', 'verify'] as const),
  ...(['compress', 'fileOverwrite', 'allowMissing', 'allowSecrets'] as const),
]

export interface FactsInput extends Pick<BuildFacts, 'base' | 'notOurs'> {
  settings: Pick<Settings, 'publicUrl' | 'given'>
  /** All output folders of the build. */
  outputs: readonly Output[]
  bundler: string
}

/** Nothing in the facts depends on the machine: all paths are relative, and all lists sorted. */
export async function factsOf(
  { settings: { publicUrl, given }, outputs, notOurs, base, bundler }: FactsInput,
  output: Output,
  leftOut: readonly LeftOut[],
): Promise<BuildFacts> {
  const { dir, emitted, fingerprinted, namedDotfiles = [], emittedOnly } = output
  const others = [...notOurs, ...outputs.map((other) => other.dir)].map((folder) => inFolder(dir, folder))
  return {
    bundler,
    publicUrl,
    base,
    options: chosenOptions(given.options),
    exposed: given.exposed ?? [],
    fingerprinted: sortedRecord(await hashesOf(dir, fingerprinted)),
    emitted: [...emitted].filter((path) => !fingerprinted.has(path)).sort(),
    namedDotfiles: [...namedDotfiles].sort(),
    ...(emittedOnly ? { emittedOnly } : {}),
    notOurs: [...new Set(others.filter((path) => path !== undefined))].sort(),
    leftOut: sortedRecord(leftOut.map(({ path, reason }) => [path, reason])),
  }
}

export function encodeFacts(version: string, builds: readonly BuildFacts[]): string {
  return `${JSON.stringify({ format, version, builds }, undefined, 2)}\n`
}

/**
 * The facts in a folder's `.static-s3.json`; undefined without the file.
 *
 * @throws StaticS3Error if the file cannot be used
 */
export async function readFacts(dir: string): Promise<BuildFacts[] | undefined> {
  const file = join(dir, buildFileName)
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw new StaticS3Error(`static-s3: ${file}: ${error.code}`)
  })
  if (text === undefined) return undefined
  const { format: found, builds } = parsed(text)
  if (typeof found === 'number' && found !== format) {
    throw new StaticS3Error(
      `static-s3: ${file} has format ${found}, and this version of static-s3 reads format ${format}: build and deploy with the same version`,
    )
  }
  if (!Array.isArray(builds) || builds.length === 0 || !builds.every(areFacts)) {
    throw new StaticS3Error(`static-s3: ${file} is damaged: build again`)
  }
  return builds.map((facts) => ({ ...facts, options: chosenOptions(facts.options) }))
}

/**
 * The output folder that the facts describe.
 *
 * @returns also the fingerprinted names whose files have changed since the build
 */
export async function outputOf(dir: string, facts: BuildFacts): Promise<{ output: Output; changed: string[] }> {
  const named = Object.entries(facts.fingerprinted)
  const hashes = new Map(await hashesOf(dir, new Set(named.map(([path]) => path))))
  const left = Object.entries(facts.leftOut).filter(([, reason]) => reason === leftOver)
  const output: Output = {
    dir,
    emitted: new Set([...named.map(([path]) => path), ...facts.emitted]),
    fingerprinted: new Set(named.filter(([path, sha256]) => hashes.get(path) === sha256).map(([path]) => path)),
    namedDotfiles: new Set(facts.namedDotfiles),
    leftOver: new Set(left.map(([path]) => path)),
    ...(facts.emittedOnly ? { emittedOnly: true } : {}),
  }
  const changed = named.filter(([path, sha256]) => hashes.has(path) && hashes.get(path) !== sha256)
  return { output, changed: changed.map(([path]) => path) }
}

/** The absolute paths of folders in a folder's facts. */
export function foldersNotOurs(dir: string, { notOurs }: BuildFacts): string[] {
  return notOurs.map((path) => resolve(dir, path))
}

function chosenOptions(options: Options): Options {
  return Object.fromEntries(
    optionsOfBuild.filter((name) => options?.[name] !== undefined).map((name) => [name, options[name]]),
  )
}

/** SHA-256 by path. Files that are not there are left out. */
async function hashesOf(dir: string, paths: ReadonlySet<string>): Promise<[path: string, sha256: string][]> {
  const there = [...paths].filter((path) => hasFile(dir, path))
  const files = there.map((path): ClassifiedFile => {
    return { dir, path, key: path, group: 'fingerprinted', parameters: {} }
  })
  const hashed = await hashFiles(files, [], () => false)
  return hashed.files.map(({ path, sha256 }) => [path, sha256])
}

/** The path of a folder inside another one; undefined if it lies outside. */
function inFolder(dir: string, folder: string): string | undefined {
  const path = relative(dir, folder)
  return path === '' || path === '..' || path.startsWith(`..${sep}`) || isAbsolute(path)
    ? undefined
    : path.replaceAll(sep, '/')
}

function sortedRecord(entries: readonly (readonly [string, string])[]): Record<string, string> {
  return Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1)))
}

function parsed(text: string): { format?: unknown; builds?: unknown } {
  return Object(orUndefined(() => JSON.parse(text)))
}

function areFacts(value: unknown): value is BuildFacts {
  const facts = Object(value) as Record<keyof BuildFacts, unknown>
  const { bundler, publicUrl, base, options, exposed, fingerprinted, emitted, namedDotfiles, notOurs, leftOut } = facts
  return (
    [bundler, publicUrl, base].every(isText) &&
    [exposed, emitted, namedDotfiles, notOurs].every((list) => Array.isArray(list) && list.every(isText)) &&
    [fingerprinted, leftOut].every((record) => isRecord(record) && Object.values(record).every(isText)) &&
    isRecord(options)
  )
}
