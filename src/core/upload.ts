import { open } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import type { Body, Bucket } from './bucket.js'
import { StaticS3Error } from './error.js'
import { groups } from './groups.js'
import { mapInParallel } from './parallel.js'
import type { Decision, Plan } from './plan.js'

export interface Uploaded {
  decisions: Decision[]
}

/** What is up so far. */
interface Done {
  files: number
  bytes: number
  /** Files without a fingerprint, and pages: those that visitors already use. */
  assets: number
  pages: number
}

/** Up to this many bytes a body is one buffer, above it a stream: memory stays at `concurrency` times this. */
const bufferedBytes = 1024 * 1024

/**
 * Carries a plan out: one group after the other, each only when the one before is there whole. The first failure
 * stops everything, so that a page is never touched when something that it may refer to is missing.
 *
 * @throws StaticS3Error with what failed and what visitors see now
 */
export async function upload(
  { decisions }: Plan,
  bucket: Bucket,
  concurrency: number,
  onProgress: (done: Readonly<Done>) => void,
): Promise<Uploaded> {
  const stop = new AbortController()
  const done: Done = { files: 0, bytes: 0, assets: 0, pages: 0 }
  const uploads = decisions.filter(({ action }) => action === 'upload').map(({ file }) => file)

  const put = async (file: Decision['file']): Promise<void> => {
    if (stop.signal.aborted) return
    try {
      await bucket.put(file.key, bodyOf(file), file.parameters, stop.signal)
    } catch (error) {
      // The first one: those that it stops are of no interest.
      if (!stop.signal.aborted) stop.abort(error)
      return
    }
    done.files++
    done.bytes += file.size
    if (file.group === 'html') done.pages++
    else if (file.group !== 'fingerprinted') done.assets++
    onProgress(done)
  }

  for (const group of groups) {
    const members = uploads.filter((file) => file.group === group)
    await mapInParallel(concurrency, members, put)
    if (stop.signal.aborted) {
      const { message } = stop.signal.reason as Error
      throw new StaticS3Error(`${message}\n${standing(done, uploads.length)}`, { cause: stop.signal.reason })
    }
  }
  return { decisions }
}

/** What visitors see after a failure. */
function standing({ files, assets, pages }: Done, all: number): string {
  const up = `${files} of ${all} files are up, and the next run carries on from there.`
  if (pages > 0) {
    return `${pages === 1 ? '1 page is new, and everything that it needs' : `${pages} pages are new, and everything that they need`} is there. ${up}`
  }
  if (assets > 0) {
    return `The old pages stand; ${assets === 1 ? '1 file without a fingerprint is' : `${assets} files without a fingerprint are`} new. ${up}`
  }
  return `The site stands as it was. ${up}`
}

function bodyOf({ path, file, size, md5 }: Decision['file']): Body {
  return {
    size,
    md5,
    async open() {
      const content = await read(file, size).catch((error: NodeJS.ErrnoException) => {
        const what = error.code === 'ENOENT' ? 'vanished before it was uploaded' : `can't be read (${error.code})`
        throw new StaticS3Error(`static-s3: ${path} ${what}`)
      })
      if (content) return content
      throw new StaticS3Error(`static-s3: ${path} changed while it was being uploaded; build again`)
    },
  }
}

/** The file's content, or undefined if it isn't as long as it was. */
async function read(file: string, size: number): Promise<Uint8Array | Readable | undefined> {
  const handle = await open(file)
  let streams = false
  try {
    if ((await handle.stat()).size !== size) return undefined
    streams = size > bufferedBytes
    // A stream closes the handle itself, at its end.
    if (streams) return handle.createReadStream()
    const bytes = await handle.readFile()
    return bytes.length === size ? bytes : undefined
  } finally {
    if (!streams) await handle.close()
  }
}
