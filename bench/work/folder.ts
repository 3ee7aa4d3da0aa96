import { hash } from 'node:crypto'
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { cacheFolder } from '../paths.js'
import { contentMark } from '../server/content.js'
import { etagOfParts } from '../server/s3.js'
import { bytesOf } from './bytes.js'
import type { Work, WorkFile } from './works.js'

/** A build's output as it lies on the disk, and what a bucket has to hold once it is deployed. */
export interface Folder {
  dir: string
  files: readonly WrittenFile[]
  /** JSON, for tools that are told: the paths of the fingerprinted files. */
  fingerprintedFile: string
}

export interface WrittenFile extends Omit<WorkFile, 'seed'> {
  md5: string
  /** What its ETag can be: its MD5, or that of a multipart upload in parts of the usual sizes. */
  etags: string[]
}

export interface Folders {
  first: Folder
  /** Five files differ. */
  changed: Folder
  /** JSON for the server: MD5s by mark. */
  knownFile: string
}

const MB = 1024 ** 2
/** Parts as the tools make them, and up to which size they make none. */
const partSizes = [5 * MB, 8 * MB, 15 * MB, 16 * MB]
const smallBytes = 64 * 1024
/** Goes up when the same name comes to mean other bytes. */
const format = 3

/** Writes both builds of a work, unless they are there. */
export function writeFolders(work: Work): Folders {
  const root = join(cacheFolder, 'works', work.name)
  const knownFile = join(root, 'known.json')
  const done = join(root, `done-${format}`)
  if (!existsSync(done)) {
    rmSync(root, { recursive: true, force: true })
    const known = new Map<string, string>()
    const written = new Map<string, { file: string; written: WrittenFile }>()
    for (const build of builds) writeBuild(root, build, work.files(build === 'changed'), written, known)
    writeFileSync(knownFile, JSON.stringify([...known]))
    writeFileSync(done, '')
  }
  const [first, changed] = builds.map((build) => readFolder(root, build)) as [Folder, Folder]
  return { first, changed, knownFile }
}

const builds = ['first', 'changed'] as const

function readFolder(root: string, build: string): Folder {
  const files = JSON.parse(readFileSync(join(root, `${build}.json`), 'utf8')) as WrittenFile[]
  return { dir: join(root, build), files, fingerprintedFile: join(root, `${build}-fingerprinted.json`) }
}

function writeBuild(
  root: string,
  build: string,
  files: readonly WorkFile[],
  written: Map<string, { file: string; written: WrittenFile }>,
  known: Map<string, string>,
): void {
  const list = files.map(({ seed, ...file }): WrittenFile => {
    const target = join(root, build, file.path)
    mkdirSync(dirname(target), { recursive: true })
    // What both builds have is on the disk once.
    const there = written.get(seed)
    if (there) linkSync(there.file, target)
    else {
      const bytes = bytesOf(file.path, seed, file.size)
      writeFileSync(target, bytes)
      written.set(seed, { file: target, written: { ...file, ...identify(bytes, known) } })
    }
    return (written.get(seed) as { written: WrittenFile }).written
  })
  writeFileSync(join(root, `${build}.json`), JSON.stringify(list))
  const fingerprinted = list.filter((file) => file.fingerprinted).map(({ path }) => path)
  writeFileSync(join(root, `${build}-fingerprinted.json`), JSON.stringify(fingerprinted))
}

function identify(bytes: Buffer, known: Map<string, string>): Pick<WrittenFile, 'md5' | 'etags'> {
  const note = (piece: Buffer) => {
    const md5 = hash('md5', piece)
    if (piece.length > smallBytes) known.set(contentMark(piece, piece.length), md5)
    return md5
  }
  const etags = partSizes
    .filter((size) => size < bytes.length)
    .map((size) => {
      const count = Math.ceil(bytes.length / size)
      return etagOfParts(
        Array.from({ length: count }, (_, i) => note(bytes.subarray(i * size, Math.min(bytes.length, (i + 1) * size)))),
      )
    })
  const md5 = note(bytes)
  return { md5, etags: [md5, ...etags] }
}

/** Has the system keep every file in memory, as just after a build: some tools tell it to forget what they have read. */
export function warm({ dir, files }: Folder): void {
  for (const { path } of files) readFileSync(join(dir, path))
}

/** Gives every file a new time, as a clean build does, and nothing else. */
export function renew({ dir, files }: Folder): void {
  const now = Date.now() / 1000
  for (const { path } of files) utimesSync(join(dir, path), now, now)
}
