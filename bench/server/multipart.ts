import { hash } from 'node:crypto'
import { headersToStore, type Route } from './route.js'
import type { StoredObject } from './store.js'
import { escapeXml, failure, isoDate, xml, xmlAnswer } from './xml.js'

interface Upload {
  key: string
  headers: Record<string, string>
  parts: Map<number, { size: number; md5: string }>
}

/** The ETag that S3 gives to a multipart upload. */
export function etagOfParts(md5s: readonly string[]): string {
  return `${hash('md5', Buffer.from(md5s.join(''), 'hex'))}-${md5s.length}`
}

/** The multipart uploads that are neither completed nor aborted. */
export class MultipartUploads {
  readonly #uploads = new Map<string, Upload>()
  #lastId = 0

  /** @param write stores a completed upload */
  constructor(readonly write: (object: Omit<StoredObject, 'modified'>) => void) {}

  clear(): void {
    this.#uploads.clear()
  }

  create(key: string, headers: Record<string, string>): Route {
    return {
      operation: 'CreateMultipartUpload',
      answer: () => {
        const id = `upload-${++this.#lastId}`
        this.#uploads.set(id, { key, headers: headersToStore(headers), parts: new Map() })
        const content = `<Bucket>bench</Bucket><Key>${escapeXml(key)}</Key><UploadId>${id}</UploadId>`
        return xmlAnswer(xml('InitiateMultipartUploadResult', content))
      },
    }
  }

  part(id: string, number: number): Route {
    return {
      operation: 'UploadPart',
      body: 'measured',
      answer: ({ size, md5 }) => {
        const upload = this.#uploads.get(id)
        if (!upload) return failure(404, 'NoSuchUpload')
        upload.parts.set(number, { size, md5 })
        return { status: 200, headers: { ETag: `"${md5}"` } }
      },
    }
  }

  complete(id: string): Route {
    return {
      operation: 'CompleteMultipartUpload',
      answer: () => {
        const upload = this.#uploads.get(id)
        if (!upload) return failure(404, 'NoSuchUpload')
        this.#uploads.delete(id)
        const parts = [...upload.parts].sort(([a], [b]) => a - b).map(([, part]) => part)
        const size = parts.reduce((sum, part) => sum + part.size, 0)
        const etag = etagOfParts(parts.map(({ md5 }) => md5))
        this.write({ key: upload.key, size, etag, headers: upload.headers, body: undefined })
        const content = `<Key>${escapeXml(upload.key)}</Key><ETag>"${etag}"</ETag>`
        return xmlAnswer(xml('CompleteMultipartUploadResult', content))
      },
    }
  }

  abort(id: string): Route {
    return {
      operation: 'AbortMultipartUpload',
      answer: () => {
        this.#uploads.delete(id)
        return { status: 204 }
      },
    }
  }

  list(prefix: string): Route {
    return {
      operation: 'ListMultipartUploads',
      answer: () => {
        const uploads = [...this.#uploads].filter(([, { key }]) => key.startsWith(prefix))
        const initiated = isoDate(Date.now())
        const entries = uploads.map(
          ([id, { key }]) =>
            `<Upload><Key>${escapeXml(key)}</Key><UploadId>${id}</UploadId><Initiated>${initiated}</Initiated></Upload>`,
        )
        const head = `<Bucket>bench</Bucket><Prefix>${escapeXml(prefix)}</Prefix><IsTruncated>false</IsTruncated>`
        return xmlAnswer(xml('ListMultipartUploadsResult', head + entries.join('')))
      },
    }
  }
}
