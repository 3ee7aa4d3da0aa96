import { statSync } from 'node:fs'
import { smallBytes } from '../bucket/bucket.js'
import { eachInParallel } from '../runtime/parallel.js'
import { fileOf } from './built-file.js'
import type { ClassifiedFile } from './classify.js'
import { type Content, type ContentSearch, hashSmall, type Look, largeHasher } from './hash-content.js'
import { readSmall, yieldBetweenFiles } from './read-file.js'
import { searchFor } from './secret-search.js'

export interface HashedFile extends ClassifiedFile {
  /** Bytes. */
  size: number
  /** Hex; S3 compares content by it. Only if `needsMd5` returned true, because it takes longer than the SHA-256. */
  md5?: string | undefined
  /** Hex; records compare content by it. */
  sha256: string
  /** The bytes, kept for the upload while there is room. */
  content?: Buffer | undefined
  /**
   * For an object that is stored as gzip, and has the gzip's size and hashes: the SHA-256 of the file. The same as `sha256` if gzip makes the file no
   * smaller.
   */
  original?: string | undefined
  /** An object of the bucket with the same bytes, for a copy on the server. */
  source?: { key: string; etag: string } | undefined
  /** The object of another preview under the same path, for a copy on the server if its bytes are the same. */
  twin?: { key: string; etag: string; sha256: string } | undefined
  /** The ETag of its backup, if the file comes from there. */
  backup?: string | undefined
  /** True if the file replaces no object. */
  createOnly?: boolean
}

export interface Hashed {
  /** Empty if there are problems. */
  files: readonly HashedFile[]
  /** Problems that stop the deploy. */
  problems: string[]
}

/** A value that no published file may contain. */
export interface Secret {
  /** For the user. */
  name: string
  value: string
  /** Advice if a file contains it. */
  remedy: string
}

/** The SHA-256 of the content, without the gzip. */
export function contentOf({ original, sha256 }: Pick<HashedFile, 'original' | 'sha256'>): string {
  return original ?? sha256
}

/** True if a file of this size needs its MD5. */
export type NeedsMd5 = (file: Pick<ClassifiedFile, 'key' | 'path'>, size: number) => boolean

/** Bytes of small files to keep for their upload. */
const keptBytes = 8 * 1024 * 1024
/** A site with more files keeps none: a Buffer takes more memory than the bytes of a small file. */
const mostKeeping = 5000
/** Larger files to read at the same time. Node's thread pool hashes four. */
const largeAtOnce = 4
/** Characters. Files contain shorter values by chance. */
const shortestSecret = 8

export interface HashFilesOptions {
  /** Returns another scan of a file's bytes. */
  lookFor?: (file: ClassifiedFile) => Look | undefined
  /** Stops it, with its reason. */
  signal?: AbortSignal | undefined
  /** Called for a file that is gone, which is left out. Without it, such a file is a problem. */
  onVanished?: (path: string) => void
}

/** Reads every file once, to hash it and to search it for secrets. */
export async function hashFiles(
  files: readonly ClassifiedFile[],
  secrets: readonly Secret[],
  needsMd5: NeedsMd5,
  { lookFor, signal, onVanished }: HashFilesOptions = {},
): Promise<Hashed> {
  const sought = secrets.filter(({ value }) => value.length >= shortestSecret)
  const values = contentSearch(sought)
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
  const vanished = new Set<HashedFile>()
  const addError = (file: HashedFile, { code }: NodeJS.ErrnoException) => {
    const { path } = file
    if (code !== 'ENOENT') problems.push(`${path} can't be read (${code})`)
    else if (onVanished) vanished.add(file)
    else problems.push(`${path} vanished after the build`)
  }

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
        lookFor?.(file)?.(bytes)
        if (file.size <= room) {
          room -= file.size
          file.content = Buffer.from(bytes)
        }
      } else {
        large.push(file)
        file.size = statSync(fileOf(file)).size
      }
    } catch (error) {
      addError(file, error as NodeJS.ErrnoException)
    }
    await pause(Math.min(file.size, smallBytes))
  }
  const hashLarge = largeHasher(values, signal)
  await eachInParallel(largeAtOnce, large, async (file) => {
    try {
      fill(file, await hashLarge(fileOf(file), file.size, needsMd5(file, file.size), lookFor?.(file)))
    } catch (error) {
      signal?.throwIfAborted()
      addError(file, error as NodeJS.ErrnoException)
    }
  })
  if (problems.length > 0) return { files: [], problems: problems.sort() }
  for (const { path } of vanished) onVanished?.(path)
  return { files: vanished.size === 0 ? hashed : hashed.filter((file) => !vanished.has(file)), problems }
}

function contentSearch(secrets: readonly Secret[]): ContentSearch {
  const values = secrets.map(({ value }) => Buffer.from(value))
  return { search: searchFor(values), longest: Math.max(0, ...values.map(({ length }) => length)) }
}

/** All fields at once, one by one: a spread takes several times as long, and a field added later takes more memory. */
function unread({ path, dir, key, group, parameters, compress }: ClassifiedFile): HashedFile {
  const nothing = undefined
  return {
    path,
    dir,
    key,
    group,
    parameters,
    compress,
    size: 0,
    sha256: '',
    md5: nothing,
    content: nothing,
    original: nothing,
  }
}
