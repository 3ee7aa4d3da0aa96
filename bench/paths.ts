import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const benchFolder = fileURLToPath(new URL('.', import.meta.url))
export const projectFolder = join(benchFolder, '..')
/** The built package under test. */
export const packageFolder = join(projectFolder, 'dist')
/** Everything that the bench writes, except its report. */
export const cacheFolder = join(projectFolder, '.cache/bench')
