import { plain } from '../runtime/error.js'
import { type Pruned, type PruneInput, prune } from './prune.js'

export interface RetentionInput extends Omit<PruneInput, 'retention' | 'unreferenced' | 'maxDelete' | 'deployer'> {
  settings: PruneInput['settings'] & { retention: PruneInput['retention'] | undefined }
  deployer(): Promise<PruneInput['deployer']>
}

/** Prunes after a release went live, if the settings ask for it. The release is live, so a failure is a warning. */
export async function pruneAfterRelease(input: RetentionInput): Promise<Pruned | undefined> {
  const { retention } = input.settings
  if (!retention) return undefined
  try {
    const deployer = await input.deployer()
    // Without a limit: where each release replaces most files, it would stop all later prunes, and nobody is there to lift it.
    const maxDelete = Number.POSITIVE_INFINITY
    return await prune({ ...input, deployer, retention, unreferenced: false, maxDelete })
  } catch (error) {
    input.warn(`the release is live, but the prune after it failed: ${plain(error)}`)
    return undefined
  }
}
