import { extname } from 'node:path/posix'
import mime from 'mime-types'
import picomatch from 'picomatch'
import type { ObjectParameters } from './bucket.js'
import type { BuiltFile, Collected, LeftOut } from './collect.js'
import type { Settings } from './settings.js'

/**
 * In the order of their upload: what is referred to comes before what refers to it, so that a page never points at something that
 * isn't there yet.
 */
export const groups = ['fingerprinted', 'asset', 'manifest', 'html'] as const
export type Group = (typeof groups)[number]

export interface ClassifiedFile extends BuiltFile {
  key: string
  group: Group
  parameters: ObjectParameters
}

export interface Classified {
  files: ClassifiedFile[]
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
export function classify(collected: Collected, policy: Policy): Classified {
  const whyHome = staysHome(policy)
  const rules = policy.rules.map(({ match, parameters }) => ({ matches: matcher(match), parameters }))

  const result: Classified = { files: [], leftOut: [...collected.leftOut], problems: [], warnings: [] }
  const keptFresh: string[] = []
  for (const file of collected.files) {
    const reason = whyHome(file.path)
    if (reason !== undefined) {
      result.leftOut.push({ path: file.path, reason })
      continue
    }
    const key = policy.location === '' ? file.path : `${policy.location}/${file.path}`
    const bytes = Buffer.byteLength(key)
    // https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
    if (bytes > 1024) result.problems.push(`${file.path}: its key has ${bytes} bytes, and S3 takes 1,024 at most`)

    const group = groupOf(file)
    const { CacheControl, ...parameters } = policy.objectParameters
    const goesStale = group !== 'fingerprinted' && typeof CacheControl === 'string' && maxAge(CacheControl) > 3600
    if (goesStale) keptFresh.push(file.path)
    result.files.push({
      ...file,
      key,
      group,
      parameters: Object.assign(
        {
          CacheControl: group === 'fingerprinted' ? policy.cacheControl.fingerprinted : policy.cacheControl.other,
          ContentType: contentType(file.path),
        },
        parameters,
        CacheControl === undefined || goesStale ? {} : { CacheControl },
        ...rules.filter(({ matches }) => matches(file.path)).map((rule) => rule.parameters),
      ),
    })
  }
  if (keptFresh.length > 0) {
    result.warnings.push(
      `CacheControl ${JSON.stringify(policy.objectParameters.CacheControl)} is not used for ${keptFresh.length} files whose names ` +
        `are not fingerprinted (${keptFresh[0]}, …), since visitors would see old ones that long. A rule can say otherwise.`,
    )
  }
  return result
}

/** Why a file isn't uploaded, or undefined for one that is. */
export function staysHome({
  include,
  exclude,
  sourceMaps,
}: Pick<Policy, 'include' | 'exclude' | 'sourceMaps'>): (path: string) => string | undefined {
  const included = include.length > 0 ? matcher(include) : () => true
  const excluded = matcher(exclude)
  return (path) => {
    if (!included(path)) return 'not included'
    return reasonToStayHome(path, sourceMaps) ?? (excluded(path) ? 'excluded' : undefined)
  }
}

function matcher(globs: readonly string[]): (path: string) => boolean {
  if (globs.length === 0) return () => false
  const matchers = globs.map((glob) => {
    // A glob without a slash means the file's name in any folder, as in .gitignore.
    const matches = picomatch(glob.replace(/^\.?\//, ''), { dot: true })
    return glob.includes('/') ? matches : (path: string) => matches(fileName(path))
  })
  return (path) => matchers.some((matches) => matches(path))
}

function reasonToStayHome(path: string, sourceMaps: Policy['sourceMaps']): string | undefined {
  const hidden = path.split('/').find((segment) => segment.startsWith('.') && segment !== '.well-known')
  if (hidden !== undefined) return 'dotfile'
  const name = fileName(path)
  if (/\.(pem|key|p12|pfx|jks|keystore|ppk)$/i.test(name) || /^id_(rsa|dsa|ecdsa|ed25519)\b(?!\.pub)/.test(name))
    return 'private key'
  if (sourceMaps === 'exclude' && /\.map(\.(gz|br|zst))?$/.test(name)) return 'source map'
  // Under the names that webpack, rollup-plugin-visualizer and webpack-bundle-tracker give them.
  if (/^(stats\.(json|html)|webpack-stats\.json)$/.test(path)) return 'bundle statistics'
  return undefined
}

function groupOf({ path, fingerprinted }: BuiltFile): Group {
  if (/\.(html?|xhtml)$/i.test(path)) return 'html'
  if (fingerprinted) return 'fingerprinted'
  return isServiceWorker(path) || isManifest(path) ? 'manifest' : 'asset'
}

/** By the names that PWA tools give them. */
export function isServiceWorker(path: string): boolean {
  return /^(.*[-_.])?(sw|service-?worker)([-_.].*)?\.m?js$/i.test(fileName(path))
}

export function isWebAppManifest(path: string): boolean {
  return /\.webmanifest$|^(site|app)?-?manifest([-.][\w-]+)?\.json$/i.test(fileName(path))
}

function isManifest(path: string): boolean {
  return (
    isWebAppManifest(path) || /manifest[^/]*\.json$/i.test(fileName(path)) || /^registerSW\.js$/.test(fileName(path))
  )
}

function contentType(path: string): string {
  const ending = extname(path)
  // https://developer.apple.com/documentation/xcode/supporting-associated-domains
  if (fileName(path) === 'apple-app-site-association') return 'application/json; charset=utf-8'
  // The registry's application/node is no type that a browser runs.
  if (ending === '.cjs') return 'text/javascript; charset=utf-8'
  return (ending !== '' && mime.contentType(ending)) || 'application/octet-stream'
}

/** Seconds for which browsers or shared caches may use a response unasked; `immutable` alone counts for nothing (RFC 9111, RFC 8246). */
function maxAge(cacheControl: string): number {
  const seconds = [...cacheControl.matchAll(/\b(?:s-maxage|max-age)\s*=\s*"?(\d+)/gi)].map((match) => Number(match[1]))
  return /\bno-(cache|store)\b/i.test(cacheControl) ? 0 : Math.max(0, ...seconds)
}

function fileName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
