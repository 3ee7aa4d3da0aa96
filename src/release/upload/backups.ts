import { type Bucket, type ObjectParameters, smallBytes } from '../../bucket/bucket.js'
import type { HashedFile } from '../../files/hash.js'
import { isForbidden } from '../../runtime/error.js'
import { longestCopy, type Plan } from '../plan.js'
import { backupKey } from '../records/releases-folder.js'
import type { ObjectWriter, WriteOptions } from './write-object.js'

/*
 * The next release replaces a file without a fingerprint. So its bytes are also stored beside the records, under their hash, once for each content:
 * a later release can restore them.
 */

/** Stores the bytes of files beside the records. */
export interface Backups {
  /** The ETags of the backups that this deploy stored or found, by the SHA-256 of their bytes. */
  etags: ReadonlyMap<string, string>
  /** The refusal of the store, after which nothing more is stored. */
  refusal(): unknown
  store(file: HashedFile, options: WriteOptions, expired: Plan['expired']): Promise<void>
  /** The stored backup of a large file. A copy on the server then saves the second upload of its bytes. */
  of(file: HashedFile): WriteOptions['backup']
}

export interface BackupPlace {
  location: string
  /** For every backup. */
  parameters: ObjectParameters
}

export function openBackups(bucket: Bucket, writer: ObjectWriter, { location, parameters }: BackupPlace): Backups {
  const etags = new Map<string, string>()
  let refusal: unknown
  return {
    etags,
    refusal: () => refusal,
    of({ group, size, sha256, source }) {
      const etag = etags.get(sha256)
      if (etag === undefined || group === 'fingerprinted' || source || size <= smallBytes || size > longestCopy) return
      return { key: backupKey(location, sha256), etag }
    },
    async store(file, options, expired) {
      if (refusal !== undefined) return
      const key = backupKey(location, file.sha256)
      const decision = { file: { ...file, key, parameters }, action: 'upload', reason: 'new' } as const
      try {
        const isExpired = expired?.has(key) === true
        const head = async () => {
          const there = isExpired ? undefined : await bucket.head(key, options.signal)
          // A lifecycle rule may delete an object with tags that are not ours.
          return there?.tags && parameters.Tagging === undefined ? undefined : there
        }
        // A copy has no `If-None-Match`. It would give an existing backup another ETag under SSE-KMS, and earlier records name the old one.
        const isCopy = file.source !== undefined || options.backup !== undefined
        const created = isCopy || isExpired ? undefined : await writer.create(decision, options)
        // A store may refuse a name for a moment after its deletion.
        const { etag } = created ?? (await head()) ?? (await writer.write(decision, options))
        etags.set(file.sha256, etag)
      } catch (error) {
        if (!isForbidden(error)) throw error
        refusal ??= error
      }
    },
  }
}
