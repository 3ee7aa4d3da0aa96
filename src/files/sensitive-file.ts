import { readFileSync, statSync } from 'node:fs'
import * as zlib from 'node:zlib'
import { smallBytes } from '../bucket/bucket.js'
import { orUndefined } from '../runtime/or-undefined.js'
import { readSmall } from './read-file.js'

/** A kind of file that visitors need not see. The name suggests it, and the content decides. */
export type SensitiveKind = 'private key' | 'source map'

/**
 * The kind of a file whose name suggests one. Other files are not opened.
 *
 * @param names the file's own name, and its link target's
 */
export function sensitiveKind(file: string, names: readonly string[]): SensitiveKind | undefined {
  const [ending] = names.flatMap((name) => compressedEnding.exec(name)?.[1]?.toLowerCase() ?? [])
  const inner = names.map((name) => name.replace(compressedEnding, ''))
  const mayBeKey = inner.some((name) => keyName.test(name))
  const mayBeMap = names.some((name) => name.endsWith('.map') && !isSourceMapByName(name))
  if (!mayBeKey && !mayBeMap) return undefined
  if (mayBeKey && ending !== undefined) return isPublicCopy(file, ending, inner) ? undefined : 'private key'
  const memory = Buffer.allocUnsafe(smallBytes)
  const whole = readSmall(file, memory)
  const head = whole ?? memory
  if (mayBeKey && !isPublic(head, names)) return 'private key'
  // A private key may follow many certificates.
  if (mayBeKey && !whole && isPublicText(head) && !isPublicText(readFileSync(file))) return 'private key'
  return mayBeMap && sourceMap.test(head.toString('latin1', 0, 1000)) ? 'source map' : undefined
}

/** Private keys have too many formats to list, some without any mark. So a file counts as public only if its format is. */
function isPublic(content: Buffer, names: readonly string[]): boolean {
  if (isPublicText(content) || isPublicDer(content)) return true
  if (content.toString('latin1').trim() === '') return true
  // Keynote's presentations are ZIP archives.
  if (names.every((name) => /\.key$/i.test(name)) && content.indexOf('PK\x03\x04', 0, 'latin1') === 0) return true
  return names.every((name) => !keyName.test(name) || webFile.test(name)) && !content.includes(privateBlock)
}

const compressedEnding = /\.(gz|br|zst)$/i
/** Bytes. No private key is as large. */
const largestCopy = 4 * 1024 * 1024
const maxOutputLength = 32 * 1024 * 1024

type Decompress = (bytes: Buffer, options: { maxOutputLength: number }) => Buffer
const functions: Record<string, string> = { gz: 'gunzipSync', br: 'brotliDecompressSync', zst: 'zstdDecompressSync' }

/** A copy that cannot be opened may contain a private key. */
function isPublicCopy(file: string, ending: string, names: readonly string[]): boolean {
  if (statSync(file).size > largestCopy) return true
  // Node 20 has no zstd.
  const decompress = (zlib as unknown as Record<string, Decompress | undefined>)[functions[ending] ?? '']
  const content = orUndefined(() => decompress?.(readFileSync(file), { maxOutputLength }))
  return content !== undefined && isPublic(content, names)
}

/** True for text with public blocks only, or with SSH's public keys only. */
function isPublicText(content: Buffer): boolean {
  const text = content.toString('latin1')
  if (text.includes('\0') || privateText.test(text)) return false
  const blocks = [...text.matchAll(/-{4,5} ?BEGIN ([^-\r\n]*)/g)].map(([, type = '']) => type.trim())
  if (blocks.length > 0) return blocks.every((type) => publicBlock.test(type))
  const lines = text.split('\n').filter((line) => !/^\s*(#|$)/.test(line))
  return (lines.length > 0 && lines.every((line) => sshPublicKey.test(line))) || elevations.test(text)
}

/** True for the source map of a script or stylesheet, compressed or not. */
export function isSourceMapByName(name: string): boolean {
  return /\.([cm]?[jt]sx?|css)\.map$|\.map\.(gz|br|zst)$/.test(name)
}

const keyName =
  /\.(pem|key|pk8|p8|p12|pfx|der|jks|keystore|ppk|asc)(\.(old|bak|orig)|~)?$|^id_(rsa|dsa|ecdsa|ed25519)|^ssh_host_\w+_key$/i

/** Files such as `id_rsaurus.png`. */
const webFile =
  /^id_.*\.(html?|[cm]?js|css|svg|png|jpe?g|gif|webp|avif|ico|mp[34]|webm|woff2?)(\.map)?(\.(gz|br|zst))?$/i

const privateBlock = 'PRIVATE KEY'
const privateText = /PRIVATE KEY|SECRET-KEY|privateExponent|^priv:/m
const publicBlock =
  /^([\w ]*CERTIFICATE( REQUEST)?|[\w ]*PUBLIC KEY( BLOCK)?|(X509 )?CRL|PKCS7|PGP SIGNATURE|PGP SIGNED MESSAGE|[\w. ]*PARAMETERS)$/
const sshPublicKey = /^(ssh|ecdsa|sk)-[\w.@-]+ AAAA/
/** Esri's grids of elevations end in `.asc` as well. */
const elevations = /^\s*ncols\s+\d+\s+nrows\s+\d/i

/** Source maps begin with their version. */
const sourceMap = /^(\)\]\}'.*\n)?\s*\{\s*"version"\s*:\s*3\b/

/** True if the bytes begin as a certificate, a request for one, a revocation list or a public key in DER. */
function isPublicDer(bytes: Buffer): boolean {
  const outer = valueAt(bytes, 0)
  if (outer?.tag !== sequence) return false
  const members = valuesIn(bytes, outer)
  const [first] = members
  const tags = tagsOf(members)
  // PKCS#1: modulus and exponent.
  if (tags === '02 02') return true
  if (first?.tag !== sequence) return false
  const inner = tagsOf(valuesIn(bytes, first))
  // Algorithm and key. A private key in this place is an octet string.
  if (tags === '30 03') return inner.startsWith('06')
  // Certificate: version, serial number, algorithm, issuer, dates, subject. Revocation list: version, algorithm, issuer, date.
  // Request: version, subject, key, attributes.
  return /^(a0 )?02 30 30 30 30|^(02 )?30 30 1[78]|^02 30 30 a0/.test(inner)
}

interface Value {
  tag: number
  begin: number
  end: number
}

const sequence = 0x30

function valueAt(bytes: Buffer, at: number): Value | undefined {
  const tag = bytes[at]
  const length = bytes[at + 1]
  if (tag === undefined || length === undefined) return undefined
  const begin = at + 2
  if (length < 0x80) return { tag, begin, end: begin + length }
  const size = length - 0x80
  // Zero stands for an unknown length, which DER does not allow.
  if (size === 0 || size > 4 || begin + size > bytes.length) return undefined
  return { tag, begin: begin + size, end: begin + size + bytes.readUIntBE(begin, size) }
}

/** As many values as `tagsOf` needs. */
function valuesIn(bytes: Buffer, { begin, end }: Value): Value[] {
  const values: Value[] = []
  for (let at = begin; at < Math.min(end, bytes.length) && values.length < 8; at = values.at(-1)?.end ?? end) {
    const value = valueAt(bytes, at)
    if (!value || value.end > end) return values
    values.push(value)
  }
  return values
}

function tagsOf(values: readonly Value[]): string {
  return values.map(({ tag }) => tag.toString(16).padStart(2, '0')).join(' ')
}
