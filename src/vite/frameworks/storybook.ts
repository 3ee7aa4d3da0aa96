import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { ResolvedConfig } from 'vite'
import { orUndefined } from '../../runtime/or-undefined.js'

/** The list of the stories. Storybook's interface requests it from its own origin. */
export const storyIndex = 'index.json'

export function isStorybook({ plugins }: Pick<ResolvedConfig, 'plugins'>): boolean {
  return plugins.some(({ name }) => name === 'storybook:config-plugin')
}

/**
 * Waits for the files that Storybook writes beside the build of its preview: the index of the stories, and copies of static files. Storybook has no
 * hook for their end, so it is a complete index and a folder in which nothing has changed for a moment.
 */
export async function storybookIsWritten(dir: string): Promise<void> {
  let before = ''
  // Two minutes, which no healthy build needs.
  for (let waits = 0; waits < 600; waits++) {
    const now = stateOf(dir)
    if (now === before && isComplete(join(dir, storyIndex))) return
    before = now
    await setTimeout(200)
  }
}

function isComplete(index: string): boolean {
  return orUndefined(() => JSON.parse(readFileSync(index, 'utf8'))) !== undefined
}

function stateOf(dir: string): string {
  const files = readdirSync(dir, { recursive: true, encoding: 'utf8' })
  return files.map((file) => `${file} ${orUndefined(() => statSync(join(dir, file)).size)}`).join('\n')
}
