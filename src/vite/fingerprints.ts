import { posix } from 'node:path'
import { withSlashes } from '../urls/paths.js'

/** The part of Rollup's and Rolldown's description of a written file that is used here. */
export type BundleFile =
  | { type: 'chunk'; preliminaryFileName?: string }
  | {
      type: 'asset'
      name?: string
      names?: readonly string[]
      originalFileNames?: readonly string[]
      source: string | Uint8Array
    }

type Asset = Extract<BundleFile, { type: 'asset' }>

/** An asset of the bundle. Read its `source` only if needed: Rolldown copies the bytes for each read. */
interface Written {
  path: string
  file: Asset
  names: readonly string[]
}

/** A call of `assetFileNames`: its asset and its result. */
interface Naming extends Pick<Asset, 'source'> {
  names: readonly string[]
  template: string
  /** One for each name, made when it is needed: thousands of icons are compared with thousands of names. */
  patterns?: RegExp[]
}

/** Knows which files of one output the bundler named by their content. Outputs come one after the other. */
export interface Fingerprints {
  /** For the hook `outputOptions`. */
  outputOptions: <T extends { assetFileNames?: unknown }>(options: T) => T
  /** For `generateBundle` or `writeBundle`. */
  of: (bundle: Readonly<Record<string, BundleFile>>) => string[]
  /** Whether the bundler may have named this asset by its content, judging by the names it has made so far. */
  mayHaveMade: (path: string) => boolean
  /** The contents of the assets that may have got this name so far. Assets of the same name cannot be told apart. */
  sourcesOf: (path: string) => (string | Uint8Array)[]
}

/**
 * A chunk's preliminary name has a placeholder for the hash. An asset's name has none, so this function records each call of
 * `assetFileNames`: the bundler calls it for each asset that it names, and never for one that a plugin emits under a name of its own.
 *
 * @see https://rollupjs.org/configuration-options/#output-assetfilenames
 */
export function watchFingerprints(): Fingerprints {
  let namings: Naming[] = []
  return {
    outputOptions(options) {
      const { assetFileNames = 'assets/[name]-[hash][extname]' } = options
      const asked: Naming[] = []
      namings = asked
      const recording = (asset: Asset): string => {
        const template: string = typeof assetFileNames === 'function' ? assetFileNames(asset) : assetFileNames
        asked.push({ names: namesOf(asset), source: asset.source, template: withSlashes(template) })
        return template
      }
      return { ...options, assetFileNames: recording }
    },
    of(bundle) {
      const files = Object.entries(bundle).map(([name, file]) => [withSlashes(name), file] as const)
      const assets = byName(
        files.flatMap(([path, file]) => (file.type === 'asset' ? [{ path, file, names: namesOf(file) }] : [])),
      )
      const asked = byName(namings)
      return files.flatMap(([path, file]) => {
        const fingerprinted =
          file.type === 'chunk'
            ? file.preliminaryFileName?.includes('!~{')
            : namesOf(file).some((name) =>
                isNamedByBundler(path, file, name, assets.get(name) ?? [], asked.get(name) ?? []),
              )
        return fingerprinted && !path.endsWith('.map') ? [path] : []
      })
    },
    mayHaveMade: (path) => namings.some(({ names, template }) => names.some((name) => isMade(path, template, name))),
    sourcesOf: (path) =>
      namings
        .filter((naming) => {
          naming.patterns ??= naming.names.map((name) => patternOf(naming.template, name))
          return naming.patterns.some((pattern) => pattern.test(path))
        })
        .map(({ source }) => source),
  }
}

/** If more assets fit than the bundler named, some plugin's own name looks like the bundler's. Then the bytes decide. */
function isNamedByBundler(
  path: string,
  file: Asset,
  name: string,
  namesakes: readonly Written[],
  asked: readonly Naming[],
): boolean {
  const fitting = asked.filter(({ template }) => isMade(path, template, name))
  if (fitting.length === 0) return false
  if (namesakes.length <= fitting.length) return true
  const rivals = namesakes.filter((other) => fitting.some(({ template }) => isMade(other.path, template, name)))
  if (rivals.length <= fitting.length) return true
  const { source } = file
  const same = fitting.filter((naming) => isSame(naming.source, source))
  return same.length > 0 && rivals.filter((other) => isSame(other.file.source, source)).length <= same.length
}

/** `hashCharacters` may be base64, base36 or hex. A number follows if two names would be equal. */
const hash = '[\\w-]{6,}'
const isHash = new RegExp(`^${hash}$`)

function isMade(path: string, template: string, name: string): boolean {
  return (
    isPlainlyMade(path, template, name) || (/\[hash(:\d+)?\]/.test(template) && patternOf(template, name).test(path))
  )
}

/** The quick test, which most names pass: a regular expression for each of thousands of names is slow. */
function isPlainlyMade(path: string, template: string, name: string): boolean {
  const parts = template.split('[hash]')
  if (parts.length !== 2) return false
  const ending = posix.extname(name)
  const [before, after] = parts.map((part) =>
    part
      .replace('[extname]', () => ending)
      .replace('[ext]', () => ending.slice(1))
      .replace('[name]', () => name.slice(0, name.length - ending.length)),
  ) as [string, string]
  return (
    path.startsWith(before) &&
    path.endsWith(after) &&
    isHash.test(path.slice(before.length, path.length - after.length))
  )
}

function byName<T extends { names: readonly string[] }>(things: readonly T[]): Map<string, T[]> {
  const index = new Map<string, T[]>()
  for (const thing of things) {
    for (const name of thing.names) {
      const namesakes = index.get(name)
      if (namesakes) namesakes.push(thing)
      else index.set(name, [thing])
    }
  }
  return index
}

function namesOf({ name, names }: Pick<Asset, 'name' | 'names'>): readonly string[] {
  return names ?? (name === undefined ? [] : [name])
}

function isSame(one: string | Uint8Array, other: string | Uint8Array): boolean {
  return Buffer.from(one).equals(Buffer.from(other))
}

function patternOf(template: string, name: string): RegExp {
  const ending = posix.extname(name)
  const values: Record<string, string> = {
    name: sanitized(name.slice(0, name.length - ending.length)),
    extname: escaped(ending),
    ext: escaped(ending.slice(1)),
  }
  const pattern = template.split(/(\[\w+(?::\d+)?\])/).map((part) => {
    const [, placeholder] = /^\[(\w+)(?::\d+)?\]$/.exec(part) ?? []
    if (placeholder === undefined) return escaped(part)
    return placeholder === 'hash' ? hash : (values[placeholder] ?? '.*')
  })
  return new RegExp(`^${pattern.join('')}$`)
}

/** Rollup replaces some characters in file names. */
function sanitized(name: string): string {
  return name.replace(/[^\w-]/gu, '.{1,2}')
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
