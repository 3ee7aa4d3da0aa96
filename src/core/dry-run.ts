import type { Bucket } from './bucket.js'

/** A bucket that reads from the given one and writes nowhere. */
export function dryRun(bucket: Bucket): Bucket {
  return {
    list: bucket.list,
    get: bucket.get,
    put: async (_key, body) => body.md5,
    copy: async () => '',
    delete: async () => {},
  }
}
