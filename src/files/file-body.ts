import { createHash, hash } from 'node:crypto'
import { closeSync, fstatSync, openSync, readFileSync, statSync } from 'node:fs'
import { promisify } from 'node:util'
import { constants, gunzip, gzip } from 'node:zlib'
import type { Body, ObjectParameters, Pieces } from '../bucket/bucket.js'
import { smallBytes } from '../bucket/bucket.js'
import { StaticS3Error } from '../runtime/error.js'
import { orUndefined } from '../runtime/or-undefined.js'
import { fileOf } from './built-file.js'
import { contentOf, type HashedFile } from './hash.js'
import { piecesOf, readSmall } from './read-file.js'

/** A file's content for its upload, read for each attempt unless it is in memory. A file that changed since it was hashed is refused. */
export function bodyOfFile(file: HashedFile): Body {
  const { path, size, md5, sha256, content } = file
  return {
    size,
    md5,
    sha256,
    async open() {
      const readAgain = contentOf(file) === sha256 ? read : readCompressed
      const bytes = content ?? (await readAgain(file).catch((error) => throwReadError(path, error)))
      if (bytes) return bytes
      throw changed(path)
    },
  }
}

/** The MD5 of a file that was hashed without it: hex. */
export async function md5OfFile(file: HashedFile): Promise<string> {
  const content = await bodyOfFile(file).open()
  const md5 = createHash('md5')
  for await (const piece of content instanceof Uint8Array ? [content] : content) md5.update(piece)
  return md5.digest('hex')
}

function changed(path: string): StaticS3Error {
  return new StaticS3Error(`static-s3: ${path} changed while it was being uploaded; build again`)
}

function throwReadError(path: string, error: NodeJS.ErrnoException): never {
  if (error instanceof StaticS3Error) throw error
  const { code } = error
  const problem = code === 'ENOENT' ? 'vanished before it was uploaded' : `can't be read (${code})`
  throw new StaticS3Error(`static-s3: ${path} ${problem}`)
}

/** Undefined if a small file's content has changed, or a large file's size. */
async function read(file: HashedFile): Promise<Uint8Array | Pieces | undefined> {
  const { size, sha256 } = file
  if (size <= smallBytes) {
    const bytes = readSmall(fileOf(file), Buffer.allocUnsafe(size + 1))
    // Not every store checks the hash in the signature.
    return bytes && hash('sha256', bytes) === sha256 ? bytes : undefined
  }
  const handle = openSync(fileOf(file), 'r')
  let found: number | undefined
  try {
    found = fstatSync(handle).size
  } finally {
    if (found !== size) closeSync(handle)
  }
  return found === size ? piecesOf(handle) : undefined
}

/** Bytes. A smaller file gains nothing, as for CloudFront; a larger one would take too much memory. */
const [leastToCompress, mostToCompress] = [1000, 64 * 1024 ** 2]

/**
 * A file as its object holds it: as gzip, if that is smaller.
 *
 * @param stale gets the build's compressed copy if it has other content
 */
export async function compressed(file: HashedFile, stale: string[]): Promise<HashedFile> {
  if (file.size < leastToCompress || file.size > mostToCompress) return file
  const bytes = await gzipOf(file, stale).catch((error) => throwReadError(file.path, error))
  const original = file.sha256
  if (bytes.length >= file.size) return { ...file, original }
  const [sha256, md5] = [hash('sha256', bytes), hash('md5', bytes)]
  return { ...asGzip(file, { sha256, size: bytes.length }), md5, original, content: bytes }
}

/** The file as an object with these bytes. */
export function asGzip(file: HashedFile, { sha256, size }: Pick<HashedFile, 'sha256' | 'size'>): HashedFile {
  const parameters = gzipParameters.get(file.parameters) ?? { ...file.parameters, ContentEncoding: 'gzip' }
  gzipParameters.set(file.parameters, parameters)
  return { ...file, sha256, size, parameters, md5: undefined, content: undefined }
}

/** A cache, because files with the same parameters share one object. */
const gzipParameters = new WeakMap<ObjectParameters, ObjectParameters>()

/** The same bytes again, or undefined. */
async function readCompressed(file: HashedFile): Promise<Buffer | undefined> {
  const bytes = await gzipOf(file, [])
  return hash('sha256', bytes) === file.sha256 ? bytes : undefined
}

/**
 * True if these bytes are the content's gzip: one member, and nothing behind it. Node unpacks further members and ignores other bytes; Chromium
 * ignores both.
 */
async function isWholeGzip(twin: Buffer, content: Buffer): Promise<boolean> {
  const options = { maxOutputLength: content.length, info: true }
  const found = await promisify(gunzip)(twin, options).catch(() => undefined)
  // Undocumented in the types: https://nodejs.org/api/zlib.html#class-options
  const { buffer, engine } = Object(found) as { buffer?: Buffer; engine?: { bytesWritten: number } }
  if (!buffer?.equals(content) || engine?.bytesWritten !== twin.length) return false
  // The length of the last member.
  return twin.readUInt32LE(twin.length - 4) === content.length
}

/** The build's own compressed copy, or a new one, without a time. */
async function gzipOf(file: HashedFile, stale: string[]): Promise<Buffer> {
  const bytes = file.content ?? readFileSync(fileOf(file))
  if (hash('sha256', bytes) !== contentOf(file)) throw changed(file.path)
  const copy = `${fileOf(file)}.gz`
  const size = orUndefined(() => statSync(copy).size) ?? Number.POSITIVE_INFINITY
  if (size < bytes.length) {
    const twin = readFileSync(copy)
    if (await isWholeGzip(twin, bytes)) return twin
    stale.push(`${file.path}.gz`)
  }
  return promisify(gzip)(bytes, { level: constants.Z_BEST_COMPRESSION })
}
