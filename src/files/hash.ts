import { statSync } from 'node:fs'
import { smallBytes } from '../bucket/bucket.js'
import { eachInParallel } from '../runtime/parallel.js'
import { fileOf } from './built-file.js'
import type { ClassifiedFile } from './classify.js'
import { type Content, hashSmall, largeHasher } from './hash-content.js'
import { searchFor } from './secret-search.js'
import { readSmall, yieldBetweenFiles } from './small-file.js'

export interface HashedFile extends ClassifiedFile {
  /** Bytes. */
  size: number
  /** Hex; what S3 compares content by. Only if `needsMd5` asks for it: it takes longer than the SHA-256. */
  md5?: string | undefined
  /** Hex; what records compare content by. */
  sha256: string
  /** The bytes of a small file, kept for its upload while there is room. */
  content?: Buffer | undefined
}

export interface Hashed {
  files: readonly HashedFile[]
  /** Problems that stop the deploy: then there are no files. */
  problems: string[]
}

/** A value that no published file may contain. */
export interface Secret {
  /** As the user knows it. */
  name: string
  value: string
  /** What to do about a file that contains it. */
  remedy: string
}

/** Whether a file of this size needs its MD5, too. */
export type NeedsMd5 = (file: Pick<ClassifiedFile, 'key' | 'path'>, size: number) => boolean

/** Bytes of small files that are kept for their upload. */
const keptBytes = 8 * 1024 * 1024
/** More files than this keep none: a Buffer takes more memory than the few bytes it would keep. */
const mostKeeping = 5000
/** Larger files that are read at the same time. Node's pool has four threads to hash them in. */
const largeAtOnce = 4

/**
 * Reads every file once, for its hashes and for secrets: nothing looks at a file later than this.
 *
 * @param secrets what must not be published
 * @param signal ends it, with its reason
 */
export async function hashFiles(
  files: readonly ClassifiedFile[],
  secrets: readonly Secret[],
  needsMd5: NeedsMd5,
  signal?: AbortSignal,
): Promise<Hashed> {
  // A value of a few characters, as test servers take them, would be found everywhere.
  const sought = secrets.filter(({ value }) => value.length >= 8)
  const bytesOfValues = sought.map(({ value }) => Buffer.from(value))
  const values = {
    search: searchFor(bytesOfValues),
    longest: Math.max(0, ...bytesOfValues.map(({ length }) => length)),
  }
  const problems: string[] = []
  const fill = (file: HashedFile, { size, sha256, md5, found }: Content) => {
    file.size = size
    file.sha256 = sha256
    file.md5 = md5
    for (const index of found) {
      const { name, remedy } = sought[index] as Secret
      problems.push(`${file.path} contains ${name}: ${remedy}`)
    }
  }
  const tellError = ({ path }: HashedFile, { code }: NodeJS.ErrnoException) =>
    problems.push(code === 'ENOENT' ? `${path} vanished after the build` : `${path} can't be read (${code})`)

  const hashed = files.map(unread)
  const large: HashedFile[] = []
  const memory = Buffer.allocUnsafe(smallBytes + 1)
  let room = files.length > mostKeeping ? 0 : keptBytes
  const pause = yieldBetweenFiles(signal)
  for (const file of hashed) {
    try {
      const bytes = readSmall(fileOf(file), memory)
      if (bytes) {
        fill(file, hashSmall(bytes, values, needsMd5(file, bytes.length)))
        if (file.size <= room) {
          room -= file.size
          file.content = Buffer.from(bytes)
        }
      } else {
        large.push(file)
        file.size = statSync(fileOf(file)).size
      }
    } catch (error) {
      tellError(file, error as NodeJS.ErrnoException)
    }
    await pause(Math.min(file.size, smallBytes))
  }
  const hashLarge = largeHasher(values, signal)
  await eachInParallel(largeAtOnce, large, async (file) => {
    try {
      fill(file, await hashLarge(fileOf(file), file.size, needsMd5(file, file.size)))
    } catch (error) {
      signal?.throwIfAborted()
      tellError(file, error as NodeJS.ErrnoException)
    }
  })
  return problems.length > 0 ? { files: [], problems: problems.sort() } : { files: hashed, problems }
}

/** With all fields at once, and field by field: a spread takes several times as long, and a field added later more memory. */
const unread = ({ path, dir, key, group, parameters }: ClassifiedFile): HashedFile => ({
  path,
  dir,
  key,
  group,
  parameters,
  size: 0,
  sha256: '',
  md5: undefined,
  content: undefined,
})
