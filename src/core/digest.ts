import { createHash, hash } from 'node:crypto'
import { createReadStream, statSync } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { fileOf } from './built-file.js'
import type { ClassifiedFile } from './classify.js'
import { digestLarge, type LargeFile } from './digest-threads.js'
import { derived, hex, number, optional, Packed, Paired, plainOf, plainRows, type Rows, row } from './packed.js'
import { searchFor } from './secret-search.js'
import { readSmall, smallBytes, turnsOfFiles } from './small-file.js'

export interface DigestedFile extends ClassifiedFile {
  /** Bytes. */
  size: number
  /** Hex; what S3 compares content by. Only where nothing else will do (see `addMd5s`): it takes longer than the SHA-256. */
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

export type NeedsMd5 = (file: Pick<ClassifiedFile, 'path' | 'key'>, size: number) => boolean

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

/**
 * Reads every file once: its hashes, and whether one of the secrets occurs in it. Whoever is about to publish a file is the last one who can
 * see a key in it.
 *
 * @param secrets what must not be published
 * @param signal ends it, with its reason
 */
export async function digest(
  files: Rows<ClassifiedFile>,
  secrets: readonly Secret[],
  needsMd5: NeedsMd5,
  signal?: AbortSignal,
): Promise<Digested> {
  // A short one, as test servers take them, would be found everywhere.
  const soughtFor = secrets.filter(({ value }) => value.length >= 8)
  const values = soughtFor.map(({ value }) => Buffer.from(value))
  const search = searchFor(values)
  const problems: string[] = []
  const tell = (path: string, found: Iterable<number>) => {
    for (const index of found) {
      const { name, remedy } = soughtFor[index] as Secret
      problems.push(`${path} contains ${name}: ${remedy}`)
    }
  }
  const tellError = (path: string, { code }: { code?: string | undefined }) =>
    problems.push(code === 'ENOENT' ? `${path} vanished after the build` : `${path} can't be read (${code})`)

  const contents = new Packed(
    row<Content>({ size: number, md5: optional(hex), sha256: hex, content: derived(() => undefined) }),
    [],
    plainOf(files.length),
  )
  const large: (LargeFile & { path: string; lacksMd5: boolean })[] = []
  const scratch = Buffer.allocUnsafe(smallBytes + 1)
  let room = files.length > plainRows ? 0 : keptBytes
  const turn = turnsOfFiles(signal)
  for (const each of files) {
    const { path } = each
    let read = 0
    try {
      const file = fileOf(each)
      const bytes = readSmall(file, scratch)
      const size = bytes?.length ?? statSync(file).size
      if (bytes) {
        const content = {
          size,
          sha256: hash('sha256', bytes),
          md5: needsMd5(each, size) ? hash('md5', bytes) : undefined,
        }
        tell(path, search(bytes))
        const keeps = size <= room
        if (keeps) room -= size
        contents.push(keeps ? { ...content, content: Buffer.from(bytes) } : content)
      } else {
        large.push({ path, file, size, lacksMd5: needsMd5(each, size) })
        contents.push(later)
      }
      read = Math.min(size, smallBytes)
    } catch (error) {
      tellError(path, error as NodeJS.ErrnoException)
    }
    await turn(read)
  }

  const ofLarge = new Map<string, Content>()
  for (const [index, digestion] of (await digestLarge(large, values, signal)).entries()) {
    const { path, file, lacksMd5 } = large[index] as (typeof large)[number]
    if ('error' in digestion) tellError(path, digestion.error)
    else {
      const { found, ...content } = digestion.digest
      tell(path, found)
      ofLarge.set(path, lacksMd5 ? { ...content, md5: await md5OfLarge(file, signal) } : content)
    }
  }
  if (problems.length > 0) return { files: [], problems: problems.sort() }
  const pair = (file: ClassifiedFile, content: Content) =>
    withContent(file, content.sha256 === '' ? (ofLarge.get(file.path) as Content) : content)
  return { files: new Paired(files, contents, pair), problems }
}

/** Reads the file once more, which only an object that no record knows costs. */
async function md5OfLarge(file: string, signal: AbortSignal | undefined): Promise<string> {
  const md5 = createHash('md5')
  await pipeline(createReadStream(file, { signal }), md5)
  return md5.digest('hex')
}

/** In place of a large file's. */
const later = { size: 0, sha256: '' }

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
