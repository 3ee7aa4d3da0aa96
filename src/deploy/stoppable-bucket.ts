import type { Bucket } from '../bucket/bucket.js'
import type { Stop } from '../runtime/stop.js'

/** The bucket during a deploy that can be stopped: the stop ends reads at once and writes a moment later. */
export function until({ begun, cut }: Stop, bucket: Bucket): Bucket {
  return {
    list: (prefix, options) => bucket.list(prefix, { ...options, signal: options?.signal ?? begun }),
    get: (key, signal = begun) => bucket.get(key, signal),
    head: (key, signal = begun) => bucket.head(key, signal),
    put: (key, body, parameters, signal = cut, check?) => bucket.put(key, body, parameters, signal, check),
    copy: (from, to, parameters, signal = cut, check?) => bucket.copy(from, to, parameters, signal, check),
    now: () => bucket.now(),
  }
}
