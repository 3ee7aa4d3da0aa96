import { Usage } from '../usage.js'

/**
 * The number of a release in a command line; undefined without one.
 *
 * @throws Usage
 */
export function numberOf(command: string, [word, ...more]: readonly string[]): number | undefined {
  if (more.length > 0) throw new Usage(`${command} takes one release, and not ${more.join(' ')} too`)
  if (word === undefined) return undefined
  if (!/^[1-9]\d{0,7}$/.test(word)) throw new Usage(`${word} is no number of a release: static-s3 releases lists them`)
  return Number(word)
}
