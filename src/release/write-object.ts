import type { Bucket, ObjectParameters, WrittenObject } from '../bucket/bucket.js'
import { bodyOfFile } from '../files/file-body.js'
import { refusedCondition, responseOf } from '../runtime/error.js'
import type { Decision } from './plan.js'

export interface WriteOptions {
  /** Cuts off the request. */
  signal: AbortSignal
  /** Aborted if nothing more is to be written. */
  stop: AbortSignal
  /** Called immediately before the first byte. If it throws, nothing is sent. */
  check: () => void
}

/** Writes single objects, and remembers which requests the store refuses. */
export interface ObjectWriter {
  /** Uploads a file, or gives new headers to its object. */
  write(decision: Decision, options: WriteOptions): Promise<WrittenObject>
  /** Uploads a file under a key that is free. Undefined if another deploy was first, or if the answer to our own first attempt was lost. */
  create(decision: Decision, options: WriteOptions): Promise<WrittenObject | undefined>
}

export function objectWriter(bucket: Bucket): ObjectWriter {
  let copies = true
  let conditions = true
  const put = ({ file }: Decision, { signal, check }: WriteOptions, parameters = file.parameters) =>
    bucket.put(file.key, bodyOfFile(file), parameters, signal, check)
  return {
    async write(decision, options) {
      const { file, action, etag } = decision
      if (action !== 'copy' || !copies) return put(decision, options)
      try {
        const parameters = { ...file.parameters, CopySourceIfMatch: `"${etag}"` }
        return await bucket.copy(file.key, file.key, parameters, options.signal, options.check)
      } catch (error) {
        if (options.stop.aborted || !isRefusal(error)) throw error
        // 404 and 412: somebody has deleted or changed this object. Any other refusal comes again for each copy.
        const { status } = responseOf(error)
        copies = status === 404 || status === 412
        return put(decision, options)
      }
    },
    async create(decision, options) {
      if (!conditions) return put(decision, options)
      try {
        return await put(decision, options, ifFree(decision.file.parameters))
      } catch (error) {
        const refused = refusedCondition(error)
        if (refused === 'exists') return undefined
        if (refused === undefined || options.stop.aborted) throw error
        conditions = false
        return put(decision, options)
      }
    },
  }
}

/** A cache, because many objects share their parameters, and so their headers. */
const conditional = new WeakMap<ObjectParameters, ObjectParameters>()

function ifFree(parameters: ObjectParameters): ObjectParameters {
  const made = conditional.get(parameters) ?? { ...parameters, IfNoneMatch: '*' }
  conditional.set(parameters, made)
  return made
}

/** True if S3 would say the same again. An upload may still succeed. */
function isRefusal(error: unknown): boolean {
  const { status = 0 } = responseOf(error)
  return status === 501 || (status >= 400 && status < 500)
}
