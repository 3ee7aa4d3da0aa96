import { hash } from 'node:crypto'
import { closeSync, fstatSync, openSync } from 'node:fs'
import type { Body, Pieces } from '../bucket/bucket.js'
import { smallBytes } from '../bucket/bucket.js'
import { StaticS3Error } from '../runtime/error.js'
import { fileOf } from './built-file.js'
import type { HashedFile } from './hash.js'
import { piecesOf, readSmall } from './read-file.js'

/** A file's content for its upload, read for each attempt unless it is in memory. A file that changed since it was hashed is refused. */
export function bodyOfFile(file: HashedFile): Body {
  const { path, size, md5, sha256, content } = file
  return {
    size,
    md5,
    sha256,
    async open() {
      const bytes = content ?? (await read(file).catch((error) => throwReadError(path, error)))
      if (bytes) return bytes
      throw new StaticS3Error(`static-s3: ${path} changed while it was being uploaded; build again`)
    },
  }
}

function throwReadError(path: string, { code }: NodeJS.ErrnoException): never {
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
