import type { Bucket } from './bucket.js'

/**
 * A bucket that reads from another one and writes nothing. `put` returns the content's MD5, which is the ETag of most
 * objects; what ETag a copy would get isn't known, and is ''.
 */
export function dryRun(bucket: Bucket): Bucket {
  return {
    list: (prefix, options) => bucket.list(prefix, options),
    get: (key, signal) => bucket.get(key, signal),
    put: async (_key, { md5 }) => md5,
    copy: async () => '',
    delete: async () => {},
    now: () => bucket.now(),
  }
}
