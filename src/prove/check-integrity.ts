import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { type Algorithm, parseIntegrity } from '../references/integrity.js'

/**
 * Returns a function that compares a file on the disk with an `integrity` attribute. It returns undefined if they match, otherwise the file's real
 * integrity.
 */
export function integrityCheck(): (file: string, attribute: string) => Promise<string | undefined> {
  const digests = new Map<string, Promise<string>>()
  const digestOf = (file: string, algorithm: Algorithm): Promise<string> => {
    const id = `${algorithm} ${file}`
    const digest = digests.get(id) ?? hashFile(file, algorithm)
    digests.set(id, digest)
    return digest
  }
  return async (file, attribute) => {
    const stated = parseIntegrity(attribute)
    if (!stated) return undefined
    const digest = await digestOf(file, stated.algorithm)
    const isRight = stated.values.some((value) => withoutPadding(value) === withoutPadding(digest))
    return isRight ? undefined : `${stated.algorithm}-${digest}`
  }
}

async function hashFile(file: string, algorithm: Algorithm): Promise<string> {
  const hash = createHash(algorithm)
  await pipeline(createReadStream(file), hash)
  return hash.digest('base64')
}

function withoutPadding(base64: string): string {
  return base64.replace(/=+$/, '')
}
