import { createHash } from 'node:crypto'
import { fileOf } from './built-file.js'
import type { DigestedFile } from './digest.js'
import { StaticS3Error } from './error.js'
import { readInPieces } from './large-file.js'
import { hex, optional, Packed, Paired, type Rows } from './packed.js'
import { goesByEtag, type Known, listedIn } from './plan.js'

/**
 * Adds the MD5s that a plan can't do without: those of large files that are in the bucket with the same size, of whose bytes nothing but an
 * ETag tells.
 *
 * @throws StaticS3Error where a file isn't any more what it was; the signal's reason
 */
export async function addMd5s(
  files: Rows<DigestedFile>,
  known: Known,
  signal?: AbortSignal,
): Promise<Rows<DigestedFile>> {
  const listed = listedIn(known)
  const md5s = new Packed(optional(hex))
  for (const file of files) {
    const there = file.md5 === undefined ? listed(file.key) : undefined
    md5s.push(there && goesByEtag(file, there, known) ? await md5Of(file, signal) : file.md5)
  }
  return new Paired(files, md5s, (file, md5) => Object.assign(file, { md5 }))
}

async function md5Of(file: DigestedFile, signal: AbortSignal | undefined): Promise<string> {
  const { path, sha256 } = file
  const md5 = createHash('md5')
  const again = createHash('sha256')
  const update = (piece: Buffer) => {
    md5.update(piece)
    again.update(piece)
  }
  await readInPieces(fileOf(file), update, signal).catch((error: NodeJS.ErrnoException) => {
    signal?.throwIfAborted()
    const { code } = error
    const what = code === 'ENOENT' ? 'vanished after the build' : `can't be read (${code})`
    throw new StaticS3Error(`static-s3: ${path} ${what}`)
  })
  // The record will say that the two are of the same bytes.
  if (again.digest('hex') !== sha256) {
    throw new StaticS3Error(`static-s3: ${path} changed after it was first read; build again`)
  }
  return md5.digest('hex')
}
