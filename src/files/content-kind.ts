import { smallBytes } from '../bucket/bucket.js'
import { readSmall } from './read-file.js'

/** A kind of file that only the content proves. */
export type ContentKind = 'private key' | 'source map'

/**
 * The kind of a file whose name suggests one. Other files are not opened.
 *
 * @param names the file's own name, and its link target's
 */
export function contentKind(file: string, names: readonly string[]): ContentKind | undefined {
  const mayBeKey = names.some((name) => keyName.test(name))
  const mayBeMap = names.some((name) => name.endsWith('.map') && !isSourceMapByName(name))
  if (!mayBeKey && !mayBeMap) return undefined
  const memory = Buffer.allocUnsafe(smallBytes)
  const text = (readSmall(file, memory) ?? memory).toString('latin1')
  if (mayBeKey && privateKeys.some((pattern) => pattern.test(text))) return 'private key'
  return mayBeMap && sourceMap.test(text.slice(0, 1000)) ? 'source map' : undefined
}

/** True for the source map of a script or stylesheet, compressed or not. */
export function isSourceMapByName(name: string): boolean {
  return /\.([cm]?[jt]sx?|css)\.map$|\.map\.(gz|br|zst)$/.test(name)
}

const keyName =
  /\.(pem|key|pk8|p8|p12|pfx|der|jks|keystore|ppk|asc)(\.(old|bak|orig)|~)?$|^id_(rsa|dsa|ecdsa|ed25519)|^ssh_host_\w+_key$/i

const privateKeys = [
  // PKCS#1, PKCS#8, SEC 1, OpenSSH, PGP, SSH2
  /^[ \t]*-{4,5} ?BEGIN [\w ]*PRIVATE KEY/m,
  /^PuTTY-User-Key-File-/,
  // Java's keystores: JKS and JCEKS
  /^(\xfe\xed\xfe\xed|\xce\xce\xce\xce)/,
  // DER: a sequence that begins with a key's version (0, 1), PKCS#12's (3) or the name of an encryption. A certificate begins with none of these.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: bytes of a binary file
  /^0(?:[\0-\x80]|\x81.|\x82.{2}|\x83.{3})(?:\x02\x01[\0\x01\x03]|0.\x06.\*\x86H\x86\xf7\r\x01[\x05\x0c])/s,
  // A bare key of an application, a VPN or age: one line of base64 or hex.
  /^\s*[\w+/-]{16,200}={0,2}\s*$/,
]

/** Source maps begin with their version. */
const sourceMap = /^(\)\]\}'.*\n)?\s*\{\s*"version"\s*:\s*3\b/
