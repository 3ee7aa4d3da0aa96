import { hash } from 'node:crypto'
import { decoded, type Fetched } from './page-fetch.js'
import type { PageOrigin } from './page-origin.js'

/** The response that a visitor must get for an uploaded file. */
export interface PublicFile {
  url: string
  /** Hex. */
  sha256: string
  contentType: string
  /** True if a CDN may keep it without asking the bucket. */
  isKept: boolean
}

/** A reason why visitors can't use a file. */
export type Problem =
  | { kind: 'status'; url: string; status: number; code: string | undefined }
  | { kind: 'bytes'; url: string; contentType: string }
  | { kind: 'type'; url: string; contentType: string; uploaded: string }
  | { kind: 'cors'; url: string; allows: string | undefined }

/** Compares a response with the file that was uploaded. A wrong status or wrong bytes hide the other problems. */
export function problemsOf(file: PublicFile, fetched: Fetched, page: PageOrigin): Problem[] {
  const { status, headers, body, refusal } = fetched
  const url = fetched.url.href === file.url ? file.url : `${file.url} (redirected to ${fetched.url.href})`
  const contentType = headers['content-type'] ?? ''
  if (status !== 200) {
    const code = /<Code>([\w.]+)<\/Code>/.exec(body.toString('latin1', 0, 2048))?.[1]
    return [{ kind: 'status', url, status, code }]
  }
  // The uploaded bytes may be compressed themselves.
  const isSame = [body, decoded(fetched)].some((bytes) => bytes && hash('sha256', bytes) === file.sha256)
  if (!isSame) return [{ kind: 'bytes', url, contentType }]
  const problems: Problem[] = []
  if (essence(contentType) !== essence(file.contentType)) {
    problems.push({ kind: 'type', url, contentType, uploaded: file.contentType })
  }
  if (refusal && !mayAllowOthers(refusal.allows, headers, page)) {
    problems.push({ kind: 'cors', url, allows: refusal.allows })
  }
  return problems
}

/** True if the store may allow a page's real origin, but not the origin sent. Browsers never accept two values. */
function mayAllowOthers(allows: string | undefined, headers: Fetched['headers'], { isCertain }: PageOrigin): boolean {
  if (isCertain || allows?.includes(',')) return false
  return allows !== undefined || /\borigin\b/i.test(headers.vary ?? '')
}

/** A media type without its parameters. All types of JavaScript count as one. */
function essence(contentType: string): string {
  const type = contentType.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  return /^(text|application)\/(x-)?(java|ecma)script$/.test(type) ? 'text/javascript' : type
}
