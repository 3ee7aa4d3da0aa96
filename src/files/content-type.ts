import { extname } from 'node:path/posix'
// Ranks the types of 1,200 endings while it is loaded. A deploy loads this file while the bundler works (see deploy.ts).
import { contentType as registeredType } from 'mime-types'
import { fileName } from './why-left-out.js'

/** The Content-Type of a file, by its name. */
export function contentType(path: string): string {
  // https://developer.apple.com/documentation/xcode/supporting-associated-domains
  if (fileName(path) === 'apple-app-site-association') return 'application/json; charset=utf-8'
  const ending = extname(path).toLowerCase()
  // Browsers run no script of the type in the registry, application/node.
  if (ending === '.cjs') return 'text/javascript; charset=utf-8'
  return registeredType(ending) || 'application/octet-stream'
}
