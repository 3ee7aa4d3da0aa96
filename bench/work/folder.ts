import { hash } from 'node:crypto'
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { cacheFolder } from '../paths.js'
import { contentMark } from '../server/content.js'
import { etagOfParts } from '../server/multipart.js'
import { bytesOf } from './bytes.js'
import type { Work, WorkFile } from './works.js'

/** A build's output on the disk, and the objects that a deploy of it has to produce. */
export interface Folder {
  dir: string
  files: readonly WrittenFile[]
  /** JSON: the paths of the fingerprinted files, for tools that need to be told. */
  fingerprintedFile: string
}

export interface WrittenFile extends Omit<WorkFile, 'seed'> {
  md5: string
  /** Its valid ETags: its MD5, and those of multipart uploads with the tools' part sizes. */
  etags: string[]
}

export interface Folders {
  first: Folder
  /** The build with five changed files. */
  changed: Folder
  /** JSON for the server: MD5s by mark. */
  knownFile: string
}

const MB = 1024 ** 2
/** The tools' part sizes. A file up to that size is sent in one piece. */
const partSizes = [5 * MB, 8 * MB, 15 * MB, 16 * MB]
const smallBytes = 64 * 1024
/** Counted up when a work's files change. */
const format = 3

/** Writes both builds of a work, unless they exist. */
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
    // A file of both builds is stored once.
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

/** Reads every file, so that the system has it in memory as after a build: rclone makes the system forget what it has read. */
export function warm({ dir, files }: Folder): void {
  for (const { path } of files) readFileSync(join(dir, path))
}

/** Gives every file a new modification time, as a clean build does. */
export function renew({ dir, files }: Folder): void {
  const now = Date.now() / 1000
  for (const { path } of files) utimesSync(join(dir, path), now, now)
}
