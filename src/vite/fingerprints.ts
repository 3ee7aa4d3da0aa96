import { posix } from 'node:path'

/** What Rollup and Rolldown tell of a written file, as far as it is looked at here. */
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

/** An asset of the bundle. Its `source` isn't read without need: Rolldown makes a copy of the bytes for it. */
interface Written {
  path: string
  file: Asset
  names: readonly string[]
}

/** What `assetFileNames` was asked, and what it answered. */
interface Naming extends Pick<Asset, 'source'> {
  names: readonly string[]
  template: string
}

/** Tells the files of one output whose names the bundler made from their content. Outputs come one after the other. */
export interface Fingerprints {
  /** For the hook `outputOptions`. */
  outputOptions: <T extends { assetFileNames?: unknown }>(options: T) => T
  /** For `generateBundle` or `writeBundle`. */
  of: (bundle: Readonly<Record<string, BundleFile>>) => string[]
  /** Whether an asset's name may be made from its content, by what the bundler has named so far. */
  mayHaveMade: (path: string) => boolean
  /** The contents of the assets that may have got this name so far: several of one name can't be told apart. */
  sourcesOf: (path: string) => (string | Uint8Array)[]
}

/**
 * A chunk's preliminary name has a placeholder where the hash goes. An asset has none: so account is kept of the assets that the bundler
 * names. It asks `assetFileNames` for each, and for none that a plugin emits under a name of its own.
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
        asked.push({ names: namesOf(asset), source: asset.source, template })
        return template
      }
      return { ...options, assetFileNames: recording }
    },
    of(bundle) {
      const files = Object.entries(bundle)
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
        .filter(({ names, template }) => names.some((name) => patternOf(template, name).test(path)))
        .map(({ source }) => source),
  }
}

/** Where more assets fit than the bundler named, a plugin's own name looks like a made one: then the bytes have to tell. */
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

/** `hashCharacters` may be base64, base36 or hex; a number follows where two names would be equal. */
const hash = '[\\w-]{6,}'
const isHash = new RegExp(`^${hash}$`)

function isMade(path: string, template: string, name: string): boolean {
  return (
    isPlainlyMade(path, template, name) || (/\[hash(:\d+)?\]/.test(template) && patternOf(template, name).test(path))
  )
}

/** Whether it fits as it stands, as most do: to make a pattern for each of thousands takes longer than all else here. */
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

/** A name may have characters that Rollup replaces in file names. */
function sanitized(name: string): string {
  return name.replace(/[^\w-]/gu, '.{1,2}')
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
