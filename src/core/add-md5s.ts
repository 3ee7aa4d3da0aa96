import { createHash } from 'node:crypto'
import type { DigestedFile } from './digest.js'
import { StaticS3Error } from './error.js'
import { readInPieces } from './large-file.js'
import { goesByEtag, type Known } from './plan.js'

/**
 * Adds the MD5s that a plan can't do without: those of large files that are in the bucket with the same size, of whose bytes nothing but an
 * ETag tells.
 *
 * @throws StaticS3Error where a file isn't any more what it was
 */
export async function addMd5s(files: readonly DigestedFile[], known: Known): Promise<void> {
  const without = files.filter(({ md5 }) => md5 === undefined)
  if (without.length === 0) return
  const listed = new Map(known.listing.map((object) => [object.key, object]))
  for (const file of without) {
    const there = listed.get(file.key)
    if (there && goesByEtag(file, there, known)) file.md5 = await md5Of(file)
  }
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
