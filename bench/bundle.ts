import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'tsup'
import { cacheFolder, projectFolder } from './paths.js'

// Another bench may run at the same time, of other sources.
const root = join(cacheFolder, `bundles-${process.pid}`)
process.on('exit', () => rmSync(root, { recursive: true, force: true }))

/**
 * Bundles a script as the package itself is built, so that plain Node runs it: what is imported dynamically stays a file of its own, and
 * dependencies stay outside.
 *
 * @returns the file that came of it
 */
export async function bundle(source: string, folder: string): Promise<string> {
  const outDir = join(root, folder)
  await build({
    entry: { main: join(projectFolder, source) },
    outDir,
    format: 'esm',
    splitting: true,
    skipNodeModulesBundle: true,
    target: 'node20.19',
    config: false,
    silent: true,
  })
  return join(outDir, 'main.js')
}
