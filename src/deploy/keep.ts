import { writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Classified } from '../files/classify.js'
import { buildFileName } from '../files/collect.js'
import { type BuildFacts, encodeFacts, factsOf } from '../folders/build-file.js'
import { nearestPackage } from './deployer.js'
import type { PublishInput } from './publish.js'

/**
 * Ends a build whose files are uploaded later: writes the bundler's knowledge into each output folder.
 *
 * @param kept the builds of each output folder in the same run
 */
export async function keepForLater(
  input: PublishInput,
  found: Classified,
  kept: Map<string, BuildFacts[]>,
): Promise<void> {
  const { version } = await nearestPackage(dirname(fileURLToPath(import.meta.url)))
  const folders = new Set<string>()
  for (const output of input.outputs) {
    const facts = await factsOf(input, output, found.leftOut)
    // A folder may be the output of several configurations.
    const builds = [...(kept.get(output.dir) ?? []), facts]
    kept.set(output.dir, builds)
    await writeFile(join(output.dir, buildFileName), encodeFacts(String(version), builds))
    folders.add(relative('', output.dir) || '.')
  }
  const { length } = found.files
  const files = `${length} ${length === 1 ? 'file' : 'files'}`
  input.logger.info(
    `upload is off: static-s3 deploy ${[...folders].join(' ')} brings ${files} to ${input.settings.publicUrl}`,
  )
}
