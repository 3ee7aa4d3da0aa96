import type { Bucket, StoredObject } from '../bucket/bucket.js'
import { isForbidden, responseOf } from '../runtime/error.js'
import { eachInParallel } from '../runtime/parallel.js'

/**
 * Asks for the headers of objects that no record describes, as many at the same time as uploads. An object that can't be asked for is left out: then
 * its headers are written anew.
 */
export async function currentHeaders(
  bucket: Bucket,
  keys: readonly string[],
  concurrency: number,
): Promise<Map<string, StoredObject>> {
  const heads = new Map<string, StoredObject>()
  let hasFailed = false
  await eachInParallel(concurrency, keys, async (key) => {
    if (hasFailed) return
    try {
      const shown = await bucket.head(key)
      if (shown) heads.set(key, shown)
    } catch (error) {
      hasFailed = true
      if (!isForbidden(error) && responseOf(error).status !== 501) throw error
    }
  })
  return heads
}
