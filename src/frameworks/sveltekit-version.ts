import { execFileSync } from 'node:child_process'
import { orUndefined } from '../runtime/or-undefined.js'

let version: { name: string | undefined } | undefined

/**
 * The commit, if Git knows all files of the work tree as they are. SvelteKit's own default is the time, which changes a dozen files with each build.
 *
 * SvelteKit 2 reads its configuration once for the server and once for the client. Both need the same answer, although the build may write to the
 * work tree in between.
 *
 * @see https://svelte.dev/docs/kit/configuration#version
 */
export function versionName(): string | undefined {
  version ??= { name: orUndefined(cleanCommit) }
  return version.name
}

function cleanCommit(): string | undefined {
  const git = ['status', '--porcelain=v2', '--branch']
  const status = execFileSync('git', git, { encoding: 'utf8', timeout: 5000, stdio: ['ignore', 'pipe', 'ignore'] })
  const lines = status.split('\n').filter(Boolean)
  const isClean = lines.every((line) => line.startsWith('#'))
  return isClean ? /^# branch\.oid ([0-9a-f]+)$/m.exec(status)?.[1] : undefined
}
