import { setMaxListeners } from 'node:events'
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import pMap from 'p-map'
import type { Body, Bucket } from './bucket.js'
import { groups } from './classify.js'
import type { DigestedFile } from './digest.js'
import { StaticS3Error } from './error.js'
import type { Decision, Plan } from './plan.js'

export interface Uploaded {
  decisions: Decision[]
}

export interface UploadOptions {
  concurrency: number
  /** Called after each file. */
  onProgress: (done: { files: number; bytes: number }) => void
}

/** Up to this many bytes a body is one buffer, above it a stream: memory stays at `concurrency` times this. */
const bufferedBytes = 1024 * 1024

/**
 * Carries a plan out: one group after the other, each only when the one before is there whole. The first failure
 * stops everything, so that a page is never touched when something that it may refer to is missing.
 *
 * @throws StaticS3Error with what failed and what visitors see now
 */
export async function upload({ decisions }: Plan, bucket: Bucket, options: UploadOptions): Promise<Uploaded> {
  const stop = new AbortController()
  // One signal for many requests: each of them listens to it.
  setMaxListeners(0, stop.signal)
  const done = { files: 0, bytes: 0 }
  const uploads = decisions.filter(({ action }) => action === 'upload').map(({ file }) => file)
  const touched = { assets: 0, pages: 0 }

  for (const group of groups) {
    try {
      await pMap(
        uploads.filter((file) => file.group === group),
        async (file) => {
          if (stop.signal.aborted) return
          try {
            await bucket.put(file.key, bodyOf(file), file.parameters, stop.signal)
          } catch (error) {
            stop.abort()
            throw error
          }
          if (group === 'html') touched.pages++
          else if (group !== 'fingerprinted') touched.assets++
          done.files++
          done.bytes += file.size
          options.onProgress(done)
        },
        { concurrency: options.concurrency },
      )
    } catch (error) {
      const { message } = error as Error
      throw new StaticS3Error(`${message}\n${standing(done.files, uploads.length, touched)}`, { cause: error })
    }
  }
  return { decisions }
}

/** What visitors see after a failure. */
function standing(done: number, all: number, touched: { assets: number; pages: number }): string {
  const up = `${done} of ${all} files are up, and the next run carries on from there.`
  if (touched.pages > 0) return `${touched.pages} pages are new, and everything that they need is there. ${up}`
  if (touched.assets > 0) return `The old pages stand; ${touched.assets} files without a fingerprint are new. ${up}`
  return `The site stands as it was. ${up}`
}

function bodyOf({ path, file, size, md5 }: DigestedFile): Body {
  return {
    size,
    md5,
    async open() {
      try {
        if (size > bufferedBytes) return createReadStream(file)
        const bytes = await readFile(file)
        if (bytes.length === size) return bytes
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        if (code === 'ENOENT') throw new StaticS3Error(`static-s3: ${path} vanished before it was uploaded`)
        throw new StaticS3Error(`static-s3: ${path} can't be read (${code})`)
      }
      throw new StaticS3Error(`static-s3: ${path} changed while it was being uploaded; build again`)
    },
  }
}
