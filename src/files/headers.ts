import { extname } from 'node:path/posix'
// Takes milliseconds to load, because it ranks the types of 1,200 endings. Adapters load this file while the bundler works.
import { contentType as registeredType } from 'mime-types'
import type { ObjectParameters } from '../bucket/bucket.js'
import type { Settings } from '../settings/settings.js'
import { fileName, type Group } from './built-file.js'
import { secondsWithoutRevalidation } from './cache-lifetime.js'
import { matcher } from './globs.js'

export type HeaderPolicy = Pick<Settings, 'cacheControl' | 'objectParameters' | 'rules' | 'compress'>

interface FileHeaders {
  parameters: ObjectParameters
  /** True if the CacheControl of all objects would make this one stale. */
  ignoresCacheControl: boolean
  /** True if the file is to be stored as gzip. */
  compress: boolean
}

/**
 * Types that only pages load, as in django-storages' GZIP_CONTENT_TYPES, and WebAssembly. S3 sends gzip to every client: HTML, JSON, XML and plain text
 * are also read by programs that decode none.
 */
const gzippedTypes = /^(text\/(css|javascript)|application\/(x-)?javascript|application\/wasm|image\/svg\+xml)\s*(;|$)/i

/** Files with the same headers share one object: a site has few sets of headers, and perhaps 100,000 files. */
export function headersBy(
  policy: HeaderPolicy,
  paths: ReadonlySet<string>,
): (path: string, group: Group) => FileHeaders {
  const rules = policy.rules.map(({ match, parameters }) => ({ matches: matcher(match), parameters }))
  const shared = new Map<string, FileHeaders>()
  return (path, group) => {
    const matching = rules.flatMap(({ matches }, i) => (matches(path) ? [i] : []))
    const ruled = (): ObjectParameters => Object.assign({}, ...matching.map((i) => rules[i]?.parameters))
    const givenEncoding = () => ({ ...policy.objectParameters, ...ruled() }).ContentEncoding
    const content = contentHeaders(path, paths, givenEncoding)
    const id = `${group} ${matching} ${Object.values(content)}`
    const known = shared.get(id)
    if (known) return known
    const made = fileHeaders(policy, group, content, ruled())
    shared.set(id, made)
    return made
  }
}

function fileHeaders(
  policy: HeaderPolicy,
  group: Group,
  content: ObjectParameters,
  ruled: ObjectParameters,
): FileHeaders {
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
  const { ContentType, ContentEncoding }: ObjectParameters = parameters
  return {
    parameters,
    ignoresCacheControl: goesStale && ruled.CacheControl === undefined,
    compress: policy.compress && ContentEncoding === undefined && gzippedTypes.test(String(ContentType)),
  }
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
  const type = types.get(ending) ?? (registeredType(ending) || 'application/octet-stream')
  types.set(ending, type)
  return type
}

/** A cache, because a lookup takes longer than the rest of a file's classification. */
const types = new Map<string, string>()
