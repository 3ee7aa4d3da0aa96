import { extname } from 'node:path/posix'
// Takes milliseconds to load, because it ranks the types of 1,200 endings. Adapters load this file while the bundler works.
import { contentType as registeredType } from 'mime-types'
import type { ObjectParameters } from '../bucket/bucket.js'
import { several } from '../runtime/printable.js'
import type { Settings } from '../settings/settings.js'
import { isServiceWorker, staysOnPageOrigin } from '../urls/same-origin.js'
import type { BuiltFile, Group } from './built-file.js'
import { secondsWithoutRevalidation } from './cache-control.js'
import type { Collected, LeftOut, Output } from './collect.js'
import { matcher, unmatchedGlobs } from './globs.js'
import { fileName, isChoice, whyLeftOut } from './why-left-out.js'

export interface ClassifiedFile extends Pick<BuiltFile, 'path' | 'dir'> {
  key: string
  group: Group
  parameters: ObjectParameters
}

/** A left-out file that the bundler emitted. */
export interface WithheldFile extends LeftOut, Pick<BuiltFile, 'fingerprinted'> {}

export interface Classified {
  files: readonly ClassifiedFile[]
  leftOut: LeftOut[]
  /** The left-out files that the bundler emitted. */
  withheld: WithheldFile[]
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
  outputs: readonly Pick<Output, 'namedDotfiles' | 'emittedOnly'>[] = [],
): Classified {
  const reasonFor = whyLeftOut(policy, outputs)
  const allPaths = [...collected.files, ...collected.leftOut].map(({ path }) => path)
  const parametersOf = parametersBy(policy, new Set(allPaths))
  const prefix = policy.location === '' ? '' : `${policy.location}/`
  const files: ClassifiedFile[] = []
  const leftOut = [...collected.leftOut]
  const problems: string[] = []
  const withheld: WithheldFile[] = []
  const ignored: string[] = []
  const lasting: string[] = []
  for (const file of collected.files) {
    const { path, dir } = file
    const reason = reasonFor(path, file)
    if (reason !== undefined) {
      leftOut.push(isChoice(reason) || file.emitted ? { path, reason } : { path, reason, byName: true })
      if (file.emitted) withheld.push({ path, reason, fingerprinted: file.fingerprinted })
      continue
    }
    const key = prefix + path
    const group = groupOf(file)
    const { parameters, ignoresCacheControl } = parametersOf(path, group)
    if (ignoresCacheControl) ignored.push(path)
    if (group === 'html' && secondsWithoutRevalidation(String(parameters.CacheControl)) > 86_400) lasting.push(path)
    problems.push(...problemsOf(path, key))
    files.push({ path, dir, key, group, parameters })
  }
  // Several builds may share the settings: a glob can be meant for another build's files.
  const isPart = outputs.some(({ emittedOnly }) => emittedOnly)
  const unmatched = isPart ? [] : unmatchedGlobs(globsOf(policy), allPaths)
  if (!isPart && files.length === 0 && leftOut.some(({ reason }) => isChoice(reason))) {
    return { files, leftOut, withheld, problems: [nothingLeft(policy, unmatched)], warnings: [] }
  }
  const warnings: string[] = []
  if (unmatched.length > 0 && allPaths.length > 0) warnings.push(`no file matches ${unmatched.join(', ')}`)
  if (ignored.length > 0) {
    warnings.push(
      `CacheControl ${JSON.stringify(policy.objectParameters.CacheControl)} is not used for ${several(ignored)}, whose names are not ` +
        'fingerprinted: browsers would keep old files that long. A rule can change that.',
    )
  }
  if (lasting.length > 0) {
    warnings.push(
      `${several(lasting)}: caches may show this page for more than a day after a deploy, by a rule or cacheControl.other`,
    )
  }
  return { files, leftOut, withheld, problems, warnings }
}

/** The globs of each setting. */
function globsOf({ include, exclude, rules }: Policy): Record<string, readonly string[]> {
  const matches = rules.map(({ match }, i) => [`rules[${i}].match`, match])
  return { include, exclude, ...Object.fromEntries(matches) }
}

function nothingLeft({ include, exclude }: Policy, unmatched: readonly string[]): string {
  const settings = Object.entries({ include, exclude }).filter(([, globs]) => globs.length > 0)
  const named = settings.map(([name, globs]) => `${name} ${JSON.stringify(globs)}`)
  const subject = named.length > 1 ? `${named.join(' and ')} leave` : `${named[0]} leaves`
  if (unmatched.length > 0) return `${subject} nothing to upload: no file matches ${unmatched.join(', ')}`
  return `${subject} nothing to upload: ${named.length > 1 ? 'exclude beats include, so name' : 'name'} fewer files`
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
function parametersBy(policy: Policy, paths: ReadonlySet<string>): (path: string, group: Group) => FileParameters {
  const rules = policy.rules.map(({ match, parameters }) => ({ matches: matcher(match), parameters }))
  const shared = new Map<string, FileParameters>()
  return (path, group) => {
    const matching = rules.flatMap(({ matches }, i) => (matches(path) ? [i] : []))
    const ruled = (): ObjectParameters => Object.assign({}, ...matching.map((i) => rules[i]?.parameters))
    const givenEncoding = () => ({ ...policy.objectParameters, ...ruled() }).ContentEncoding
    const content = contentHeaders(path, paths, givenEncoding)
    const id = `${group} ${matching} ${Object.values(content)}`
    const known = shared.get(id)
    if (known) return known
    const made = fileParameters(policy, group, content, ruled())
    shared.set(id, made)
    return made
  }
}

function fileParameters(
  policy: Policy,
  group: Group,
  content: ObjectParameters,
  ruled: ObjectParameters,
): FileParameters {
  const { CacheControl, ...others } = policy.objectParameters
  const goesStale =
    group !== 'fingerprinted' && typeof CacheControl === 'string' && secondsWithoutRevalidation(CacheControl) > 3600
  const parameters = {
    CacheControl: group === 'fingerprinted' ? policy.cacheControl.fingerprinted : policy.cacheControl.other,
    ...content,
    ...others,
    ...(CacheControl === undefined || goesStale ? {} : { CacheControl }),
    ...ruled,
  }
  return { parameters, ignoresCacheControl: goesStale && ruled.CacheControl === undefined }
}

/** Encodings by the ending of a compressed copy. */
const encodings: Record<string, string> = { '.gz': 'gzip', '.br': 'br', '.zst': 'zstd' }

/**
 * A compressed copy beside its original gets the original's type and a Content-Encoding: a CDN can then serve it. Without the original, it is
 * an archive to download, unless a rule names its encoding.
 */
function contentHeaders(path: string, paths: ReadonlySet<string>, givenEncoding: () => unknown): ObjectParameters {
  const ending = extname(path)
  if (ending.toLowerCase() === '.svgz') return { ContentType: contentType(path), ContentEncoding: 'gzip' }
  const encoding = encodings[ending]
  const original = path.slice(0, path.length - ending.length)
  if (encoding !== undefined && (paths.has(original) || givenEncoding() === encoding)) {
    return { ContentType: contentType(original), ContentEncoding: encoding }
  }
  return { ContentType: contentType(path) }
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

function groupOf({ path, fingerprinted }: BuiltFile): Group {
  // A page's compressed copy goes with the page.
  const plain = path.replace(/\.(br|gz|zst)$/, '')
  if (/\.(html?|xhtml)$/i.test(plain)) return 'html'
  if (fingerprinted) return 'fingerprinted'
  if (isServiceWorker(plain)) return 'service worker'
  return staysOnPageOrigin(plain) || /manifest[^/]*\.json$/i.test(plain) ? 'manifest' : 'asset'
}
