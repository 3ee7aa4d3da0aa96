import { randomUUID } from 'node:crypto'
import { rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { StaticS3Error } from './error.js'

/**
 * Gives one of the build's files other content: all of it, or, where that fails, none.
 *
 * @throws StaticS3Error that names the file: what Node throws of a disk that is full does not
 */
export async function rewriteFile(file: string, content: string): Promise<void> {
  // A dotfile is never uploaded, should it be left over.
  const whole = join(dirname(file), `.${randomUUID()}`)
  try {
    await writeFile(whole, content, { flag: 'wx' })
    await rename(whole, file)
  } catch (error) {
    await rm(whole, { force: true })
    throw new StaticS3Error(`static-s3: ${file}: ${(error as NodeJS.ErrnoException).code}`, { cause: error })
  }
}
