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

/** Milliseconds between attempts. Windows refuses to replace a file that a virus scanner has just opened. */
const waits = [10, 50, 250]
const retried = ['EACCES', 'EBUSY', 'EPERM']

/**
 * Replaces a built file's content, whole or not at all.
 *
 * @throws StaticS3Error that names the file, as Node's own error for a full disk does not
 */
export async function rewriteFile(file: string, content: string): Promise<void> {
  let temporary: string | undefined
  try {
    const target = await realpath(file)
    // A dotfile that is left behind is never uploaded.
    temporary = join(dirname(target), `.${randomUUID()}`)
    await writeFile(temporary, content, { flag: 'wx', mode: (await stat(target)).mode })
    await replace(target, temporary)
  } catch (error) {
    if (temporary !== undefined) await rm(temporary, { force: true }).catch(() => {})
    throw new StaticS3Error(`static-s3: ${file}: ${(error as NodeJS.ErrnoException).code}`, { cause: error })
  }
}

async function replace(target: string, temporary: string): Promise<void> {
  for (const pause of [...waits, undefined]) {
    try {
      return await rename(temporary, target)
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException
      if (pause === undefined || process.platform !== 'win32' || !retried.includes(code)) throw error
      await wait(pause)
    }
  }
}
