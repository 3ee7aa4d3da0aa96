import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib'
import { orUndefined } from '../runtime/or-undefined.js'

export interface PublicRequest {
  method: 'GET' | 'HEAD'
  url: URL
  headers: Record<string, string>
}

export interface PublicResponse {
  status: number
  /** By lower-case names. */
  headers: Record<string, string>
  body: Buffer
}

/** Sends a request without credentials. */
export type Send = (request: PublicRequest) => Promise<PublicResponse>

/** The response that a page gets. */
export interface Fetched extends PublicResponse {
  /** After redirects. */
  url: URL
  /** The first response, redirects included, that a page of this origin may not use. */
  refusal: { url: URL; allows: string | undefined } | undefined
}

/** As in browsers: https://fetch.spec.whatwg.org/#http-redirect-fetch */
const mostRedirects = 20

/**
 * Fetches a file as a module script of a page: with `Origin`, and along redirects. Each redirect needs Access-Control-Allow-Origin too.
 */
export async function fetchAsPage(start: URL, origin: string, send: Send): Promise<Fetched> {
  let refusal: Fetched['refusal']
  let sent = origin
  let url = start
  for (let redirects = 0; ; redirects++) {
    const headers = { accept: '*/*', 'accept-encoding': 'gzip, deflate, br', origin: sent }
    const response = await send({ method: 'GET', url, headers })
    const allows = response.headers['access-control-allow-origin']
    if (allows !== '*' && allows !== sent) refusal ??= { url, allows }
    const next = redirects < mostRedirects ? redirectOf(response, url) : undefined
    if (!next) return { ...response, url, refusal }
    // After a redirect from one foreign origin to another, a browser sends `Origin: null`.
    if (url.origin !== origin && next.origin !== url.origin) sent = 'null'
    url = next
  }
}

function redirectOf({ status, headers: { location } }: PublicResponse, url: URL): URL | undefined {
  const isRedirect = [301, 302, 303, 307, 308].includes(status) && location !== undefined
  const next = isRedirect && URL.canParse(location, url) ? new URL(location, url) : undefined
  return next && /^https?:$/.test(next.protocol) ? next : undefined
}

const decoders: Record<string, (bytes: Buffer) => Buffer> = {
  br: brotliDecompressSync,
  deflate: inflateSync,
  gzip: gunzipSync,
  'x-gzip': gunzipSync,
}

/** The body without its Content-Encoding; undefined if it can't be decoded. */
export function decoded({ headers, body }: PublicResponse): Buffer | undefined {
  const encodings = (headers['content-encoding'] ?? '').toLowerCase().split(/[\s,]+/)
  return orUndefined(() =>
    encodings
      .filter((name) => name !== '' && name !== 'identity')
      .reduceRight((bytes, name) => (decoders[name] as (bytes: Buffer) => Buffer)(bytes), body),
  )
}

/** The reason why there is no response. */
export function reasonOf(error: unknown): string {
  const { code, name, message } = error as NodeJS.ErrnoException
  if (name === 'TimeoutError') return 'no response in time'
  return typeof code === 'string' ? code : message
}
