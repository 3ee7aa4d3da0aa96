import { posix } from 'node:path'
import { withSlashes } from '../urls/paths.js'

/** The part of webpack's and Rspack's description of a written asset that is used here. */
export interface Asset {
  /** May have a query after the path. */
  name: string
  info: {
    immutable?: boolean
    contenthash?: string | readonly string[]
    chunkhash?: string | readonly string[]
    modulehash?: string | readonly string[]
    fullhash?: string | readonly string[]
  }
}

/**
 * The asset's path on disk.
 *
 * @param separator the system's path separator
 */
export function pathOf({ name }: Pick<Asset, 'name'>, separator?: string): string {
  const query = name.indexOf('?')
  const path = withSlashes(query === -1 ? name : name.slice(0, query), separator)
  // Both bundlers write `/app.js` into the output folder.
  const relative = path.startsWith('/') ? path.replace(/^\/+/, '') : path
  // `normalize` looks at each character in JavaScript.
  return /\/\/|(^|\/)\.\.?(\/|$)/.test(relative) ? posix.normalize(relative) : relative
}

/**
 * Whether the bundler named the file by its content: the bundler says so (`immutable`), and the hash is in the path. A hash in the
 * query (`[name].js?v=[contenthash]`) does not count, because a query is no part of a key. The hash of the whole build counts only for a chunk's
 * files: it is no hash of a file that a plugin copied. Rspack also calls an asset's own hash `fullhash`.
 *
 * @param isOfChunk whether a chunk names this file
 * @param buildHash the hash of the whole build
 * @see https://webpack.js.org/configuration/output/#template-strings
 */
export function isFingerprinted(
  asset: Asset,
  isOfChunk: (name: string) => boolean,
  buildHash: string | null | undefined,
): boolean {
  const { immutable, contenthash, chunkhash, modulehash, fullhash } = asset.info
  const path = pathOf(asset)
  if (!immutable || path.endsWith('.map')) return false
  const isInPath = (hash: string | readonly string[] | undefined): boolean =>
    typeof hash === 'string' ? path.includes(hash) : hash?.some(isInPath) === true
  if (isInPath(contenthash) || isInPath(chunkhash) || isInPath(modulehash)) return true
  return [fullhash ?? []]
    .flat()
    .some((hash) => isInPath(hash) && (isOfChunk(asset.name) || !buildHash?.startsWith(hash)))
}
