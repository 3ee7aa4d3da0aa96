import picomatch from 'picomatch'
import type { Settings } from '../settings/settings.js'
import { encodePath } from '../urls/public-url.js'
import type { Output } from './collect.js'

type Selection = Pick<Settings, 'include' | 'exclude' | 'sourceMaps'>
type NamedDotfiles = readonly Pick<Output, 'namedDotfiles'>[]

/** Returns a function of a file's path: the reason why the file is left out, or undefined if it is uploaded. */
export function whyLeftOut(
  { include, exclude, sourceMaps }: Selection,
  outputs: NamedDotfiles = [],
): (path: string) => string | undefined {
  const isNamed = (path: string) => outputs.some(({ namedDotfiles }) => namedDotfiles?.has(path))
  const isIncluded = include.length > 0 ? matcher(include) : () => true
  const isExcluded = matcher(exclude)
  return (path) => {
    if (!isIncluded(path)) return 'not included'
    return reasonByName(path, sourceMaps, isNamed) ?? (isExcluded(path) ? 'excluded' : undefined)
  }
}

/** Returns a function of a file's path: its public URL, or undefined if the file is left out. */
export function urlInBucket(settings: Settings, outputs: NamedDotfiles): (path: string) => string | undefined {
  const reasonFor = whyLeftOut(settings, outputs)
  return (path) => (reasonFor(path) === undefined ? settings.publicUrl + encodePath(path) : undefined)
}

/** True if the reason is the user's own `include` or `exclude`. */
export function isChoice(reason: string): boolean {
  return reason === 'not included' || reason === 'excluded'
}

/** A glob without a slash matches the file's name in any folder, as in .gitignore. */
export function matcher(globs: readonly string[]): (path: string) => boolean {
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
  const isHidden = path.split('/').some((segment) => segment.startsWith('.') && segment !== '.well-known')
  // A dotfile's source map and compressed copies go with it.
  if (isHidden && !isNamed(path.replace(/(\.(map|gz|br|zst))+$/, ''))) return 'dotfile'
  const name = fileName(path)
  if (/\.(pem|key|p8|p12|pfx|jks|keystore|ppk)$/i.test(name)) return 'private key'
  if (/^id_(rsa|dsa|ecdsa|ed25519)(?![a-z0-9])(?!.*\.pub$)/.test(name)) return 'private key'
  if (sourceMaps === 'exclude' && /\.map(\.(gz|br|zst))?$/.test(name)) return 'source map'
  // Written by webpack and webpack-bundle-tracker.
  if (/^(webpack-)?stats\.json$/.test(path)) return 'bundle statistics'
  return undefined
}

export function fileName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
