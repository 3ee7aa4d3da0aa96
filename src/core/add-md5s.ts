import { createHash, hash } from 'node:crypto'
import { fileOf } from './built-file.js'
import type { DigestedFile } from './digest.js'
import { StaticS3Error } from './error.js'
import { readInPieces } from './large-file.js'
import { hex, optional, Packed, Paired, type Rows } from './packed.js'
import { goesByEtag, isMd5OnRecord, type Known, listedIn } from './plan.js'
import { readSmall, smallBytes, yieldBetweenFiles } from './small-file.js'

/** How many are looked at for a proof: where some are encrypted by KMS, the ETags of those are none. */
const mostProofs = 16

/**
 * Adds the MD5s that a plan can't do without: those of files that are in the bucket with the same size, of whose bytes nothing but an ETag
 * tells, and of small ones on record until one shows that this bucket's ETags are MD5s.
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
  const pause = yieldBetweenFiles(signal)
  const memory = Buffer.allocUnsafe(smallBytes + 1)
  let proofs = mostProofs
  for (const file of files) {
    const isSmall = file.size <= smallBytes
    const there = file.md5 === undefined ? listed(file.key) : undefined
    const mayProve = proofs > 0 && isSmall && there !== undefined && isMd5OnRecord(file, there, known)
    if (!there || !(mayProve || goesByEtag(file, there, known))) {
      md5s.push(file.md5)
      continue
    }
    const md5 = isSmall ? ofSmall(file, memory) : await ofLarge(file, signal)
    md5s.push(md5)
    if (md5 === there.etag) proofs = 0
    else if (mayProve) proofs--
    await pause(Math.min(file.size, smallBytes))
  }
  return new Paired(files, md5s, (file, md5) => Object.assign(file, { md5 }))
}

function ofSmall(file: DigestedFile, memory: Buffer): string {
  let bytes = file.content
  try {
    bytes ??= readSmall(fileOf(file), memory)
  } catch (error) {
    throw unreadable(file, error)
  }
  // The record will say that the two are of the same bytes.
  if (!bytes || hash('sha256', bytes) !== file.sha256) throw otherBytes(file)
  return hash('md5', bytes)
}

async function ofLarge(file: DigestedFile, signal: AbortSignal | undefined): Promise<string> {
  const md5 = createHash('md5')
  const again = createHash('sha256')
  const update = (piece: Buffer) => {
    md5.update(piece)
    again.update(piece)
  }
  await readInPieces(fileOf(file), update, signal).catch((error) => {
    signal?.throwIfAborted()
    throw unreadable(file, error)
  })
  if (again.digest('hex') !== file.sha256) throw otherBytes(file)
  return md5.digest('hex')
}

function unreadable({ path }: DigestedFile, error: unknown): StaticS3Error {
  const { code } = error as NodeJS.ErrnoException
  const what = code === 'ENOENT' ? 'vanished after the build' : `can't be read (${code})`
  return new StaticS3Error(`static-s3: ${path} ${what}`)
}

function otherBytes({ path }: DigestedFile): StaticS3Error {
  return new StaticS3Error(`static-s3: ${path} changed after it was first read; build again`)
}
