import type { ObjectParameters } from '../bucket/bucket.js'
import { several } from '../runtime/printable.js'
import type { Settings } from '../settings/settings.js'
import { prefixOf } from '../urls/paths.js'
import { isServiceWorker, staysOnPageOrigin } from '../urls/same-origin.js'
import { type BuiltFile, type Group, type LeftOut, releaseFile } from './built-file.js'
import { secondsWithoutRevalidation } from './cache-lifetime.js'
import type { Collected, Output } from './collect.js'
import { unmatchedGlobs } from './globs.js'
import { type HeaderPolicy, headersBy } from './headers.js'
import { isChoice, whyLeftOut } from './why-left-out.js'

export interface ClassifiedFile extends Pick<BuiltFile, 'path' | 'dir'> {
  key: string
  group: Group
  parameters: ObjectParameters
  /** True if the file is to be stored as gzip, without a Content-Encoding among its parameters. */
  compress?: boolean | undefined
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

type Policy = HeaderPolicy & Pick<Settings, 'location' | 'include' | 'exclude' | 'sourceMaps'>

/** Gives each file its key, group and headers, and leaves out the files that must not be uploaded. */
export function classify(
  collected: Collected,
  policy: Policy,
  outputs: readonly Pick<Output, 'namedDotfiles' | 'emittedOnly'>[] = [],
): Classified {
  const reasonFor = whyLeftOut(policy, outputs)
  const allPaths = [...collected.files, ...collected.leftOut].map(({ path }) => path)
  const headersFor = headersBy(policy, new Set(allPaths))
  const byPath = new Map(policy.compress ? collected.files.map((file) => [file.path, file]) : [])
  // The original's object holds the same bytes.
  const isTwin = (path: string) => {
    const original = path.endsWith('.gz') ? byPath.get(path.slice(0, -'.gz'.length)) : undefined
    const isUploaded = original && reasonFor(original.path, original) === undefined
    return isUploaded === true && headersFor(original.path, groupOf(original)).compress
  }
  const prefix = prefixOf(policy.location)
  const files: ClassifiedFile[] = []
  const leftOut = [...collected.leftOut]
  const problems: string[] = []
  const withheld: WithheldFile[] = []
  const ignored: string[] = []
  const lasting: string[] = []
  for (const file of collected.files) {
    const { path, dir } = file
    const reason = reasonFor(path, isTwin(path) ? { ...file, isTwin: true } : file)
    if (reason !== undefined) {
      const isKnown = isChoice(reason) || reason === 'compressed copy' || file.emitted
      leftOut.push(isKnown ? { path, reason } : { path, reason, byName: true })
      if (file.emitted) withheld.push({ path, reason, fingerprinted: file.fingerprinted })
      continue
    }
    const key = prefix + path
    const group = groupOf(file)
    const { parameters, ignoresCacheControl, compress } = headersFor(path, group)
    if (ignoresCacheControl) ignored.push(path)
    if (group === 'html' && secondsWithoutRevalidation(String(parameters.CacheControl)) > 86_400) lasting.push(path)
    problems.push(...nameProblems(path, key))
    files.push({ path, dir, key, group, parameters, compress })
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

/** Why a file cannot have its name in the bucket. */
export function nameProblems(path: string, key: string): string[] {
  const problems: string[] = []
  if (leadsOut(path)) problems.push(`${path}: its name leads out of the location on some servers`)
  const bytes = Buffer.byteLength(key)
  // https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
  if (bytes > 1024) problems.push(`${path}: its key has ${bytes} bytes, and S3 takes 1,024 at most`)
  return problems
}

/** True if the path leaves the location for a server or browser that reads `%2e` as a dot, or a backslash as a slash. */
function leadsOut(path: string): boolean {
  return /(^|[\\/])(\.|%2e){1,2}([\\/]|$)/i.test(path) || /^[\\/]|[\\/]{2}/.test(path)
}

export function groupOf({ path, fingerprinted }: Pick<BuiltFile, 'path' | 'fingerprinted'>): Group {
  // A page's compressed copy goes with the page.
  const plain = path.replace(/\.(br|gz|zst)$/, '')
  if (/\.(html?|xhtml)$/i.test(plain)) return 'html'
  if (fingerprinted) return 'fingerprinted'
  if (path === releaseFile) return 'release file'
  if (isServiceWorker(plain)) return 'service worker'
  return staysOnPageOrigin(plain) || /(manifest[^/]*|(^|\/)staticfiles)\.json$/i.test(plain) ? 'manifest' : 'asset'
}
