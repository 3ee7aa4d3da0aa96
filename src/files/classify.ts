import type { ObjectParameters } from '../bucket/bucket.js'
import type { Settings } from '../settings/settings.js'
import { staysOnPageOrigin } from '../urls/same-origin.js'
import type { BuiltFile, Group } from './built-file.js'
import type { Collected, LeftOut, Output } from './collect.js'
import { contentType } from './content-type.js'
import { isChoice, matcher, whyLeftOut } from './why-left-out.js'

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

/** Which file becomes which object, with which headers, and which files stay home. */
export function classify(
  collected: Collected,
  policy: Policy,
  outputs: readonly Pick<Output, 'namedDotfiles'>[] = [],
): Classified {
  const whyHome = whyLeftOut(policy, outputs)
  const parametersOf = parametersBy(policy)
  const prefix = policy.location === '' ? '' : `${policy.location}/`
  const files: ClassifiedFile[] = []
  const result: Classified = { files, leftOut: [...collected.leftOut], problems: [], warnings: [] }
  const keptFresh: string[] = []
  const missed: string[] = []
  for (const file of collected.files) {
    const reason = whyHome(file.path) ?? (isStatisticsPage(file) ? 'bundle statistics' : undefined)
    if (reason !== undefined) {
      result.leftOut.push({ path: file.path, reason })
      if (file.emitted && isChoice(reason)) missed.push(file.path)
      continue
    }
    const { path, dir } = file
    const key = prefix + path
    if (leadsOut(file.path)) result.problems.push(`${file.path}: its name leads out of the location on some servers`)
    const bytes = Buffer.byteLength(key)
    // https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
    if (bytes > 1024) result.problems.push(`${file.path}: its key has ${bytes} bytes, and S3 takes 1,024 at most`)

    const group = groupOf(file)
    const { parameters, isKeptFresh } = parametersOf(file.path, group)
    if (isKeptFresh) keptFresh.push(file.path)
    files.push({ path, dir, key, group, parameters })
  }
  if (missed.length > 0) {
    result.warnings.push(
      `${several(missed)}: left out by include or exclude, though the build may point to it in the bucket; see that it is served there`,
    )
  }
  if (keptFresh.length > 0) {
    result.warnings.push(
      `CacheControl ${JSON.stringify(policy.objectParameters.CacheControl)} is not used for ${several(keptFresh)}, whose names are not ` +
        'fingerprinted: visitors would see old ones that long. A rule can say otherwise.',
    )
  }
  return result
}

interface Chosen {
  parameters: ObjectParameters
  /** Whether the CacheControl of all objects isn't used, since it would make an object stale. */
  isKeptFresh: boolean
}

/** What is sent along with each file. A site has few sets of headers, and may have a hundred thousand files. */
function parametersBy(policy: Policy): (path: string, group: Group) => Chosen {
  const rules = policy.rules.map(({ match, parameters }) => ({ matches: matcher(match), parameters }))
  const parametersOf = (matching: number[]): ObjectParameters =>
    Object.assign({}, ...matching.map((i) => rules[i]?.parameters))
  const chosen = new Map<string, Chosen>()
  return (path, group) => {
    const type = contentType(path)
    const matching = rules.flatMap(({ matches }, i) => (matches(path) ? [i] : []))
    const situation = `${group} ${matching} ${type}`
    const known = chosen.get(situation) ?? choose(policy, group, type, parametersOf(matching))
    chosen.set(situation, known)
    return known
  }
}

function choose(policy: Policy, group: Group, ContentType: string, ruled: ObjectParameters): Chosen {
  const { CacheControl, ...others } = policy.objectParameters
  const goesStale = group !== 'fingerprinted' && typeof CacheControl === 'string' && maxAge(CacheControl) > 3600
  const parameters = {
    CacheControl: group === 'fingerprinted' ? policy.cacheControl.fingerprinted : policy.cacheControl.other,
    ContentType,
    ...others,
    ...(CacheControl === undefined || goesStale ? {} : { CacheControl }),
    ...ruled,
  }
  return { parameters, isKeptFresh: goesStale && ruled.CacheControl === undefined }
}

/** Whether a server or browser that reads `%2e` as a dot, or a backslash as a slash, would look outside of the location. */
function leadsOut(path: string): boolean {
  return /(^|[\\/])(\.|%2e){1,2}([\\/]|$)/i.test(path) || /^[\\/]|[\\/]{2}/.test(path)
}

function several([first = '', ...more]: readonly string[]): string {
  return more.length === 0 ? first : `${first} and ${more.length} more`
}

/** Under the names that rollup-plugin-visualizer and webpack-bundle-analyzer give it. A page of the application is emitted. */
function isStatisticsPage({ path, emitted }: BuiltFile): boolean {
  return !emitted && /^(stats|report)\.html$/.test(path)
}

function groupOf({ path, fingerprinted }: BuiltFile): Group {
  // A page's compressed twin goes with the page.
  const plain = path.replace(/\.(br|gz|zst)$/, '')
  if (/\.(html?|xhtml)$/i.test(plain)) return 'html'
  if (fingerprinted) return 'fingerprinted'
  return staysOnPageOrigin(plain) || /manifest[^/]*\.json$/i.test(plain) ? 'manifest' : 'asset'
}

/** Seconds for which browsers or shared caches may use a response unasked; `immutable` alone counts for nothing (RFC 9111, RFC 8246). */
function maxAge(cacheControl: string): number {
  const seconds = [...cacheControl.matchAll(/\b(?:s-maxage|max-age)\s*=\s*"?(\d+)/gi)].map((match) => Number(match[1]))
  return /\bno-(cache|store)\b/i.test(cacheControl) ? 0 : Math.max(0, ...seconds)
}
