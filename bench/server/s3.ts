import { ContentReader, type KnownContents } from './content.js'
import type { Answer, Exchange, Head } from './http.js'
import { listing } from './listing.js'
import { MultipartUploads } from './multipart.js'
import { fixed, headersToStore, notImplemented, type Route } from './route.js'
import { Store, type StoredObject } from './store.js'
import { failure, isoDate, unescapeXml, xml, xmlAnswer } from './xml.js'

/*
 * The lightest S3 that the tools accept. It has one bucket, which answers to any name, and checks no signature. It keeps only the bodies of
 * static-s3's records: no tool reads any other object.
 */

export interface Counts {
  /** Requests by S3's name of their operation. */
  operations: Record<string, number>
  /** Large bodies without a known MD5, which the server had to hash. */
  hashedLarge: number
}

export class S3 {
  readonly store = new Store()
  latency = 0
  known: KnownContents = new Map()
  counts: Counts = { operations: {}, hashedLarge: 0 }
  readonly #uploads = new MultipartUploads((object) => this.#write(object))

  begin(head: Head): Exchange {
    const { path } = head
    const slash = path.indexOf('/', 1)
    const key = slash < 0 ? '' : decodeKey(path.slice(slash + 1))
    const query = new URLSearchParams(head.query)
    const { operation, answer, body = 'ignored' } = this.#route(head, key, query)
    this.counts.operations[operation] = (this.counts.operations[operation] ?? 0) + 1
    const delay = this.latency
    if (body === 'ignored') return { take() {}, end: () => answer(undefined as never), delay }
    const reader = new ContentReader(head.headers, this.known, body === 'kept')
    return {
      take: (piece) => reader.take(piece),
      end: () => {
        if (reader.hashedLarge) this.counts.hashedLarge++
        return answer(reader.end())
      },
      delay,
    }
  }

  reset(): void {
    this.store.replaceAll([])
    this.#uploads.clear()
  }

  #route({ method, headers }: Head, key: string, query: URLSearchParams): Route {
    if (key === '') return this.#bucketRoute(method, query)
    const uploadId = query.get('uploadId')
    if (query.has('acl')) return method === 'GET' ? fixed('GetObjectAcl', acl) : fixed('PutObjectAcl', '')
    if (method === 'PUT') {
      if (uploadId !== null) return this.#uploads.part(uploadId, Number(query.get('partNumber')))
      const source = headers['x-amz-copy-source']
      return source === undefined ? this.#put(key, headers) : this.#copy(key, source, headers)
    }
    if (method === 'POST') {
      if (query.has('uploads')) return this.#uploads.create(key, headers)
      if (uploadId !== null) return this.#uploads.complete(uploadId)
    }
    if (method === 'DELETE') return uploadId === null ? this.#delete(key) : this.#uploads.abort(uploadId)
    if (method === 'HEAD') return { operation: 'HeadObject', answer: () => this.#describe(key) }
    if (method === 'GET') return { operation: 'GetObject', answer: () => this.#read(key) }
    return notImplemented
  }

  #bucketRoute(method: string, query: URLSearchParams): Route {
    if (method === 'HEAD') return fixed('HeadBucket', '')
    if (method === 'PUT') return fixed('CreateBucket', '')
    if (method === 'POST' && query.has('delete')) return this.#deleteMany()
    if (method !== 'GET') return notImplemented
    if (query.has('location')) return fixed('GetBucketLocation', xml('LocationConstraint', ''))
    if (query.has('versioning')) return fixed('GetBucketVersioning', xml('VersioningConfiguration', ''))
    if (query.has('acl')) return fixed('GetBucketAcl', acl)
    if (query.has('uploads')) return this.#uploads.list(query.get('prefix') ?? '')
    const isV2 = query.get('list-type') === '2'
    return {
      operation: isV2 ? 'ListObjectsV2' : 'ListObjects',
      answer: () => xmlAnswer(listing(this.store, query, isV2)),
    }
  }

  #put(key: string, headers: Record<string, string>): Route {
    const isRecord = key.startsWith('.static-s3/')
    return {
      operation: 'PutObject',
      body: isRecord ? 'kept' : 'measured',
      answer: ({ size, md5, bytes }) => {
        const existing = this.store.get(key)
        const expected = headers['if-match']
        if (headers['if-none-match'] === '*' && existing) return failure(412, 'PreconditionFailed')
        if (expected !== undefined && !existing) return failure(404, 'NoSuchKey')
        if (expected !== undefined && expected !== `"${existing?.etag}"`) return failure(412, 'PreconditionFailed')
        this.#write({ key, size, etag: md5, headers: headersToStore(headers), body: isRecord ? bytes : undefined })
        return { status: 200, headers: { ETag: `"${md5}"` } }
      },
    }
  }

  #copy(key: string, source: string, headers: Record<string, string>): Route {
    return {
      operation: 'CopyObject',
      answer: () => {
        const from = decodeKey(source.replace(/^\/?[^/]+\//, ''))
        const object = this.store.get(from)
        if (!object) return failure(404, 'NoSuchKey')
        const replaces = headers['x-amz-metadata-directive']?.toUpperCase() === 'REPLACE'
        const copy = { ...object, key, headers: replaces ? headersToStore(headers) : object.headers }
        const { modified, etag } = this.#write(copy)
        const content = `<LastModified>${isoDate(modified)}</LastModified><ETag>"${etag}"</ETag>`
        return xmlAnswer(xml('CopyObjectResult', content))
      },
    }
  }

  #write(object: Omit<StoredObject, 'modified'>): StoredObject {
    const written = { ...object, modified: Math.floor(Date.now() / 1000) * 1000 }
    this.store.set(written)
    return written
  }

  #describe(key: string): Answer {
    const object = this.store.get(key)
    if (!object) return failure(404, 'NoSuchKey')
    const { headers, etag, modified, size } = object
    const lastModified = new Date(modified).toUTCString()
    const own = { ETag: `"${etag}"`, 'Last-Modified': lastModified, 'content-length': size }
    return { status: 200, headers: { ...headers, ...own } }
  }

  #read(key: string): Answer {
    const described = this.#describe(key)
    const { size = 0, body } = this.store.get(key) ?? {}
    return size > 0 && body === undefined
      ? failure(501, 'NotImplemented')
      : { ...described, body: described.body ?? body }
  }

  #delete(key: string): Route {
    return {
      operation: 'DeleteObject',
      answer: () => {
        this.store.delete(key)
        return { status: 204 }
      },
    }
  }

  #deleteMany(): Route {
    return {
      operation: 'DeleteObjects',
      body: 'kept',
      answer: ({ bytes }) => {
        const text = bytes?.toString() ?? ''
        for (const [, key = ''] of text.matchAll(/<Key>([^<]*)<\/Key>/g)) this.store.delete(unescapeXml(key))
        return xmlAnswer(xml('DeleteResult', ''))
      },
    }
  }
}

function decodeKey(path: string): string {
  return path.includes('%') ? decodeURIComponent(path) : path
}

const acl = xml(
  'AccessControlPolicy',
  '<Owner><ID>bench</ID></Owner><AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>bench</ID></Grantee><Permission>FULL_CONTROL</Permission></Grant></AccessControlList>',
)
