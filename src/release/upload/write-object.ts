import type { Bucket, ObjectParameters, WrittenObject } from '../../bucket/bucket.js'
import { bodyOfFile } from '../../files/file-body.js'
import type { HashedFile } from '../../files/hash.js'
import { refusedCondition, responseOf, StaticS3Error } from '../../runtime/error.js'
import type { Decision } from '../plan.js'

export interface WriteOptions {
  /** Cuts off the request. */
  signal: AbortSignal
  /** Aborted if nothing more is to be written. */
  stop: AbortSignal
  /** Another object with the file's bytes, to copy instead of an upload. */
  backup?: { key: string; etag: string } | undefined
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
  const put = ({ file }: Decision, options: WriteOptions, parameters = file.parameters) =>
    file.source
      ? copySource(bucket, { ...file, parameters: parametersNow(file, bucket) }, file.source, options)
      : bucket.put(file.key, bodyOfFile(file), parameters, options.signal, options.check)
  /** Undefined if the store refuses the copy. */
  const copy = async (
    from: { key: string; etag: string | undefined },
    file: HashedFile,
    options: WriteOptions,
  ): Promise<WrittenObject | undefined> => {
    if (!copies) return undefined
    try {
      const sent = { ...parametersNow(file, bucket), CopySourceIfMatch: `"${from.etag}"` }
      return await bucket.copy(from.key, file.key, sent, options.signal, options.check)
    } catch (error) {
      if (options.stop.aborted || !isRefusal(error)) throw error
      // 404 and 412: somebody has deleted or changed this object. Any other refusal comes again for each copy.
      const { status } = responseOf(error)
      copies = status === 404 || status === 412
      return undefined
    }
  }
  return {
    async write(decision, options) {
      const { file, action, etag } = decision
      const from = action === 'copy' ? { key: file.key, etag } : options.backup
      return (from && (await copy(from, file, options))) ?? put(decision, options)
    },
    async create(decision, options) {
      const { file } = decision
      const { twin, sha256, parameters } = file
      // A store that knows no condition for copies may replace an object here. It has the same name and fingerprint.
      const copied =
        twin?.sha256 === sha256 &&
        (await copy(twin, { ...file, parameters: { ...parameters, IfNoneMatch: '*' } }, options))
      if (copied) return copied
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

/** S3 refuses a retention that has ended. An earlier release may have recorded one: the bucket's default then counts. */
function parametersNow({ source, parameters }: HashedFile, bucket: Bucket): ObjectParameters {
  const { ObjectLockMode: _, ObjectLockRetainUntilDate: until, ...others } = parameters
  return source && until instanceof Date && until.getTime() <= bucket.now() ? others : parameters
}

/** Copies the object that has the file's bytes. */
async function copySource(
  bucket: Bucket,
  { key, parameters }: HashedFile,
  { key: from, etag }: NonNullable<HashedFile['source']>,
  { signal, check }: WriteOptions,
): Promise<WrittenObject> {
  try {
    return await bucket.copy(from, key, { ...parameters, CopySourceIfMatch: `"${etag}"` }, signal, check)
  } catch (error) {
    const { status } = responseOf(error)
    if (status !== 404 && status !== 412) throw error
    throw new StaticS3Error(`static-s3: ${from} changed meanwhile: run it again`, { cause: error })
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
