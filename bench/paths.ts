import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const benchFolder = fileURLToPath(new URL('.', import.meta.url))
export const projectFolder = join(benchFolder, '..')
/** What the bench writes, but for its report. */
export const cacheFolder = join(projectFolder, '.cache/bench')
