import { createRequire } from 'node:module'
import { extname } from 'node:path/posix'
import { fileName } from './selection.js'

const require = createRequire(import.meta.url)

const script = 'text/javascript; charset=utf-8'
const data = 'application/json; charset=utf-8'
const bytes = 'application/octet-stream'

/**
 * What most sites consist of, as mime-types has it. That reads and ranks the types of 1,200 endings when it is loaded, which is a tenth of the
 * CPU time of a deploy of a small site.
 */
export const commonTypes: ReadonlyMap<string, string> = new Map([
  ['.avif', 'image/avif'],
  ['.br', bytes],
  ['.css', 'text/css; charset=utf-8'],
  ['.csv', 'text/csv; charset=utf-8'],
  ['.eot', 'application/vnd.ms-fontobject'],
  ['.gif', 'image/gif'],
  ['.gz', 'application/gzip'],
  ['.htm', 'text/html; charset=utf-8'],
  ['.html', 'text/html; charset=utf-8'],
  ['.ico', 'image/vnd.microsoft.icon'],
  ['.jpeg', 'image/jpeg'],
  ['.jpg', 'image/jpeg'],
  ['.js', script],
  ['.json', data],
  ['.map', data],
  ['.mjs', script],
  ['.mp3', 'audio/mpeg'],
  ['.mp4', 'video/mp4'],
  ['.otf', 'font/otf'],
  ['.pdf', 'application/pdf'],
  ['.png', 'image/png'],
  ['.svg', 'image/svg+xml'],
  ['.ttf', 'font/ttf'],
  ['.txt', 'text/plain; charset=utf-8'],
  ['.wasm', 'application/wasm'],
  ['.webm', 'video/webm'],
  ['.webmanifest', 'application/manifest+json; charset=utf-8'],
  ['.webp', 'image/webp'],
  ['.woff', 'font/woff'],
  ['.woff2', 'font/woff2'],
  ['.xml', 'application/xml'],
])

/** By the ending, as far as they were looked up. */
const others = new Map<string, string>()

/** The Content-Type of a file, by its name. */
export function contentType(path: string): string {
  const ending = extname(path).toLowerCase()
  // https://developer.apple.com/documentation/xcode/supporting-associated-domains
  if (fileName(path) === 'apple-app-site-association') return data
  // The registry's application/node is no type that a browser runs.
  if (ending === '.cjs') return script
  if (ending === '') return bytes
  const known = commonTypes.get(ending) ?? others.get(ending)
  if (known !== undefined) return known
  const mime = require('mime-types') as typeof import('mime-types')
  const type = mime.contentType(ending) || bytes
  others.set(ending, type)
  return type
}
