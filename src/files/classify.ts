import { extname } from 'node:path/posix'
// Takes milliseconds to load, because it ranks the types of 1,200 endings. Adapters load this file while the bundler works.
import { contentType as registeredType } from 'mime-types'
import type { ObjectParameters } from '../bucket/bucket.js'
import type { Settings } from '../settings/settings.js'
import { staysOnPageOrigin } from '../urls/same-origin.js'
import type { BuiltFile, Group } from './built-file.js'
import type { Collected, LeftOut, Output } from './collect.js'
import { fileName, isChoice, matcher, whyLeftOut } from './why-left-out.js'

export interface ClassifiedFile extends Pick<BuiltFile, 'path' | 'dir'> {
  key: string
  group: Group
  parameters: ObjectParameters
}

export interface Classified {
  files: readonly ClassifiedFile[]
  leftOut: LeftOut[]
  /** Problems that stop the deploy. */
  problems: string[]
  warnings: string[]
}

type Policy = Pick<
  Settings,
  'location' | 'cacheControl' | 'objectParameters' | 'rules' | 'include' | 'exclude' | 'sourceMaps'
>

/** Gives each file its key, group and headers, and leaves out the files that must not be uploaded. */
export function classify(
  collected: Collected,
  policy: Policy,
  outputs: readonly Pick<Output, 'namedDotfiles'>[] = [],
): Classified {
  const reasonFor = whyLeftOut(policy, outputs)
  const parametersOf = parametersBy(policy)
  const prefix = policy.location === '' ? '' : `${policy.location}/`
  const files: ClassifiedFile[] = []
  const leftOut = [...collected.leftOut]
  const problems: string[] = []
  const ignored: string[] = []
  const missed: string[] = []
  for (const file of collected.files) {
    const { path, dir } = file
    const reason = reasonFor(path) ?? (isStatisticsPage(file) ? 'bundle statistics' : undefined)
    if (reason !== undefined) {
      leftOut.push({ path, reason })
      if (file.emitted && isChoice(reason)) missed.push(path)
      continue
    }
    const key = prefix + path
    const group = groupOf(file)
    const { parameters, ignoresCacheControl } = parametersOf(path, group)
    if (ignoresCacheControl) ignored.push(path)
    problems.push(...problemsOf(path, key))
    files.push({ path, dir, key, group, parameters })
  }
  const warnings: string[] = []
  if (missed.length > 0) {
    warnings.push(
      `${several(missed)}: left out by include or exclude, though the build may point to it in the bucket; see that it is served there`,
    )
  }
  if (ignored.length > 0) {
    warnings.push(
      `CacheControl ${JSON.stringify(policy.objectParameters.CacheControl)} is not used for ${several(ignored)}, whose names are not ` +
        'fingerprinted: browsers would keep old files that long. A rule can change that.',
    )
  }
  return { files, leftOut, problems, warnings }
}

function problemsOf(path: string, key: string): string[] {
  const problems: string[] = []
  if (leadsOut(path)) problems.push(`${path}: its name leads out of the location on some servers`)
  const bytes = Buffer.byteLength(key)
  // https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
  if (bytes > 1024) problems.push(`${path}: its key has ${bytes} bytes, and S3 takes 1,024 at most`)
  return problems
}

interface FileParameters {
  parameters: ObjectParameters
  /** True if the CacheControl of all objects would make this one stale. */
  ignoresCacheControl: boolean
}

/** Files with the same headers share one object: a site has few sets of headers, and perhaps 100,000 files. */
function parametersBy(policy: Policy): (path: string, group: Group) => FileParameters {
  const rules = policy.rules.map(({ match, parameters }) => ({ matches: matcher(match), parameters }))
  const shared = new Map<string, FileParameters>()
  return (path, group) => {
    const type = contentType(path)
    const matching = rules.flatMap(({ matches }, i) => (matches(path) ? [i] : []))
    const id = `${group} ${matching} ${type}`
    const known = shared.get(id)
    if (known) return known
    const ruled = Object.assign({}, ...matching.map((i) => rules[i]?.parameters))
    const made = fileParameters(policy, group, type, ruled)
    shared.set(id, made)
    return made
  }
}

function fileParameters(policy: Policy, group: Group, ContentType: string, ruled: ObjectParameters): FileParameters {
  const { CacheControl, ...others } = policy.objectParameters
  const goesStale = group !== 'fingerprinted' && typeof CacheControl === 'string' && maxAge(CacheControl) > 3600
  const parameters = {
    CacheControl: group === 'fingerprinted' ? policy.cacheControl.fingerprinted : policy.cacheControl.other,
    ContentType,
    ...others,
    ...(CacheControl === undefined || goesStale ? {} : { CacheControl }),
    ...ruled,
  }
  return { parameters, ignoresCacheControl: goesStale && ruled.CacheControl === undefined }
}

export function contentType(path: string): string {
  // https://developer.apple.com/documentation/xcode/supporting-associated-domains
  if (fileName(path) === 'apple-app-site-association') return 'application/json; charset=utf-8'
  const ending = extname(path).toLowerCase()
  // Browsers run no script of the registered type, application/node.
  if (ending === '.cjs') return 'text/javascript; charset=utf-8'
  return registeredType(ending) || 'application/octet-stream'
}

/** True if the path leaves the location for a server or browser that reads `%2e` as a dot, or a backslash as a slash. */
function leadsOut(path: string): boolean {
  return /(^|[\\/])(\.|%2e){1,2}([\\/]|$)/i.test(path) || /^[\\/]|[\\/]{2}/.test(path)
}

function several([first = '', ...more]: readonly string[]): string {
  return more.length === 0 ? first : `${first} and ${more.length} more`
}

/** A page that rollup-plugin-visualizer or webpack-bundle-analyzer wrote. The bundler emits the application's own pages. */
function isStatisticsPage({ path, emitted }: BuiltFile): boolean {
  return !emitted && /^(stats|report)\.html$/.test(path)
}

function groupOf({ path, fingerprinted }: BuiltFile): Group {
  // A page's compressed copy goes with the page.
  const plain = path.replace(/\.(br|gz|zst)$/, '')
  if (/\.(html?|xhtml)$/i.test(plain)) return 'html'
  if (fingerprinted) return 'fingerprinted'
  return staysOnPageOrigin(plain) || /manifest[^/]*\.json$/i.test(plain) ? 'manifest' : 'asset'
}

/** Seconds for which a cache may use a response without revalidation. `immutable` alone has no effect (RFC 9111, RFC 8246). */
function maxAge(cacheControl: string): number {
  const seconds = [...cacheControl.matchAll(/\b(?:s-maxage|max-age)\s*=\s*"?(\d+)/gi)].map((match) => Number(match[1]))
  return /\bno-(cache|store)\b/i.test(cacheControl) ? 0 : Math.max(0, ...seconds)
}
