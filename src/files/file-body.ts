import { hash } from 'node:crypto'
import { closeSync, fstatSync, openSync } from 'node:fs'
import type { Body, Pieces } from '../bucket/bucket.js'
import { smallBytes } from '../bucket/bucket.js'
import { StaticS3Error } from '../runtime/error.js'
import { fileOf } from './built-file.js'
import type { HashedFile } from './hash.js'
import { piecesOf } from './large-file.js'
import { readSmall } from './small-file.js'

/** A file's content for its upload, read anew for each attempt unless it is in memory. It is refused if it has changed since it was hashed. */
export function bodyOfFile(file: HashedFile): Body {
  const { path, size, md5, sha256, content } = file
  return {
    size,
    md5,
    sha256,
    async open() {
      if (content) return content
      const bytes = await read(file).catch(({ code }: NodeJS.ErrnoException) => {
        const what = code === 'ENOENT' ? 'vanished before it was uploaded' : `can't be read (${code})`
        throw new StaticS3Error(`static-s3: ${path} ${what}`)
      })
      if (bytes) return bytes
      throw new StaticS3Error(`static-s3: ${path} changed while it was being uploaded; build again`)
    },
  }
}

/** Undefined if the content isn't the hashed one, or, of a large file, has another length. */
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
