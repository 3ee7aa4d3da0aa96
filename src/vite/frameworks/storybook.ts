import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { ResolvedConfig } from 'vite'
import { StaticS3Error } from '../../runtime/error.js'
import { filesBelow } from '../../runtime/files-below.js'
import { orUndefined } from '../../runtime/or-undefined.js'

/** The list of the stories. Storybook's interface requests it from its own origin. */
export const storyIndex = 'index.json'

export function isStorybook({ plugins }: Pick<ResolvedConfig, 'plugins'>): boolean {
  return plugins.some(({ name }) => name === 'storybook:config-plugin')
}

/**
 * Waits for the files that Storybook writes beside the build of its preview: the index of the stories, and copies of static files. Storybook has no
 * hook for their end, so it is a complete index and a folder in which nothing has changed for a moment.
 *
 * @param patience in milliseconds: by default, more than a healthy build needs
 * @throws StaticS3Error if the files are not complete by then
 */
export async function storybookIsWritten(dir: string, patience = 120_000): Promise<void> {
  let before = ''
  for (const start = performance.now(); performance.now() - start < patience; ) {
    const now = stateOf(dir)
    if (now === before && isComplete(join(dir, storyIndex))) return
    before = now
    await setTimeout(200)
  }
  throw new StaticS3Error(
    `static-s3: ${join(dir, storyIndex)}: Storybook has not written all of its files within ${patience / 1000} seconds, so nothing is uploaded: upload its folder with static-s3 deploy`,
  )
}

function isComplete(index: string): boolean {
  return orUndefined(() => JSON.parse(readFileSync(index, 'utf8'))) !== undefined
}

function stateOf(dir: string): string {
  return filesBelow(dir)
    .map((path) => `${path} ${orUndefined(() => statSync(join(dir, path)).size)}`)
    .join('\n')
}
