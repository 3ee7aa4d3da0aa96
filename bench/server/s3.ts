import { hash } from 'node:crypto'
import { ContentReader, type KnownContents } from './content.js'
import type { Answer, Exchange, Head } from './http.js'
import { Store, type StoredObject } from './store.js'

/*
 * The lightest S3 that the tools accept, for one bucket whatever it is called. It checks no signature. Of bodies it keeps the small ones outside
 * of the location, which are the records of static-s3; no tool reads others.
 */

export interface Counts {
  /** Requests by S3's name of their operation. */
  operations: Record<string, number>
  /** Large bodies that the server had to hash, as nobody had told their MD5. */
  hashedLarge: number
}

interface Upload {
  key: string
  headers: Record<string, string>
  parts: Map<number, { size: number; md5: string }>
}

export class S3 {
  readonly store = new Store()
  latency = 0
  known: KnownContents = new Map()
  counts: Counts = { operations: {}, hashedLarge: 0 }
  #uploads = new Map<string, Upload>()
  #uploadId = 0

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
    if (query.has('acl')) return method === 'GET' ? done('GetObjectAcl', acl) : done('PutObjectAcl', '')
    if (method === 'PUT') {
      if (uploadId !== null) return this.#uploadPart(uploadId, Number(query.get('partNumber')))
      const source = headers['x-amz-copy-source']
      return source === undefined ? this.#put(key, headers) : this.#copy(key, source, headers)
    }
    if (method === 'POST') {
      if (query.has('uploads')) return this.#createUpload(key, headers)
      if (uploadId !== null) return this.#completeUpload(uploadId)
    }
    if (method === 'DELETE') {
      if (uploadId !== null) this.#uploads.delete(uploadId)
      return uploadId === null
        ? { operation: 'DeleteObject', answer: () => this.#delete(key) }
        : { operation: 'AbortMultipartUpload', answer: () => ({ status: 204 }) }
    }
    if (method === 'HEAD') return { operation: 'HeadObject', answer: () => this.#describe(key) }
    if (method === 'GET') return { operation: 'GetObject', answer: () => this.#read(key) }
    return notImplemented
  }

  #bucketRoute(method: string, query: URLSearchParams): Route {
    if (method === 'HEAD') return done('HeadBucket', '')
    if (method === 'PUT') return done('CreateBucket', '')
    if (method === 'POST' && query.has('delete')) return this.#deleteMany()
    if (method !== 'GET') return notImplemented
    if (query.has('location')) return done('GetBucketLocation', xml('LocationConstraint', ''))
    if (query.has('versioning')) return done('GetBucketVersioning', xml('VersioningConfiguration', ''))
    if (query.has('acl')) return done('GetBucketAcl', acl)
    if (query.has('uploads')) return this.#listUploads(query)
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
        if (headers['if-none-match'] === '*' && this.store.get(key)) return failure(412, 'PreconditionFailed')
        this.#write({ key, size, etag: md5, headers: kept(headers), body: isRecord ? bytes : undefined })
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
        const { modified } = this.#write({ ...object, key, headers: replaces ? kept(headers) : object.headers })
        return xmlAnswer(
          xml('CopyObjectResult', `<LastModified>${isoDate(modified)}</LastModified><ETag>"${object.etag}"</ETag>`),
        )
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

  #delete(key: string): Answer {
    this.store.delete(key)
    return { status: 204 }
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

  #createUpload(key: string, headers: Record<string, string>): Route {
    return {
      operation: 'CreateMultipartUpload',
      answer: () => {
        const id = `upload-${++this.#uploadId}`
        this.#uploads.set(id, { key, headers: kept(headers), parts: new Map() })
        return xmlAnswer(
          xml(
            'InitiateMultipartUploadResult',
            `<Bucket>bench</Bucket><Key>${escapeXml(key)}</Key><UploadId>${id}</UploadId>`,
          ),
        )
      },
    }
  }

  #uploadPart(id: string, number: number): Route {
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

  #completeUpload(id: string): Route {
    return {
      operation: 'CompleteMultipartUpload',
      answer: () => {
        const upload = this.#uploads.get(id)
        if (!upload) return failure(404, 'NoSuchUpload')
        this.#uploads.delete(id)
        const parts = [...upload.parts].sort(([a], [b]) => a - b).map(([, part]) => part)
        const size = parts.reduce((sum, part) => sum + part.size, 0)
        const etag = etagOfParts(parts.map(({ md5 }) => md5))
        this.#write({ key: upload.key, size, etag, headers: upload.headers, body: undefined })
        return xmlAnswer(
          xml('CompleteMultipartUploadResult', `<Key>${escapeXml(upload.key)}</Key><ETag>"${etag}"</ETag>`),
        )
      },
    }
  }

  #listUploads(query: URLSearchParams): Route {
    return {
      operation: 'ListMultipartUploads',
      answer: () => {
        const prefix = query.get('prefix') ?? ''
        const uploads = [...this.#uploads].filter(([, { key }]) => key.startsWith(prefix))
        const entries = uploads.map(
          ([id, { key }]) =>
            `<Upload><Key>${escapeXml(key)}</Key><UploadId>${id}</UploadId><Initiated>${isoDate(Date.now())}</Initiated></Upload>`,
        )
        return xmlAnswer(
          xml(
            'ListMultipartUploadsResult',
            `<Bucket>bench</Bucket><Prefix>${escapeXml(prefix)}</Prefix><IsTruncated>false</IsTruncated>${entries.join('')}`,
          ),
        )
      },
    }
  }
}

type Content = ReturnType<ContentReader['end']>

interface Route {
  operation: string
  /** Whether the answer depends on the body: on its size and MD5 (measured), or on its bytes. */
  body?: 'ignored' | 'measured' | 'kept'
  answer: (content: Content) => Answer
}

const notImplemented: Route = { operation: 'unknown', answer: () => failure(501, 'NotImplemented') }

function done(operation: string, body: string): Route {
  return { operation, answer: () => (body === '' ? { status: 200 } : xmlAnswer(body)) }
}

/** As S3 makes it of a multipart upload. */
export function etagOfParts(md5s: readonly string[]): string {
  return `${hash('md5', Buffer.from(md5s.join(''), 'hex'))}-${md5s.length}`
}

const keptHeaders = new Set([
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-type',
  'expires',
])

function kept(headers: Record<string, string>): Record<string, string> {
  const result: Record<string, string> = {}
  for (const name in headers) {
    if (keptHeaders.has(name) || name.startsWith('x-amz-meta-')) result[name] = headers[name] as string
  }
  const encoding = result['content-encoding']
  if (encoding?.includes('aws-chunked')) {
    const others = encoding.split(',').filter((each) => each.trim() !== 'aws-chunked')
    if (others.length > 0) result['content-encoding'] = others.join(',')
    else delete result['content-encoding']
  }
  return result
}

function listing(store: Store, query: URLSearchParams, isV2: boolean): string {
  const prefix = query.get('prefix') ?? ''
  const delimiter = query.get('delimiter') ?? ''
  const limit = Math.min(1000, Number(query.get('max-keys') ?? 1000))
  const after = (isV2 ? (query.get('continuation-token') ?? query.get('start-after')) : query.get('marker')) ?? ''
  const asUrl = query.get('encoding-type') === 'url'
  const write = asUrl ? (text: string) => encodeURIComponent(text).replaceAll('%2F', '/') : escapeXml
  const { objects, commonPrefixes, next } = store.list({ prefix, delimiter, after, limit })
  let text = `<Name>bench</Name><Prefix>${write(prefix)}</Prefix><MaxKeys>${limit}</MaxKeys><IsTruncated>${next !== undefined}</IsTruncated>`
  if (delimiter !== '') text += `<Delimiter>${write(delimiter)}</Delimiter>`
  if (asUrl) text += '<EncodingType>url</EncodingType>'
  if (isV2) {
    text += `<KeyCount>${objects.length + commonPrefixes.length}</KeyCount>`
    if (next !== undefined) text += `<NextContinuationToken>${escapeXml(next)}</NextContinuationToken>`
  } else {
    text += `<Marker>${write(after)}</Marker>`
    if (next !== undefined) text += `<NextMarker>${write(next)}</NextMarker>`
  }
  for (const { key, modified, etag, size } of objects) {
    text += `<Contents><Key>${write(key)}</Key><LastModified>${isoDate(modified)}</LastModified><ETag>&quot;${etag}&quot;</ETag><Size>${size}</Size><StorageClass>STANDARD</StorageClass></Contents>`
  }
  for (const common of commonPrefixes) text += `<CommonPrefixes><Prefix>${write(common)}</Prefix></CommonPrefixes>`
  return xml('ListBucketResult', text)
}

function isoDate(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}

function decodeKey(path: string): string {
  return path.includes('%') ? decodeURIComponent(path) : path
}

function xml(root: string, content: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${content}</${root}>`
}

function xmlAnswer(body: string): Answer {
  return { status: 200, headers: { 'content-type': 'application/xml' }, body }
}

function failure(status: number, code: string): Answer {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${code}</Message></Error>`
  return { status, headers: { 'content-type': 'application/xml' }, body }
}

const acl = xml(
  'AccessControlPolicy',
  '<Owner><ID>bench</ID></Owner><AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>bench</ID></Grantee><Permission>FULL_CONTROL</Permission></Grant></AccessControlList>',
)

function escapeXml(text: string): string {
  return /[&<>]/.test(text) ? text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;') : text
}

function unescapeXml(text: string): string {
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&apos;', "'")
    .replaceAll('&amp;', '&')
}
