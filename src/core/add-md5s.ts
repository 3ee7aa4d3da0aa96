import { createHash } from 'node:crypto'
import type { DigestedFile } from './digest.js'
import { StaticS3Error } from './error.js'
import { readInPieces } from './large-file.js'
import { finder, hex, optional, Packed, Paired, type Rows } from './packed.js'
import { goesByEtag, type Known } from './plan.js'

/**
 * Adds the MD5s that a plan can't do without: those of large files that are in the bucket with the same size, of whose bytes nothing but an
 * ETag tells.
 *
 * @throws StaticS3Error where a file isn't any more what it was
 */
export async function addMd5s(files: Rows<DigestedFile>, known: Known): Promise<Rows<DigestedFile>> {
  const listed = finder(known.listing, ({ key }) => key)
  const added = new Map<string, string>()
  for (const file of files) {
    const there = file.md5 === undefined ? listed(file.key) : undefined
    if (there && goesByEtag(file, there, known)) added.set(file.key, await md5Of(file))
  }
  if (added.size === 0) return files
  const md5s = new Packed(optional(hex))
  for (const { key, md5 } of files) md5s.push(md5 ?? added.get(key))
  return new Paired(files, md5s, (file, md5): DigestedFile => ({ ...file, md5 }))
}

async function md5Of({ path, file, sha256 }: DigestedFile): Promise<string> {
  const md5 = createHash('md5')
  const again = createHash('sha256')
  await readInPieces(file, 0, (piece) => {
    md5.update(piece)
    again.update(piece)
  }).catch(({ code }: NodeJS.ErrnoException) => {
    const what = code === 'ENOENT' ? 'vanished after the build' : `can't be read (${code})`
    throw new StaticS3Error(`static-s3: ${path} ${what}`)
  })
  // The record will say that the two are of the same bytes.
  if (again.digest('hex') !== sha256) {
    throw new StaticS3Error(`static-s3: ${path} changed after it was first read; build again`)
  }
  return md5.digest('hex')
}
