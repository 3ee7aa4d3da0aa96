import type { Settings } from '../settings/settings.js'
import { encodePath } from '../urls/paths.js'
import { type BuiltFile, fileName, type LeftOutReason } from './built-file.js'
import type { Output } from './collect.js'
import { globMatcher, matcher } from './globs.js'
import { isSourceMapByName } from './sensitive-file.js'

type Selection = Pick<Settings, 'include' | 'exclude' | 'sourceMaps'>
type NamedDotfiles = readonly Pick<Output, 'namedDotfiles'>[]
/** Facts beyond the path, known once the file is written. */
type Facts = Partial<Pick<BuiltFile, 'target' | 'kind' | 'emitted'>> & {
  /** True if it is the compressed copy of a file that is stored compressed. */
  isTwin?: boolean
}

/** Returns a function of a file's path and facts: the reason to leave the file out, or undefined if it is uploaded. */
export function whyLeftOut(
  { include, exclude, sourceMaps }: Selection,
  outputs: NamedDotfiles = [],
): (path: string, facts?: Facts) => LeftOutReason | undefined {
  const isNamed = (path: string) => outputs.some(({ namedDotfiles }) => namedDotfiles?.has(path))
  const included = include.map(globMatcher)
  const isExcluded = matcher(exclude)
  const byDefault = (path: string, facts: Facts) => {
    const left = defaultReason(path, facts, sourceMaps, isNamed)
    const isIncluded = left && included.some((matches) => matches(path) && !matches(left.unless))
    return isIncluded ? undefined : left?.reason
  }
  return (path, facts = {}) => {
    if (include.length > 0 && !included.some((matches) => matches(path))) return 'not included'
    // A link is left out if its target would be.
    const linked = facts.target === undefined ? undefined : byDefault(facts.target, facts)
    return byDefault(path, facts) ?? linked ?? (isExcluded(path) ? 'excluded' : undefined)
  }
}

/** Returns a function of a file's path: its public URL, or undefined if the file is left out. */
export function urlInBucket(settings: Settings, outputs: NamedDotfiles): (path: string) => string | undefined {
  const reasonFor = whyLeftOut(settings, outputs)
  return (path) => (reasonFor(path) === undefined ? settings.publicUrl + encodePath(path) : undefined)
}

/** True if the reason is the user's own `include` or `exclude`. */
export function isChoice(reason: LeftOutReason): boolean {
  return reason === 'not included' || reason === 'excluded'
}

interface DefaultReason {
  reason: LeftOutReason
  /** A similar path without the reason. A glob of `include` that matches it too, such as `**`, does not bring the file back. */
  unless: string
}

function defaultReason(
  path: string,
  { kind, emitted = true, isTwin }: Facts,
  sourceMaps: Selection['sourceMaps'],
  isNamed: (path: string) => boolean,
): DefaultReason | undefined {
  // A dotfile's source map and compressed copies go with it.
  if (hiddenPart.test(path) && !isNamed(path.replace(/(\.(map|gz|br|zst))+$/, ''))) {
    return { reason: 'dotfile', unless: path.replaceAll(new RegExp(hiddenPart, 'g'), '$1not.') }
  }
  const name = fileName(path)
  const otherName = `${path.slice(0, path.length - name.length)}not-${name}`
  if (kind === 'private key') return { reason: kind, unless: otherName }
  if (sourceMaps === 'exclude' && (kind === 'source map' || isSourceMapByName(name))) {
    return { reason: 'source map', unless: path.replace(/\.map(?=[^/]*$)/, '.not-map') }
  }
  if (isTwin) return { reason: 'compressed copy', unless: path.slice(0, -'.gz'.length) }
  // Written by webpack, webpack-bundle-tracker, Module Federation, webpack-bundle-analyzer and rollup-plugin-visualizer. The bundler emits the
  // application's pages.
  const isStatistics = /^((webpack|mf)-)?stats\.json$/.test(path) || (!emitted && /^(stats|report)\.html$/.test(path))
  return isStatistics ? { reason: 'bundle statistics', unless: otherName } : undefined
}

const hiddenPart = /(^|\/)\.(?!well-known(?:\/|$))/
