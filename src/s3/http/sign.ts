import { createHmac, hash } from 'node:crypto'
import type { Credentials } from '../../settings/settings.js'

export interface SignedPart {
  method: string
  /** Encoded once, as sent. */
  path: string
  /** As sent: encoded and sorted. */
  query: string
  /** With lower-case names, including `host`. */
  headers: Readonly<Record<string, string>>
  /** SHA-256 of the body, hex. */
  payloadHash: string
}

export interface SigningScope {
  date: Date
  /** Of AWS: `s3`, `cloudfront`. */
  service: string
  region: string
  credentials: Credentials
}

/** The SDK leaves these headers unsigned: a proxy may change or drop them. */
const UNSIGNED =
  /^(?:authorization|cache-control|connection|expect|from|keep-alive|max-forwards|pragma|referer|te|trailer|transfer-encoding|upgrade|user-agent|x-amzn-trace-id|proxy-.*|sec-.*)$/

/**
 * Returns the request's headers, and those of an AWS Signature Version 4. The latter replace headers of the same name.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */
export function sign(request: SignedPart, signing: SigningScope): Record<string, string> {
  const { date, service, region, credentials } = signing
  const { accessKeyId, sessionToken } = credentials
  const { method, path, query, payloadHash } = request
  const time = `${date.toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`
  const headers: Record<string, string> = Object.assign({}, request.headers)
  headers['x-amz-date'] = time
  headers['x-amz-content-sha256'] = payloadHash
  if (sessionToken) headers['x-amz-security-token'] = sessionToken

  const names = Object.keys(headers)
    .filter((name) => !UNSIGNED.test(name))
    .sort()
  let lines = ''
  for (const name of names) lines += `${name}:${oneLine(headers[name] as string)}\n`
  const signed = names.join(';')
  const canonical = `${method}\n${path}\n${query}\n${lines}\n${signed}\n${payloadHash}`

  const day = time.slice(0, 8)
  const scope = `${day}/${region}/${service}/aws4_request`
  const text = `AWS4-HMAC-SHA256\n${time}\n${scope}\n${hash('sha256', canonical)}`
  const signature = createHmac('sha256', signingKey(signing, day)).update(text).digest('hex')
  headers.authorization = `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${signed}, Signature=${signature}`
  return headers
}

export function queryString(query: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(query).map(([name, value]) => [encode(name), encode(value)] as const)
  return pairs
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

/** RFC 3986 reserves more characters than `encodeURIComponent` encodes. */
export function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`)
}

/** Slashes stay. */
export function encodeKey(path: string): string {
  return encode(path).replaceAll('%2F', '/')
}

function oneLine(value: string): string {
  // Most values are one line already.
  return /^ | {2}| $|[\t\r\n]/.test(value) ? value.replace(/[ \t\r\n]+/g, ' ').replace(/^ | $/g, '') : value
}

let derived: { secret: string; day: string; region: string; service: string; key: Buffer } | undefined

/** Cached, since the key stays the same all day. */
function signingKey({ service, region, credentials: { secretAccessKey: secret } }: SigningScope, day: string): Buffer {
  const isCached =
    derived?.secret === secret && derived.day === day && derived.region === region && derived.service === service
  if (derived && isCached) return derived.key
  const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest()
  const key = [day, region, service, 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${secret}`) as Buffer
  derived = { secret, day, region, service, key }
  return key
}
