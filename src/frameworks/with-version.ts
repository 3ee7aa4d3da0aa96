import { createRequire } from 'node:module'
import { join } from 'node:path'
import { orUndefined } from '../runtime/or-undefined.js'

/**
 * A framework's name with the version that a project has: `astro 7.3.5`.
 *
 * @param root the project's folder
 */
export function withVersion(name: string, root: string): string {
  const { resolve } = createRequire(join(root, 'package.json'))
  const version = orUndefined(() => createRequire(resolve(`${name}/package.json`))('./package.json').version)
  return version === undefined ? name : `${name} ${version}`
}
