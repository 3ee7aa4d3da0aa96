import { randomUUID } from 'node:crypto'
import { readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { StaticS3Error } from '../runtime/error.js'
import { type BuiltFile, fileOf } from './built-file.js'

/** A build's files, for an adapter to change some of them. */
export interface EditableFiles {
  files: readonly BuiltFile[]
  read(file: BuiltFile): Promise<string>
  /** @throws StaticS3Error that names the file */
  rewrite(file: BuiltFile, content: string): Promise<void>
}

export function editable(files: readonly BuiltFile[]): EditableFiles {
  return {
    files,
    read: (file) => readFile(fileOf(file), 'utf8'),
    rewrite: (file, content) => rewriteFile(fileOf(file), content),
  }
}

/** Milliseconds. Windows refuses to replace a file that a virus scanner has just opened. */
const waits = [10, 50, 250]
const passing = ['EACCES', 'EBUSY', 'EPERM']

/**
 * Gives one of the build's files other content: all of it, or, where that fails, none.
 *
 * @throws StaticS3Error that names the file: what Node throws of a disk that is full does not
 */
export async function rewriteFile(file: string, content: string): Promise<void> {
  let whole: string | undefined
  try {
    const target = await realpath(file)
    // A dotfile is never uploaded, should it be left over.
    whole = join(dirname(target), `.${randomUUID()}`)
    await writeFile(whole, content, { flag: 'wx', mode: (await stat(target)).mode })
    await replace(target, whole)
  } catch (error) {
    if (whole !== undefined) await rm(whole, { force: true }).catch(() => {})
    throw new StaticS3Error(`static-s3: ${file}: ${(error as NodeJS.ErrnoException).code}`, { cause: error })
  }
}

async function replace(target: string, whole: string): Promise<void> {
  for (const pause of [...waits, undefined]) {
    try {
      return await rename(whole, target)
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException
      if (pause === undefined || process.platform !== 'win32' || !passing.includes(code)) throw error
      await wait(pause)
    }
  }
}
