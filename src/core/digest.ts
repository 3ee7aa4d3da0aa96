import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { ClassifiedFile } from './classify.js'
import { mapInParallel } from './parallel.js'

export interface DigestedFile extends ClassifiedFile {
  /** Bytes. */
  size: number
  /** Hex. */
  md5: string
}

export interface Digested {
  files: DigestedFile[]
  /** Problems that stop the deploy. */
  problems: string[]
}

/** How many files are open at once. */
const openFiles = 16

/**
 * Reads every file once, in pieces: its hash, and whether one of the secrets occurs in it. Whoever is about to publish
 * a file is the last one who can see a key in it.
 *
 * @param secrets what must not be published, by the name that the user knows it under
 */
export async function digest(
  files: readonly ClassifiedFile[],
  secrets: ReadonlyMap<string, string>,
): Promise<Digested> {
  // A short one, as test servers take them, would be found everywhere.
  const needles = [...secrets]
    .filter(([, value]) => value.length >= 8)
    .map(([name, value]) => [name, Buffer.from(value)] as const)
  const problems: string[] = []
  const digested = await mapInParallel(openFiles, files, async (file): Promise<DigestedFile | undefined> => {
    try {
      const { size, md5, found } = await read(file.file, needles)
      for (const name of found)
        problems.push(`${file.path} contains ${name}: take it out of the build, and replace the key`)
      return { ...file, size, md5 }
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      problems.push(
        code === 'ENOENT' ? `${file.path} vanished after the build` : `${file.path} can't be read (${code})`,
      )
      return undefined
    }
  })
  return { files: digested.filter((file) => file !== undefined), problems: problems.sort() }
}

type Needle = readonly [name: string, value: Buffer]

async function read(
  file: string,
  needles: readonly Needle[],
): Promise<{ size: number; md5: string; found: Set<string> }> {
  const hash = createHash('md5')
  const found = new Set<string>()
  const overlap = Math.max(0, ...needles.map(([, value]) => value.length - 1))
  let size = 0
  let tail = Buffer.alloc(0)
  for await (const chunk of createReadStream(file, { highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>) {
    size += chunk.length
    hash.update(chunk)
    // A secret may lie across two pieces.
    const searched = tail.length > 0 ? Buffer.concat([tail, chunk]) : chunk
    for (const [name, value] of needles) if (searched.includes(value)) found.add(name)
    tail = Buffer.from(searched.subarray(Math.max(0, searched.length - overlap)))
  }
  return { size, md5: hash.digest('hex'), found }
}
