import { hash } from 'node:crypto'

/** The most characters of a label in a host name. */
const longest = 63

/** The end of a name with a hash. */
const hashed = /(^|-)[0-9a-f]{8}$/

/**
 * A branch as a folder's name: lower-case letters, digits and `-` `_` `.`; `feature/login` is `feature--login`. No two branches share a name: if
 * the name does not determine its branch, it ends with a hash of the branch.
 */
export function previewName(branch: string): string {
  const name = branch.replaceAll('/', '--')
  const isReversible = name.replaceAll('--', '/') === branch
  const isPlain = /^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/.test(name) && name.length <= longest
  if (isReversible && isPlain && !hashed.test(name)) return name
  const words = name
    .toLowerCase()
    .replace(/[^a-z0-9_.-]+/g, '-')
    .replace(/^[.-]+/, '')
    .slice(0, longest - 9)
    .replace(/[.-]+$/, '')
  const suffix = hash('sha256', branch).slice(0, 8)
  return words === '' ? suffix : `${words}-${suffix}`
}
