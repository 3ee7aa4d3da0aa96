import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** The `name` in the nearest `package.json`, from this folder upwards; undefined if the file has no name. */
export async function projectOf(folder: string): Promise<string | undefined> {
  try {
    const { name } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
    return typeof name === 'string' && name !== '' ? name : undefined
  } catch {
    const above = dirname(folder)
    return above === folder ? undefined : projectOf(above)
  }
}
