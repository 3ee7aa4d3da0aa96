import { createHash, hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { setImmediate as yieldToOthers } from 'node:timers/promises'
import type { ClassifiedFile } from './classify.js'
import { mapInParallel } from './parallel.js'
import { readSmall, smallBytes } from './small-file.js'

export interface DigestedFile extends ClassifiedFile {
  /** Bytes. */
  size: number
  /** Hex; what S3 checks an upload by, and compares content by where nothing better is known. */
  md5: string
  /** Hex; what records compare content by. */
  sha256: string
  /** The bytes, as far as there was room for them: they needn't be read again. */
  content?: Buffer
}

export interface Digested {
  files: DigestedFile[]
  /** Problems that stop the deploy. */
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

/** Bytes of small files that are kept for their upload. */
const keptBytes = 8 * 1024 * 1024
/** How many larger files are open at once. */
const openFiles = 8
/** Bytes after which whatever else the process does gets its turn, about ten milliseconds; opening a file counts as so many. */
const turn = 8 * 1024 * 1024
const opening = 16 * 1024

/**
 * Reads every file once: its hashes, and whether one of the secrets occurs in it. Whoever is about to publish a file is the last one who can
 * see a key in it.
 *
 * @param secrets what must not be published
 */
export async function digest(files: readonly ClassifiedFile[], secrets: readonly Secret[]): Promise<Digested> {
  // A short one, as test servers take them, would be found everywhere.
  const needles = secrets
    .filter(({ value }) => value.length >= 8)
    .map(({ name, value, remedy }) => [`${name}: ${remedy}`, Buffer.from(value)] as const)
  const problems: string[] = []
  const digested: DigestedFile[] = []
  const large: [index: number, file: ClassifiedFile][] = []
  let kept = 0
  const keep = (index: number, file: ClassifiedFile, { found, ...content }: Content, bytes?: Buffer) => {
    for (const what of found) problems.push(`${file.path} contains ${what}`)
    digested[index] = { ...file, ...content }
    if (bytes === undefined || kept + bytes.length > keptBytes) return
    digested[index].content = Buffer.from(bytes)
    kept += bytes.length
  }
  const fail = (file: ClassifiedFile, error: unknown) => {
    const { code } = error as NodeJS.ErrnoException
    problems.push(code === 'ENOENT' ? `${file.path} vanished after the build` : `${file.path} can't be read (${code})`)
  }

  const scratch = Buffer.allocUnsafe(smallBytes + 1)
  const rest = files.entries()
  for (let next = rest.next(); !next.done; await yieldToOthers()) {
    for (let done = 0; !next.done && done < turn; next = rest.next()) {
      const [index, file] = next.value
      try {
        const bytes = readSmall(file.file, scratch)
        if (bytes) keep(index, file, digestOf(bytes, needles), bytes)
        else large.push([index, file])
        done += opening + (bytes?.length ?? 0)
      } catch (error) {
        fail(file, error)
      }
    }
  }
  await mapInParallel(openFiles, large, async ([index, file]) => {
    try {
      keep(index, file, await readInPieces(file.file, needles))
    } catch (error) {
      fail(file, error)
    }
  })

  // Without the holes of those that couldn't be read.
  return { files: digested.filter(Boolean), problems: problems.sort() }
}

interface Content extends Pick<DigestedFile, 'size' | 'md5' | 'sha256'> {
  /** Which secrets occur in it. */
  found: readonly string[]
}

type Needle = readonly [what: string, value: Buffer]

function digestOf(bytes: Buffer, needles: readonly Needle[]): Content {
  const found = needles.filter(([, value]) => bytes.includes(value)).map(([what]) => what)
  return { size: bytes.length, md5: hash('md5', bytes), sha256: hash('sha256', bytes), found }
}

async function readInPieces(file: string, needles: readonly Needle[]): Promise<Content> {
  const md5 = createHash('md5')
  const sha256 = createHash('sha256')
  const found = new Set<string>()
  const overlap = Math.max(0, ...needles.map(([, value]) => value.length - 1))
  let size = 0
  let tail = Buffer.alloc(0)
  for await (const chunk of createReadStream(file, { highWaterMark: smallBytes }) as AsyncIterable<Buffer>) {
    size += chunk.length
    md5.update(chunk)
    sha256.update(chunk)
    // A secret may lie across two pieces.
    const searched = tail.length > 0 ? Buffer.concat([tail, chunk]) : chunk
    for (const [what, value] of needles) if (searched.includes(value)) found.add(what)
    tail = Buffer.from(searched.subarray(Math.max(0, searched.length - overlap)))
  }
  return { size, md5: md5.digest('hex'), sha256: sha256.digest('hex'), found: [...found] }
}
