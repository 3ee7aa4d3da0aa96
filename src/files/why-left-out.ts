import picomatch from 'picomatch'
import type { Settings } from '../settings/settings.js'
import { encodePath } from '../urls/public-url.js'
import type { Output } from './collect.js'

type Selection = Pick<Settings, 'include' | 'exclude' | 'sourceMaps'>

/**
 * Why a file is left out; undefined for a file that is uploaded.
 *
 * @param outputs say which dotfiles the bundler named
 */
export function whyLeftOut(
  { include, exclude, sourceMaps }: Selection,
  outputs: readonly Pick<Output, 'namedDotfiles'>[] = [],
): (path: string) => string | undefined {
  const isNamed = (path: string) => outputs.some(({ namedDotfiles }) => namedDotfiles?.has(path))
  const included = include.length > 0 ? matcher(include) : () => true
  const excluded = matcher(exclude)
  return (path) => {
    if (!included(path)) return 'not included'
    return reasonByName(path, sourceMaps, isNamed) ?? (excluded(path) ? 'excluded' : undefined)
  }
}

/** The public URL of a file of the output folder, by its path there; undefined for a file that is left out. */
export function urlInBucket(
  settings: Settings,
  outputs: readonly Pick<Output, 'namedDotfiles'>[],
): (path: string) => string | undefined {
  const leftOut = whyLeftOut(settings, outputs)
  return (path) => (leftOut(path) === undefined ? settings.publicUrl + encodePath(path) : undefined)
}

/** Whether the reason is the user's own `include` or `exclude`. */
export function isChoice(reason: string): boolean {
  return reason === 'not included' || reason === 'excluded'
}

/** Whether a path matches one of the globs. One without a slash means the file's name in any folder, as in .gitignore. */
export function matcher(globs: readonly string[]): (path: string) => boolean {
  if (globs.length === 0) return () => false
  const matchers = globs.map((glob) => {
    const matches = picomatch(glob.replace(/^\.?\//, ''), { dot: true })
    return glob.includes('/') ? matches : (path: string) => matches(fileName(path))
  })
  return (path) => matchers.some((matches) => matches(path))
}

function reasonByName(
  path: string,
  sourceMaps: Selection['sourceMaps'],
  isNamed: (path: string) => boolean,
): string | undefined {
  const hidden = path.split('/').find((segment) => segment.startsWith('.') && segment !== '.well-known')
  // A source map or a compressed twin goes with its file.
  if (hidden !== undefined && !isNamed(path.replace(/(\.(map|gz|br|zst))+$/, ''))) return 'dotfile'
  const name = fileName(path)
  if (/\.(pem|key|p8|p12|pfx|jks|keystore|ppk)$/i.test(name)) return 'private key'
  if (/^id_(rsa|dsa|ecdsa|ed25519)(?![a-z0-9])(?!.*\.pub$)/.test(name)) return 'private key'
  if (sourceMaps === 'exclude' && /\.map(\.(gz|br|zst))?$/.test(name)) return 'source map'
  // Under the names that webpack and webpack-bundle-tracker give them.
  if (/^(webpack-)?stats\.json$/.test(path)) return 'bundle statistics'
  return undefined
}

export function fileName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
