import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { fileOf } from '../files/built-file.js'
import type { HashedFile } from '../files/hash.js'
import { type Algorithm, parseIntegrity } from '../references/integrity.js'

/** Returns a function: a file's real integrity if an `integrity` attribute does not match it, otherwise undefined. */
export function integrityCheck(): (file: HashedFile, attribute: string) => Promise<string | undefined> {
  const digests = new Map<string, Promise<string>>()
  const digestOf = (file: HashedFile, algorithm: Algorithm): Promise<string> => {
    const id = `${algorithm} ${file.path}`
    const known = digests.get(id)
    if (known) return known
    const made = algorithm === 'sha256' ? Promise.resolve(file.sha256) : hashFile(fileOf(file), algorithm)
    const digest = made.then((hex) => Buffer.from(hex, 'hex').toString('base64'))
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
  return hash.digest('hex')
}

function withoutPadding(base64: string): string {
  return base64.replace(/=+$/, '')
}
