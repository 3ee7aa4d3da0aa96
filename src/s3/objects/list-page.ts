import type { ListedObject } from '../../bucket/bucket.js'
import { compareKeys } from '../../bucket/bucket.js'
import { notS3 } from '../errors/s3-error.js'
import { elements, plainXml, rootOf, textOf } from '../http/xml.js'

/** Parameters of a ListObjectsV2 request. */
export interface PageStart {
  'start-after'?: string
  'continuation-token'?: string
  'max-keys'?: string
}

/** One response to ListObjectsV2: up to 1,000 keys. */
export interface Page {
  /** Only objects below the prefix. */
  objects: readonly ListedObject[]
  /** The first and the last key, also of other prefixes; undefined for an empty page. */
  first: string | undefined
  last: string | undefined
  /** True if the keys are in S3's order. */
  inOrder: boolean
  /** The token for the next page; undefined at the end. */
  next: string | undefined
}

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html */
export function pageQuery(prefix: string, start: PageStart): Record<string, string> {
  return {
    'list-type': '2',
    ...(prefix === '' ? {} : { prefix }),
    ...start,
    // XML 1.0 has no control characters and changes line ends.
    'encoding-type': 'url',
  }
}

/** @throws Error named `NoS3Response` */
export function readPage(document: string, prefix: string): Page {
  const xml = plainXml(document)
  const isTruncated = textOf(xml, 'IsTruncated')
  // A web page must not look like an empty bucket.
  if (rootOf(xml) !== 'ListBucketResult' || isTruncated === undefined) throw notS3('it is no listing')
  const token = textOf(xml, 'NextContinuationToken')
  if (isTruncated === 'true' && !token) throw notS3('a page without the token for the next one')
  const encoding = textOf(xml, 'EncodingType')
  const listed = [...elements(xml, 'Contents')].map((object): ListedObject => {
    const time = Date.parse(textOf(object, 'LastModified') ?? '')
    return {
      key: decodeKey(textOf(object, 'Key') ?? '', encoding),
      size: Number(textOf(object, 'Size') ?? 0),
      etag: unquote(textOf(object, 'ETag')),
      // A store without times may send the year 1.
      lastModified: time > 0 ? time : undefined,
    }
  })
  return {
    // The store may ignore the prefix.
    objects: listed.filter(({ key }) => key.startsWith(prefix)),
    first: listed[0]?.key,
    last: listed.at(-1)?.key,
    inOrder: areInOrder(listed),
    next: isTruncated === 'true' ? token : undefined,
  }
}

/** False if a key is there twice, too. */
export function areInOrder(objects: Iterable<ListedObject>): boolean {
  let before: string | undefined
  for (const { key } of objects) {
    if (before !== undefined && compareKeys(before, key) >= 0) return false
    before = key
  }
  return true
}

export function unquote(etag: string | undefined): string {
  return (etag ?? '').replace(/^"|"$/g, '')
}

/** `EncodingType: url` means form encoding: AWS writes a space as `+`, Ceph as `%20`. A store that does not echo the type did not encode. */
function decodeKey(key: string, encoding: string | undefined): string {
  if (encoding !== 'url') return key
  try {
    return decodeURIComponent(key.replaceAll('+', ' '))
  } catch {
    throw notS3(`a key that can't be decoded: ${key}`)
  }
}
