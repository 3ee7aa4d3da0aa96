import { createHash, hash } from 'node:crypto'
import { setImmediate as yieldToOthers } from 'node:timers/promises'
import { fileOf } from './built-file.js'
import type { ClassifiedFile } from './classify.js'
import { readInPieces, turnBytes } from './large-file.js'
import { derived, hex, number, optional, Packed, Paired, plainOf, plainRows, type Rows, row } from './packed.js'
import { readSmall, smallBytes } from './small-file.js'

export interface DigestedFile extends ClassifiedFile {
  /** Bytes. */
  size: number
  /** Hex; what S3 compares content by. Of a large file only where nothing else will do: it takes longer than all else. */
  md5?: string | undefined
  /** Hex; what records compare content by. */
  sha256: string
  /** The bytes, as far as there was room for them: they needn't be read again. */
  content?: Buffer | undefined
}

export interface Digested {
  files: Rows<DigestedFile>
  /** Problems that stop the deploy: then there are no files. */
  problems: string[]
}

/** What must be in no file. */
export interface Secret {
  /** As the user knows it. */
  name: string
  value: string
  /** What to do about a file that has it. */
  remedy: string
}

/** Bytes of small files that are kept for their upload. Of many files they would be few. */
const keptBytes = 8 * 1024 * 1024
/** Bytes that opening a file counts as, until others get their turn. */
const opening = 16 * 1024

/**
 * Reads every file once: its hashes, and whether one of the secrets occurs in it. Whoever is about to publish a file is the last one who can
 * see a key in it.
 *
 * @param secrets what must not be published
 */
export async function digest(files: Rows<ClassifiedFile>, secrets: readonly Secret[]): Promise<Digested> {
  // A short one, as test servers take them, would be found everywhere.
  const needles = secrets
    .filter(({ value }) => value.length >= 8)
    .map(({ name, value, remedy }) => [`${name}: ${remedy}`, Buffer.from(value)] as const)
  const problems: string[] = []
  const contents = new Packed(
    row<Content>({ size: number, md5: optional(hex), sha256: hex, content: derived(() => undefined) }),
    [],
    plainOf(files.length),
  )
  const scratch = Buffer.allocUnsafe(smallBytes + 1)
  let room = files.length > plainRows ? 0 : keptBytes
  let done = 0
  for (const each of files) {
    const { path } = each
    try {
      const file = fileOf(each)
      const bytes = readSmall(file, scratch)
      const { found, ...content } = bytes ? digestOf(bytes, needles) : await digestInPieces(file, needles)
      for (const what of found) problems.push(`${path} contains ${what}`)
      const keeps = bytes && bytes.length <= room
      if (keeps) room -= bytes.length
      contents.push(keeps ? { ...content, content: Buffer.from(bytes) } : content)
      done += opening + content.size
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      problems.push(code === 'ENOENT' ? `${path} vanished after the build` : `${path} can't be read (${code})`)
    }
    if (done < turnBytes) continue
    done = 0
    await yieldToOthers()
  }
  if (problems.length > 0) return { files: [], problems: problems.sort() }
  return { files: new Paired(files, contents, withContent), problems }
}

/** Field by field: that is several times as fast as spreading both. */
const withContent = (file: ClassifiedFile, content: Content): DigestedFile => ({
  path: file.path,
  dir: file.dir,
  key: file.key,
  group: file.group,
  parameters: file.parameters,
  size: content.size,
  md5: content.md5,
  sha256: content.sha256,
  content: content.content,
})

type Content = Pick<DigestedFile, 'size' | 'md5' | 'sha256' | 'content'>

interface Searched extends Content {
  /** Which secrets occur in it. */
  found: readonly string[]
}

type Needle = readonly [what: string, value: Buffer]

function digestOf(bytes: Buffer, needles: readonly Needle[]): Searched {
  const found = needles.filter(([, value]) => bytes.includes(value)).map(([what]) => what)
  return { size: bytes.length, md5: hash('md5', bytes), sha256: hash('sha256', bytes), found }
}

async function digestInPieces(file: string, needles: readonly Needle[]): Promise<Searched> {
  const sha256 = createHash('sha256')
  const found = new Set<string>()
  // A secret may lie across two pieces.
  const overlap = Math.max(0, ...needles.map(([, value]) => value.length - 1))
  let size = 0
  await readInPieces(file, overlap, (piece, overlapping) => {
    size += piece.length
    sha256.update(piece)
    for (const [what, value] of needles) if (overlapping.includes(value)) found.add(what)
  })
  return { size, sha256: sha256.digest('hex'), found: [...found] }
}
