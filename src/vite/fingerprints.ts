import { basename, extname } from 'node:path/posix'

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

export interface OutputOptions {
  assetFileNames?: unknown
}

/**
 * The files of a bundle whose names the bundler made from their content.
 *
 * A chunk's preliminary name has a placeholder where the hash goes. An asset has none, so its name is held against the template
 * that it was made with: an asset that a plugin emitted under a name of its own doesn't fit.
 *
 * @see https://rollupjs.org/configuration-options/#output-assetfilenames
 */
export function fingerprintedFiles(bundle: Readonly<Record<string, BundleFile>>, options: OutputOptions): string[] {
  return Object.entries(bundle).flatMap(([path, file]) => {
    const fingerprinted =
      file.type === 'chunk' ? file.preliminaryFileName?.includes('!~{') : isNamedByTemplate(path, file, options)
    return fingerprinted && !path.endsWith('.map') ? [path] : []
  })
}

function isNamedByTemplate(
  path: string,
  asset: Extract<BundleFile, { type: 'asset' }>,
  { assetFileNames = 'assets/[name]-[hash][extname]' }: OutputOptions,
): boolean {
  const names = asset.names ?? (asset.name === undefined ? [] : [asset.name])
  const template: unknown =
    typeof assetFileNames === 'function'
      ? assetFileNames({ ...asset, name: names[0], names, originalFileNames: asset.originalFileNames ?? [] })
      : assetFileNames
  if (typeof template !== 'string' || !/\[hash(:\d+)?\]/.test(template)) return false
  return names.some((name) => patternOf(template, name).test(path))
}

function patternOf(template: string, name: string): RegExp {
  const ending = extname(name)
  const values: Record<string, string> = {
    name: sanitized(basename(name, ending)),
    extname: escaped(ending),
    ext: escaped(ending.slice(1)),
  }
  const pattern = template.split(/(\[\w+(?::\d+)?\])/).map((part) => {
    const [, placeholder] = /^\[(\w+)(?::\d+)?\]$/.exec(part) ?? []
    if (placeholder === undefined) return escaped(part)
    // `hashCharacters` may be base64, base36 or hex; a number follows where two names would be equal.
    return placeholder === 'hash' ? '[\\w-]{6,}' : (values[placeholder] ?? '.*')
  })
  return new RegExp(`^${pattern.join('')}$`)
}

/** A name may have characters that Rollup replaces in file names. */
function sanitized(name: string): string {
  return [...name].map((character) => (/[\w-]/.test(character) ? character : '.{1,2}')).join('')
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
